"""Recreate in a cluster that takes its time: no two revisions have pods at once, whatever happens to whom."""

import functools
import itertools
from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.core.replicas import recreate
from headgate.simulation import specs
from headgate.simulation.cluster.store import Change
from headgate.simulation.controllers.pods import Image
from headgate.simulation.invariants.suite import Invariants, Violation
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace, World
from tests.simulation import samples, shops, worlds
from tests.simulation.shops import abort, breach

RECREATE: Json = {"recreate": {}}
QUICK = specs.metric(interval="5s", window="5s", passesToAdvance=1, failuresToRollback=1)
SLOW = Pace(call=0.3, lag=0.5)


def play(seed: int = 0, *, routed: bool = False, pace: Pace | None = None) -> worlds.Play:
    """Return a world at rest on web:1 whose strategy is recreate."""
    begin = shops.shop if routed else worlds.play
    return begin(seed, pace=pace, strategy=RECREATE, measured=(QUICK,), replicas=3, steps=())


@pytest.mark.parametrize(("seed", "routed"), samples.halved(range(6), (False, True)))
def test_a_good_version_takes_over(seed: int, *, routed: bool) -> None:
    """Old pods, new pods, evidence, stable; and then nothing is written any more."""
    shop = play(seed, routed=routed, pace=SLOW)
    canary = shop.ship("web:2")
    assert "Healthy" == shop.settle()

    assert canary == shop.stable
    assert [3, 0] == [shop.world.pods_of(one)[1] for one in (canary, other(shop))]
    writes = len(shop.world.journal.writes)
    shop.world.run(1300)
    assert writes == len(shop.world.journal.writes)


def other(shop: worlds.Play) -> str:
    """Return the revision that is not stable."""
    hashes = [entry.hash for entry in shop.world.status.history if entry.hash != shop.stable]
    return hashes[0]


def nothing_new(shop: worlds.Play) -> bool:
    """Return whether old pods are on their way out."""
    canary = shop.world.status.canary
    return canary is not None and shop.world.deployment(canary.hash) is None


def coming(shop: worlds.Play) -> bool:
    """Return whether new pods are starting."""
    canary = shop.world.status.canary
    return canary is not None and sum(shop.world.pods_of(canary.hash)) > 0


def serving(shop: worlds.Play) -> bool:
    """Return whether all new pods serve."""
    canary = shop.world.status.canary
    return canary is not None and shop.world.pods_of(canary.hash)[1] == 3


MOMENTS: tuple[Callable[[worlds.Play], bool], ...] = (nothing_new, coming, serving)


@pytest.mark.parametrize(("moment", "routed"), [*itertools.product(MOMENTS, (False, True))])
def test_abort_brings_the_old_one_back(moment: Callable[[worlds.Play], bool], *, routed: bool) -> None:
    """At whatever moment it comes."""
    shop = play(3, routed=routed)
    before = shop.stable
    shop.ship("web:2")
    assert shop.world.run_until(lambda: moment(shop), 60), shop.world.account()
    abort(shop)
    assert "RolledBack" == shop.settle()

    assert (before, 3) == (shop.stable, shop.world.pods_of(before)[1])


@pytest.mark.parametrize("routed", [False, True])
def test_a_breach_brings_the_old_one_back(*, routed: bool) -> None:
    """Errors that are measured once the new pods serve count."""
    shop = play(4, routed=routed)
    before = shop.stable
    shop.ship("web:2")
    breach(shop)
    assert "RolledBack" == shop.settle()

    assert (before, 3) == (shop.stable, shop.world.pods_of(before)[1])
    assert "MetricFailed" == shop.world.status.history[0].reason


def test_h11_pods_that_cannot_start() -> None:
    """Recreate brings the old version back without waiting for the deadline."""
    shop = play(5)
    shop.world.pods.images["web:2"] = Image(trouble="CrashLoopBackOff")
    shop.ship("web:2")
    began = shop.world.now
    assert "RolledBack" == shop.settle()

    assert "PodsCannotStart" == shop.world.status.history[0].reason
    assert shop.world.status.history[0].finished - began < 90


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_newer_version_follows_at_once(moment: Callable[[worlds.Play], bool]) -> None:
    """The old revision gets no pod in between."""
    shop = play(6)
    before = shop.stable
    shop.ship("web:2")
    assert shop.world.run_until(lambda: moment(shop), 60), shop.world.account()
    shop.world.apply(shop.spec("web:3"))
    born: list[str] = []

    def heard(change: Change) -> None:
        if change.kind is Kind.POD and change.before is None:
            born.append(change.thing["metadata"]["labels"][names.POD_HASH])

    shop.world.store.listeners.append(heard)
    assert "Healthy" == shop.settle()

    assert before not in born
    assert "Superseded" == shop.world.status.history[1].reason


def uncounted(trouble: fault_injection.Trouble) -> fault_injection.Plan:
    """Let nobody list pods."""
    return fault_injection.while_(lambda call: call.kind is Kind.POD and call.verb == "select", trouble)


