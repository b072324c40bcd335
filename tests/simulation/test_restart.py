"""The restart of all pods in a cluster that takes its time: users are served throughout, whatever happens to whom."""

import itertools
from typing import Any

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.core.replicas import restart_evictions
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.invariants.suite import Violation
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import samples, shops, worlds

SLOW = Pace(call=0.3, lag=0.5)
WAYS: dict[str, Json] = {
    "canary": {},
    "unavailable": {"maxSurge": 0, "maxUnavailable": 2},
    "rollingUpdate": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
    "recreate": {"strategy": {"recreate": {}}},
}


def play(seed: int = 0, way: str = "canary", pace: Pace | None = None, **usual: Any) -> worlds.Play:
    """Return a world at rest on web:1."""
    return worlds.play(seed, pace=pace, **{"replicas": 6, "steps": (), **WAYS[way], **usual})


def pods(shop: worlds.Play) -> set[str]:
    """Return the uids of all pods."""
    return {pod["metadata"]["uid"] for pod in shop.world.store.peek(Kind.POD)}


def restart(shop: worlds.Play) -> set[str]:
    """Give the command, a second after the pods came; return their uids."""
    shop.world.run(2)
    before = pods(shop)
    shop.world.annotate(names.RESTART, "now")
    assert shop.world.run_until(lambda: shop.world.status.restart is not None, 60), shop.world.account()
    return before


def reason(shop: worlds.Play) -> str:
    """Return the reason of the Ready condition."""
    return next((one.reason for one in shop.world.status.conditions if one.type == "Ready"), "")


def over(shop: worlds.Play) -> None:
    """Let time pass until the restart has ended, and hold that it left the Rollout as it was."""
    assert shop.world.run_until(lambda: shop.world.status.restart is None, worlds.LONG_SECONDS), shop.world.account()
    assert "Healthy" == shop.settle()
    assert 1 == len(shop.world.store.peek(Kind.DEPLOYMENT))
    assert 1 == len(shop.world.status.history)


@pytest.mark.parametrize(("seed", "way"), samples.halved(range(4), list(WAYS)))
def test_every_pod_is_another_one(seed: int, way: str) -> None:
    """The revision is the same, the number of pods as well, and the judges saw nobody go unserved."""
    shop = play(seed, way, SLOW)
    stable, before = shop.stable, restart(shop)
    over(shop)

    assert (stable, set()) == (shop.stable, before & pods(shop))
    assert (6, 6) == shop.world.pods_of(stable)
    writes = len(shop.world.journal.writes)
    shop.world.run(1300)
    assert writes == len(shop.world.journal.writes)


@pytest.mark.parametrize("way", WAYS)
def test_pods_go_by_eviction_alone(way: str) -> None:
    """Nothing else takes an old pod away, except where downtime is meant."""
    shop = play(1, way)
    restart(shop)
    over(shop)
    evictions_ = [one for one in shop.world.journal.writes if one.verb == "evict"]

    assert (0 if way == "recreate" else 6) == len(evictions_)


@pytest.mark.parametrize("services", [1, 2])
def test_behind_a_gateway(services: int) -> None:
    """With routes the surge is a quarter, not twice the pods, and traffic stays where it is."""
    shop = shops.shop(2, services=services, replicas=8)
    before = restart(shop)
    most = 0

    def watch() -> bool:
        nonlocal most
        most = max(most, len(shop.world.deployments.of(shop.world.deployment(shop.stable) or {})))
        return shop.world.status.restart is None

    assert shop.world.run_until(watch, 600), shop.world.account()
    assert ("Healthy", 10, set()) == (shop.settle(), most, before & pods(shop))
    shops.rested(shop)


def test_a_budget_that_forbids_it_is_obeyed_and_told() -> None:
    """For as long as it does: not one pod goes; then it goes on by itself."""
    shop = play(3)
    shop.world.pods.least_ready = 8
    before = restart(shop)
    assert shop.world.run_until(lambda: reason(shop) == "RestartBlocked", 60), shop.world.account()
    shop.world.run(600)
    assert before <= pods(shop)
    ready = next(one for one in shop.world.status.conditions if one.type == "Ready")
    assert "The disruption budget web needs 8 healthy pods" in ready.message

    shop.world.pods.least_ready = 6
    over(shop)
    assert set() == before & pods(shop)


@pytest.mark.parametrize("replicas", [2, 3])
def test_routes_meet_somebody_though_most_may_be_unavailable(replicas: int) -> None:
    """New pods stand in for old ones once their Service leads to them."""
    shop = shops.shop(8, replicas=replicas, steps=(), measured=(), maxSurge=0, maxUnavailable=2)
    restart(shop)
    over(shop)


