"""Steps that only a router can do, on a real API server: what they set, and that nothing of it is left."""

from typing import Any

import pytest

from tests.control_plane.life.rollouts import Json, metric
from tests.control_plane.life.shops import Shop, rich_route, route, service
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane


def canary(*steps: Json) -> dict[str, Any]:
    """Return a spec whose canary has these steps."""
    return {"strategy": {"canary": {"steps": list(steps), "scaleDownDelay": "0s"}}}


def test_pods_before_users(shop: Shop) -> None:
    """At no weight there are as many as were asked for, behind the canary Service; then as many as a weight needs."""
    scale, none = {"setCanaryScale": {"replicas": 3}}, {"setCanaryScale": {"matchTrafficWeight": True}}
    spec = canary(scale, {"pause": {}}, none, {"setWeight": 25}, {"pause": {}})
    shop.open(**spec)
    shop.deploy("v2", **spec)
    shop.wait_said("until promoted")

    shop.wait_sizes({"v1": 4, "v2": 3})
    assert (shop.weights(), shop.selects("web-canary")) == ({"web": 1}, shop.hash_of("v2"))

    shop.promote()
    shop.wait_weight(25)
    shop.wait_sizes({"v1": 4, "v2": 1})

    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    shop.wait_sizes({"v1": 4})
    shop.wait_selects("web-canary", shop.hash_of("v1"))


def test_a_step_that_waits_for_its_metric(shop: Shop, prometheus: ScriptedPrometheus) -> None:
    """Nobody measures before it; a version that fails there has never had a user, a good one goes on."""
    smoke = {**metric(shop.namespace), "name": "smoke", "when": ["Step"]}
    measured = {"analysis": {"metrics": [smoke]}}
    first, verdict = {"setCanaryScale": {"replicas": 1}}, {"analysis": {"metrics": ["smoke"]}}
    spec = {**canary(first, {"pause": {}}, verdict, {"setWeight": 25}, {"pause": {}}), **measured}
    prometheus.script(constant(0.9, match=shop.namespace))
    shop.open(**spec)
    shop.deploy("v2", **spec)
    shop.wait_said("until promoted")
    assert prometheus.ticks(shop.namespace) == []

    shop.promote()
    shop.wait_phase("RolledBack")
    assert shop.condition("Ready")["reason"] == "MetricFailed"
    assert shop.weights() == {"web": 1}

    prometheus.script(constant(0.01, match=shop.namespace))
    shop.deploy("v3", **spec)
    shop.wait_said("until promoted")
    shop.promote()
    shop.wait_weight(25)
    assert [state["name"] for state in shop.status.get("analysis", [])] == []


def test_requests_with_a_header(shop: Shop) -> None:
    """A companion of the user's rule comes behind all others, and goes with the weight in the abort's first write."""
    match = [{"headerName": "X-Beta", "headerValue": {"exact": "1"}}]
    spec = canary({"setHeaderRoute": {"name": "beta", "match": match}}, {"pause": {}}, {"setWeight": 25}, {"pause": {}})
    shop.open(service(), rich_route(), **spec)
    before = shop.get("httproute", "web")["spec"]["rules"]
    shop.deploy("v2", **spec)
    shop.wait_said("until promoted")

    *users, added = shop.get("httproute", "web")["spec"]["rules"]
    assert users == before
    assert [one["name"] for one in added["backendRefs"]] == ["web-canary"]
    named = [[header["name"] for header in one["headers"]] for one in added["matches"]]
    assert named == [["a", "X-Beta"]]
    assert (added["filters"], added["timeouts"]) == (before[1]["filters"], before[1]["timeouts"])
    shop.wait_sizes({"v1": 4, "v2": 1})

    shop.promote()
    shop.wait_weight(25)
    assert len(shop.get("httproute", "web")["spec"]["rules"]) == 4
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    assert shop.get("httproute", "web")["spec"]["rules"][0] == before[0]
    assert len(shop.get("httproute", "web")["spec"]["rules"]) == 3
    assert shop.weights(1)["web-canary"] == 0
    assert shop.status["traffic"].get("rules", []) == []


def test_copies_of_requests(shop: Shop) -> None:
    """A filter behind the user's own, with pods for what it copies; it ends by a step, and by an abort."""
    mirror, over = {"setMirrorRoute": {"percentage": 50}}, {"setMirrorRoute": {"percentage": 0}}
    spec = canary(mirror, {"pause": {}}, {"setWeight": 25}, over, {"pause": {}})
    shop.open(service(), rich_route(), **spec)
    before = shop.get("httproute", "web")["spec"]["rules"]
    shop.deploy("v2", **spec)
    shop.wait_said("until promoted")

    rules = shop.get("httproute", "web")["spec"]["rules"]
    backend = {"group": "", "kind": "Service", "name": "web-canary", "port": 80}
    copies = {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": 50}}
    assert rules[1]["filters"] == [*before[1]["filters"], copies]
    assert [rules[0], {**rules[1], "filters": before[1]["filters"]}, rules[2]] == before
    shop.wait_sizes({"v1": 4, "v2": 2})

    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    assert shop.get("httproute", "web")["spec"]["rules"][1]["filters"] == before[1]["filters"]
    assert shop.status["traffic"].get("rules", []) == []

    shop.deploy("v3", **spec)
    shop.wait_said("until promoted")
    shop.promote()
    shop.wait_weight(25)
    shop.wait(lambda: shop.status["step"]["index"] == 5, "at the second pause")
    assert shop.get("httproute", "web")["spec"]["rules"][1]["filters"] == before[1]["filters"]
    shop.wait_sizes({"v1": 4, "v3": 1})


def test_a_gateway_that_cannot_copy(shop: Shop) -> None:
    """Its class does not list the feature: the Gateway is named, the class elsewhere is not, and nothing moves."""
    spec = canary({"setMirrorRoute": {"percentage": 50}}, {"pause": {}})
    plain = route()
    plain["spec"]["parentRefs"] = [{"name": "plain", "namespace": "eg"}]
    shop.open(service(), plain)
    shop.deploy("v2", **spec)
    shop.wait(lambda: shop.condition("Ready")["reason"] == "MirrorUnsupported", "refused")

    words = "Gateway eg/plain is of a GatewayClass which does not list HTTPRouteRequestPercentageMirror"
    assert words in shop.condition("Ready")["message"]
    shop.wait_sizes({"v1": 4})
    assert "filters" not in shop.get("httproute", "web")["spec"]["rules"][0]
