"""Clocks begin when they should and figures are soon right, though the phase stays as it is."""

import pytest

from headgate.api import names
from headgate.api.status import Phase
from headgate.simulation.controllers.pods import Image
from headgate.simulation.world import Pace, World
from tests.simulation import shops, worlds

SEEDS = range(5)


def ready(world: World) -> tuple[str, str]:
    """Return reason and message of the Ready condition, as written."""
    return next(((one.reason, one.message) for one in world.status.conditions if one.type == "Ready"), ("", ""))


def within(world: World, seconds: float, reason: str) -> None:
    """Hold that the Ready condition has that *reason* so soon."""
    assert world.run_until(lambda: ready(world)[0] == reason, seconds), world.account()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("old", [Image(trouble="CrashLoopBackOff"), Image(ready_after_seconds=500)])
def test_a_first_version_that_is_replaced_by_one_that_cannot_start(old: Image, seed: int) -> None:
    """Its clock begins with it, and its own pods are quoted from the beginning."""
    play = worlds.play(seed, pace=Pace(call=0.1, lag=0.3), failFast={"after": "3s"}, replicas=3, measured=())
    world = World(seed, Pace(call=0.1, lag=0.3))
    first = worlds.Play(world, play.judges, play.usual)
    world.pods.images |= {"web:1": old, "web:2": Image(trouble="ImagePullBackOff")}
    world.apply(first.spec("web:1"))
    world.run(9)
    before = world.status.canary
    assert before is not None
    world.apply(first.spec("web:2"))
    assert world.run_until(lambda: (world.status.canary or before).hash != before.hash, 3), world.account()
    began = world.now
    assert before.hash not in ready(world)[1], world.account()
    within(world, 8, "PodsCannotStart")
    assert world.now - began < 8
    assert before.hash not in ready(world)[1]
    assert "ImagePullBackOff" in ready(world)[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_scale_up_at_rest_whose_pods_cannot_start(seed: int) -> None:
    """Why is said in seconds, and a deadline ends when it should."""
    play = worlds.play(seed, progressDeadlineSeconds=15, replicas=4, measured=())
    world = play.world
    world.pods.images["web:1"] = Image(trouble="ImagePullBackOff")
    began = world.now
    world.apply(play.spec("web:1", replicas=6))
    within(world, 7, "PodsNotStarting")
    assert "ImagePullBackOff" in ready(world)[1]
    within(world, 15, "PodsNotReady")
    assert 15 <= world.now - began < 18


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("begin", [worlds.play, shops.shop])
@pytest.mark.parametrize("replicas", [2, 7])
def test_scaled_while_rolled_back(begin: type, replicas: int, seed: int) -> None:
    """READY and status.replicas are right in seconds, and then nothing is written any more."""
    play = begin(seed, replicas=4)
    play.ship("web:2")
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    assert play.world.run_until(lambda: play.world.phase is Phase.ROLLED_BACK, 900), play.world.account()
    play.world.run(60)
    play.world.apply(play.spec("web:2", replicas=replicas))

    def right() -> bool:
        status = play.world.status
        return (status.replicas, status.ready) == (replicas, f"{replicas}/{replicas}")

    assert play.world.run_until(right, 12), play.world.account()
    assert Phase.ROLLED_BACK is play.world.phase
    writes = len(play.world.journal.writes)
    play.world.run(300)
    assert writes == len(play.world.journal.writes), play.world.account()
