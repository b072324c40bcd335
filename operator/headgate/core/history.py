"""How rollouts ended, newest first, and the step from a canary to a stable revision."""

from typing import Final

from headgate.api.status import Canary, Ending, HistoryEntry, RolloutStatus, Side

_KEPT: Final = 10
_DRILLS_KEPT: Final = 3


def remembered(
    status: RolloutStatus, canary: Canary, outcome: Ending, reason: str, *, message: str = "", by: str, at: int
) -> tuple[HistoryEntry, ...]:
    """Return the history with the end of *canary*'s rollout, at *at*, before everything else."""
    entry = HistoryEntry(
        revision=canary.revision,
        hash=canary.drill.of if canary.drill else canary.hash,
        outcome=outcome,
        reason=reason,
        message=message,
        by=by,
        started=canary.started,
        finished=at,
        drill=canary.drill,
    )
    entries = (entry, *status.history)
    # Drills come by themselves, and would leave no room for what people look for here.
    surplus = [known for known in entries if known.drill is not None][_DRILLS_KEPT:]
    return tuple(known for known in entries if known not in surplus)[:_KEPT]


def stable_of(canary: Canary) -> Side:
    """Return *canary* as the stable revision that it becomes."""
    return Side.model_validate(canary.model_dump(include=set(Side.model_fields)))
