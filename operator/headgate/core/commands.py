"""What people tell a rollout by annotation: intents bound to a revision, carried out once.

A command is heard, its effect and its name go into the status in one write, then its annotation is removed. A crash
between the two finds it among those that were heard and only removes it.
"""

import dataclasses
from collections.abc import Callable

from headgate.api import names
from headgate.api.status import Ending, RolloutStatus
from headgate.core import beginning, drills, history, promoted, restarts, revisions, rollbacks
from headgate.core.actions import RemoveCommand
from headgate.core.model import Notice
from headgate.core.situation import Move, Situation
from headgate.core.verdicts import leave

_SHOWN_LENGTH = 80


@dataclasses.dataclass(frozen=True, slots=True)
class Heard:
    """What became of the commands."""

    situation: Situation
    notices: tuple[Notice, ...]
    removals: tuple[RemoveCommand, ...]
    """Safe once the status is written."""
    confirmed: tuple[RemoveCommand, ...]
    """Those of them that were in the status before: safe at any moment."""


def _shown(value: str) -> str:
    return value if len(value) <= _SHOWN_LENGTH else f"{value[:_SHOWN_LENGTH]}…"


def _entry(annotation: str, value: str) -> str:
    kept = value if len(value) <= _SHOWN_LENGTH else f"{value[:_SHOWN_LENGTH]} {revisions.digest(value)}"
    return f"{annotation.removeprefix(names.GROUP + '/')}={kept}"


def _mismatch(situation: Situation, annotation: str, value: str, why: str) -> Move:
    message = f"{annotation}={_shown(value)} had no effect: {why}"
    return Move(situation.status, (Notice("CommandMismatch", message, warning=True),))


def _nothing_in_flight(situation: Situation) -> str:
    if situation.canary is not None and situation.stable is None:
        return "this is the first revision; there is nothing to go back to and no step to skip"
    if situation.canary is not None and situation.canary.drill is not None:
        return f"in flight is a drill, which nothing promotes; {names.ABORT}={situation.canary.hash} ends it"
    return "no rollout is in flight"


def _abort(situation: Situation, value: str) -> Move:
    canary = situation.flight
    if canary is None:
        stopped = restarts.stopped(situation) if value == names.ABORT_NOW and situation.canary is None else None
        other = rollbacks.cancelled(situation, value) or _regret(situation, value) or stopped
        return other or _mismatch(situation, names.ABORT, value, _nothing_in_flight(situation))
    if value not in (canary.hash, names.ABORT_NOW):
        why = f"in flight is {canary.hash}; {names.ABORT}={canary.hash} or {names.ABORT}={names.ABORT_NOW} would match"
        return _mismatch(situation, names.ABORT, value, why)
    if canary.leaving is not None:
        return _mismatch(situation, names.ABORT, value, f"revision {canary.hash} is being taken back already")
    message = "aborted by command"
    return leave(situation, canary, Ending.ABORTED, "Aborted", message, by=f"annotation {names.ABORT}")


def _regret(situation: Situation, value: str) -> Move | None:
    """Return the way back from a promotion whose old revision is still warm, if *value* means that."""
    stable = situation.stable
    if stable is None or value not in (stable.hash, names.ABORT_NOW):
        return None
    by = f"annotation {names.ABORT}"
    return promoted.go_back(situation, Ending.ABORTED, "Aborted", "aborted by command after its promotion", by=by)


def _rollback_to(situation: Situation, value: str) -> Move:
    answer = rollbacks.asked(situation, value)
    if isinstance(answer, Move):
        return answer
    return _mismatch(situation, names.ROLLBACK_TO, value, answer)


def _retry(situation: Situation, value: str) -> Move:
    rejected = situation.status.rejected
    if all(entry.hash != value for entry in rejected):
        would = " or ".join(f"{names.RETRY}={entry.hash}" for entry in rejected)
        why = f"{would} would match" if would else "no revision is rejected"
        return _mismatch(situation, names.RETRY, value, why)
    notice = Notice("Retrying", f"revision {value} is no longer rejected")
    return Move(history.lifted(situation.status, value), (notice,))


