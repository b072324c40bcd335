"""What may happen while a canary has its share of a route, each named by its id in the catalogue."""

import itertools
from pathlib import Path

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.gateways import Answer, Gateways
from tests.control_plane.life.rollouts import Json, metric
from tests.control_plane.life.shops import Shop
from tests.control_plane.life.timelines import watching
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

SECONDS = 40
"""Going back takes one pass; this many seconds where two cores run everything."""


@pytest.mark.parametrize("name", ["web", "web-canary"])
def test_h3_service_deleted(shop: Shop, prometheus: ScriptedPrometheus, name: str) -> None:
    """H3: with a Service deleted at weight 25, a breach goes back all the same, and the Service is created anew."""
    prometheus.script(constant(0.01, match=shop.namespace))
    shop.at_a_quarter(analysis={"metrics": [metric(shop.namespace)]})
    prometheus.script(constant(0.9, match=shop.namespace))
    shop.kubectl("delete", "service", name, "-n", shop.namespace)
    shop.wait_weights(web=100, canary=0)
    shop.wait_phase("RolledBack")

    assert shop.status["history"][0]["reason"] == "MetricFailed"
    assert shop.selects(name) == shop.hash_of("v1")
    assert [port["port"] for port in shop.get("service", name)["spec"]["ports"]] == [80]


def test_h5_stable_pod_is_not_ready(shop: Shop) -> None:
    """H5: one of the stable pods is not ready when an abort comes: the route is back at once, in one write."""
    shop.at_a_quarter()
    pod = min(shop.pods(shop.status["stable"]["selector"]).values())
    shop.ail(pod, "ready=never")
    shop.wait(lambda: shop.deployments()["v1"]["status"].get("availableReplicas") == 3, "one pod is not ready")
    generation = shop.get("httproute", "web")["metadata"]["generation"]
    shop.command("abort", "now")
    shop.wait_weights(SECONDS, web=100, canary=0)

    assert shop.get("httproute", "web")["metadata"]["generation"] == generation + 1
    shop.ail(pod, "ready-")
    shop.wait_phase("RolledBack")


def test_h6_promoted_in_full_then_aborted(shop: Shop, running_gateways: Gateways) -> None:
    """H6: an abort wins over a promote-full that is under way, and one that comes later starts nothing anew."""
    shop.at_a_quarter()
    hash_ = shop.status["canary"]["hash"]
    running_gateways.answer(shop.namespace, Answer.SILENT)
    shop.command("promote-full", hash_)
    shop.wait(lambda: shop.weights()["web-canary"] > 25, "under way")
    shop.command("abort", hash_)
    shop.wait_weights(SECONDS, web=100, canary=0)
    shop.command("promote-full", hash_)
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_phase("RolledBack")

    assert shop.weights() == {"web": 100, "web-canary": 0}
    shop.wait_sizes({"v1": 4})
    assert [entry["hash"] for entry in shop.status["rejected"]] == [hash_]


def test_h10_canary_pod_is_not_ready(shop: Shop, prometheus: ScriptedPrometheus) -> None:
    """H10: with one of two canary pods not ready at weight 50, rising errors are judged and the version goes back."""
    half = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}], "scaleDownDelay": "0s"}}
    analysis = {"metrics": [metric(shop.namespace)]}
    prometheus.script(constant(0.01, match=shop.namespace))
    shop.open(strategy=half, analysis=analysis)
    shop.deploy("v2", strategy=half, analysis=analysis)
    shop.wait_weight(50)
    shop.ail(min(shop.pods(shop.status["canary"]["selector"]).values()), "ready=never", "reason=CrashLoopBackOff")
    shop.wait(lambda: shop.deployments()["v2"]["status"].get("availableReplicas") == 1, "one of two")
    prometheus.script(constant(0.9, match=shop.namespace))
    shop.wait_weights(SECONDS, web=100, canary=0)
    shop.wait_phase("RolledBack")

    assert shop.status["history"][0]["reason"] == "MetricFailed"


def test_h16_steps_edited(shop: Shop) -> None:
    """H16: steps edited at 25 percent: it goes on at the next one that is not below, and stops there as that says."""
    shop.at_a_quarter()
    steps: list[Json] = []
    for weight in (10, 20, 40, 60):
        steps += [{"setWeight": weight}, {"pause": {}}]
    shop.deploy("v2", strategy={"canary": {"steps": steps, "scaleDownDelay": "0s"}})
    shop.wait_weight(40)
    shop.wait_phase("Paused")

    assert shop.weights() == {"web": 60, "web-canary": 40}
    assert (shop.status["step"]["index"], shop.status["step"]["of"]) == (6, 9)
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")


def test_h21_scaled_up_and_down(
    shop: Shop, prometheus: ScriptedPrometheus, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """H21: scaled up and down throughout a canary, stable never falls below what was asked; a breach goes back."""
    steps = {"canary": {"steps": [{"setWeight": 25}, {"setWeight": 50}, {"setWeight": 75}], "scaleDownDelay": "0s"}}
    spec: Json = {"strategy": steps, "analysis": {"metrics": [metric(shop.namespace)]}}
    prometheus.script(constant(0.01, match=shop.namespace))
    shop.open(**spec)
    stable = shop.hash_of("v1")
    with watching(control_plane.cluster, shop.namespace, tmp_path) as timeline:
        shop.deploy("v2", **spec)
        for replicas in itertools.cycle((8, 5, 10, 6)):
            shop.scale(replicas)
            timeline.wait_available(stable, replicas)
            if shop.status["weight"]["desired"] >= 50:
                break
        prometheus.script(constant(0.9, match=shop.namespace))
        shop.scale(10)
        shop.wait_weights(SECONDS, web=100, canary=0)
        shop.wait_phase("RolledBack")
        sizes = timeline.of(stable)

    assert shop.status["history"][0]["reason"] == "MetricFailed"
    wanted, available = [one.wanted for one in sizes], [one.available for one in sizes]
    assert (wanted, wanted[-1]) == (sorted(wanted), 10)
    assert (available, available[-1]) == (sorted(available), 10)
