"""What people tell a rollout by annotation: intents bound to a revision, carried out once.

A command is heard, its effect and its name go into the status in one write, then its annotation is removed. A crash
between the two finds it among those that were heard and only removes it.

One that comes before what it is about stays where it is until that is there: promote-full for the revision that is
wanted and has not started yet, as beside the retry that starts it.
"""

import dataclasses
from collections.abc import Callable, Mapping

from headgate.api import names
from headgate.api.status import Ending
from headgate.core.model import Notice
from headgate.core.model.actions import RemoveCommand
from headgate.core.revisions import history, identity
from headgate.core.rollout import (
    command_suggestions,
    lost_stable,
    missing_reads,
    rollbacks,
    transitions,
    unserved_users,
)
from headgate.core.rollout.outcomes import Move
from headgate.core.rollout.rules import drills, first_revision, restarts
from headgate.core.rollout.state import Situation
from headgate.core.rollout.transitions import begin_abort

_SHOWN_LENGTH = 80


@dataclasses.dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of the commands."""

    situation: Situation
    notices: tuple[Notice, ...]
    present: Mapping[str, str]
    """Those that were heard, in this pass or before, by annotation."""
    early: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Those that come before what they are about."""

    @property
    def removals(self) -> tuple[RemoveCommand, ...]:
        """What takes them off: safe once the status is written."""
        return tuple(RemoveCommand(annotation, value) for annotation, value in self.present.items())

    @property
    def confirmed(self) -> tuple[RemoveCommand, ...]:
        """Those removals whose commands were in the status before: safe at any moment."""
        known = self.situation.seen.status.handled_commands
        return tuple(one for one in self.removals if _entry(one.annotation, one.value) in known)

    @property
    def waits(self) -> str:
        """What is said of those that wait, with a leading separator; or nothing."""
        said = (f"; {annotation}={_shown(value)} follows when it starts" for annotation, value in self.early.items())
        return "".join(said)


def _shown(value: str) -> str:
    return value if len(value) <= _SHOWN_LENGTH else f"{value[:_SHOWN_LENGTH]}…"


def _entry(annotation: str, value: str) -> str:
    kept = value if len(value) <= _SHOWN_LENGTH else f"{value[:_SHOWN_LENGTH]} {identity.digest(value)}"
    return f"{annotation.removeprefix(names.GROUP + '/')}={kept}"


def _mismatch(situation: Situation, annotation: str, value: str, why: str) -> Move:
    message = f"{annotation}={_shown(value)} had no effect: {why}"
    return Move(situation.status, (Notice("CommandMismatch", message, warning=True),))


def _abort(situation: Situation, value: str) -> Move:
    canary = situation.flight
    if canary is None or canary.abort is not None:
        other = _turned_round(situation, value) or rollbacks.cancelled(situation, value)
        if canary is None:
            stopped = restarts.stopped(situation) if value == names.ABORT_NOW and situation.canary is None else None
            other = other or _regret(situation, value) or stopped
        return other or _mismatch(situation, names.ABORT, value, command_suggestions.abort(situation))
    if value not in (canary.hash, names.ABORT_NOW):
        why = f"in flight is {canary.hash}; {names.ABORT}={canary.hash} or {names.ABORT}={names.ABORT_NOW} would match"
        return _mismatch(situation, names.ABORT, value, why)
    message = "aborted by command"
    return begin_abort(situation, canary, Ending.ABORTED, "Aborted", message, by=f"annotation {names.ABORT}")


def _turned_round(situation: Situation, value: str) -> Move | None:
    """Return the way to the version that is being left, where it alone serves and *value* means that."""
    if value not in (names.ABORT_NOW, situation.stable.hash if situation.stable else ""):
        return None
    return transitions.undone(situation, by=f"annotation {names.ABORT}") or unserved_users.led_away(situation)


def _regret(situation: Situation, value: str) -> Move | None:
    """Return the way back from a promotion whose old revision is still warm, if *value* means that."""
    stable = situation.stable
    if stable is None or value not in (stable.hash, names.ABORT_NOW):
        return None
    by = f"annotation {names.ABORT}"
    return transitions.go_back(situation, Ending.ABORTED, "Aborted", "aborted by command after its promotion", by=by)


def _rollback_to(situation: Situation, value: str) -> Move:
    answer = rollbacks.asked(situation, value)
    if isinstance(answer, Move):
        return answer
    return _mismatch(situation, names.ROLLBACK_TO, value, answer)


