"""What is disputed is said once, and holds nothing up."""

import dataclasses

from headgate.api import status as api
from headgate.core.decide import decide
from tests.core import answers
from tests.core.worlds import World

WORDS = "Deployment web-debug bears this Rollout's label"


def disputed(world: World, *words: str) -> list[str]:
    """Return the reasons of what is said, and the messages of the condition."""
    decision = decide(dataclasses.replace(world.observe(), strangers=words))
    found = [one.message for one in decision.status.conditions if one.type == "Disputed"]
    return [*[reason for reason in answers.reasons(decision) if reason == "Disputed"], *found]


def test_h34_strangers_are_told_once() -> None:
    """H34: a stranger is told by an Event when it comes, by a condition as long as it is there."""
    world = World().stable()
    assert disputed(world) == []
    assert disputed(world, WORDS) == ["Disputed", WORDS]

    known = api.Condition(
        type="Disputed", status="True", reason="StrangersWithOurLabels", message=WORDS, last_transition_time=0
    )
    world = world.with_status(conditions=(known,))
    assert disputed(world, WORDS) == [WORDS]
    assert disputed(world, WORDS, "and another one") == ["Disputed", f"{WORDS}; and another one"]


def test_h34_strangers_hold_nothing() -> None:
    """H34: a canary goes on beside them, and is taken back beside them."""
    for world in (World().canary(2).at_step(1), World().canary(2).leaving()):
        plain, beside = decide(world.observe()), decide(dataclasses.replace(world.observe(), strangers=(WORDS,)))
        assert (plain.rule, plain.actions) == (beside.rule, beside.actions)
        assert plain.status.phase is beside.status.phase
