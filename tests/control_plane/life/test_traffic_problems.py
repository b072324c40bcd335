"""What can be wrong with routes and Services: each is said in words of its own, and none moves traffic."""

import dataclasses
import json

import pytest

from tests.control_plane.life.gateways import Answer, Gateways
from tests.control_plane.life.rollouts import Json, manifest
from tests.control_plane.life.shops import GATED, Shop, route, service, traffic

pytestmark = pytest.mark.control_plane

WHERE = "spec.traffic.gatewayAPI.routes[0]"


@dataclasses.dataclass(frozen=True, slots=True)
class Bad:
    """Things of the user's, and what is said of them."""

    things: tuple[Json, ...]
    reason: str
    says: str


def leading_to(**reference: object) -> Json:
    """Return a route with one backendRef of its own."""
    return route({"backendRefs": [{"name": "web", "port": 80, **reference}]})


def with_ports(name: str, port: int, target: int) -> Json:
    """Return a Service with this port."""
    return {**service(name), "spec": {"selector": {"app": "web"}, "ports": [{"port": port, "targetPort": target}]}}


BAD = {
    "no route": Bad((service(),), "RouteMissing", f"{WHERE}: HTTPRoute web does not exist in namespace life-"),
    "no rule of ours": Bad(
        (service(), leading_to(name="other")),
        "RouteNamesNoService",
        f"{WHERE}: no rule of HTTPRoute web names Service web: add it to the backendRefs of a rule",
    ),
    "another namespace": Bad(
        (service(), leading_to(namespace="elsewhere")),
        "RouteNamesOtherNamespace",
        f"{WHERE}: HTTPRoute web names Service web of namespace elsewhere; only Services of the Rollout's own",
    ),
    "no weight": Bad(
        (service(), leading_to(weight=0)),
        "RouteWithoutWeight",
        "rule 0 of HTTPRoute web gives web and web-canary weight 0: give web a weight",
    ),
    "too coarse": Bad(
        (service(), route({"backendRefs": [{"name": "web", "port": 80}, {"name": "other", "port": 80}]})),
        "RouteWeightsTooCoarse",
        "rule 0 of HTTPRoute web shares with other backends, and the weights of web and web-canary are 1 in all",
    ),
    "no parent": Bad(
        (service(), {**route(), "spec": {"rules": route()["spec"]["rules"]}}),
        "RouteWithoutParent",
        "HTTPRoute web has no parentRefs, so that no Gateway serves it",
    ),
    "the stable Service lacks the port": Bad(
        (with_ports("web", 8080, 8080), route()),
        "ServicePortMissing",
        "Service web has no port 80, which HTTPRoute web asks for: add it there",
    ),
    "the canary Service lacks the port": Bad(
        (service(), with_ports("web-canary", 81, 8080), route()),
        "ServicePortMissing",
        "Service web-canary has no port 80, which HTTPRoute web asks for: add it there",
    ),
    "target ports differ": Bad(
        (service(), with_ports("web-canary", 80, 9090), route()),
        "ServicePortsDiffer",
        "port 80 has the targetPort 8080 in Service web but 9090 in Service web-canary: make them the same",
    ),
    "selects others": Bad(
        ({**service(), "spec": {"selector": {"app": "api"}, "ports": [{"port": 80}]}}, route()),
        "ServiceSelectsOthers",
        "Service web selects app=api, which this Rollout's pods do not carry: let it select app=web",
    ),
    "no selector": Bad(
        ({**service(), "spec": {"ports": [{"port": 80}]}}, route()),
        "ServiceSelectsNothing",
        "Service web has no selector, so that its pods are not Headgate's to choose: give it the selector app=web",
    ),
    "no ports known": Bad(
        (route(),), "ServiceMissing", "Service web does not exist, and Headgate cannot tell which ports it should have"
    ),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_input_is_told_and_moves_nothing(shop: Shop, bad: Bad) -> None:
    """What is wrong with routes and Services is said with its own reason; no version starts, no weight moves."""
    shop.add(*bad.things)
    shop.deploy("v1")
    shop.wait_said(f"{bad.reason}: revision 1 serves with 4 of 4 pods ready, but the next version cannot get traffic: ")
    assert bad.says in shop.condition("Ready")["message"]
    assert shop.status["phase"] == "Degraded"
    routes = shop.specs("httproutes")
    shop.deploy("v2")
    shop.wait(lambda: shop.status["observedGeneration"] == 2, "seen")
    shop.wait_said(f"{bad.reason}: {bad.says}")
    assert (shop.status["phase"], shop.sizes()) == ("Holding", {"v1": 4})
    assert shop.specs("httproutes") == routes


def test_a_parent_that_never_answers(shop: Shop, running_gateways: Gateways) -> None:
    """A route whose Gateway is not there, or not at work, gets no weight, and which one it is is said."""
    running_gateways.answer(shop.namespace, Answer.SILENT)
    shop.add(service(), route())
    shop.deploy("v1")
    shop.wait_said("RouteUnanswered: ")
    assert "HTTPRoute web names Gateway eg/public as its parent" in shop.condition("Ready")["message"]
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_stable("v1")


def test_a_parent_that_refuses(shop: Shop, running_gateways: Gateways) -> None:
    """A route that its Gateway does not accept gets no weight, and the Gateway's words are said."""
    running_gateways.answer(shop.namespace, Answer.REFUSED)
    shop.add(service(), route())
    shop.deploy("v1")
    shop.wait_said("RouteNotAccepted: ")
    assert "NotAllowedByListeners: no listener allows it" in shop.condition("Ready")["message"]
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_stable("v1")


def second(shop: Shop, **names: str) -> Shop:
    """Apply a Rollout called web2 that wants these Services, and return the shop as it is with that one."""
    made = manifest(shop.namespace, "v1", strategy=GATED, traffic=traffic(**names))
    made["metadata"]["name"] = "web2"
    shop.apply(made)
    return dataclasses.replace(shop, name="web2")


def test_two_rollouts_claim_one_service(shop: Shop) -> None:
    """The second Rollout is refused with the first one's name, and serves once that one is gone."""
    shop.open()
    other = second(shop)
    other.wait_said("ServiceClaimed: ")
    assert "Service web belongs to Rollout web:" in other.condition("Ready")["message"]
    assert shop.selects("web") == shop.status["stable"]["hash"]
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace)
    other.wait_phase("Healthy")
    assert shop.selects("web") == other.status["stable"]["hash"]


def test_two_rollouts_claim_one_rule(shop: Shop) -> None:
    """Whoever was there first has the rule; the second is refused with its name, and the first one goes on."""
    both = [{"name": name, "port": 80, "weight": 100} for name in ("web", "api")]
    shop.open(service(), service("api"), route({"backendRefs": both}))
    other = second(shop, stableService="api", canaryService="api-canary")
    other.wait_said("RuleClaimed: ")
    assert "rule 0 of HTTPRoute web belongs to Rollout web:" in other.condition("Ready")["message"]
    shop.wait_phase("Healthy")
    shop.deploy("v2")
    shop.wait_weight(25)
    assert shop.weights() == {"web": 75, "api": 100, "web-canary": 25}
    rules = json.dumps([{"op": "remove", "path": "/spec/rules/0/backendRefs/1"}])
    shop.kubectl("patch", "httproute", "web", "-n", shop.namespace, "--type=json", "-p", rules)
    other.wait_said("RouteNamesNoService: ")
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
