"""What is wrong with routes and Services is told by name, with what would be right; and nothing moves."""

import dataclasses
from typing import Any

import pytest

from headgate.api.status import Phase
from headgate.core.model.actions import CreateService, SelectRevision, SetWeights
from headgate.core.model.traffic import RouteFacts
from headgate.core.rollout.decide import decide
from headgate.core.traffic.problems import Ahead, ports_to_create, problems
from tests.core.ways import CANARY, HTTP, UNREADABLE, facts, in_flight, parent, route, routed, rule, service
from tests.core.worlds import A, B, World, template

REFUSING = parent(accepted=False, words="NotAllowedByListeners: routes of prod are not allowed")
OTHERS = {"app": "shop"}


def without_rules(**changes: Any) -> RouteFacts:
    """Return a route in which no rule names the stable Service."""
    return dataclasses.replace(route(**changes), rules=())


BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "a route is missing": ({"route": None}, "RouteMissing", "routes[0]: HTTPRoute web does not exist in namespace"),
    "a route cannot be read": ({"route": UNREADABLE}, "RouteUnreadable", "HTTPRoute web could not be read: forbidden"),
    "a route names neither Service": (
        {"route": without_rules()},
        "RouteNamesNoService",
        "no rule of HTTPRoute web names Service web: add it to the backendRefs",
    ),
    "a named rule is missing": (
        {"route": without_rules(missing_rules=("api", "web"))},
        "RuleMissing",
        "routes[0].rules: HTTPRoute web has no rule api, web that names web",
    ),
    "a Gateway refuses": (
        {"route": route(parents=(REFUSING,))},
        "RouteNotAccepted",
        "Gateway eg/public does not accept",
    ),
    "no Gateway answers": (
        {"route": route(parents=())},
        "RouteUnanswered",
        "HTTPRoute web names Gateway eg/public as its parent, and that has not answered",
    ),
    "no Gateway is named": (
        {"route": route(parents=(), parent_refs=())},
        "RouteWithoutParent",
        "HTTPRoute web has no parentRefs",
    ),
    "a route names the Service of another namespace": (
        {"route": without_rules(elsewhere=("prod",))},
        "RouteNamesOtherNamespace",
        "HTTPRoute web names Service web of namespace prod; only Services of the Rollout's own namespace",
    ),
    "another Rollout had the rule first": (
        {"route": route(dataclasses.replace(rule(100, 0, 100), claimed_by="api"))},
        "RuleClaimed",
        "rule 0 of HTTPRoute web belongs to Rollout api",
    ),
    "no weight is ours": ({"route": route(rule(0, 0))}, "RouteWithoutWeight", "rule 0 of HTTPRoute web gives web and"),
    "weights are too coarse": (
        {"route": route(rule(1, 0, 9))},
        "RouteWeightsTooCoarse",
        "web and web-canary are 1 in all, which cannot be split at 20 %: multiply all weights of the rule",
    ),
    "a Service cannot be read": ({"canary": UNREADABLE}, "ServiceUnreadable", "Service web-canary could not be read"),
    "a Service is another Rollout's": (
        {"stable": service(holder="shop")},
        "ServiceClaimed",
        "Service web belongs to Rollout shop: name another one",
    ),
    "a Service has no selector": (
        {"stable": service(selector={})},
        "ServiceSelectsNothing",
        "Service web has no selector, so that its pods are not Headgate's to choose: give it the selector app=web",
    ),
    "a Service selects others": (
        {"stable": service(selector=OTHERS)},
        "ServiceSelectsOthers",
        "Service web selects app=shop, which this Rollout's pods do not carry: let it select app=web",
    ),
    "ports do not match": (
        {"canary": service(CANARY, ports=({**HTTP, "port": 8080},))},
        "ServicePortMissing",
        "Service web-canary has no port 80, which HTTPRoute web asks for: add it there",
    ),
    "the stable Service lacks the port too": (
        {"stable": service(ports=({**HTTP, "port": 8080},)), "canary": None},
        "ServicePortMissing",
        "Service web has no port 80, which HTTPRoute web asks for: add it there",
    ),
    "target ports differ": (
        {"canary": service(CANARY, ports=({**HTTP, "targetPort": 9090},))},
        "ServicePortsDiffer",
        "port 80 has the targetPort 8080 in Service web but 9090 in Service web-canary: make them the same",
    ),
    "ports are not known": (
        {"stable": None, "canary": None, "route": route(rule(ports=()))},
        "ServiceMissing",
        "Service web does not exist, and Headgate cannot tell which ports it should have: create it",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_has_a_name_and_a_remedy(name: str) -> None:
    """Each has a reason of its own."""
    ways, reason, words = BROKEN[name]
    found = problems(routed(World().stable(), 20, ways=facts(**ways)).observe(), Ahead())

    assert [problem.reason for problem in found] == [reason]
    assert words in found[0].message


@pytest.mark.parametrize("name", BROKEN)
def test_at_rest_it_is_told_before_the_next_version_comes(name: str) -> None:
    """Users are served, and whoever looks reads that the next rollout cannot begin, and why."""
    ways, reason, _ = BROKEN[name]
    world = routed(World().stable(), 20, ways=facts(**ways))
    resting, wanting = decide(world.observe()), decide(world.recorded(B).wants(B).observe())

    assert (Phase.DEGRADED, reason) == (resting.status.phase, resting.status.conditions[1].reason)
    assert resting.status.conditions[0].status == "True"
    assert (Phase.HOLDING, None) == (wanting.status.phase, wanting.status.canary)
    for decision in (resting, wanting):
        assert not [action for action in decision.actions if isinstance(action, SelectRevision | SetWeights)]


@pytest.mark.parametrize("name", BROKEN)
def test_in_flight_it_stops_the_steps(name: str) -> None:
    """No weight rises; what can be known still goes back."""
    ways, reason, _ = BROKEN[name]
    found = {"canary": service(CANARY, B, {B: 2}), "route": route(rule(80, 20)), **ways}
    decision = decide(in_flight(ways=facts(**found)).observe())

    assert (Phase.HOLDING, reason) == (decision.status.phase, decision.status.conditions[1].reason)
    assert not [action for action in decision.actions if isinstance(action, SetWeights) and (action.percent or 0) > 20]


def test_a_named_target_port_may_be_the_same_as_a_number() -> None:
    """Which number a name stands for is for the pods to know."""
    named = facts(canary=service(CANARY, ports=({**HTTP, "targetPort": "http"},)))

    assert problems(routed(World().stable(), 20, ways=named).observe(), Ahead()) == ()


def test_nothing_is_wrong_with_what_is_right() -> None:
    """A route as its user wrote it, with other backends and weights that can be split, is fine."""
    fine = facts(route=route(rule(100, None, 30)))

    assert problems(routed(World().stable(), 20, ways=fine).observe(), Ahead()) == ()
    assert problems(World().stable().observe(), Ahead()) == ()


@pytest.mark.parametrize(
    ("surge", "weight", "replicas", "told"),
    [
        (1, 5, 10, True),
        (1, 5, None, True),
        (1, 5, 1, False),
        (1, 100, 10, False),
        (1, 150, 10, False),
        ("100%", 5, 10, False),
    ],
)
def test_a_bounded_surge_needs_weights_between_the_steps(
    surge: int | str, weight: int, replicas: int | None, *, told: bool
) -> None:
    """With one extra pod at a time weight rises pod by pod; five parts that can hold 20 % cannot hold 10 %."""
    ways = facts(route=route(rule(weight, 0, 9)))
    found = problems(routed(World(replicas=replicas).stable(), 20, ways=ways, surge=surge).observe(), Ahead())

    assert (["RouteWeightsTooCoarse"] if told else []) == [problem.reason for problem in found]


def with_ports(*numbers: Any) -> dict[str, Any]:
    """Return a template whose containers have these ports."""
    found = template(A)
    containers = [{"name": f"c{at}", "image": "web", "ports": [number]} for at, number in enumerate(numbers)]
    return {**found, "spec": {"containers": [*containers, "nonsense", {"name": "bare", "ports": ["http"]}]}}


@pytest.mark.parametrize(
    ("ways", "numbers", "expected"),
    [
        ({"canary": None}, (), (HTTP,)),
        ({"stable": None}, (), (HTTP,)),
        (
            {"stable": None, "canary": None},
            ({"containerPort": 8080},),
            ({"name": "port-80", "port": 80, "targetPort": 8080},),
        ),
        (
            {"stable": None, "canary": None},
            ({"containerPort": 8080}, {"containerPort": 80}),
            ({"name": "port-80", "port": 80, "targetPort": 80},),
        ),
        ({"stable": None, "canary": None}, ({"containerPort": 8080}, {"containerPort": 9090}), ()),
        ({"stable": None, "canary": None}, ({"name": "http"},), ()),
    ],
)
def test_a_new_service_has_the_right_ports(ways: Any, numbers: Any, expected: Any) -> None:
    """Those of its sibling; else what routes ask for and the pods have, where that is beyond doubt."""
    seen = routed(World().stable(), 20, ways=facts(**ways)).observe()
    seen = dataclasses.replace(seen, rollout=dataclasses.replace(seen.rollout, template=with_ports(*numbers)))

    assert ports_to_create(seen) == expected
    assert ports_to_create(World().observe()) == ()


def test_services_that_are_missing_are_created() -> None:
    """With the sibling's ports, and leading to stable."""
    decision = decide(routed(World().stable(), 20, ways=facts(canary=None)).observe())

    assert CreateService(CANARY, A, (HTTP,)) in decision.actions
