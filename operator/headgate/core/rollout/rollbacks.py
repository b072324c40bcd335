"""Going back to a revision that was stable before: which one that may be, and what follows from asking for it.

    asked for                      what happens
    the stable one                 what is in flight, or waits to be, is taken back and rejected
    the one that is still warm     one write: users are back, and the promoted one is rejected
    an earlier one, by command     all its pods start, all users are moved, and what the spec holds is rejected
    an earlier one, in the spec    the same, and nothing is rejected

The spec is never written: what it holds is rejected instead, so that it does not come back by itself.
"""

from collections.abc import Iterator

from headgate.api import names
from headgate.api.status import Canary, Ending, HistoryEntry, Rejected, Rollback, RolloutStatus, Side
from headgate.core.model import Identity, Notice
from headgate.core.revisions import history
from headgate.core.rollout import revision_choice, transitions
from headgate.core.rollout.outcomes import Move
from headgate.core.rollout.state import Situation

_BY = f"annotation {names.ROLLBACK_TO}"


def _candidates(situation: Situation) -> Iterator[Side]:
    """Yield the revisions that can be gone back to, the last one that was stable first."""
    status, known = situation.status, set()
    if status.previous is not None:  # whatever became of its record, its pods are there
        known.add(status.previous.hash)
        yield status.previous
    for entry in status.history:
        side = Side(revision=entry.revision, hash=entry.hash)
        stable = status.stable is not None and status.stable.hash == entry.hash
        if stable or entry.hash in known or not revision_choice.can_go_back(situation, entry.hash):
            continue
        known.add(entry.hash)
        if situation.facts(side) is not None or situation.can_create(side):
            yield side


def _why_not(situation: Situation, value: str) -> str:
    """Return why nobody can go back to what *value* names."""
    past: list[HistoryEntry | Rejected] = [*situation.status.rejected, *situation.status.history]
    entry = next((entry for entry in past if value in (str(entry.revision), entry.hash)), None)
    if entry is None:
        return "no such revision has been stable"
    if history.was_stable(situation.status, entry.hash):
        words = f"the template of revision {entry.revision} is not on record any more"
        there = entry.hash in situation.seen.deployments
        return f"{words}, and its Deployment alone does not prove what was stable" if there else words
    return f"revision {entry.revision} was taken back or has never been stable"


def asked(situation: Situation, value: str) -> Move | str:
    """Return what follows from rollback-to with *value*, or why nothing does and what would match."""
    stable, canary = situation.stable, situation.flight
    if stable is None:
        return "there is no stable revision yet, and none to go back to"
    if value in (str(stable.revision), stable.hash):
        stays = _keep_stable(situation, stable)
        return stays or f"revision {stable.revision} is stable already{_other_choices(situation)}"
    forward = canary is not None and canary.abort is None and canary.drill is None
    if canary is not None and forward and value in (str(canary.revision), canary.hash):
        skips = f"{names.PROMOTE_FULL}={canary.hash} skips what is left"
        return f"revision {canary.revision} is on its way already; {skips}"
    chosen = next((entry for entry in _candidates(situation) if value in (str(entry.revision), entry.hash)), None)
    if chosen is not None:
        return _start(situation, chosen)
    would = choices(situation)
    return f"{_why_not(situation, value)}; {f'{would} would match' if would else 'there is none to go back to'}"


def _other_choices(situation: Situation) -> str:
    would = choices(situation)
    return f"; {would} goes further back" if would else ""


def choices(situation: Situation) -> str:
    """Return the commands that lead back to an earlier revision, for people; or nothing."""
    stable, canary = situation.stable, situation.flight
    on_its_way = canary.hash if canary is not None and canary.abort is None else ""
    numbers = [entry.revision for entry in _candidates(situation) if entry.hash != on_its_way]
    numbers += [stable.revision] if stable is not None and _keep_stable(situation, stable) else []
    return " or ".join(f"{names.ROLLBACK_TO}={number}" for number in numbers)


def earlier(situation: Situation) -> tuple[int, ...]:
    """Return the numbers of the revisions before the stable one that can be gone back to."""
    return tuple(entry.revision for entry in _candidates(situation))


def _message(revision: int) -> str:
    return f"rolled back to revision {revision} by command"


