"""Commands: bound to a revision, carried out once, and explained where they do not match."""

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model.actions import RemoveCommand
from headgate.core.rollout import commands
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, C, World, metric, policy

AGAIN = f"headgate.dev/retry={B} has it tried again"
WATCHED = policy(20, "pause", 50, "2m", metrics=(metric(),))


def paused() -> World:
    """Return a world at 20 % that waits for people, with all evidence."""
    return World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=60).knows(passes=3)


def rejected() -> World:
    """Return a world that wants a revision that was taken back."""
    entry = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="bad", at=NOON - 500)
    return World().stable().wants(B).with_status(rejected=(entry,)).recorded(B)


@pytest.mark.parametrize("value", [B, "now", f"  {B}\n"])
def test_abort(value: str) -> None:
    """Abort takes back the revision that is named, or whatever is in flight, and rejects it."""
    decision = decide(paused().told(abort=value).observe())

    assert answers.ending(decision) is api.Ending.ABORTED
    assert [entry.hash for entry in decision.status.rejected] == [B]
    assert answers.said(decision, "RollbackStarted") == "revision 2 is taken back: aborted by command"


def test_promote_ends_a_pause() -> None:
    """Promote ends the pause that it names, and the evidence that is there leads on."""
    decision = decide(paused().told(promote=f"{B}/2").observe())

    assert answers.step(decision) == 3
    assert answers.weight(decision) == 50
    assert decision.actions[-1] == RemoveCommand(names.PROMOTE, f"{B}/2")
    assert answers.said(decision, "PauseEnded") == "the pause at step 2/5 was ended by command"


def test_promote_does_not_replace_evidence() -> None:
    """Promote ends a pause, not the need for evidence; it is remembered until that is there."""
    world = paused().knows(passes=1).told(promote=f"{B}/2")
    decision = decide(world.observe())
    assert answers.step(decision) == 2
    assert decision.status.step is not None
    assert decision.status.step.promoted
    assert answers.ready(decision) == ("GatheringEvidence", "errors passed 1 of 3 times, at step 2/5, weight 20 %")
    later = aftermath.after(world, decision).knows(passes=3)
    assert answers.step(decide(later.observe())) == 3


def test_promote_full_skips_pauses_and_evidence() -> None:
    """Promote-full goes to the whole at once; the pods still come step by step, and the history says who wanted it."""
    world = paused().knows(passes=0).told(promote_full=B)
    decision = decide(world.observe())
    assert (answers.step(decision), answers.weight(decision)) == (5, 100)
    assert answers.sizes(decision) == {B: 5}
    end, _ = aftermath.settled(aftermath.after(world, decision))
    assert end.status.stable is not None
    assert end.status.stable.hash == B
    assert (end.status.history[0].by, end.status.history[0].message) == (
        "promote-full",
        "by command, without all evidence",
    )


def test_promote_full_never_skips_a_breach() -> None:
    """H6: a breach takes back what promote-full has sent on its way."""
    world = paused().knows(failures=2, verdict=api.Outcome.FAILED, value="1").told(promote_full=B)

    assert answers.ending(decide(world.observe())) is api.Ending.ROLLED_BACK


def test_abort_wins() -> None:
    """H6: abort is heard before everything else, given together with it or after it."""
    together = decide(paused().told(promote_full=B, abort="now", promote=f"{B}/2").observe())
    assert answers.ending(together) is api.Ending.ABORTED
    mismatches = [notice.message for notice in together.notices if notice.reason == "CommandMismatch"]
    assert mismatches == [
        f"headgate.dev/promote={B}/2 had no effect: it is being taken back; {AGAIN}",
        f"headgate.dev/promote-full={B} had no effect: it is being taken back; {AGAIN}",
    ]
    world = paused().told(promote_full=B)
    after = aftermath.after(world, decide(world.observe())).told(abort=B)
    assert answers.ending(decide(after.observe())) is api.Ending.ABORTED


def test_abort_keeps_nothing_for_later() -> None:
    """H6: of a retry, a promote-full and an abort in one write the version takes its steps again, and no shortcut."""
    world = rejected().told(retry=B, promote_full=B, abort="now")
    first = decide(world.observe())
    words = [notice.message for notice in first.notices if notice.reason == "CommandMismatch"]
    assert f"headgate.dev/promote-full={B} had no effect: headgate.dev/abort was given beside it" in " ".join(words)
    for decision in (first, decide(aftermath.after(world, first).observe())):
        assert decision.status.canary is None or not decision.status.canary.promote_full
    assert not aftermath.after(world, first).commands


def test_retry() -> None:
    """Retry starts a rejected revision again, from its first step and as an attempt of its own."""
    decision = decide(rejected().told(retry=B).observe())

    assert decision.status.rejected == ()
    assert decision.status.canary is not None
    assert (decision.status.canary.started, decision.status.canary.revision) == (NOON, 2)
    assert (answers.step(decision), answers.weight(decision)) == (1, 20)
    assert answers.reasons(decision) == ["Retrying", "RolloutStarted", "StepStarted"]


