"""What follows from what could not be read: nothing that takes away, and every step back that is still known.

| while something is unread | |
|---|---|
| the rules that go back | are asked as ever, by what the status says and by what was read last |
| the rules that go forward, start or rest | wait, and say what cannot be read, since when and why |
| users | are led to stable, never away from it |
| stable | may grow |
| the canary | goes once it is taken back, and its Deployment and its ways are known |
| anything else | is neither created nor changed, scaled down, released, deleted, accepted or forgotten |
"""

from collections.abc import Iterable, Mapping
from typing import Final

from headgate.api import values
from headgate.api.status import Canary, Phase
from headgate.core.model import Part, Unreadable
from headgate.core.model.actions import (
    Action,
    CreateDeployment,
    CreateService,
    RemoveCommand,
    ScaleDeployment,
    SelectRevision,
    SetWeights,
)
from headgate.core.replicas.pod_budget import Sizes
from headgate.core.rollout.outcomes import Rest
from headgate.core.rollout.state import Situation
from headgate.core.strategies import traits

PATIENCE_SECONDS: Final = 5.0
"""How long a read that nobody answered in earnest may fail before that is said: one call in ten may, for a moment."""
ASK_SECONDS: Final = 1.0
ASK_SECONDS_MAX: Final = 30.0
_HOLD: Final = frozenset(Part) - {Part.PODS}
_BLIND: Final = frozenset({Part.STATUS_PART, Part.POLICY, Part.TRAFFIC})
"""Without these it is not known where the users are to be."""
_WAY_BACK: Final = frozenset({Part.SIDES, Part.TRAFFIC})
"""Without these it is not known whether the canary still has users."""
_BEFORE_CREATION: Final = frozenset({Part.DEPLOYMENTS, Part.SIDES, Part.STATUS_PART})
"""Without these it is not known whether stable's Deployment is missing, or what is wanted of it. Its template needs no
list of records: it is one that was read, or the spec's, which has the hash of what it says."""
_BEFORE_SERVICE: Final = frozenset({Part.STATUS_PART, Part.TRAFFIC})


def of(situation: Situation) -> Mapping[Part, Unreadable]:
    """Return what is unread that anything rests on."""
    return {part: why for part, why in situation.seen.unread.items() if part in _HOLD}


def hides_users(situation: Situation) -> bool:
    """Return whether it is not known if the canary still has users: then it is not gone, whatever is counted."""
    seen, traffic = situation.seen, situation.seen.traffic
    if traffic is not None and traffic.hides_users(switches=traits.switches(seen.policy)):
        return True
    return not _WAY_BACK.isdisjoint(of(situation))


def leaving_words(situation: Situation) -> str:
    """Return what is unread while a canary leaves, and what that means for it, with a leading separator; or nothing."""
    found = of(situation)
    if not found:
        return ""
    told = f"; {words(found)}"
    if Part.TRAFFIC in found:
        remedy = "put the ControllerRevision back, or let spec.traffic name what this rollout began with"
        return f"{told}; pods of the canary stay until its Services and routes are known: {remedy}"
    if not _WAY_BACK.isdisjoint(found):
        return f"{told}; pods of the canary stay until that can be read"
    return f"{told}; going back needs none of it"


def words(found: Mapping[Part, Unreadable]) -> str:
    """Return what cannot be read, since when, and why."""
    told = []
    for part, why in found.items():
        since = f" since {values.format_time(why.since)}" if why.since is not None else ""
        told.append(f"{part} cannot be read{since}: {why.why}")
    return "; ".join(told)


def looks(situation: Situation) -> tuple[float, ...]:
    """Return when to try again; what lasts is asked for more and more seldom."""
    found = of(situation)
    if not found:
        return ()
    begun = min(situation.now if why.since is None else why.since for why in found.values())
    passing = any(why.passing for why in found.values())
    wait = max(ASK_SECONDS, (situation.now - begun) / 2) if passing else ASK_SECONDS_MAX
    return (situation.now + min(ASK_SECONDS_MAX, wait),)


def unread(situation: Situation) -> Rest | None:
    """Something that a decision rests on could not be read: nothing goes forward, and nothing is taken away."""
    found = of(situation)
    if not found:
        return None
    young = all(
        why.passing and why.since is not None and situation.now < why.since + PATIENCE_SECONDS for why in found.values()
    )
    message = f"{words(found)}; nothing goes forward or is taken away until it can, and going back needs none of it"
    again = looks(situation)
    if Part.STATUS_PART in found:
        return Rest(Phase.HOLDING, "StatusPartUnreadable", message, again, quiet=young)
    return Rest(Phase.HOLDING, "Unreadable", message, again, quiet=young)


def permitted(situation: Situation, actions: Iterable[Action]) -> list[Action]:
    """Return those of *actions* that may be carried out by what is known."""
    found = frozenset(of(situation))
    return [action for action in actions if not found or _permitted(situation, found, action)]


def _permitted(situation: Situation, found: frozenset[Part], action: Action) -> bool:
    canary = situation.canary
    back = canary is not None and canary.abort is not None
    match action:
        case RemoveCommand():
            return True
        case SetWeights():
            known = situation.status.traffic
            falls = known is not None and action.percent is not None and action.percent <= known.weight
            return back or (falls and not action.edits.gives and _BLIND.isdisjoint(found))
        case SelectRevision():
            return leads_home(situation, action) and (back or _BLIND.isdisjoint(found))
        case ScaleDeployment():
            return _sizes(situation, found, action, canary if back else None)
        case CreateDeployment():
            stable = situation.stable
            return stable is not None and action.hash == stable.hash and _creatable(situation, found)
        case CreateService():
            return back and _BEFORE_SERVICE.isdisjoint(found)
        case _:
            return False


def _creatable(situation: Situation, found: frozenset[Part]) -> bool:
    """Return whether stable's Deployment may be made anew: users of an empty Service are served by nothing else."""
    alone = not situation.recreates or situation.turnover.done
    return alone and _BEFORE_CREATION.isdisjoint(found)


def sizes(situation: Situation) -> Sizes:
    """Return the sizes that are asked for: those that were decided, as far as they may be carried out."""
    status, wanted, found = situation.status, situation.sizes, of(situation)
    if not found:
        return wanted
    stable, canary = (side.replicas if side else 0 for side in (status.stable, status.canary))
    leaves = status.canary is not None and status.canary.abort is not None and not hides_users(situation)
    return Sizes(max(wanted.stable, stable), wanted.canary if leaves else canary)


def leads_home(situation: Situation, action: SelectRevision) -> bool:
    """Return whether *action* lets the stable Service select the stable revision."""
    policy, stable = situation.seen.policy, situation.stable
    named = policy is not None and policy.traffic is not None and action.service == policy.traffic.stable_service
    return named and stable is not None and action.hash == stable.hash


def _sizes(situation: Situation, found: frozenset[Part], action: ScaleDeployment, left: Canary | None) -> bool:
    stable, facts = situation.stable, situation.seen.deployments[action.hash]
    if stable is not None and action.hash == stable.hash:
        return action.replicas > action.was and bool(facts.uid)
    leaves = left is not None and action.hash == left.hash and action.replicas <= action.was
    return leaves and not facts.stale and _WAY_BACK.isdisjoint(found)