def _retry(situation: Situation, value: str) -> Move:
    rejected = situation.status.rejected
    if (kept := lost_stable.kept(situation, value)) is not None:
        return kept
    if all(entry.hash != value for entry in rejected):
        would = " or ".join(f"{names.RETRY}={entry.hash}" for entry in rejected)
        why = f"{would} would match" if would else "no revision is rejected"
        return _mismatch(situation, names.RETRY, value, why)
    notice = Notice("Retrying", f"revision {value} is no longer rejected")
    return Move(history.lifted(situation.status, value), (notice,))


def _promote(situation: Situation, value: str) -> Move:
    canary, step = situation.flight, situation.status.step
    if canary is None or canary.abort or canary.drill or step is None:
        return _mismatch(
            situation, names.PROMOTE, value, command_suggestions.promotion(situation, value.partition("/")[0])
        )
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
    canary = situation.flight or first_revision.awaits_proof(situation)
    if canary is None or canary.abort or canary.drill:
        return _mismatch(situation, names.PROMOTE_FULL, value, command_suggestions.promotion(situation, value))
    if value != canary.hash:
        why = f"in flight is {canary.hash}; {names.PROMOTE_FULL}={canary.hash} would match"
        return _mismatch(situation, names.PROMOTE_FULL, value, why)
    notice = Notice("PromotedFully", f"revision {canary.hash} skips all pauses and evidence, by command")
    return Move(situation.with_canary(promote_full=True), (notice,))


def _drill(situation: Situation, value: str) -> Move:
    stable, policy, why = situation.stable, situation.seen.policy, drills.obstacle(situation)
    if stable is None or policy is None or why:
        return _mismatch(situation, names.DRILL, value, why + command_suggestions.drill(situation))
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


def _is_early(situation: Situation, annotation: str, value: str) -> bool:
    """Return whether a command is about the revision that is wanted, which is not on its way yet."""
    return annotation == names.PROMOTE_FULL and bool(value) and value == command_suggestions.next_hash(situation)


def _effect(situation: Situation, annotation: str, value: str) -> Move:
    if situation.seen.rollout.deleting and annotation != names.ABORT:
        return _mismatch(situation, annotation, value, "the Rollout is being deleted")
    return _EFFECTS[annotation](situation, value)


def _stops(situation: Situation) -> bool:
    """Return whether there is an abort that was not heard before this pass."""
    value = situation.seen.rollout.annotations.get(names.ABORT)
    return value is not None and _entry(names.ABORT, value) not in situation.seen.status.handled_commands


def _heard(situation: Situation, commands: Mapping[str, str], before: Mapping[str, str]) -> CommandResult:
    notices: tuple[Notice, ...] = ()
    present, early = dict(before), {}
    stops = _stops(situation)
    for annotation, value in commands.items():
        known = _entry(annotation, value) in situation.seen.status.handled_commands
        if not known and _is_early(situation, annotation, value.strip()):
            if not stops:
                early[annotation] = value
                continue
            why = f"{names.ABORT} was given beside it: nothing is kept for later then; give it again"
            notices = (*notices, *_mismatch(situation, annotation, value.strip(), why).notices)
            present[annotation] = value
            continue
        if not known:
            move = _effect(situation, annotation, value.strip())
            if missing_reads.of(situation) and move.status == situation.status:
                continue  # what it means may be among what cannot be read now: it stands until then
            notices = (*notices, *move.notices)
            situation = situation.moved(move.status)
        present[annotation] = value
    entries = tuple(_entry(annotation, present[annotation]) for annotation in names.COMMANDS if annotation in present)
    situation = situation.moved(situation.status.model_copy(update={"handled_commands": entries}))
    return CommandResult(situation, notices, present, early)


def carried_out(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Return by what all commands but an abort count as heard, where it is not known which of them were.

    To hear one twice may promote or restart twice; one that is lost can be given again. An abort twice is one abort.
    """
    return tuple(_entry(name, value) for name, value in annotations.items() if name != names.ABORT)


def apply_commands(situation: Situation) -> CommandResult:
    """Return the situation after all commands, abort before everything else, each carried out once."""
    given = situation.seen.rollout.annotations
    if not given and not situation.status.handled_commands:
        return CommandResult(situation, (), {})
    return _heard(
        situation, {annotation: given[annotation] for annotation in names.COMMANDS if annotation in given}, {}
    )


def apply_early_commands(heard: CommandResult, situation: Situation) -> CommandResult | None:
    """Return what becomes of commands that came early, in the *situation* to which the rules have led; None: nothing.

    What they wait for may have begun in this very pass.
    """
    if not heard.early:
        return None
    due = {key: value for key, value in heard.early.items() if not _is_early(situation, key, value.strip())}
    if not due:
        return None
    later = _heard(situation, due, heard.present)
    return dataclasses.replace(later, early={key: one for key, one in heard.early.items() if key not in due})
