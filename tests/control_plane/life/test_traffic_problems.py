"""What can be wrong with routes and Services: each is said in words of its own, and none moves traffic."""

import json

import pytest

from tests.cluster import wait_until
from tests.control_plane.life.gateways import Answer, Gateways
from tests.control_plane.life.shops import Shop, route, service

pytestmark = pytest.mark.control_plane

BAD = {
    "no route": ([service()], "RouteMissing"),
    "no rule of ours": ([service(), route({"backendRefs": [{"name": "other", "port": 80}]})], "RouteNamesNoService"),
    "no weight": (
        [service(), route({"backendRefs": [{"name": "web", "port": 80, "weight": 0}]})],
        "RouteWithoutWeight",
    ),
    "too coarse": (
        [service(), route({"backendRefs": [{"name": "web", "port": 80}, {"name": "other", "port": 80}]})],
        "RouteWeightsTooCoarse",
    ),
    "other namespace": (
        [service(), route({"backendRefs": [{"name": "web", "namespace": "elsewhere", "port": 80}]})],
        "RouteNamesNoService",
    ),
    "no parent": ([service(), {**route(), "spec": {"rules": route()["spec"]["rules"]}}], "RouteUnanswered"),
    "ports differ": (
        [service(), {**service("web-canary"), "spec": {"selector": {"app": "web"}, "ports": [{"port": 81}]}}, route()],
        "ServicePortMissing",
    ),
    "selects others": (
        [{**service(), "spec": {"selector": {"app": "api"}, "ports": [{"port": 80}]}}, route()],
        "ServiceSelectsOthers",
    ),
    "no selector": ([{**service(), "spec": {"ports": [{"port": 80}]}}, route()], "ServiceSelectsNothing"),
    "no ports known": ([route({"backendRefs": [{"name": "web", "port": 80}]})], "ServiceMissing"),
}


@pytest.mark.parametrize(("things", "reason"), BAD.values(), ids=BAD)
def test_bad_input_is_told_and_moves_nothing(shop: Shop, things: list[dict[str, object]], reason: str) -> None:
    """What is wrong with routes and Services is said with its own reason; no version starts, no weight moves."""
    shop.add(*things)
    shop.deploy("v1")
    shop.wait(lambda: shop.condition("Ready").get("reason") == reason, reason)
    assert shop.status["phase"] == "Degraded"
    shop.deploy("v2")
    shop.wait(lambda: shop.status["observedGeneration"] == 2, "seen")
    assert shop.sizes() == {"v1": 4}


def test_refused_by_the_gateway(shop: Shop, running_gateways: Gateways) -> None:
    """A route that its Gateway does not accept gets no weight, and the Gateway's words are said."""
    running_gateways.answer(shop.namespace, Answer.REFUSED)
    shop.add(service(), route())
    shop.deploy("v1")
    shop.wait(lambda: shop.condition("Ready").get("reason") == "RouteNotAccepted", "said")
    assert "NotAllowedByListeners: no listener allows it" in shop.condition("Ready")["message"]
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_stable("v1")


def test_two_rollouts_claim_one_service(shop: Shop) -> None:
    """The second Rollout is refused with the first one's name, and serves once that one is gone."""
    shop.open()
    second = json.loads(shop.kubectl("get", "rollout", "web", "-n", shop.namespace, "-o", "json"))
    del second["status"]
    second["metadata"] = {"name": "web2", "namespace": shop.namespace}
    shop.apply(second)

    def told() -> str:
        found = shop.get("rollout", "web2").get("status", {}).get("conditions", [])
        return next((f"{one['reason']} {one['message']}" for one in found if one["type"] == "Ready"), "")

    shop.wait(lambda: told().startswith("ServiceClaimed "), "refused")
    assert "Service web belongs to Rollout web:" in told()
    assert shop.selects("web") == shop.status["stable"]["hash"]
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace)
    assert wait_until(lambda: told().startswith("Healthy "), deadline_seconds=60)
    assert shop.selects("web") == shop.get("rollout", "web2")["status"]["stable"]["hash"]
