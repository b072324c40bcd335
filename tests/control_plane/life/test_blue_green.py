"""Blue/green: the new version in preview behind the canary Service, one switch for all users, and back while warm."""

from typing import Any

import pytest

from headgate.api import names
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import Json, metric
from tests.control_plane.life.shops import SERVICES, Shop, route, service, traffic
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

WARM: Json = {"scaleDownDelay": "10m"}


def way(*, routed: bool = False, **blue_green: Any) -> Json:
    """Return strategy and traffic of a blue/green, by Services only or by a route."""
    return {"strategy": {"blueGreen": {**WARM, **blue_green}}, "traffic": traffic() if routed else SERVICES}


def opened(shop: Shop, spec: Json) -> None:
    """Bring v1 to rest behind the Service web, and behind the route web where one is named."""
    shop.add(service(), *([route()] if "gatewayAPI" in spec["traffic"] else []))
    shop.ship("v1", **spec)
    shop.wait_stable("v1")
    shop.wait(lambda: shop.selects("web") == shop.selects("web-canary") == shop.hash_of("v1"), "at rest")


def previewed(shop: Shop, spec: Json) -> None:
    """Bring v1 to rest, then v2 into a preview that waits for people."""
    opened(shop, spec)
    shop.ship("v2", **spec)
    shop.wait_phase("Paused")


def warmed(shop: Shop, spec: Json) -> None:
    """Bring v1 to rest, then promote v2; v1 stays warm."""
    opened(shop, spec)
    shop.ship("v2", **spec)
    shop.wait(lambda: "until" in shop.status.get("previous", {}), "v1 is warm")


def judged(namespace: str, moment: str) -> Json:
    """Return a metric that is judged at one moment, with a query that tells it apart by its name."""
    name = moment.lower()
    return metric(namespace, name=name, when=[moment], prometheus={"query": f'{name}{{namespace="{namespace}"}}'})


@pytest.mark.parametrize("routed", [False, True])
def test_preview_promoted_by_hand(shop: Shop, *, routed: bool) -> None:
    """The canary Service leads to the preview and users to the old version; the command in the message switches all."""
    previewed(shop, way(routed=routed, previewReplicas=1))
    hash_ = shop.status["canary"]["hash"]

    shop.wait_sizes({"v1": 4, "v2": 1})
    assert (shop.selects("web"), shop.selects("web-canary")) == (shop.hash_of("v1"), hash_)
    command = f"kubectl annotate rollouts.headgate.dev web headgate.dev/promote={hash_}/2"
    said = f"revision 2 is in preview, behind Service web-canary; until promoted: {command}"
    assert shop.condition("Ready")["message"] == said
    assert not routed or shop.weights().get("web-canary", 0) == 0

    shop.promote()
    shop.wait_stable("v2")
    shop.wait(lambda: "until" in shop.status.get("previous", {}), "v1 is warm")

    shop.wait_sizes({"v1": 4, "v2": 4})
    assert shop.selects("web") == shop.selects("web-canary") == hash_
    assert not routed or shop.weights() == {"web": 100, "web-canary": 0}


def test_promoted_by_itself(shop: Shop) -> None:
    """Once the preview has been ready for as long as it says; without a delay the old pods go after the drain."""
    timed = way(autoPromotion={"after": "4s"}, scaleDownDelay="0s")
    opened(shop, timed)
    shop.ship("v2", **timed)
    shop.wait_said("revision 2 is in preview, behind Service web-canary; for 4s, until ")
    shop.wait_stable("v2")
    shop.wait(lambda: shop.sizes() == {"v2": 4}, "only v2 has pods")

    assert shop.selects("web") == shop.hash_of("v2")


def test_aborted_in_preview(shop: Shop) -> None:
    """The Service that users come by is not even written."""
    spec = way()
    opened(shop, spec)
    before = shop.get("service", "web")["metadata"]["resourceVersion"]
    shop.ship("v2", **spec)
    shop.wait_phase("Paused")
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")

    assert shop.get("service", "web")["metadata"]["resourceVersion"] == before
    shop.wait_sizes({"v1": 4})
    shop.wait_selects("web-canary", shop.hash_of("v1"))


def test_preview_taken_back_by_its_metric(shop: Shop, prometheus: ScriptedPrometheus) -> None:
    """A metric of PrePromotion that fails ends the preview, and no user was ever switched."""
    metrics = [judged(shop.namespace, "PrePromotion"), judged(shop.namespace, "PostPromotion")]
    prometheus.script(constant(0.9, match=f'prepromotion{{namespace="{shop.namespace}"'))
    spec = {**way(autoPromotion={}), "analysis": {"metrics": metrics}}
    opened(shop, spec)
    before = shop.get("service", "web")["metadata"]["resourceVersion"]
    shop.ship("v2", **spec)
    shop.wait_phase("RolledBack")

    assert shop.get("service", "web")["metadata"]["resourceVersion"] == before
    assert "prepromotion failed 2 times in a row: 0.9" in shop.condition("Ready")["message"]
    shop.wait_sizes({"v1": 4})


@pytest.mark.parametrize("routed", [False, True])
def test_taken_back_after_the_switch_by_its_metric(shop: Shop, prometheus: ScriptedPrometheus, *, routed: bool) -> None:
    """What users get is judged only once they are switched, and takes all of them back."""
    metrics = [judged(shop.namespace, "PrePromotion"), judged(shop.namespace, "PostPromotion")]
    good = constant(0.01, match=f'prepromotion{{namespace="{shop.namespace}"')
    prometheus.script(good, constant(0.9, match=f'postpromotion{{namespace="{shop.namespace}"'))
    spec = {**way(routed=routed, autoPromotion={}), "analysis": {"metrics": metrics}}
    opened(shop, spec)
    shop.ship("v2", **spec)
    shop.wait(lambda: any("all users are switched to it" in words for _, words in shop.events()), "switched")
    shop.wait_phase("RolledBack")

    assert "postpromotion failed 2 times in a row: 0.9" in shop.condition("Ready")["message"]
    shop.wait_sizes({"v1": 4})
    assert shop.selects("web") == shop.hash_of("v1")
    assert not routed or shop.weights() == {"web": 100, "web-canary": 0}


def test_switched_back_while_warm(shop: Shop, control_plane: ControlPlane) -> None:
    """By one write, that of the Service: the old pods are still there."""
    warmed(shop, way(autoPromotion={}))
    shop.wait(lambda: names.STABLE_SINCE in shop.deployments()["v2"]["metadata"]["annotations"], "v2 is marked")
    since = operators.audited(control_plane.cluster)
    shop.command("abort", "now")
    shop.wait_selects("web", shop.hash_of("v1"))
    shop.wait_phase("RolledBack")

    made = operators.writes(control_plane.cluster, since, shop.namespace)
    moving = [one for one in made if one[1] in ("services", "deployments")]
    assert moving[0] == ("patch", "services")
    shop.wait_sizes({"v1": 4})
    assert shop.status["stable"]["images"] == ["registry.example/web:v1"]


def test_a_new_side_that_breaks_is_left_by_itself(shop: Shop) -> None:
    """All its pods crash while the old ones are warm: users are back, and nobody had to say so."""
    warmed(shop, way(autoPromotion={}))
    for pod in shop.pods(shop.status["stable"]["selector"]).values():
        shop.ail(pod, "ready=never", "reason=CrashLoopBackOff")
    shop.wait_selects("web", shop.hash_of("v1"))
    shop.wait_phase("RolledBack")

    assert shop.status["history"][0]["reason"] == "PodsCannotStart"
    shop.wait_sizes({"v1": 4})
