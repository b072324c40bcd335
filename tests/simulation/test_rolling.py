"""Rolling updates in a cluster that takes its time: the judges count every pod that comes and goes."""

import functools
import itertools
from collections.abc import Callable

import pytest

from headgate.core.model import Json
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import shops, worlds
from tests.simulation.shops import abort, breach

BUDGETS: tuple[Json, ...] = ({}, {"maxSurge": 1}, {"maxSurge": 0, "maxUnavailable": 2}, {"maxSurge": "100%"})
QUICK = specs.metric(interval="5s", window="5s", passesToAdvance=1, failuresToRollback=1)
SLOW = Pace(call=0.3, lag=0.5)


def play(seed: int = 0, budget: Json | None = None, *, routed: bool = False, pace: Pace | None = None) -> worlds.Play:
    """Return a world at rest on web:1 whose strategy is a rolling update."""
    begin = shops.shop if routed else worlds.play
    way = {"rollingUpdate": budget or {}}
    return begin(seed, pace=pace, strategy=way, measured=(QUICK,), replicas=6, steps=())


@pytest.mark.parametrize(("budget", "routed"), [*itertools.product(BUDGETS, (False, True))])
def test_a_good_version_takes_over(budget: Json, *, routed: bool) -> None:
    """Whatever the budget, and whoever moves users; and then nothing is written any more."""
    shop = play(1, budget, routed=routed, pace=SLOW)
    canary = shop.ship("web:2")
    assert "Healthy" == shop.settle()

    assert canary == shop.stable
    writes = len(shop.world.journal.writes)
    shop.world.run(1300)
    assert writes == len(shop.world.journal.writes)


def new_pods(shop: worlds.Play, count: int) -> bool:
    """Return whether so many new pods serve."""
    canary = shop.world.status.canary
    return canary is not None and shop.world.pods_of(canary.hash)[1] >= count


@pytest.mark.parametrize("end", [abort, breach])
@pytest.mark.parametrize(("count", "routed"), [*itertools.product((0, 2, 6), (False, True))])
def test_it_rolls_back(end: Callable[[worlds.Play], None], count: int, *, routed: bool) -> None:
    """From wherever it stands, and users keep their pods."""
    shop = play(2, routed=routed)
    before = shop.stable
    shop.ship("web:2")
    assert shop.world.run_until(functools.partial(new_pods, shop, count), 600), shop.world.account()
    end(shop)
    assert "RolledBack" == shop.settle()

    assert (before, 6) == (shop.stable, shop.world.pods_of(before)[1])


@pytest.mark.parametrize("routed", [False, True])
def test_h11_a_version_that_cannot_start(*, routed: bool) -> None:
    """A rolling update starts no more pods of it than the surge allows, and none of the old ones goes for it."""
    shop = play(3, {"maxSurge": 1}, routed=routed)
    shop.world.pods.images["web:2"] = Image(trouble="ImagePullBackOff")
    shop.ship("web:2")
    assert "RolledBack" == shop.settle()

    assert 6 == shop.judges.capacity.least_serving
    assert "PodsCannotStart" == shop.world.status.history[0].reason


@pytest.mark.parametrize("trouble", [fault_injection.Trouble.CRASH_AFTER, fault_injection.Trouble.LOST_ANSWER])
@pytest.mark.parametrize("end", ["promotion", "abort"])
def test_h12_killed_around_every_write(end: str, trouble: fault_injection.Trouble) -> None:
    """A rolling update ends where it would have ended, with no pod more or fewer than it may."""
    for ordinal in range(1, 20, 2):
        shop = play(4, pace=Pace(call=0.0, lag=0.0))
        before = shop.stable
        shop.world.plan = fault_injection.at_write(len(shop.world.journal.writes) + ordinal, trouble)
        canary = shop.ship("web:2")
        if end == "abort":
            assert shop.world.run_until(functools.partial(new_pods, shop, 3), 600), shop.world.account()
            abort(shop)
        shop.settle()

        assert (before if end == "abort" else canary) == shop.stable, ordinal
        assert 6 == shop.world.pods_of(shop.stable)[1], ordinal
