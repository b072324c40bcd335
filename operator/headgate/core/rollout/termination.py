"""When a revision is gone: none of its pods can answer any more.

A Deployment's counts leave terminating pods out, and these answer for as long as their grace lasts: whoever is told
that a version is gone must not meet it a second later. Owns which pods are to be counted for that, and for how long
they count. Only what is said waits for them: no traffic, no capacity, and no other version that is to come.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from headgate.api.status import Abort, Canary, Ending, HistoryEntry, Phase, RolloutStatus
from headgate.core.model import DeploymentFacts, EndingPods, Observation, TemplateRecord, Unreadable
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import ServiceFacts, TrafficFacts
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import Situation

GRACE_SECONDS: Final = 30
"""What a template that says nothing gives its pods to end in."""
SLACK_SECONDS: Final = 5
"""How much longer a pod may take: its kubelet kills it, and its object goes. What outlasts this is on a dead node."""
_SOON_SECONDS: Final = 1.0
_LATER_SECONDS: Final = 10.0
_AT_REST: Final = (Phase.HEALTHY, Phase.ROLLED_BACK)

Templates = Mapping[str, TemplateRecord]


def grace_seconds(templates: Templates, revision_hash: str) -> int:
    """Return how long pods of a revision may take to end."""
    record = templates.get(revision_hash)
    spec: Any = record.template.get("spec") if record else None
    asked = spec.get("terminationGracePeriodSeconds") if isinstance(spec, Mapping) else None
    return asked if isinstance(asked, int) and not isinstance(asked, bool) and asked >= 0 else GRACE_SECONDS


def _bound_seconds(templates: Templates, revision_hash: str) -> int:
    return grace_seconds(templates, revision_hash) + SLACK_SECONDS


# --- whose pods are to be counted -------------------------------------------------------------------------------------


def replaced(status: RolloutStatus, templates: Templates, now: float) -> dict[str, HistoryEntry]:
    """Return the revisions that were left so lately that pods of theirs may still end, and by what they were left."""
    past = [entry for entry in status.history if entry.drill is None]
    stable = status.stable.hash if status.stable else ""
    found: dict[str, HistoryEntry] = {}
    for at, entry in enumerate(past):
        hash_ = entry.hash if entry.hash != stable else _before(past[at:], stable)
        # A first version keeps its pods until the one in its place is stable.
        first = stable and entry.outcome is Ending.SUPERSEDED and entry.aborted_at is None
        last = past[0] if first else entry
        if hash_ and last.finished <= now < last.finished + _bound_seconds(templates, hash_):
            found.setdefault(hash_, last)
    return found


def _before(past: Sequence[HistoryEntry], stable_hash: str) -> str:
    """Return what was stable before the first of *past* made another revision stable; empty if nothing was."""
    if past[0].outcome is not Ending.PROMOTED:
        return ""
    earlier = (entry.hash for entry in past if entry.outcome is Ending.PROMOTED and entry.hash != stable_hash)
    return next(earlier, "")


def _overtaken(status: RolloutStatus, templates: Templates, now: float) -> str:
    """Return the stable revision where a canary that has everything may take its place in this pass; else nothing."""
    stable, weight = status.stable, status.weight
    if stable is None or weight is None or weight.desired != WHOLE:
        return ""
    # Once the weight has held for as long as that, whatever is left of them is past its grace.
    late = weight.since is not None and now >= weight.since + _bound_seconds(templates, stable.hash)
    return "" if late else stable.hash


def _left(status: RolloutStatus, templates: Templates, now: float) -> set[str]:
    """Return the revisions that may be told as gone, or as replaced, in this pass."""
    if status.canary is not None and status.stable is not None:
        overtaken = _overtaken(status, templates, now)
        return {overtaken, *replaced(status, templates, now)} if overtaken else set()
    return set() if status.phase in _AT_REST else set(replaced(status, templates, now))


def counted(
    status: RolloutStatus,
    deployments: Mapping[str, DeploymentFacts],
    templates: Templates,
    traffic: TrafficFacts | None,
    now: float,
) -> tuple[str, ...]:
    """Return the revisions whose pods are to be counted now: none is asked for, and they may be told as gone.

    At rest there are none. Where all Services say that none of them serves, nobody needs to look at the pods. What is
    replaced behind Services stays warm, and has no pods in use when it goes.
    """
    leaving = _leaving(status, deployments)
    if traffic is not None and not leaving:
        return ()
    emptied = [hash_ for hash_ in sorted(leaving or _left(status, templates, now)) if _emptied(deployments.get(hash_))]
    return tuple(hash_ for hash_ in emptied if traffic is None or serves(traffic, hash_))


def _leaving(status: RolloutStatus, deployments: Mapping[str, DeploymentFacts]) -> set[str]:
    """Return the canary that leaves; also one whose pods were let go by a pass whose status was not written."""
    canary = status.canary
    if canary is None or status.stable is None:
        return set()
    let_go = canary.hash in deployments and _emptied(deployments[canary.hash])
    return {canary.hash} if canary.abort is not None or let_go else set()


def _emptied(facts: DeploymentFacts | None) -> bool:
    return facts is None or (facts.replicas == 0 and facts.pods == 0)


def serves(traffic: TrafficFacts, revision_hash: str) -> bool:
    """Return whether pods of a revision serve behind a Service, terminating ones included, as far as is known."""
    return any(_served(service, revision_hash) for service in (traffic.stable, traffic.canary))


def _served(service: ServiceFacts | Unreadable | None, revision_hash: str) -> bool:
    if not isinstance(service, ServiceFacts) or isinstance(service.endpoints, Unreadable):
        return True
    # Its slices may be older than its selector: where it selects them, the pods themselves are looked at.
    selected = service.selects == revision_hash
    return bool(selected or service.ready(revision_hash) or service.ending.get(revision_hash))


# --- what follows from the count --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Still:
    """Pods of a revision that can still answer, as far as is known."""

    words: str
    until: float
    """When they do not count any more, whatever becomes of them; infinite where nobody knows since when they end."""


def _still(seen: Observation, revision_hash: str, until: float) -> Still | None:
    """Return what is still there of a revision's pods; *until* counts where they do not say how long they may take."""
    found = seen.ending
    if isinstance(found, Unreadable):
        return Still(f"its pods cannot be counted: {found.why}", until)
    pods = found.get(revision_hash, EndingPods()) if found else EndingPods()
    if not pods.count:
        return None
    end = until if pods.until is None else pods.until
    many = "pod has" if pods.count == 1 else "pods have"
    past = seen.now >= end
    text = "outlived what is given for it" if past else "not ended and may still answer"
    return Still(f"{pods.count} {many} {text}", end)


