"""One revision at a time: all pods of one are gone before the first of the other starts. Nobody is served meanwhile.

    forth    stable 10   canary 0     stable is asked to go
             stable  0   canary 0     its pods terminate, and count until no object of theirs is left
             stable  0   canary 10    only now; its pods serve as they become ready
    back     the same, the other way round

What must not stand beside another version is more than what serves: a pod that terminates still holds its volume, lock
or licence. So objects are counted, and what nobody can count is not taken for gone.
"""

from collections.abc import Mapping
from typing import Final

from headgate.core import traffic
from headgate.core.model import DeploymentFacts
from headgate.core.paths import ServiceFacts
from headgate.core.replicas import Pods, Sizes

SURE_AFTER_SECONDS: Final = 3
"""How long after a revision was asked to go nothing new starts, whatever is counted: its controllers may be about to
create a pod that was wanted a moment ago, and each takes less than a second to come round."""
_SOON_SECONDS: Final = 2.0
_LATER_SECONDS: Final = 10.0


def left(deployments: Mapping[str, DeploymentFacts], present: Mapping[str, int] | None, but_for: str) -> int | None:
    """Return how many pods there are, or may come, of all revisions *but_for* one; None while nobody can tell.

    Args:
        deployments: of all revisions, by hash.
        present: the objects of their pods by hash, terminating ones included, if they were counted.
        but_for: the hash of the revision that may have pods.
    """
    others = {hash_: facts for hash_, facts in deployments.items() if hash_ != but_for}
    if present is None or not all(facts.settled for facts in others.values()):
        return None
    asked = {hash_: max(facts.replicas, facts.pods) for hash_, facts in others.items()}
    return sum(max(asked.get(hash_, 0), present.get(hash_, 0)) for hash_ in {*asked, *present} - {but_for})


def sizes(total: int, stable: Pods, canary: Pods, *, back: bool, clear: bool) -> Sizes:
    """Return the sizes to ask for now; *clear*: no pod is left of the revision that has to go."""
    if back:
        return Sizes(total if clear else stable.wanted, 0)
    return Sizes(0, total if clear else canary.wanted)


def looks_at(since: int, now: float) -> float:
    """Return when to count again: nothing tells of the last object's end. The longer it takes, the seldomer."""
    return now + min(_LATER_SECONDS, max(_SOON_SECONDS, (now - since) / 10))


def switch(view: traffic.View, asked: Sizes, *, back: bool, clear: bool) -> traffic.Plan:
    """Return the plan for Services: they lead to whoever may have pods now, and routes to the stable one alone."""
    hash_ = view.stable_hash if back else view.other_hash
    stable, canary = (
        hash_ if clear and isinstance(service, ServiceFacts) and service.selects != hash_ else ""
        for service in (view.facts.stable, view.facts.canary)
    )
    waits = _waits(view, hash_)
    return traffic.Plan(asked, percent=0, stable_selects=stable, canary_selects=canary, waits=waits)


def _waits(view: traffic.View, revision_hash: str) -> str:
    service = view.facts.stable
    if not view.budget.total or (isinstance(service, ServiceFacts) and service.leads_only_to(revision_hash)):
        return ""
    name = service.name if isinstance(service, ServiceFacts) else "of spec.traffic"
    return f"Service {name} does not lead to the new pods yet"