def _promote(situation: Situation, value: str) -> Move:
    canary, step = situation.flight, situation.status.step
    if canary is None or canary.leaving or canary.drill or step is None:
        why = "it is being taken back" if canary and canary.leaving else _nothing_in_flight(situation)
        return _mismatch(situation, names.PROMOTE, value, why)
    would = f"{canary.hash}/{step.index}"
    if not situation.step.waits:
        why = f"step {step.text} is not a pause: {step.waiting_for}; {names.PROMOTE_FULL}={canary.hash} skips that"
        return _mismatch(situation, names.PROMOTE, value, why)
    if value != would:
        why = f"in flight is {canary.hash} at step {step.index}; {names.PROMOTE}={would} would match"
        return _mismatch(situation, names.PROMOTE, value, why)
    promoted = situation.status.model_copy(update={"step": step.model_copy(update={"promoted": True})})
    return Move(promoted, (Notice("PauseEnded", f"the pause at step {step.text} was ended by command"),))


def _promote_full(situation: Situation, value: str) -> Move:
    canary = situation.flight or beginning.awaits_proof(situation)
    if canary is None or canary.leaving or canary.drill:
        why = "it is being taken back" if canary and canary.leaving else _nothing_in_flight(situation)
        return _mismatch(situation, names.PROMOTE_FULL, value, why)
    if value != canary.hash:
        why = f"in flight is {canary.hash}; {names.PROMOTE_FULL}={canary.hash} would match"
        return _mismatch(situation, names.PROMOTE_FULL, value, why)
    notice = Notice("PromotedFully", f"revision {canary.hash} skips all pauses and evidence, by command")
    return Move(situation.with_canary(full=True), (notice,))


def _drill(situation: Situation, value: str) -> Move:
    stable, policy, why = situation.stable, situation.seen.policy, drills.obstacle(situation)
    if stable is None or policy is None or why:
        return _mismatch(situation, names.DRILL, value, why)
    if value not in (stable.hash, names.DRILL_NOW):
        why = f"stable is {stable.hash}; {names.DRILL}={stable.hash} or {names.DRILL}={names.DRILL_NOW} would match"
        return _mismatch(situation, names.DRILL, value, why)
    return drills.begun(situation, stable, policy, f"annotation {names.DRILL}")


def _restart(situation: Situation, value: str) -> Move:
    if situation.stable is None:
        return _mismatch(situation, names.RESTART, value, "the first revision is starting: its pods are new")
    if not value:
        return _mismatch(situation, names.RESTART, value, f"any word or time would match, such as {names.RESTART}=now")
    return restarts.begun(situation, value)


_EFFECTS: dict[str, Callable[[Situation, str], Move]] = {
    names.ABORT: _abort,
    names.ROLLBACK_TO: _rollback_to,
    names.RETRY: _retry,
    names.PROMOTE: _promote,
    names.PROMOTE_FULL: _promote_full,
    names.DRILL: _drill,
    names.RESTART: _restart,
}


def _remembered(status: RolloutStatus, entries: tuple[str, ...]) -> RolloutStatus:
    return status.model_copy(update={"heard": entries})


def hear(situation: Situation) -> Heard:
    """Return the situation after all commands, abort before everything else, each carried out once."""
    present = {
        annotation: value
        for annotation in names.COMMANDS
        if (value := situation.seen.rollout.annotations.get(annotation)) is not None
    }
    notices: list[Notice] = []
    for annotation, value in present.items():
        if _entry(annotation, value) not in situation.status.heard:
            move = _EFFECTS[annotation](situation, value.strip())
            notices.extend(move.notices)
            situation = situation.moved(move.status)
    entries = tuple(_entry(annotation, value) for annotation, value in present.items())
    removals = tuple(RemoveCommand(annotation, value) for annotation, value in present.items())
    known = situation.seen.status.heard
    confirmed = tuple(removal for removal in removals if _entry(removal.annotation, removal.value) in known)
    return Heard(situation.moved(_remembered(situation.status, entries)), tuple(notices), removals, confirmed)