def _asked(seen: Observation, revision_hash: str, until: float) -> Still | None:
    """Return the same of pods that its Deployment still counts, or asks for until this very pass."""
    facts = seen.deployments.get(revision_hash)
    return Still("pods are still there", until) if facts is not None and not _emptied(facts) else None


def _looks(seen: Observation, still: Still, bound_seconds: int) -> tuple[float, ...]:
    """Return when to count again: nothing tells of a pod's end. The longer it takes, the seldomer."""
    taken = bound_seconds - (still.until - seen.now)
    return (min(still.until, seen.now + min(_LATER_SECONDS, max(_SOON_SECONDS, taken / 4))),)


def remains(situation: Situation, canary: Canary) -> str:
    """Return what is still there of a canary whose rollout ends, for people; empty if nothing of it can answer."""
    pods = situation.pods(canary).counted
    if pods:
        return f"{pods} of its pods are still there"
    still = _still(situation.seen, canary.hash, math.inf)
    return still.words if still else ""


def awaited(situation: Situation, canary: Canary, leaving: Abort) -> Move | Still | None:
    """Return what is still there of a canary that is told as gone once nothing is; None once that can be said.

    Not awaited where another version is to come, or a deletion to be let go: they wait for nothing that is only said.
    """
    seen, bound = situation.seen, _bound_seconds(situation.seen.templates, _template(canary))
    if _follows(situation):
        return None
    since = leaving.uncounted_since
    still = _still(seen, canary.hash, math.inf if since is None else since + bound)
    if still is None or seen.now >= still.until:
        return None
    if still.until == math.inf:
        unclocked = leaving.model_copy(update={"uncounted_since": situation.second})
        return Move(situation.with_canary(abort=unclocked))
    return still


def _template(canary: Canary) -> str:
    return canary.drill.of if canary.drill else canary.hash


def _follows(situation: Situation) -> bool:
    status, wanted = situation.status, situation.wanted_hash
    known = {"", *(entry.hash for entry in status.rejected), *((status.stable.hash,) if status.stable else ())}
    return situation.seen.rollout.deleting or status.rollback is not None or wanted not in known


def looks(situation: Situation, canary: Canary, still: Still) -> tuple[float, ...]:
    """Return when to count again what is left of *canary*."""
    return _looks(situation.seen, still, _bound_seconds(situation.seen.templates, _template(canary)))


def outlasting(situation: Situation) -> Rest | None:
    """Return what is waited for where pods of a revision that was replaced can still answer users."""
    seen, status = situation.seen, situation.status
    if status.canary is not None or status.previous is not None:
        return None
    for hash_, entry in replaced(status, seen.templates, situation.now).items():
        # What was taken back has been waited for before its end was told.
        until = entry.finished + _bound_seconds(seen.templates, hash_) if entry.aborted_at is None else situation.now
        still = _asked(seen, hash_, until) or _still(seen, hash_, until)
        if still is not None and situation.now < still.until:
            back = _went_back(status)
            phase = Phase.ROLLING_BACK if back else Phase.PROMOTING
            number = next(known.revision for known in status.history if known.hash == hash_)
            stable = f"revision {status.stable.revision} is stable; " if status.stable else ""
            message = f"{stable}of revision {number}, {still.words}"
            again = _looks(seen, still, _bound_seconds(seen.templates, hash_))
            return Rest(phase, "WaitingForPods", message, again)
    return None


def _went_back(status: RolloutStatus) -> bool:
    newest = status.history[0]
    return newest.outcome is not Ending.PROMOTED or newest.reason == "RolledBack"
