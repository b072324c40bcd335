"""How rollouts ended, newest first, what that says of a revision, and the step from a canary to a stable revision."""

from collections.abc import Iterator
from typing import Final

from headgate.api import values
from headgate.api.status import Canary, Ending, HistoryEntry, Rejected, RolloutStatus, Side

_KEPT: Final = 10
_DRILLS_KEPT: Final = 3
_STOOD_KEPT: Final = 3
AHEAD_SECONDS: Final = 86_400
"""How far a clock may have been ahead: a mark of a later time than this was not made by any Headgate."""
REJECTING: Final = (Ending.ROLLED_BACK, Ending.ABORTED)
"""The endings that are a verdict on the revision: it is not tried again by itself."""


def remembered(
    status: RolloutStatus, canary: Canary, outcome: Ending | str, reason: str, *, message: str = "", by: str, at: int
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
        aborted_at=canary.abort.since if canary.abort else None,
        finished=at,
        drill=canary.drill,
        duration=values.format_duration(max(0, at - canary.started)),
    )
    return kept((entry, *status.history))


def kept(entries: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    """Return the newest of *entries*, of drills fewer.

    Whatever came after them stay the last drill that was measured, and the last promotions: these can be gone back to.
    """
    drills = [at for at, known in enumerate(entries) if known.drill is not None]
    measured = [at for at in drills if (drill := entries[at].drill) is not None and drill.within_target is not None][:1]
    stood = [at for at, known in enumerate(entries) if known.outcome is Ending.PROMOTED][:_STOOD_KEPT]
    # Drills come by themselves, and would leave no room for what people look for here.
    surplus = set(drills) - set(_newest(drills, measured, _DRILLS_KEPT))
    rest = [at for at in range(len(entries)) if at not in surplus]
    return tuple(entries[at] for at in _newest(rest, [*stood, *measured], _KEPT))


def _newest(places: list[int], needed: list[int], most: int) -> list[int]:
    """Return the first *most* of *places*, but for as many as it takes to have all *needed* ones among them."""
    others = [at for at in places if at not in needed]
    return sorted([*needed, *others[: most - len(needed)]])


def rejected(status: RolloutStatus, entry: Rejected) -> tuple[Rejected, ...]:
    """Return the revisions that are not tried again by themselves, with *entry* before all others."""
    return (entry, *(known for known in status.rejected if known.hash != entry.hash))[:_KEPT]


def was_stable(status: RolloutStatus, revision_hash: str) -> bool:
    """Return whether a revision was stable before, and nothing has spoken against it since.

    What speaks against it: a rejection, an attempt that ended with a verdict, or that its own promotion was undone. An
    attempt that was given up for another reason does not.
    """
    if any(entry.hash == revision_hash for entry in status.rejected):
        return False
    later = set()
    for entry in _trials(status, revision_hash):
        if entry.outcome is Ending.PROMOTED:
            return entry.started not in later
        if entry.outcome in REJECTING and not entry.retried:
            return False
        later.add(entry.started)
    return False


def attempt_was_stable(status: RolloutStatus, canary: Canary) -> bool:
    """Return whether this very attempt of a revision made it stable, though it leaves now."""
    attempt = (canary.hash, canary.started)
    return any((entry.hash, entry.started) == attempt for entry in status.history if entry.outcome is Ending.PROMOTED)


def lifted(status: RolloutStatus, revision_hash: str) -> RolloutStatus:
    """Return *status* without any verdict against a revision: it may be tried again, and gone back to."""
    rejected = tuple(entry for entry in status.rejected if entry.hash != revision_hash)
    past = tuple(
        entry.model_copy(update={"retried": True})
        if entry.hash == revision_hash and entry.outcome in REJECTING and entry.drill is None
        else entry
        for entry in status.history
    )
    return status.model_copy(update={"rejected": rejected, "history": past})


def is_rejected(status: RolloutStatus, revision_hash: str) -> bool:
    """Return whether the last word on a revision was a verdict against it; none may have been spoken."""
    last = next(_trials(status, revision_hash), None)
    against = last is not None and last.outcome in REJECTING and not last.retried
    return against or any(entry.hash == revision_hash for entry in status.rejected)


def _trials(status: RolloutStatus, revision_hash: str) -> Iterator[HistoryEntry]:
    """Yield how rollouts of a revision ended; a drill says nothing of it, whatever ended that."""
    return (entry for entry in status.history if entry.hash == revision_hash and entry.drill is None)


def stable_of(canary: Side, before: Side | None, at: int) -> Side:
    """Return *canary* as the stable revision that it becomes *at* a time, after *before*.

    By a clock that was set back it becomes it a second after the one before, so that times tell which came last. Not
    after a time that is no time of any clock of today: no later mark would be believed.
    """
    last = before.since if before is not None else None
    since = at if last is None or last > at + AHEAD_SECONDS else max(at, last + 1)
    fields = canary.model_dump(include=set(Side.model_fields))
    return Side.model_validate({**fields, "since": since, "found": False})


def recorded(revision: int, revision_hash: str, message: str, at: int) -> HistoryEntry:
    """Return what stands in the history for a revision of which only a mark says that it was stable."""
    return HistoryEntry(
        revision=revision,
        hash=revision_hash,
        outcome=Ending.PROMOTED,
        reason="Recovered",
        message=message,
        by="headgate",
        started=at,
        finished=at,
    )
