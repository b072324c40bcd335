"""What is said of objects that bear our labels and are not ours, and of Rollouts that reach for each other's pods.

None of it holds anything up. Whoever can put a label on an object could hold every Rollout otherwise. And of two
Rollouts that overlap both have pods already: a version that waits brings no user back to the right ones, and a
selector cannot be changed, so that a fix would wait until somebody has replaced the whole Rollout.
"""

import dataclasses
from typing import Final

from headgate.api.status import RolloutStatus
from headgate.core import overlaps
from headgate.core.model import Notice, Observation

CONDITION: Final = "Disputed"
"""The condition that is there while something is to be said."""
OVERLAP: Final = "RolloutsOverlap"
"""Its reason where other Rollouts are named."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dispute:
    """What is to be said."""

    words: str
    """Empty: nothing is disputed."""
    overlaps: bool
    """Whether other Rollouts are named."""


def found(seen: Observation) -> Dispute:
    """Return what the condition says."""
    if seen.overlaps is None:
        # Which other Rollouts there are is not known yet, which is not the same as none: what was said stays.
        known = (one.message for one in seen.status.conditions if one.type == CONDITION and one.reason == OVERLAP)
        if kept := next(known, ""):
            return Dispute(kept, overlaps=True)
    shared = overlaps.words(seen.overlaps or overlaps.NONE)
    return Dispute("; ".join(said for said in (shared, *seen.strangers) if said), overlaps=bool(shared))


def told(before: RolloutStatus, after: RolloutStatus) -> tuple[Notice, ...]:
    """Return what is said when something has come to be disputed, or something else than before."""
    known = {one.message for one in before.conditions if one.type == CONDITION}
    fresh = (one for one in after.conditions if one.type == CONDITION and one.message not in known)
    return tuple(Notice("Disputed", one.message, warning=True) for one in fresh)