def test_abort_stops_it_where_it_is() -> None:
    """Pods that are left stay, and the surplus goes."""
    shop = play(4)
    shop.world.pods.least_ready = 8
    before = restart(shop)
    assert shop.world.run_until(lambda: reason(shop) == "RestartBlocked", 60), shop.world.account()
    shop.world.annotate(names.ABORT, names.ABORT_NOW)
    over(shop)

    assert before == pods(shop)


def test_pods_that_do_not_come_take_nobody_away() -> None:
    """New pods that cannot start are waited for, and the old ones serve."""
    shop = play(5)
    shop.world.pods.images["web:1"] = Image(trouble="ImagePullBackOff")
    before = restart(shop)
    shop.world.run(900)
    assert ("Degraded", "PodsNotReady") == (str(shop.world.phase), reason(shop))
    assert before <= pods(shop)

    shop.world.annotate(names.ABORT, names.ABORT_NOW)
    over(shop)
    assert before == pods(shop)


@pytest.mark.parametrize("way", WAYS)
def test_a_new_version_goes_first(way: str) -> None:
    """It interrupts the restart; once it is stable no old pod is left to be restarted."""
    shop = play(6, way)
    before = restart(shop)
    shop.world.run(3)
    canary = shop.ship("web:2")
    assert shop.world.run_until(lambda: shop.world.status.restart is None, worlds.LONG_SECONDS), shop.world.account()
    assert "Healthy" == shop.settle()

    assert (canary, set()) == (shop.stable, before & pods(shop))


@pytest.mark.parametrize("routed", [False, True])
def test_asked_for_in_flight_it_follows(*, routed: bool) -> None:
    """After an abort, the pods that were stable all the time are restarted."""
    shop = shops.shop(7, replicas=6) if routed else play(7, steps=(specs.weight(50),))
    shop.ship("web:2")
    shop.reach(50)
    before = {pod["metadata"]["uid"] for pod in shop.world.deployments.of(shop.world.deployment(shop.stable) or {})}
    restart(shop)
    shops.abort(shop)
    assert "RolledBack" == shop.settle()

    assert shop.world.status.restart is None
    assert set() == before & pods(shop)


def test_scaled_meanwhile() -> None:
    """More and fewer replicas count at once, and no restart forgets a pod for it."""
    for replicas in (0, 2, 11):
        shop = play(8)
        before = restart(shop)
        shop.world.run(6)
        shop.world.edit(replicas=replicas)
        over(shop)
        assert (replicas, set()) == (len(pods(shop)), before & pods(shop))


@pytest.mark.parametrize(
    ("way", "trouble"),
    [
        *itertools.product(
            ("canary", "recreate"),
            (
                fault_injection.Trouble.CRASH_BEFORE,
                fault_injection.Trouble.CRASH_AFTER,
                fault_injection.Trouble.LOST_ANSWER,
            ),
        )
    ],
)
def test_h12_killed_around_every_write(way: str, trouble: fault_injection.Trouble) -> None:
    """A restart ends where it would have ended: every pod is another one, and users were served."""
    quiet = play(9, way, Pace(call=0.0, lag=0.0))
    first = quiet.world.writes
    restart(quiet)
    over(quiet)
    for ordinal in range(1, quiet.world.writes - first + 1):
        shop = play(9, way, Pace(call=0.0, lag=0.0))
        shop.world.plan = fault_injection.at_write(shop.world.writes + ordinal, trouble)
        before = restart(shop)
        over(shop)

        assert set() == before & pods(shop), ordinal


@pytest.mark.parametrize("seed", range(3))
def test_h24_a_third_of_all_calls_fails(seed: int) -> None:
    """A restart takes longer, and nothing else."""
    shop = play(seed, pace=SLOW)
    kinds = (fault_injection.Trouble.CONFLICT, fault_injection.Trouble.UNREACHABLE, fault_injection.Trouble.LOST_ANSWER)
    shop.world.plan = fault_injection.at_random(shop.world.dice, 0.3, *kinds)
    before = restart(shop)
    over(shop)

    assert set() == before & pods(shop)


def test_the_judge_finds_an_operator_that_waits_for_no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that cannot fail holds nothing."""
    shop = play(10)

    def plan(view: restart_evictions.View) -> restart_evictions.Plan:
        old = tuple(pod for pod in view.pods or () if pod.created <= view.since and not pod.leaving)
        return restart_evictions.Plan(view.budget.total, old, len(old))

    monkeypatch.setattr(restart_evictions, "plan", plan)
    shop.world.run(10)
    shop.world.annotate(names.RESTART, "now")
    with pytest.raises(Violation, match="pods serve after"):
        shop.world.run(60)