def test_retry_is_not_stopped_by_the_old_mark() -> None:
    """The mark of the attempt that was taken back does not take back the next one."""
    world = rejected().deployment(B, 0, rejected=f"{B}/{NOON - 900}").told(retry=B)
    decision = decide(world.observe())

    assert answers.ending(decision) is None
    assert decision.status.canary is not None
    assert decision.status.canary.analysis_from == NOON


MISMATCHES: tuple[tuple[str, World, dict[str, str], str], ...] = (
    ("nothing to abort", World().stable(), {"abort": "now"}, "no rollout is in flight"),
    (
        "first",
        World().first(),
        {"abort": "now"},
        "this is the first revision; there is nothing to go back to and no step to skip",
    ),
    (
        "other hash",
        paused(),
        {"abort": C},
        f"in flight is {B}; headgate.dev/abort={B} or headgate.dev/abort=now would match",
    ),
    ("already leaving", paused().leaving(), {"abort": B}, f"revision {B} is being taken back already; {AGAIN}"),
    ("nothing rejected", World().stable(), {"retry": B}, "no revision is rejected"),
    ("other rejected", rejected(), {"retry": C}, f"headgate.dev/retry={B} would match"),
    ("no flight to promote", World().stable(), {"promote": f"{B}/2"}, "no rollout is in flight"),
    (
        "other step",
        paused(),
        {"promote": f"{B}/3"},
        f"in flight is {B} at step 2; headgate.dev/promote={B}/2 would match",
    ),
    ("hash alone", paused(), {"promote": B}, f"in flight is {B} at step 2; headgate.dev/promote={B}/2 would match"),
    (
        "no pause",
        paused().at_step(3, waiting_for="2 of 5 canary pods ready"),
        {"promote": f"{B}/3"},
        f"step 3/5 is not a pause: 2 of 5 canary pods ready; headgate.dev/promote-full={B} skips that",
    ),
    ("full of another", paused(), {"promote_full": C}, f"in flight is {B}; headgate.dev/promote-full={B} would match"),
    ("full of nothing", World().stable(), {"promote_full": B}, "no rollout is in flight"),
    (
        "full of a rejected one",
        rejected(),
        {"promote_full": B},
        f"no rollout is in flight: revision {B} was taken back; {AGAIN}",
    ),
    (
        "full of one that the spec does not hold",
        rejected().wants(A),
        {"promote_full": B},
        f"no rollout is in flight: revision {B} was taken back; {AGAIN}, once spec.template holds it",
    ),
    ("full while leaving", paused().leaving(), {"promote_full": B}, f"it is being taken back; {AGAIN}"),
)


@pytest.mark.parametrize(
    ("world", "commands", "why"), [row[1:] for row in MISMATCHES], ids=[row[0] for row in MISMATCHES]
)
def test_mismatches(world: World, commands: dict[str, str], why: str) -> None:
    """A command that does not match does nothing but a Warning that says what would have matched, once."""
    told = world.told(**commands)
    decision = decide(told.observe())
    (notice,) = [notice for notice in decision.notices if notice.reason == "CommandMismatch"]
    assert notice.warning
    assert notice.message.endswith(f" had no effect: {why}")
    assert answers.ending(decision) is answers.ending(decide(world.observe()))

    again = decide(told.but(status=decision.status).observe())
    assert "CommandMismatch" not in answers.reasons(again)
    assert [action for action in again.actions if isinstance(action, RemoveCommand)]


def test_a_long_value_is_cut_where_it_is_told() -> None:
    """H23: a hostile value is told by its beginning, and remembered by that and a hash."""
    long = "x" * 100_000
    decision = decide(paused().told(abort=long).observe())
    (entry,) = decision.status.handled_commands

    assert f"headgate.dev/abort={'x' * 80}… had no effect" in answers.said(decision, "CommandMismatch")
    assert len(entry) < 120
    assert entry.startswith(f"abort={'x' * 80} ")
    assert decision.actions[-1] == RemoveCommand(names.ABORT, long)


def test_each_command_is_carried_out_once() -> None:
    """After a crash between effect and removal, a command is only removed; the same word works again afterwards."""
    told = rejected().told(retry=B)
    first = decide(told.observe())
    crashed = told.but(status=first.status, written_at=NOON)
    second = decide(crashed.observe())
    assert "Retrying" not in answers.reasons(second)
    assert second.status.handled_commands == (f"retry={B}",)
    assert RemoveCommand(names.RETRY, B) in second.actions

    removed = crashed.but(commands={})
    third = decide(removed.observe())
    assert third.status.handled_commands == ()
    assert third.write_status
    again = decide(removed.but(status=third.status).told(retry=B).observe())
    assert answers.said(again, "CommandMismatch").endswith("no revision is rejected")


def test_commands_change_what_is_written() -> None:
    """A status whose only news is that a command was heard is written at once: its removal depends on it."""
    world, _ = aftermath.settled(World().stable())
    decision = decide(world.told(retry=A).observe())

    assert decision.write_status
    assert decision.status.phase is api.Phase.HEALTHY


def test_h31_what_may_have_been_carried_out_is_not_carried_out_twice() -> None:
    """H31: where the list of heard commands is not understood all but an abort count as heard."""
    given = {names.PROMOTE_FULL: B, names.ABORT: "now"}

    assert (f"promote-full={B}",) == commands.carried_out(given)
