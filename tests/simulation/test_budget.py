"""What a canary costs the API server, and what rest costs it: nothing."""

from headgate.simulation import specs
from headgate.simulation.world import Pace
from tests.simulation import worlds

QUICK = specs.metric(interval="5s", window="5s", passesToAdvance=1)


def test_writes_of_one_canary_with_three_weight_steps() -> None:
    """A canary with n weight steps makes at most 14 + 4 n writes from apply to Healthy, and none afterwards."""
    play = worlds.play(5, pace=Pace(call=0.005, lag=0.05), measured=(QUICK,))
    world = play.world
    before = len(world.journal.writes)
    play.ship("web:2")
    assert play.settle() == "Healthy"
    made = world.journal.writes[before:]
    print(*made, sep="\n")  # noqa: T201 - pytest shows it where a test fails

    assert len(made) <= 14 + 4 * 3
    world.run(7200)
    assert before + len(made) == len(world.journal.writes)


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
