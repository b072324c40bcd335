"""How rollouts ended, newest first, and the step from a canary to a stable revision."""

from typing import Final

from headgate.api.status import Canary, Ending, HistoryEntry, RolloutStatus, Side

_KEPT: Final = 10


def remembered(
    status: RolloutStatus, canary: Canary, outcome: Ending, reason: str, *, message: str = "", by: str, at: int
) -> tuple[HistoryEntry, ...]:
    """Return the history with the end of *canary*'s rollout, at *at*, before everything else."""
    entry = HistoryEntry(
        revision=canary.revision,
        hash=canary.hash,
        outcome=outcome,
        reason=reason,
        message=message,
        by=by,
        started=canary.started,
        finished=at,
    )
    return (entry, *status.history)[:_KEPT]


def stable_of(canary: Canary) -> Side:
    """Return *canary* as the stable revision that it becomes."""
    return Side.model_validate(canary.model_dump(include=set(Side.model_fields)))
