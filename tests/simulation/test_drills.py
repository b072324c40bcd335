"""Drills in the simulated cluster: users notice nothing, the record is right, and everything else comes first."""

import itertools
from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.api.status import Ending, Phase
from headgate.core.model import Json, Kind
from tests.simulation import shops, worlds

EVERY_TEN_MINUTES: Json = {"schedule": "*/10 * * * *", "within": "20s"}
WAYS: tuple[tuple[str, Callable[..., worlds.Play], Json], ...] = (
    ("canary by pod ratio", worlds.play, {}),
    ("rolling update by pod ratio", worlds.play, {"strategy": {"rollingUpdate": {}}}),
    ("canary behind a route", shops.shop, {}),
    ("bounded surge behind a route", shops.shop, {"maxSurge": 1}),
    ("rolling update behind a route", shops.shop, {"strategy": {"rollingUpdate": {}}}),
    ("blue and green behind a route", shops.shop, {"strategy": {"blueGreen": {"autoPromotion": {}}}}),
)


def drill(play: worlds.Play) -> None:
    """Begin a drill."""
    play.world.annotate(names.DRILL, play.stable)
    assert play.world.run_until(lambda: play.world.phase is Phase.DRILLING, 60), play.world.account()


@pytest.mark.parametrize(("begin", "fields"), [row[1:] for row in WAYS], ids=[row[0] for row in WAYS])
def test_a_drill_by_each_way(begin: Callable[..., worlds.Play], fields: Json) -> None:
    """It goes to its weight and comes back, at no time are users without pods, and nothing of it is left."""
    play = begin(**fields)
    stable = play.stable
    drill(play)
    assert play.settle() == "Healthy"

    entry = play.world.status.history[0]
    assert (entry.outcome, entry.hash) == (Ending.DRILLED, stable)
    assert entry.drill is not None
    assert entry.drill.rollback_seconds is not None
    assert entry.drill.rollback_seconds < 30
    assert (play.stable, play.replicas, play.world.status.rejected) == (stable, 10, ())
    assert len(play.world.store.peek(Kind.DEPLOYMENT)) == 1
    writes = len(play.world.journal.writes)
    play.world.run(1300)
    assert writes == len(play.world.journal.writes), play.world.account()


def test_a_schedule_fires() -> None:
    """Each time the schedule says so there is one drill, and no more than three stay in the history."""
    play = worlds.play(drill=EVERY_TEN_MINUTES)
    play.world.run(3600)
    drills = [entry for entry in play.world.status.history if entry.drill is not None]
    assert [entry.outcome for entry in drills] == [Ending.DRILLED] * 3
    assert [later.started - entry.started for later, entry in itertools.pairwise(drills)] == [600, 600]
    assert {entry.by for entry in drills} == {"spec.drill.schedule"}


def test_an_operator_that_was_away_makes_nothing_up() -> None:
    """What was due while nobody was there is skipped once it is late, and the next one comes at its time."""
    play = worlds.play(drill=EVERY_TEN_MINUTES)
    play.world.run(30)
    play.world.operator.die()
    play.world.restarts = False
    play.world.run(2 * 3600 + 300)
    play.world.restart()
    play.world.run(20)
    assert [entry for entry in play.world.status.history if entry.drill is not None] == []
    assert play.world.run_until(lambda: play.world.status.history[0].drill is not None, 1200)


@pytest.mark.parametrize("begin", [worlds.play, shops.shop])
@pytest.mark.parametrize("seconds", [0.0, 0.5, 2.0, 4.0, 8.0, 15.0])
def test_a_new_version_comes_first(begin: Callable[..., worlds.Play], seconds: float) -> None:
    """A template that comes at any moment of a drill ends it, and is rolled out as if there had been none."""
    play = begin(seed=int(seconds * 10))
    play.world.annotate(names.DRILL, names.DRILL_NOW)
    play.world.run(seconds)
    play.world.apply(play.spec("web:2"))
    assert play.world.run_until(
        lambda: play.world.status.history[0].outcome is Ending.PROMOTED and play.world.status.history[0].revision == 2,
        worlds.LONG_SECONDS,
    )
    assert play.settle() == "Healthy"
    assert [] == list(play.world.status.rejected)


def test_crashing_pods_end_it() -> None:
    """Pods of a drill that crash end it, and the stable version is not rejected for that."""
    play = worlds.play()
    drill(play)
    canary = play.world.status.canary
    assert canary is not None
    assert play.world.run_until(lambda: play.world.pods_of(canary.hash)[1] > 0, 60)
    play.world.fail_pods(canary.hash, 2, 100)
    assert play.settle() == "Healthy"
    assert play.world.status.rejected == ()
