"""The life of a rollout: no rule and no command moves a status but by a transition of the table."""

from collections.abc import Iterator

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import Observation
from headgate.core.rollout import commands, lifecycle, refresh
from headgate.core.rollout import decide as module
from headgate.core.rollout.lifecycle import State
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.rules import progress
from headgate.core.rollout.state import Situation
from tests.core import aftermath, ways
from tests.core.test_abort_first import HINDRANCES, TRIGGERS
from tests.core.test_command_states import STATES, VALUES, WORDS
from tests.core.worlds import A, B, C, World

Moves = list[tuple[api.RolloutStatus, api.RolloutStatus]]
PLAIN = {name: world for name, world in STATES.items() if world.traffic is None and not world.deleting}
"""Those whose next minutes can be told without a router, and that do not end."""


def _worlds() -> Iterator[World]:
    for world in STATES.values():
        yield from (world.wants(hash_).recorded(hash_) for hash_ in (A, B, C))
        yield world.but(deleting=True, finalizers=(names.FINALIZER,))
        for command in names.COMMANDS:
            name = command.partition("/")[2].replace("-", "_")
            yield from (world.told(**{name: value}) for value in VALUES.get(command, WORDS))
    for hindered in HINDRANCES.values():
        yield from (change(hindered()) for change in TRIGGERS.values())


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    """Every move of a rule, and what each pass made of the status by what it saw and by commands."""
    found: Moves = []
    answer, hear, read = module._answer, commands.apply_commands, refresh.opened

    def answered(situation: Situation) -> tuple[str, Move | Rest]:
        rule, move = answer(situation)
        if isinstance(move, Move):
            found.append((situation.status, move.status))
        return rule, move

    def heard(situation: Situation) -> commands.CommandResult:
        result = hear(situation)
        found.append((situation.status, result.situation.status))
        return result

    def opened(seen: Observation) -> Situation:
        situation = read(seen)
        found.append((seen.status, situation.status))
        return situation

    monkeypatch.setattr(module, "_answer", answered)
    monkeypatch.setattr(refresh, "opened", opened)
    monkeypatch.setattr(commands, "apply_commands", heard)
    return found


def _illegal(moves: Moves) -> list[str]:
    return [wrong for before, after in moves if (wrong := lifecycle.illegal(before, after))]


def test_every_move_is_a_transition(moves: Moves) -> None:
    """In each state, with each command, template and trigger, rules and commands move by the table alone."""
    for world in _worlds():
        module.decide(world.observe())

    assert _illegal(moves) == []
    assert len({(lifecycle.state_of(one), lifecycle.state_of(then)) for one, then in moves}) >= 12


@pytest.mark.parametrize("state", PLAIN)
@pytest.mark.parametrize("wanted", [A, B, C])
def test_every_life_keeps_to_the_table(moves: Moves, state: str, wanted: str) -> None:
    """From each state on, whatever template is wanted, pass after pass."""
    world = PLAIN[state].wants(wanted).recorded(wanted)
    for _ in range(12):
        world = aftermath.after(world, module.decide(world.observe()), seconds=30)

    assert _illegal(moves) == []


def test_a_rule_that_breaks_the_table_is_found(moves: Moves, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rule of promotion asked before those that go back, a canary that leaves would become stable."""
    monkeypatch.setattr(module, "BACKWARD", (progress.complete, *module.BACKWARD))
    module.decide(World().stable(8).canary(2).leaving().at_step(1, since=60).observe())

    assert _illegal(moves)[0] == (
        "no transition leads from Leaving to AtRest where the canary revision becomes stable and none the canary"
    )


def test_each_transition_leads_where_the_statuses_do() -> None:
    """The table has no line twice, and no state that cannot be reached or left."""
    keys = [(way.before, way.after, way.stable, way.canary) for way in lifecycle.TRANSITIONS]

    assert len(keys) == len({*keys})
    assert {way.after for way in lifecycle.TRANSITIONS} | {State.NEW} == {*State}
    assert {way.before for way in lifecycle.TRANSITIONS} == {*State} == lifecycle.DESCRIPTIONS.keys()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (World().stable(8).canary(2), World().stable()),
        (World().stable(), World().stable(8).canary(2).leaving()),
        (World().stable(8).canary(2), World()),
        (ways.warm(), World().first()),
    ],
)
def test_what_no_transition_allows(before: World, after: World) -> None:
    """A canary does not vanish, none leaves that never came, and what is stable is not forgotten."""
    assert lifecycle.illegal(before.status, after.status).startswith("no transition leads from ")


def test_the_picture_is_the_table() -> None:
    """It has an arrow for each transition and a row for each state, and nothing else."""
    lines = lifecycle.picture().splitlines()

    assert [line for line in lines if " --> " in line][1:] == [
        f"    {way.before} --> {way.after}: {way.when}" for way in lifecycle.TRANSITIONS
    ]
    assert [line for line in lines if line.startswith("| `")] == [
        f"| `{state}` | {means} |" for state, means in lifecycle.DESCRIPTIONS.items()
    ]