@pytest.mark.parametrize("trouble", [fault_injection.Trouble.REFUSED, fault_injection.Trouble.UNREACHABLE])
def test_who_cannot_list_pods_takes_nobody_down(trouble: fault_injection.Trouble) -> None:
    """The old pods serve until it can be told when they are gone; then everything goes its way."""
    shop = play()
    shop.world.plan = uncounted(trouble)
    before = shop.stable
    canary = shop.ship("web:2")
    shop.world.run(120)

    assert 3 == shop.world.pods_of(before)[1]
    assert "PodsNotCounted" == next(one.reason for one in shop.world.status.conditions if one.type == "Ready")
    shop.world.plan = lambda _: None
    assert "Healthy" == shop.settle()
    assert canary == shop.stable


def test_a_stranger_brings_old_pods_beside_new_ones() -> None:
    """They go again, though nobody can count pods: that new ones serve is known."""
    shop = play()
    before, canary = shop.stable, shop.ship("web:2")
    assert shop.world.run_until(lambda: coming(shop), 60), shop.world.account()
    shop.world.plan = uncounted(fault_injection.Trouble.REFUSED)
    shop.world.meddle(before, lambda thing: thing["spec"].update(replicas=2))
    shop.world.run(30)

    assert 0 == shop.world.pods_of(before)[0]
    assert "Healthy" == shop.settle()
    assert canary == shop.stable


@pytest.mark.parametrize(
    ("end", "trouble"),
    [
        *itertools.product(
            ("promotion", "abort"),
            (
                fault_injection.Trouble.CRASH_BEFORE,
                fault_injection.Trouble.CRASH_AFTER,
                fault_injection.Trouble.LOST_ANSWER,
            ),
        )
    ],
)
def test_h12_killed_around_every_write(end: str, trouble: fault_injection.Trouble) -> None:
    """Recreate ends where it would have ended, and no two revisions ever had pods at once."""
    ordinals = 14
    for ordinal in range(1, ordinals):
        shop = play(7, routed=True, pace=Pace(call=0.0, lag=0.0))
        before = shop.stable
        shop.world.plan = fault_injection.at_write(len(shop.world.journal.writes) + ordinal, trouble)
        canary = shop.ship("web:2")
        if end == "abort":
            assert shop.world.run_until(functools.partial(coming, shop), 60), shop.world.account()
            abort(shop)
        shop.settle()

        assert (before if end == "abort" else canary) == shop.stable, ordinal
        assert 3 == shop.world.pods_of(shop.stable)[1], ordinal


@pytest.mark.parametrize("seed", range(4))
def test_the_first_version_is_replaced_before_it_is_stable(seed: int) -> None:
    """There is nothing to go back to, and its pods still hold what the next ones need: they go first."""
    world = World(seed, SLOW)
    shop = worlds.Play(
        world, Invariants(world), {"strategy": RECREATE, "measured": (QUICK,), "replicas": 3, "steps": ()}
    )
    world.pods.images["web:1"] = Image(trouble="CrashLoopBackOff")
    world.apply(shop.spec("web:1"))
    assert world.run_until(lambda: coming(shop), 60), world.account()
    world.apply(shop.spec("web:2"))
    assert "Healthy" == shop.settle()

    assert [3, 0] == [world.pods_of(one)[1] for one in (shop.stable, other(shop))]


@pytest.mark.parametrize("seed", range(4))
def test_it_comes_into_force_while_pods_terminate(seed: int) -> None:
    """A canary was aborted, and more replicas are wanted with recreate: stable grows once nothing else is left."""
    shop = shops.shop(seed, replicas=6, steps=({"setWeight": 50}, {"pause": {}}))
    shop.world.pods.images["web:2"] = Image(ends_after_seconds=40)
    shop.ship("web:2")
    assert shop.world.run_until(lambda: shop.world.phase == "Paused", 200), shop.world.account()
    abort(shop)
    shop.world.apply({**shop.spec("web:2", steps=()), "strategy": RECREATE})
    assert shop.world.run_until(lambda: shop.world.status.canary is None, 100), shop.world.account()
    shop.world.apply({**shop.spec("web:2", steps=()), "strategy": RECREATE, "replicas": 9})
    assert shop.world.run_until(lambda: "once they are gone" in message(shop), 100), shop.world.account()
    assert "RolledBack" == shop.settle()

    assert 9 == shop.world.pods_of(shop.stable)[1]


def message(shop: worlds.Play) -> str:
    """Return what the Ready condition says."""
    return next((one.message for one in shop.world.status.conditions if one.type == "Ready"), "")


def test_the_judge_finds_an_operator_that_counts_no_terminating_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that cannot fail holds nothing."""
    shop = play(8)

    def left(turnover: recreate.Turnover) -> int:
        return sum(facts.pods for hash_, facts in turnover.deployments.items() if hash_ != turnover.comes)

    monkeypatch.setattr(recreate.Turnover, "left", property(left))
    monkeypatch.setattr(recreate, "SURE_AFTER_SECONDS", 0)
    shop.world.apply(shop.spec("web:2"))
    with pytest.raises(Violation, match="was created while these are there"):
        shop.settle()
