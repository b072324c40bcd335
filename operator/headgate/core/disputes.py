"""What is said of objects that bear our labels and are not ours, and of Rollouts that select each other's pods.

None of it holds anything up: whoever can put a label on an object could hold every Rollout otherwise.
"""

from typing import Final

from headgate.api.status import RolloutStatus
from headgate.core.model import Notice, Observation

CONDITION: Final = "Disputed"
"""The condition that is there while something is to be said."""


def found(seen: Observation) -> str:
    """Return the words of the condition; an empty text: nothing is disputed."""
    return "; ".join(seen.strangers)


def told(before: RolloutStatus, after: RolloutStatus) -> tuple[Notice, ...]:
    """Return what is said when something has come to be disputed, or something else than before."""
    known = {one.message for one in before.conditions if one.type == CONDITION}
    fresh = (one for one in after.conditions if one.type == CONDITION and one.message not in known)
    return tuple(Notice("Disputed", one.message, warning=True) for one in fresh)