def _keep_stable(situation: Situation, stable: Side) -> Move | None:
    """Return the move by which nothing but *stable* is wanted any more; None if nothing else is."""
    canary, message, status = situation.flight, _message(stable.revision), situation.status
    notices: tuple[Notice, ...] = ()
    if canary is not None and canary.abort is None:
        left = transitions.begin_abort(situation, canary, Ending.ABORTED, "RolledBackTo", message, by=_BY)
        status, notices = left.status, left.notices
    changed = _rejecting(situation.moved(status), _instead_of(situation), message)
    changed = changed.model_copy(update={"rollback": None})
    if changed == situation.status:
        return None
    return Move(changed, notices or (Notice("RollbackStarted", f"no other revision is wanted: {message}"),))


def _start(situation: Situation, to: Side) -> Move:
    canary, warm, message = situation.flight, situation.status.previous, _message(to.revision)
    if warm is not None and warm.hash == to.hash:
        back = transitions.go_back(situation, Ending.ABORTED, "RolledBackTo", message, by=_BY)
        if back is not None:
            return Move(_rejecting(situation.moved(back.status), _instead_of(situation), message), back.notices)
    rollback = Rollback(
        revision=to.revision,
        hash=to.hash,
        rejects=situation.target_hash or situation.seen.rollout.template_hash,
        by=_BY,
        since=situation.second,
    )
    left = Move(situation.status)
    if canary is not None and canary.abort is None:
        # Whoever wants yet another one says nothing against the first: a number may have been mistyped.
        ending = Ending.WITHDRAWN if canary.is_rollback else Ending.ABORTED
        left = transitions.begin_abort(situation, canary, ending, "RolledBackTo", message, by=_BY)
    notice = Notice("RollbackStarted", f"going back to revision {to.revision} ({to.hash}) by command", warning=True)
    return Move(left.status.model_copy(update={"rollback": rollback}), (*left.notices, notice))


def _instead_of(situation: Situation) -> str:
    """Return what the spec holds, which is not wanted any more; empty where the API server refuses it as a template.

    While the server cannot be asked it is taken for a new revision: whoever flees from it must not meet it a minute
    later.
    """
    unknown = situation.seen.target.identity is Identity.UNKNOWN
    return situation.seen.rollout.template_hash if unknown else situation.target_hash


def _rejecting(situation: Situation, revision_hash: str, message: str) -> RolloutStatus:
    """Return the status in which a revision is rejected, unless it is already, or is the stable one."""
    status = situation.status
    known = {"", *(entry.hash for entry in status.rejected), *((status.stable.hash,) if status.stable else ())}
    if revision_hash in known:
        return status
    entry = Rejected(
        revision=revision_choice.number(situation, revision_hash),
        hash=revision_hash,
        reason="RolledBackTo",
        message=message,
        at=situation.second,
    )
    return status.model_copy(update={"rejected": history.rejected(status, entry)})


def cancelled(situation: Situation, value: str) -> Move | None:
    """Return the move by which a rollback that has not begun yet is given up, if *value* means that."""
    asked_for = situation.status.rollback
    if asked_for is None or value not in (asked_for.hash, names.ABORT_NOW):
        return None
    notice = Notice("RollbackCancelled", f"revision {asked_for.revision} is not gone back to, by command")
    return Move(situation.status.model_copy(update={"rollback": None}), (notice,))


def reject_replaced(situation: Situation, status: RolloutStatus) -> RolloutStatus:
    """Return *status*, in which another revision has become stable: what rollback-to was given against is rejected."""
    rollback, before = situation.status.rollback, situation.stable
    if rollback is None or before is None:
        return status
    message = _message(rollback.revision)
    instead_of = rollback.rejects if _instead_of(situation) else before.hash
    if before.hash == instead_of:
        # That nobody wants it back by chance, even once its rejection has been forgotten.
        gone = Canary(revision=before.revision, hash=before.hash, started=rollback.since)
        past = history.remembered(
            status, gone, Ending.ABORTED, "RolledBackTo", message=message, by=rollback.by, at=situation.second
        )
        status = status.model_copy(update={"history": past})
    rejecting = _rejecting(situation.moved(status), instead_of, message)
    return rejecting.model_copy(update={"rollback": None})
