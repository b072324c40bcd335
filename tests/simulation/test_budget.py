"""What a canary costs the API server, and what rest costs it: nothing."""

import pytest

from headgate.core.model import Json
from headgate.simulation import specs
from headgate.simulation.process.trace import Write
from headgate.simulation.world import Pace
from tests.simulation import shops, worlds

QUICK = specs.metric(interval="5s", window="5s", passesToAdvance=1)
BRISK = Pace(call=0.005, lag=0.05)
FIVE = tuple(specs.weight(percent) for percent in (10, 20, 40, 60, 80))


def told(writes: list[Write]) -> list[Write]:
    """Return *writes*, printed as the ledger that they are."""
    print(*(f"{one.at - writes[0].at:7.2f} {one}" for one in writes), sep="\n")  # noqa: T201 - shown where a test fails
    return writes


def test_writes_of_one_canary_with_three_weight_steps() -> None:
    """A canary with n weight steps makes at most 14 + 4 n writes from apply to Healthy, and none afterwards."""
    play = worlds.play(5, pace=BRISK, measured=(QUICK,))
    world = play.world
    before = len(world.journal.writes)
    play.ship("web:2")
    assert play.settle() == "Healthy"
    made = told(world.journal.writes[before:])

    assert len(made) <= 14 + 4 * 3
    world.run(7200)
    assert before + len(made) == len(world.journal.writes)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("delay", ["0s", "20s"])
@pytest.mark.parametrize("measured", [(), (QUICK,)])
def test_writes_of_one_canary_behind_a_route(measured: tuple[Json, ...], delay: str, seed: int) -> None:
    """With analysis or without it is 14 + 4 n at most; then the old pods go, by a write to scale and one to tell.

    Old pods that stay warm make it one more: the mark that outlives a lost status has no scaling to go with.
    """
    play = shops.shop(seed, pace=BRISK, replicas=10, steps=FIVE, measured=measured, scaleDownDelay=delay)
    world, writes = play.world, play.world.journal.writes
    before = len(writes)
    canary = play.ship("web:2")
    assert world.run_until(lambda: play.stable == canary and world.phase == "Healthy", worlds.LONG_SECONDS)
    healthy = len(writes)
    assert play.settle() == "Healthy"
    whole = told(writes[before:])

    assert healthy - before <= 14 + (delay != "0s") + 4 * len(FIVE)
    assert before + len(whole) - healthy == 2
    world.run(7200)
    assert before + len(whole) == len(writes)


@pytest.mark.parametrize(("trigger", "most"), [(shops.abort, 10), (shops.breach, 8)])
def test_writes_of_going_back_behind_a_route(trigger: shops.Trigger, most: int) -> None:
    """Verdict, route, mark, drain, pods, end, Service, finalizer; for a command its annotation and that it has gone."""
    play = shops.shop(5, pace=BRISK, replicas=10, steps=FIVE)
    shops.at(play, 40)
    before = len(play.world.journal.writes)
    trigger(play)
    assert play.settle() == "RolledBack"

    assert len(told(play.world.journal.writes[before:])) <= most


def test_rest_after_a_rollback_costs_nothing() -> None:
    """A rejected revision is remembered without a write."""
    play = worlds.play(6)
    play.ship("web:2")
    play.reach(20)
    play.world.script.say(0.5, play.world.now)
    assert play.settle() == "RolledBack"
    before = len(play.world.journal.writes)
    play.world.run(7200)
    assert before == len(play.world.journal.writes)


def test_a_measurement_costs_one_pass() -> None:
    """A canary that is watched costs a pass and a query for each tick, and at times one to refresh its status."""
    play = worlds.play(7, measured=(specs.metric(),), steps=(specs.weight(20), specs.pause()))
    world = play.world
    play.ship("web:2")
    play.reach(20)
    world.run(100)
    passes, queries = len(world.journal.passes), world.operator.queries
    world.run(600)

    assert 600 // 10 == world.operator.queries - queries
    assert len(world.journal.passes) - passes <= 600 // 10 + 10
