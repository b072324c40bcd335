"""What is said of objects that bear our labels and are not ours, and of all that reach for the same pods.

None of it holds anything up. A label on an object would be enough to hold every Rollout otherwise. And of two
Rollouts that overlap both have pods as a rule: a version that waits brings no user back to the right ones, and a
selector cannot be changed, so that a fix would wait until the whole Rollout has been replaced. Where one of them is
new it may be there to take the place of the other, and for that both have to run for a while.
"""

import dataclasses
from typing import Final

from headgate.api.status import Condition, RolloutStatus
from headgate.core.model import Notice, Observation, overlaps

CONDITION: Final = "Disputed"
"""The condition that is there while something is to be said."""
OVERLAP: Final = "RolloutsOverlap"
"""Its reason where other Rollouts are named, and whatever else."""
WORKLOADS: Final = "PodsOfOthers"
"""Its reason where other workloads are, and no Rollout."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dispute:
    """What is to be said."""

    words: str
    """Empty: nothing is disputed."""
    rollouts: bool = False
    """Whether other Rollouts are named."""
    workloads: bool = False
    """Whether other workloads are."""


def found(seen: Observation) -> Dispute:
    """Return what the condition says."""
    if seen.overlaps is None:
        # What else there is is not known now, which is not the same as nothing: what was said stays.
        kept = [one for one in _known(seen.status) if one.reason in (OVERLAP, WORKLOADS)]
        if kept:
            return Dispute(kept[0].message, kept[0].reason == OVERLAP, kept[0].reason == WORKLOADS)
    there = seen.overlaps or overlaps.NONE
    words = "; ".join(said for said in (overlaps.words(there), *seen.strangers) if said)
    return Dispute(words, rollouts=bool(there.first), workloads=bool(there.workloads))


def tells_of_workloads(status: RolloutStatus) -> bool:
    """Return whether *status* says that something that is no Rollout runs pods that this one selects."""
    return any(overlaps.RUN in one.message for one in _known(status))


def looks(seen: Observation) -> tuple[float, ...]:
    """Return when to look again at what nothing tells of."""
    rests = seen.status.canary is None and seen.status.previous is None  # before that they are not looked for
    there = seen.overlaps.workloads if seen.overlaps is not None else tells_of_workloads(seen.status)
    return (seen.now + overlaps.LOOK_SECONDS,) if rests and there else ()


def _known(status: RolloutStatus) -> list[Condition]:
    return [one for one in status.conditions if one.type == CONDITION]


def told(before: RolloutStatus, after: RolloutStatus) -> tuple[Notice, ...]:
    """Return what is said when something has come to be disputed, or something else than before."""
    known = {one.message for one in _known(before)}
    fresh = (one for one in _known(after) if one.message not in known)
    return tuple(Notice("Disputed", one.message, warning=True) for one in fresh)
