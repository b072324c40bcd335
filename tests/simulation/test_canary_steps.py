"""Steps that only a router can do, in a cluster that takes its time: pods before users, and users back before pods."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from headgate.api.status import Outcome
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import samples, shops, worlds
from tests.simulation.shops import abort, breach

SLOW = Pace(call=0.3, lag=0.5)
SCALED = (specs.scale(replicas=3), specs.weight(10), specs.scale(matchTrafficWeight=True), specs.weight(60))
SMOKE = specs.metric("smoke", interval="5s", window="5s", passesToAdvance=2, when=["Step"])
SMOKED = (specs.scale(weight=20), specs.analysis("smoke"), specs.weight(20), specs.analysis("smoke"), specs.pause("5s"))
HEADED = (
    specs.header(),
    specs.weight(20),
    specs.scale(replicas=4),
    specs.header("staff"),
    specs.no_header(),
    specs.weight(50),
    specs.no_header("staff"),
)
COPIED = (
    specs.mirror(50),
    specs.weight(20),
    specs.mirror(20),
    specs.header(),
    specs.mirror(80),
    specs.mirror(0),
    specs.weight(60),
    specs.mirror(40),
)
PLANS: dict[str, tuple[Json, ...]] = {"scale": SCALED, "analysis": SMOKED, "header": HEADED, "mirror": COPIED}
METRICS: dict[str, tuple[Json, ...]] = {"analysis": (SMOKE, shops.QUICK)}
EVERY_PLAN = pytest.mark.parametrize("plan", PLANS)
BUDGETS: tuple[Json, ...] = ({}, {"maxSurge": 1}, {"maxSurge": 0, "maxUnavailable": 2})
NARROW: dict[str, tuple[Json, ...]] = {"mirror": ({"maxSurge": 5}, {"maxSurge": "50%", "maxUnavailable": 2})}
"""Where copies are made, both versions have their pods at once."""


def play(seed: int, plan: str, **more: Any) -> worlds.Play:
    """Return a world at rest on web:1 behind a Gateway, whose canary has the steps of a plan."""
    measured = METRICS.get(plan, (shops.QUICK,))
    return shops.shop(seed, pace=SLOW, steps=PLANS[plan], measured=measured, replicas=6, **more)


def at_step(shop: worlds.Play, index: int) -> bool:
    """Return whether the rollout has come to a step, and its clock runs."""
    step = shop.world.status.step
    return step is not None and step.index >= index and step.since is not None


@pytest.mark.parametrize(
    ("plan", "budget"), [(plan, budget) for plan in PLANS for budget in NARROW.get(plan, BUDGETS[1:]) + BUDGETS[:1]]
)
def test_a_good_version_takes_over(plan: str, budget: Json) -> None:
    """Through all steps, and then nothing is written any more."""
    shop = play(1, plan, **budget)
    canary = shop.ship("web:2")
    assert "Healthy" == shop.settle()

    assert canary == shop.stable
    shops.rested(shop)


@pytest.mark.parametrize(
    ("step", "end"),
    samples.halved(
        [(plan, index) for plan, steps in PLANS.items() for index in range(1, len(steps) + 2)], (abort, breach)
    ),
)
def test_it_is_taken_back_from_every_step(step: tuple[str, int], end: Callable[[worlds.Play], None]) -> None:
    """Users first, then the pods, whatever the step had set."""
    plan, index = step
    shop = play(2, plan)
    before = shop.stable
    shop.ship("web:2")
    assert shop.world.run_until(functools.partial(at_step, shop, index), 900), shop.world.account()
    end(shop)
    assert "RolledBack" == shop.settle()

    assert (before, 6) == (shop.stable, shop.world.pods_of(before)[1])
    shops.rested(shop)


@EVERY_PLAN
@pytest.mark.parametrize("trouble", [fault_injection.Trouble.CRASH_AFTER, fault_injection.Trouble.LOST_ANSWER])
def test_h12_killed_around_every_write(plan: str, trouble: fault_injection.Trouble) -> None:
    """A new process finds what the steps had set, and ends where the old one would have."""
    for ordinal in samples.some(range(1, 26, 4 if trouble is fault_injection.Trouble.CRASH_AFTER else 9), 2):
        shop = play(3, plan)
        canary = shop.ship("web:2")
        shop.world.plan = fault_injection.at_write(len(shop.world.journal.writes) + ordinal, trouble)
        assert "Healthy" == shop.settle(), f"write {ordinal}"

        assert canary == shop.stable


def test_an_analysis_step_waits_for_its_verdict() -> None:
    """As long as there is nothing to judge it neither goes on nor back, and users stay where they are."""
    shop = play(4, "analysis")
    shop.world.script.say(Outcome.NO_DATA, shop.world.now, "smoke")
    canary = shop.ship("web:2")
    assert shop.world.run_until(functools.partial(at_step, shop, 2), 300), shop.world.account()
    shop.world.run(500)
    assert ("Holding", 0) == (str(shop.world.phase), shops.share(shop))
    shop.world.script.say(0.001, shop.world.now, "smoke")
    assert "Healthy" == shop.settle()

    assert canary == shop.stable


def added(shop: worlds.Play) -> int:
    """Return how many rules of the route lead to the canary Service alone."""
    thing = shop.world.store.get(Kind.HTTP_ROUTE, "shop", specs.ROUTE)
    rules = thing["spec"]["rules"] if thing else ()
    return sum({one["name"] for one in rule["backendRefs"]} == {specs.CANARY_SERVICE} for rule in rules)


@pytest.mark.parametrize("end", [abort, breach])
def test_requests_with_a_header_go_back_first(end: Callable[[worlds.Play], None]) -> None:
    """The first write of a verdict to the route takes all that a step has added."""
    shop = play(5, "header")
    shop.ship("web:2")
    assert shop.world.run_until(functools.partial(at_step, shop, 4), 900), shop.world.account()
    assert 1 == added(shop)
    before = len(shop.world.journal.writes)
    end(shop)
    assert shop.world.run_until(lambda: added(shop) == 0, 60), shop.world.account()

    made = [write for write in shop.world.journal.writes[before:] if write.kind is Kind.HTTP_ROUTE]
    assert (1, 0) == (len(made), shops.share(shop))
    assert "RolledBack" == shop.settle()
    shops.rested(shop)


def test_a_gateway_that_refuses_the_rules_of_a_step() -> None:
    """What it does with such a route nobody knows: it is put back at once, and the version waits for somebody."""
    shop = play(6, "header")
    shop.ship("web:2")
    assert shop.world.run_until(lambda: added(shop) == 1, 300), shop.world.account()
    shop.world.gateways[0].habits.refuses = "no such match"
    shop.world.gateways[0].wake()
    assert shop.world.run_until(lambda: added(shop) == 0, 60), shop.world.account()
    shop.world.gateways[0].habits.refuses = ""
    shop.world.gateways[0].wake()
    assert "RolledBack" == shop.settle()

    assert "RulesNotAccepted" == shop.world.status.history[0].reason


def test_somebody_takes_the_rules_of_a_step_away() -> None:
    """As when GitOps applies the route again: it is put back, and told."""
    shop = play(7, "header")
    canary = shop.ship("web:2")
    assert shop.world.run_until(functools.partial(at_step, shop, 1), 300), shop.world.account()
    shop.world.change(Kind.HTTP_ROUTE, specs.ROUTE, lambda thing: thing["spec"]["rules"].pop())
    assert 0 == added(shop)
    assert shop.world.run_until(lambda: added(shop) == 1, 60), shop.world.account()
    assert "another-client changed HTTPRoute web" == (shop.world.status.traffic and shop.world.status.traffic.drift_by)
    assert "Healthy" == shop.settle()

    assert (canary, 0) == (shop.stable, added(shop))


def copied(shop: worlds.Play) -> int:
    """Return how much the Gateway copies to the canary Service, in percent."""
    return max((one.get(specs.CANARY_SERVICE, 0) for one in shop.world.gateways[0].copying.values()), default=0)


@pytest.mark.parametrize("end", [abort, breach])
def test_copies_go_back_first(end: Callable[[worlds.Play], None]) -> None:
    """The first write of a verdict to the route takes weight and copies; pods go once nobody can copy to them."""
    shop = shops.shop(8, pace=SLOW, replicas=6, steps=(specs.mirror(50), specs.weight(20), specs.pause()))
    canary = shop.ship("web:2")
    assert shop.world.run_until(lambda: (copied(shop), shops.share(shop)) == (50, 20), 900), shop.world.account()
    assert 5 == shop.world.pods_of(canary)[1]
    before = len(shop.world.journal.writes)
    end(shop)
    assert shop.world.run_until(lambda: copied(shop) == 0, 60), shop.world.account()

    made = [write for write in shop.world.journal.writes[before:] if write.kind is Kind.HTTP_ROUTE]
    assert (1, 0, 5) == (len(made), shops.share(shop), shop.world.pods_of(canary)[1])
    assert "RolledBack" == shop.settle()
    shops.rested(shop)


@pytest.mark.parametrize("over", [specs.mirror(0), specs.no_header(), specs.scale(matchTrafficWeight=True)])
def test_pods_that_come_a_second_time(over: Json) -> None:
    """Between a step that left none and the first users, no Gateway knows an empty Service."""
    begin = {"setMirrorRoute": specs.mirror(50), "setHeaderRoute": specs.header()}
    first = begin.get(next(iter(over)), specs.scale(replicas=2))
    for seed in samples.some(range(8, 24), 4):
        shop = shops.shop(seed, steps=(first, specs.pause("20s"), over, specs.weight(10)), replicas=4)
        canary = shop.ship("web:2")
        assert "Healthy" == shop.settle()

        assert canary == shop.stable


def test_a_gateway_that_cannot_copy() -> None:
    """Nothing moves before somebody leaves out the step, or takes another Gateway."""
    shop = play(9, "mirror")
    shop.world.change(Kind.GATEWAY, "public", lambda thing: thing["spec"].update(gatewayClassName="other"))
    shop.world.server.create(Kind.GATEWAY_CLASS, "", specs.gateway_class("HTTPRoute", name="other"), "installer")
    before = len([write for write in shop.world.journal.writes if write.kind is Kind.HTTP_ROUTE])
    shop.world.apply(shop.spec("web:2"))
    shop.world.run(300)
    assert "Holding" == shop.world.phase
    assert "MirrorUnsupported" == next(one.reason for one in shop.world.status.conditions if one.type == "Ready")
    assert before == len([write for write in shop.world.journal.writes if write.kind is Kind.HTTP_ROUTE])

    shop.world.change(Kind.GATEWAY, "public", lambda thing: thing["spec"].update(gatewayClassName="usual"))
    assert "Healthy" == shop.settle()


def test_the_route_is_moved_to_a_gateway_that_cannot_copy() -> None:
    """The filter goes within a minute or two, and nothing goes on."""
    shop = play(10, "mirror")
    shop.ship("web:2")
    assert shop.world.run_until(functools.partial(at_step, shop, 1), 300), shop.world.account()
    shop.world.change(Kind.GATEWAY, "public", lambda thing: thing["spec"].update(gatewayClassName="other"))
    shop.world.server.create(Kind.GATEWAY_CLASS, "", specs.gateway_class("HTTPRoute", name="other"), "installer")
    assert shop.world.run_until(lambda: copied(shop) == 0, 120), shop.world.account()
    shop.world.run(60)
    assert "Holding" == shop.world.phase


def test_somebody_takes_the_filter_away() -> None:
    """As when GitOps applies the route again: it is put back, and told."""
    shop = play(11, "mirror")
    canary = shop.ship("web:2")
    assert shop.world.run_until(functools.partial(at_step, shop, 1), 300), shop.world.account()
    shop.world.change(Kind.HTTP_ROUTE, specs.ROUTE, lambda thing: thing["spec"]["rules"][0].pop("filters"))
    assert shop.world.run_until(lambda: copied(shop) == 0, 60), shop.world.account()
    assert shop.world.run_until(lambda: copied(shop) > 0, 60), shop.world.account()
    assert "another-client changed HTTPRoute web" == (shop.world.status.traffic and shop.world.status.traffic.drift_by)
    assert "Healthy" == shop.settle()

    assert (canary, 0) == (shop.stable, copied(shop))
