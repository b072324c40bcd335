"""Every command in every state, and every two of them together: none is lost, and each answer leads on.

The tables are generated. A suggestion is carried out in the world in which it was made, and must not be a mismatch.
"""

import itertools
import re
from typing import Final

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core import model
from headgate.core.model import Decision, Identity, Target
from headgate.core.model.actions import RemoveCommand
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers, drilling, earlier, ways
from tests.core.worlds import NOON, A, B, C, World, metric, policy

WATCHED: Final = policy(20, "pause", 50, "2m", metrics=(metric(),))
FIRST: Final = policy(50, metrics=(metric(when=("First",)),))
SUGGESTED: Final = re.compile(r"headgate\.dev/([a-z-]+)=([^\s;,]+)")


def paused() -> World:
    """Return a world at 20 % that waits for people."""
    return World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=60).knows(passes=3)


def rejected(wanted: str = B) -> World:
    """Return a world at rest on A in which B was taken back."""
    world = World().stable().wants(wanted).recorded(B)
    return world.with_status(rejected=(earlier.rejection(B),), history=(earlier.ended(B, api.Ending.ROLLED_BACK),))


def waiting() -> World:
    """Return a world in which the way back to A waits for C to leave."""
    rollback = api.Rollback(revision=1, hash=A, rejects=C, by="annotation", since=NOON - 5)
    world = earlier.second().deployment(C, 2).wants(C)
    canary = api.Canary(revision=3, hash=C, started=NOON - 100, replicas=2, ready=2)
    gone = api.Abort(ending=api.Ending.ABORTED, reason="RolledBackTo", since=NOON - 5)
    return world.with_status(canary=canary.model_copy(update={"abort": gone}), rollback=rollback)


def restarting() -> World:
    """Return a world in which a restart is in progress."""
    world = World().stable()
    pods = tuple(model.PodFacts(f"web-{at}", f"uid-{at}", NOON - 900, NOON - 800, leaving=False) for at in range(10))
    begun = aftermath.after(world.told(restart="now"), decide(world.told(restart="now").observe()))
    return begun.but(pods=pods).with_status(handled_commands=())


STATES: Final[dict[str, World]] = {
    "first revision": World().first(),
    "first revision that is measured": World().first(10, 10).ruled(FIRST),
    "at rest": World().stable(),
    "at rest with an earlier one": earlier.second(),
    "at rest, paused": World().stable().but(paused=True),
    "warm": ways.warm(),
    "rolled back": rejected(),
    "rejected, and the spec holds another": rejected(A),
    "taken back by a deadline and still leaving": World().stable(8).canary(2).leaving(),
    "put back and still leaving": World().stable(8).canary(2).leaving(api.Ending.WITHDRAWN).wants(A),
    "rolling back to an earlier one": earlier.going_back(),
    "a rollback waits": waiting(),
    "at a weight": paused().at_step(3, waiting_for="2 of 5 canary pods ready"),
    "at a pause": paused(),
    "at a pause that was promoted": paused().knows(passes=0).at_step(2, since=60, promoted=True),
    "holding": paused().knows(verdict=api.Outcome.NO_DATA, passes=0).at_step(4, since=300),
    "paused in flight": paused().but(paused=True),
    "a drill": drilling.drilling(),
    "a drill that ends": drilling.leaving(),
    "a restart": restarting(),
    "deleted in flight": paused().but(deleting=True),
    "deleted at rest": World().stable().but(deleting=True, finalizers=("a.example/guard",)),
    "invalid at rest": World().stable().but(invalid="spec.replicas: must be a number"),
    "invalid in flight": paused().but(invalid="spec.replicas: must be a number"),
    "a new version waits: paused": World().stable().wants(B).recorded(B).but(paused=True),
    "a new version waits: the policy follows": ways.warm().wants(C).recorded(C).but(policy_waits=True),
    "the policy waits in flight": paused().but(policy_waits=True),
    "the template cannot be asked about": World()
    .stable()
    .but(target=Target(Identity.UNKNOWN, "", "no answer"), written=B),
    "the template is refused": World().stable().but(target=Target(Identity.REFUSED, "", "no image"), written=B),
    "the template cannot be asked about in flight": paused().but(target=Target(Identity.UNKNOWN, "", "no answer")),
}
WORDS: Final = ("now", "1", "2", "3", A, B, C, drilling.DRILL)
VALUES: Final[dict[str, tuple[str, ...]]] = {
    names.PROMOTE: (*WORDS, *(f"{hash_}/{step}" for hash_ in (A, B, C) for step in range(1, 6))),
    names.RESTART: ("", "now"),
}


