"""The real controller of HorizontalPodAutoscalers scales a Rollout: demand at any time, memory at rest."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.metering import Meter, autoscaler, measured, metered, share
from tests.control_plane.life.operators import settle
from tests.control_plane.life.rollouts import Json
from tests.control_plane.life.shops import GATED, SERVICES, Shop, route, service, traffic

pytestmark = pytest.mark.control_plane

PREVIEW: Json = {"strategy": {"blueGreen": {"scaleDownDelay": "0s"}}, "traffic": SERVICES}
WARM: Json = {"strategy": {"blueGreen": {"autoPromotion": {}, "scaleDownDelay": "5m"}}, "traffic": SERVICES}
LOOKS = 12.0
"""Four looks of the autoscaler: enough for a loop to show."""


@pytest.fixture(scope="module")
def meter(control_plane: ControlPlane) -> Iterator[Meter]:
    """What tells the autoscalers of the cluster what pods use."""
    with metered(control_plane.cluster) as running:
        yield running


def opened(shop: Shop, version: str = "v1", **spec: Any) -> None:
    """Bring four pods of v1 to rest that ask for what an autoscaler measures."""
    shop.add(service())
    shop.ship(version, template=measured(version), **spec)
    shop.wait_stable(version)


def ship(shop: Shop, version: str, **spec: Any) -> None:
    """Ship a version with as many replicas as the autoscaler asks for now."""
    shop.ship(version, template=measured(version), replicas=shop.rollout()["spec"]["replicas"], **spec)


def wanted(shop: Shop) -> int:
    """Return what is asked for."""
    return int(shop.rollout()["spec"]["replicas"])


def test_demand_counts_whole_and_at_once(shop: Shop, meter: Meter) -> None:
    """H21: extra pods make each use less, not all need less; when demand doubles mid-canary, both sides follow."""
    meter.say(shop.namespace, millicpu=240)
    shop.add(service(), route())
    shop.ship("v1", template=measured("v1"), strategy=GATED, traffic=traffic())
    shop.wait_stable("v1")
    shop.add(autoscaler())
    ship(shop, "v2", strategy=GATED, traffic=traffic())
    shop.wait_weight(25)
    settle(LOOKS)
    assert (wanted(shop), shop.sizes()) == (4, {"v1": 4, "v2": 1})

    meter.say(shop.namespace, millicpu=480)
    shop.wait(lambda: shop.sizes() == {"v1": 8, "v2": 2}, "twice the pods of both")
    assert "ScalingHeld" not in {one["type"] for one in shop.status["conditions"]}
    meter.say(shop.namespace, millicpu=240)
    shop.wait(lambda: wanted(shop) == 4, "the autoscaler wants fewer")
    shop.promote()
    shop.wait_weight(50)
    assert shop.sizes()["v1"] == 4, "at a pause without end the floor was lifted"
    meter.say(shop.namespace, millicpu=480)
    shop.wait_stable("v2")
    shop.wait(lambda: shop.sizes() == {"v2": 8}, "what demand asks for")


def test_memory_does_not_feed_on_extra_pods(shop: Shop, meter: Meter) -> None:
    """H4: of eight pods at 51 of 60 % it makes seven, not four; seven wait, visibly, until the extra pods have gone."""
    meter.say(shop.namespace, mebibytes=51)
    opened(shop, **PREVIEW)
    shop.add(autoscaler(minReplicas=4, metrics=[share("memory")]))
    ship(shop, "v2", **PREVIEW)
    shop.wait_phase("Paused")
    shop.wait(lambda: wanted(shop) == 7, "the autoscaler sees eight pods")
    settle(LOOKS)

    assert (wanted(shop), shop.sizes(), shop.status["minReplicas"]) == (7, {"v1": 4, "v2": 4}, 4)
    assert shop.condition("ScalingHeld")["reason"] == "MemoryTarget"
    assert "asks for 7 replicas because of memory; 4 count" in shop.wait_event("MemoryTarget")
    shop.command("abort", "now")
    shop.wait(lambda: "canary" not in shop.status, "the extra pods have gone")
    shop.wait(lambda: wanted(shop) == 4, "and what they asked for with them")
    shop.wait(lambda: "ScalingHeld" not in {one["type"] for one in shop.status["conditions"]}, "nothing waits any more")
    assert (shop.sizes(), "minReplicas" in shop.status) == ({"v1": 4}, False)


def test_memory_hides_no_demand(shop: Shop, meter: Meter) -> None:
    """Where both ask for more, what CPU needs counts at once: 6 of the 7 that memory asks for."""
    meter.say(shop.namespace, millicpu=240, mebibytes=51)
    opened(shop, **PREVIEW)
    shop.add(autoscaler(minReplicas=4, metrics=[share("memory"), share("cpu")]))
    ship(shop, "v2", **PREVIEW)
    shop.wait(lambda: shop.status.get("minReplicas") == 4 and wanted(shop) == 7, "memory waits")
    meter.say(shop.namespace, millicpu=350, mebibytes=51)
    shop.wait(lambda: shop.sizes() == {"v1": 6, "v2": 6}, "demand counts")
    assert shop.condition("ScalingHeld")["reason"] == "MemoryTarget"


def test_memory_waits_while_the_old_version_is_warm(shop: Shop, meter: Meter) -> None:
    """Its pods are extra pods too: what serves does not grow because of them."""
    meter.say(shop.namespace, mebibytes=51)
    opened(shop, **WARM)
    shop.add(autoscaler(minReplicas=4, metrics=[share("memory")]))
    ship(shop, "v2", **WARM)
    shop.wait_stable("v2")
    shop.wait(lambda: wanted(shop) == 7, "the autoscaler sees eight pods")
    settle(LOOKS)

    shop.wait_sizes({"v1": 4, "v2": 4})
    assert shop.condition("ScalingHeld")["reason"] == "MemoryTarget"


def test_an_autoscaler_of_a_deployment_is_named(shop: Shop, meter: Meter) -> None:
    """What it sets is put back, nothing goes forward, and the remedy is told; without it the rollout goes on."""
    meter.say(shop.namespace, millicpu=600)
    quick: Json = {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}}
    opened(shop, **quick)
    name = shop.deployments()["v1"]["metadata"]["name"]
    shop.add(autoscaler("old", "Deployment", name))
    ship(shop, "v2", **quick)
    shop.wait_said("DeploymentAutoscaled")
    message = shop.condition("Ready")["message"]

    assert f"HorizontalPodAutoscaler old scales Deployment {name}" in message
    assert "kind: Rollout, name: web}, or delete it" in message
    assert "v2" not in shop.sizes()
    shop.kubectl("delete", "hpa", "old", "-n", shop.namespace)
    shop.wait_stable("v2")


EVERY_WAY: dict[str, Json] = {
    "canary": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
    "routed": {
        "strategy": {"canary": {"steps": [{"setWeight": 50}], "scaleDownDelay": "0s"}},
        "traffic": traffic(),
    },
    "rolling-update": {"strategy": {"rollingUpdate": {}}},
    "blue-green": {"strategy": {"blueGreen": {"autoPromotion": {}, "scaleDownDelay": "0s"}}, "traffic": SERVICES},
    "recreate": {"strategy": {"recreate": {}}},
}


@pytest.mark.parametrize("way", EVERY_WAY.values(), ids=EVERY_WAY)
def test_no_replicas_are_as_good_as_any(shop: Shop, way: Json) -> None:
    """At rest and in flight: a version is promoted without a pod, and gets pods when somebody asks for some."""
    shop.add(service(), route())
    shop.ship("v1", replicas=0, **way)
    shop.wait_stable("v1")
    shop.ship("v2", replicas=0, **way)
    shop.wait_stable("v2")
    shop.wait_sizes({})
    assert (shop.status["ready"], shop.condition("Available")["status"]) == ("0/0", "True")
    shop.scale(2)
    shop.wait(lambda: shop.status["ready"] == "2/2" and shop.sizes() == {"v2": 2}, "two pods")
    shop.scale(0)
    shop.wait(lambda: shop.status["ready"] == "0/0" and shop.sizes() == {}, "none")
    shop.wait_stable("v2")
