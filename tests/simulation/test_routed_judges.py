"""A judge that cannot fail holds nothing: those of the router find the operator that does what it must not."""

import dataclasses
from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.core.model.actions import Action, ScaleDeployment
from headgate.core.model.traffic import RuleFacts
from headgate.core.replicas import weighted
from headgate.core.replicas.pod_budget import Sizes
from headgate.core.rollout import traffic_actions
from headgate.core.rollout.state import Situation
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic.plan import Plan, View
from headgate.core.traffic.routers.gateway_api import header_routes, route_weights
from headgate.simulation import specs
from headgate.simulation.invariants.suite import Violation
from tests.simulation import shops

Broken = Callable[[pytest.MonkeyPatch], None]


def changed(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[View, Plan], Plan]) -> None:
    """Let what `traffic` plans be changed."""
    honest: Callable[[View], Plan] = getattr(traffic_plan, name)
    monkeypatch.setattr(traffic_plan, name, lambda view: change(view, honest(view)))


def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the whole weight of the step to the first pod."""

    def change(view: View, plan: Plan) -> Plan:
        return dataclasses.replace(plan, percent=view.weight) if view.status.weight else plan

    changed(monkeypatch, "forward", change)


def greedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the canary more than the step says."""

    def change(view: View, plan: Plan) -> Plan:
        return dataclasses.replace(plan, percent=60) if view.status.weight and view.other.ready else plan

    changed(monkeypatch, "forward", change)


def stingy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take stable's pods as the canary's come."""

    def change(view: View, plan: Plan) -> Plan:
        return dataclasses.replace(plan, sizes=Sizes(view.budget.total - view.other.ready - 1, plan.sizes.canary))

    changed(monkeypatch, "forward", change)


def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scale the canary away with the weight."""

    def change(_: View, plan: Plan) -> Plan:
        return dataclasses.replace(plan, sizes=Sizes(plan.sizes.stable, 0))

    changed(monkeypatch, "backward", change)


def selfish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the sum of our weights 100, whoever else is in the rule."""

    def base(_: RuleFacts) -> int:
        return 100

    monkeypatch.setattr(route_weights, "base", base)


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scale first, and write the route when that is done."""
    honest = traffic_actions.actions

    def actions(situation: Situation) -> list[Action]:
        canary = situation.canary
        pods: list[Action] = [ScaleDeployment(canary.hash, 1, situation.pods(canary).wanted)] if canary else []
        return [*(pods if canary and canary.abort else []), *honest(situation)]

    monkeypatch.setattr(traffic_actions, "actions", actions)


def abrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both Services select the new pods at once."""

    def change(view: View, plan: Plan) -> Plan:
        chosen = view.other_hash if view.other.ready else ""
        return dataclasses.replace(plan, stable_selects=chosen, canary_selects=chosen)

    changed(monkeypatch, "forward", change)


def overloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that copies are load."""

    def burdened(total: int, weight: int, _: int) -> int:
        return weighted.needed(total, weight)

    monkeypatch.setattr(weighted, "burdened", burdened)


def test_copies_need_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod of the new version that gets copies of most requests is told, though no user ever meets it."""
    play = shops.shop(0, steps=(specs.weight(10), specs.pause("20s"), specs.mirror(60), specs.weight(30)))
    overloaded(monkeypatch)
    play.world.apply(play.spec("web:2"))

    with pytest.raises(Violation, match=r"Service web-canary gets 70 %, 1 pods serve there of 7 that it takes"):
        play.settle()


def test_copies_go_before_pods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pods that go while requests may still be copied to them are told."""
    play = shops.shop(0, steps=(specs.mirror(60), specs.pause()))
    play.ship("web:2")
    assert play.world.run_until(lambda: play.world.phase == "Paused", 300), play.world.account()
    honest = header_routes.backward

    def backward(view: View) -> Plan:
        plan = honest(view)
        return dataclasses.replace(plan, sizes=Sizes(plan.sizes.stable, 0))

    monkeypatch.setattr(header_routes, "backward", backward)
    shops.abort(play)

    with pytest.raises(Violation, match="pods are left for 60 % of the traffic, at least 6 must"):
        play.settle()


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (hasty, r"Service web-canary gets 50 %, 2 pods serve there of 5 that it takes"),
        (greedy, r"gives more than the step"),
        (stingy, r"pods are left for \d+ % of the traffic|at least \d+ must"),
        (careless, r"pods are left for 50 % of the traffic, at least 5 must"),
        (selfish, r"takes from, or gives to, other backends"),
        (slow, r"before traffic goes back there is something else"),
        (abrupt, r"moves a selector under|the stable Service leads to pods of the canary"),
    ],
)
def test_judge_finds_the_broken_operator(monkeypatch: pytest.MonkeyPatch, broken: Broken, words: str) -> None:
    """What breaks a promise about traffic is told, with the numbers."""
    shared = specs.route(specs.rule(specs.backend(weight=300), specs.backend("legacy", weight=100)))
    play = shops.shop(0, route=shared, others=("legacy",))
    broken(monkeypatch)
    play.world.apply(play.spec("web:2"))
    with pytest.raises(Violation, match=words):  # noqa: PT012 - the canary's whole way is the statement
        play.reach(50)
        play.world.annotate(names.ABORT, names.ABORT_NOW)
        play.world.run(900)