def given(world: World, *commands: tuple[str, str]) -> World:
    """Return *world* with annotations."""
    return world.but(commands=dict(commands))


def mismatches(decision: Decision) -> dict[str, str]:
    """Return the annotations that had no effect, and why."""
    said = [notice.message for notice in decision.notices if notice.reason == "CommandMismatch"]
    return {message.partition("=")[0]: message.partition(" had no effect: ")[2] for message in said}


def matching(world: World, command: str) -> list[str]:
    """Return the values by which *command* has an effect in *world*."""
    values = VALUES.get(command, WORDS)
    return [one for one in values if command not in mismatches(decide(given(world, (command, one)).observe()))]


@pytest.mark.parametrize("command", names.COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_each_mismatch_leads_on(state: str, command: str) -> None:
    """What would have matched is named so that it can be copied, and works; where no value would, none is named."""
    world = STATES[state]
    right = matching(world, command)
    for value in ("wrong", *VALUES.get(command, WORDS)):
        why = mismatches(decide(given(world, (command, value)).observe())).get(command)
        if why is None:
            continue
        suggested = SUGGESTED.findall(why)
        for word, copied in suggested:
            again = given(world, (f"{names.GROUP}/{word}", copied))
            assert not mismatches(decide(again.observe())), f"{why}: {word}={copied}"
        own = [copied for word, copied in suggested if f"{names.GROUP}/{word}" == command]
        assert not right or suggested, f"{value}: {why}, though these would match: {right}"
        assert not own or {*own} <= {*right}


@pytest.mark.parametrize("command", names.COMMANDS)
@pytest.mark.parametrize("state", STATES)
def test_what_matches_has_an_effect(state: str, command: str) -> None:
    """It changes the status, or is said to follow; nothing is taken off without a word."""
    world = STATES[state]
    before = decide(world.observe()).status
    for value in matching(world, command):
        decision = decide(given(world, (command, value)).observe())
        gone = any(isinstance(action, RemoveCommand) for action in decision.actions)
        changed = decision.status.model_copy(update={"handled_commands": ()}) != before
        waits = f"{command}={value} follows" in answers.ready(decision)[1]
        assert changed or decision.notices
        assert not (waits and gone)


# --- two at once ------------------------------------------------------------------------------------------------------


UNROUTED: Final = [name for name in STATES if "warm" not in name and "policy follows" not in name]
PAIRS: Final = list(itertools.combinations(names.COMMANDS, 2))
OVERRULED: Final = {
    names.ABORT: {names.PROMOTE, names.PROMOTE_FULL, names.ROLLBACK_TO},
    names.ROLLBACK_TO: {names.PROMOTE, names.PROMOTE_FULL, names.DRILL},
    names.RETRY: {names.DRILL},
    names.RESTART: {names.DRILL},
}
"""Which commands leave others nothing to do, or go first: what stays is going back, and a drill never goes first."""


def heard(world: World, passes: int = 4) -> dict[str, str]:
    """Return the mismatches until nothing of the commands is left, or waits for its turn."""
    found: dict[str, str] = {}
    for _ in range(passes):
        decision = decide(world.observe())
        found |= mismatches(decision)
        world = aftermath.after(world, decision, 1)
    assert all(
        f"{key}={value} follows" in answers.ready(decide(world.observe()))[1] for key, value in world.commands.items()
    )
    return found


def _value(world: World, command: str) -> str:
    return next(iter(matching(world, command)), B)


@pytest.mark.parametrize("state", UNROUTED)
def test_of_two_commands_none_is_lost(state: str) -> None:
    """What works alone works beside another one too, unless that overrules it; and then it is said."""
    world = STATES[state]
    values = {command: _value(world, command) for command in names.COMMANDS}
    values |= {names.PROMOTE_FULL: B} if state == "rolled back" else {}
    alone = {
        command for command in names.COMMANDS if mismatches(decide(given(world, (command, values[command])).observe()))
    }
    for pair in PAIRS:
        found = heard(given(world, *((command, values[command]) for command in pair)))
        for command, other in (pair, pair[::-1]):
            overruled = command in alone or command in OVERRULED.get(other, ())
            assert command not in found or overruled, f"{command} beside {other}: {found}"


@pytest.mark.parametrize("spelled", [(names.RETRY, names.PROMOTE_FULL), (names.PROMOTE_FULL, names.RETRY)])
def test_retry_and_promote_full_in_one_command(spelled: tuple[str, str]) -> None:
    """The revision starts anew, and goes to the whole at once; both are taken off, and no answer is a mismatch."""
    decision = decide(given(rejected(), *((name, B) for name in spelled)).observe())

    assert not mismatches(decision)
    assert ["Retrying", "RolloutStarted", "StepStarted", "PromotedFully"] == answers.reasons(decision)
    assert decision.status.canary is not None
    assert decision.status.canary.promote_full
    assert {names.RETRY, names.PROMOTE_FULL} == {
        action.annotation for action in decision.actions if isinstance(action, RemoveCommand)
    }
    assert {f"retry={B}", f"promote-full={B}"} == {*decision.status.handled_commands}


def test_promote_full_before_its_rollout_starts() -> None:
    """It stays while spec.paused keeps the version back, and the message says so; once that ends it counts."""
    world = STATES["a new version waits: paused"].told(promote_full=B)
    held = decide(world.observe())
    assert not mismatches(held)
    assert not [action for action in held.actions if isinstance(action, RemoveCommand)]
    assert answers.ready(held)[1].endswith(f"; headgate.dev/promote-full={B} follows when it starts")

    begun = decide(aftermath.after(world, held).but(paused=False).observe())
    assert begun.status.canary is not None
    assert begun.status.canary.promote_full
    assert RemoveCommand(names.PROMOTE_FULL, B) in begun.actions


def test_promote_full_of_what_is_put_back_while_warm() -> None:
    """Where the version that was meant is stable again at once, nothing is left to skip, and that is said."""
    world = ways.warm().wants(A).told(promote_full=A)
    decision = decide(world.observe())

    assert answers.ending(decision) is api.Ending.WITHDRAWN
    assert names.PROMOTE_FULL in mismatches(decision)


def test_two_that_come_early_wait_for_the_same_start() -> None:
    """An answer that was heard in one pass is not given again in the next, where its removal was lost."""
    world = given(rejected(), (names.RETRY, B), (names.PROMOTE_FULL, B))
    first = decide(world.observe())
    crashed = world.but(status=first.status, written_at=NOON, finalizers=(names.FINALIZER,))
    again = decide(crashed.observe())

    assert not mismatches(again)
    assert "PromotedFully" not in answers.reasons(again)
    assert "Retrying" not in answers.reasons(again)


# --- what is rejected says how it is tried again ----------------------------------------------------------------------


def test_a_rejected_template_that_is_applied_again_is_told_of() -> None:
    """An Event and the message name retry, once; a tool that applies it every minute posts nothing more."""
    reverted = rejected(A).with_status(template=api.TemplateStatus(hash=A, revision_hash=A), phase=api.Phase.HEALTHY)
    world = reverted.wants(B).but(written=B)
    decision = decide(world.observe())

    assert f"headgate.dev/retry={B}" in answers.said(decision, "StillRejected")
    assert answers.ready(decision)[1].endswith(answers.retried(B))
    again = decide(aftermath.after(world, decision).observe())
    assert not again.notices
    assert answers.ready(again)[1].endswith(answers.retried(B))


def test_a_rejected_template_in_place_of_one_in_flight_is_told_of() -> None:
    """The one in flight leaves, and what was wanted instead is not tried: that is said once."""
    world = paused().wants(C).with_status(rejected=(earlier.rejection(C),)).recorded(C)
    _, decisions = aftermath.settled(world)
    said = [one.message for decision in decisions for one in decision.notices if one.reason == "StillRejected"]

    assert len(said) == 1
    assert f"headgate.dev/retry={C}" in said[0]


def test_the_end_of_a_rollback_is_no_second_attempt() -> None:
    """A version that was just taken back is told of by that alone."""
    _, decisions = aftermath.settled(paused().told(abort="now"))

    assert "StillRejected" not in [one.reason for decision in decisions for one in decision.notices]


def test_a_pause_at_rest_is_shown() -> None:
    """spec.paused at rest holds up nothing yet; that it will is said, and the version stays Ready."""
    decision = decide(STATES["at rest, paused"].observe())

    assert answers.ready(decision)[1].endswith("pods ready; spec.paused is true: the next version will wait")
    assert decision.status.phase is api.Phase.HEALTHY
