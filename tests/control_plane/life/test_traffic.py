"""Traffic moves by weight through a route of the user's, and nothing else of the route or the Services changes."""

import itertools

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import metric
from tests.control_plane.life.shops import Shop, rich_route, route, service, traffic, without_ours
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

MOVING = ("httproutes", "services")


def test_whole_canary_through_a_route(shop: Shop) -> None:
    """A version takes the traffic by weight; foreign rules, filters and backends stay byte for byte what they were."""
    shop.open(service(), rich_route())
    before = shop.get("httproute", "web")
    assert shop.weights(1) == {"web": 900, "legacy": 100}, "at rest nothing is written"
    shop.deploy("v2")
    shop.wait_weight(25)
    during = shop.get("httproute", "web")
    assert shop.weights(1) == {"web": 675, "legacy": 100, "web-canary": 225}
    shop.promote()
    shop.wait_stable("v2")
    after = shop.get("httproute", "web")

    assert without_ours(before) == without_ours(during) == without_ours(after)
    assert shop.weights(1) == {"web": 900, "legacy": 100, "web-canary": 0}
    added = during["spec"]["rules"][1]["backendRefs"][2]
    original = before["spec"]["rules"][1]["backendRefs"][0]
    assert added == {**original, "name": "web-canary", "weight": 225}, "a copy of the stable's"
    assert shop.selects("web") == shop.selects("web-canary") == shop.hash_of("v2")


def test_breach_goes_back_route_first(shop: Shop, prometheus: ScriptedPrometheus, control_plane: ControlPlane) -> None:
    """After the verdict the first write is the route's, with the mark of the attempt; pods go after the drain."""
    prometheus.script(constant(0.01, match=shop.namespace))
    shop.open(analysis={"metrics": [metric(shop.namespace)]})
    shop.deploy("v2", analysis={"metrics": [metric(shop.namespace)]})
    shop.wait_weight(25)
    hash_, since = shop.status["canary"]["hash"], operators.audited(control_plane.cluster)
    prometheus.script(constant(0.9, match=shop.namespace))
    shop.wait_weights(web=100, canary=0)
    shop.wait_phase("RolledBack")

    made = [one for one in operators.writes(control_plane.cluster, since, shop.namespace) if one[1] != "events"]
    verdict = made.index(("patch", "httproutes"))
    assert made[verdict - 1] == ("patch", "rollouts/status")
    assert made.index(("patch", "deployments")) > verdict
    assert shop.get("httproute", "web")["metadata"]["annotations"]["headgate.dev/rejected"].startswith(f"{hash_}/")
    shop.wait_sizes({"v1": 4})
    assert shop.selects("web-canary") == shop.hash_of("v1")


def test_promotion_through_the_canary_service(shop: Shop, control_plane: ControlPlane) -> None:
    """The stable Service's selector moves only while it has no traffic; the weight comes home afterwards."""
    shop.open()
    shop.deploy("v2")
    shop.wait_weight(25)
    since = operators.audited(control_plane.cluster)
    shop.promote()
    shop.wait_stable("v2")

    made = [one for one in operators.writes(control_plane.cluster, since, shop.namespace) if one[1] in MOVING]
    assert [one for one, _ in itertools.groupby(made)] == [
        ("patch", "httproutes"),  # 50 %, 100 %, as endpoints come
        ("patch", "services"),  # the stable Service selects the new pods
        ("patch", "httproutes"),  # 0 %
    ]
    assert shop.selects("web-canary") == shop.hash_of("v2")


def test_warm_revision_is_gone_back_to_by_one_write(shop: Shop, control_plane: ControlPlane) -> None:
    """While the old pods are warm, abort has the stable Service select them again, and nothing else is needed."""
    warm = {"canary": {"steps": [{"setWeight": 50}], "scaleDownDelay": "10m"}}
    shop.open(strategy=warm)
    shop.deploy("v2", strategy=warm)
    shop.wait(lambda: "until" in shop.status.get("previous", {}), "warm")
    shop.wait_sizes({"v1": 4, "v2": 4})
    since = operators.audited(control_plane.cluster)
    shop.command("abort", "now")
    shop.wait_selects("web", shop.hash_of("v1"))
    shop.wait_phase("RolledBack")

    made = [one for one in operators.writes(control_plane.cluster, since, shop.namespace) if one[1] != "events"]
    writes = [one for one in made if one[1] in (*MOVING, "deployments")]
    assert writes[0] == ("patch", "services")
    assert shop.status["stable"]["images"] == ["registry.example/web:v1"]


def test_routes_of_both_kinds_and_named_rules(shop: Shop) -> None:
    """All routes that the spec names move together; where it names rules, the others stay as they are."""
    named = [{"name": name, "backendRefs": [{"name": "web", "port": 80}]} for name in ("main", "internal")]
    routes = [{"kind": "HTTPRoute", "name": "web", "rules": ["main"]}, {"kind": "GRPCRoute", "name": "rpc"}]
    spec = {"traffic": traffic(gatewayAPI={"routes": routes})}
    shop.at_a_quarter(service(), route(*named), route(kind="GRPCRoute", name="rpc"), **spec)
    assert shop.weights(0) == shop.weights(kind="grpcroute", name="rpc") == {"web": 75, "web-canary": 25}
    assert shop.weights(1) == {"web": 1}
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")

    assert shop.weights(0) == shop.weights(kind="grpcroute", name="rpc") == {"web": 100, "web-canary": 0}
    assert shop.weights(1) == {"web": 1}
