"""What is disputed is said once, and holds nothing up."""

import dataclasses

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import overlaps
from headgate.core.model.overlaps import Overlap, Overlaps
from headgate.core.rollout import ownership_conflicts
from headgate.core.rollout.decide import decide
from tests.core import answers
from tests.core.worlds import B, World

OTHER = Overlaps((Overlap("api", selects=True, selected=True),))
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


def kept(world: World, found: Overlaps | None, *strangers: str) -> dict[str, str]:
    """Return the condition's message by its reason, where other Rollouts are *found* so."""
    decision = decide(dataclasses.replace(world.observe(), overlaps=found, strangers=strangers))
    return {one.reason: one.message for one in decision.status.conditions if one.type == "Disputed"}


def test_another_rollout_is_told_and_told_no_more() -> None:
    """Who overlaps is named in front of strangers; once it does no more the condition goes."""
    world = World().stable()
    (message,) = kept(world, OTHER, WORDS).values()
    assert list(kept(world, OTHER, WORDS)) == ["RolloutsOverlap"]
    assert message.startswith("Rollout api selects the pods of this Rollout")
    assert message.endswith(f"; {WORDS}")
    decision = decide(dataclasses.replace(world.observe(), overlaps=OTHER))
    assert "Disputed" in answers.reasons(decision)
    assert decision.write_status

    told = world.with_status(conditions=decision.status.conditions)
    assert "Disputed" not in answers.reasons(decide(dataclasses.replace(told.observe(), overlaps=OTHER)))
    assert kept(told, Overlaps()) == {}
    assert kept(told, Overlaps(), WORDS) == {"StrangersWithOurLabels": WORDS}
    assert decide(told.observe()).write_status, "it goes at once"


def test_unknown_is_not_none() -> None:
    """While it is not known which other Rollouts there are, what was said of them stays, and nothing is made up."""
    world = World().stable()
    assert kept(world, None) == {}
    assert kept(world, None, WORDS) == {"StrangersWithOurLabels": WORDS}

    told = world.with_status(conditions=decide(dataclasses.replace(world.observe(), overlaps=OTHER)).status.conditions)
    assert kept(told, None) == kept(world, OTHER)
    assert kept(told, None, WORDS) == kept(world, OTHER), "one message is not put together with itself, pass after pass"


WORKLOAD = Overlaps(workloads=("Deployment web",))


def test_another_workload_is_told_and_looked_for() -> None:
    """What is no Rollout is named too, and looked for again at rest; in flight it is said as it was found."""
    world = World().stable()
    (reason, message), *_ = kept(world, WORKLOAD).items()
    assert reason == "PodsOfOthers"
    assert message.startswith("at rest these were last seen to run pods that this Rollout selects: Deployment web; ")
    both = dataclasses.replace(OTHER, workloads=("Deployment web",))
    assert kept(world, both) == {"RolloutsOverlap": f"{kept(world, OTHER)['RolloutsOverlap']}; {message}"}

    seen = dataclasses.replace(world.observe(), overlaps=WORKLOAD)
    told = world.with_status(conditions=decide(seen).status.conditions)
    assert [ownership_conflicts.tells_of_workloads(one.status) for one in (world, told)] == [False, True]
    assert kept(told, None) == kept(world, WORKLOAD)
    assert decide(seen).recheck_at == seen.now + overlaps.LOOK_SECONDS
    assert ownership_conflicts.looks(dataclasses.replace(World().canary(2).observe(), overlaps=WORKLOAD)) == ()
    assert ownership_conflicts.looks(dataclasses.replace(world.observe(), overlaps=OTHER)) == ()
    assert ownership_conflicts.looks(dataclasses.replace(world.observe(), overlaps=None)) == ()
    assert ownership_conflicts.looks(dataclasses.replace(told.observe(), overlaps=None)) == (
        told.now + overlaps.LOOK_SECONDS,
    )


def test_another_rollout_holds_nothing() -> None:
    """First revision, start, step, promotion, abort, breach and deletion are decided as without it."""
    worlds = (
        World(),
        World().stable().wants(B),
        World().canary(2).at_step(1),
        World().canary(2).leaving(),
        World().canary(2).at_step(1).but(commands={names.ABORT: "now"}),
        World().canary(2).at_step(1).but(deleting=True, finalizers=(names.FINALIZER,)),
    )
    for world in worlds:
        for found in (OTHER, WORKLOAD, None):
            plain, beside = decide(world.observe()), decide(dataclasses.replace(world.observe(), overlaps=found))
            assert (plain.rule, plain.records, plain.actions, plain.urgent) == (
                (beside.rule, beside.records, beside.actions, beside.urgent)
            )
            assert plain.status.phase is beside.status.phase
