"""Recreate, rollingUpdate and blueGreen on a real API server: the first version, a good one, one aborted, a bad one.

What canaries do stands in the modules beside this one.
"""

from typing import Any

import pytest

from tests.control_plane.life.rollouts import Json, manifest, metric, steered
from tests.control_plane.life.shops import SERVICES, Shop, service
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

WAYS: dict[str, Json] = {
    "recreate": {"strategy": {"recreate": {}}},
    "recreate-services": {"strategy": {"recreate": {}}, "traffic": SERVICES},
    "rolling-update": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
    "blue-green": {
        "strategy": {"blueGreen": {"autoPromotion": {}, "scaleDownDelay": "0s"}},
        "traffic": SERVICES,
    },
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def opened(shop: Shop, **spec: Any) -> None:
    """Bring v1 to rest behind the Service web."""
    shop.add(service())
    shop.ship("v1", **spec)
    shop.wait_stable("v1")


def serves(shop: Shop, version: str) -> None:
    """Wait until users are served by all pods of *version*, and nothing else has any."""
    shop.wait(lambda: shop.condition("Available")["status"] == "True", "users are served")
    shop.wait_sizes({version: 4})


def unready(shop: Shop, **spec: Any) -> None:
    """Apply v2, none of whose pods becomes ready before somebody heals it."""
    shop.apply(steered(manifest(shop.namespace, "v2", **spec), ready="never"))


@EVERY_WAY
def test_a_good_version_takes_over(shop: Shop, prometheus: ScriptedPrometheus, way: Json) -> None:
    """The first version serves as soon as its pods are ready; the second one once its metric has passed."""
    prometheus.script(constant(0.01, match=shop.namespace))
    watched = {**way, "analysis": {"metrics": [metric(shop.namespace)]}}
    opened(shop, **watched)

    assert (shop.sizes(), shop.status["ready"]) == ({"v1": 4}, "4/4")
    assert prometheus.ticks(shop.namespace) == [], "nobody measures at rest"

    shop.ship("v2", **watched)
    shop.wait_stable("v2")
    shop.wait(lambda: shop.sizes() == {"v2": 4}, "only v2 has pods")

    assert [(one["revision"], one["outcome"]) for one in shop.status["history"]] == [(2, "Promoted"), (1, "Promoted")]
    assert prometheus.ticks(shop.namespace)
    assert shop.selects("web") == (shop.hash_of("v2") if "traffic" in way else "")
    assert "finalizers" not in shop.rollout()["metadata"]


@EVERY_WAY
def test_a_version_is_aborted_early(shop: Shop, way: Json) -> None:
    """Before any of its pods is ready: the old one has all pods again, and the new one is not tried again by itself."""
    opened(shop, **way)
    unready(shop, **way)
    shop.wait(lambda: bool(shop.sizes().get("v2")), "pods of v2 are on their way")
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")

    serves(shop, "v1")
    assert shop.status["history"][0]["outcome"] == "Aborted"
    assert [entry["reason"] for entry in shop.status["rejected"]] == ["Aborted"]
    assert shop.selects("web") == (shop.hash_of("v1") if "traffic" in way else "")


@EVERY_WAY
def test_a_bad_version_is_taken_back_by_its_metric(shop: Shop, prometheus: ScriptedPrometheus, way: Json) -> None:
    """Its pods are all right, its answers are not: the old one serves again, and the message has value and bound."""
    prometheus.script(constant(0.2, match=shop.namespace))
    watched = {**way, "analysis": {"metrics": [metric(shop.namespace)]}}
    opened(shop, **watched)
    shop.ship("v2", **watched)
    shop.wait_phase("RolledBack")

    serves(shop, "v1")
    ready = shop.condition("Ready")
    assert (ready["status"], ready["reason"]) == ("False", "MetricFailed")
    assert "error-rate failed 2 times in a row: 0.2, allowed is <= 0.05" in ready["message"]
    assert shop.selects("web") == (shop.hash_of("v1") if "traffic" in way else "")


def test_rolling_update_goes_pod_by_pod(shop: Shop, prometheus: ScriptedPrometheus) -> None:
    """The next pod waits for the one before it; a breach takes it back from wherever it stands."""
    prometheus.script(constant(0.01, match=shop.namespace))
    rolling = {**WAYS["rolling-update"], "analysis": {"metrics": [metric(shop.namespace)]}}
    opened(shop, **rolling)
    unready(shop, **rolling)
    shop.wait_said("0 % rolled out: 0 of 4 canary pods ready")
    shop.wait_sizes({"v1": 4, "v2": 1})
    shop.ail(min(shop.pods(shop.status["canary"]["selector"]).values()), "ready-")
    shop.wait(lambda: shop.sizes() == {"v1": 3, "v2": 2}, "one pod exchanged")
    assert shop.status["phase"] == "Progressing"
    prometheus.script(constant(0.9, match=shop.namespace))
    shop.wait_phase("RolledBack")

    shop.wait_sizes({"v1": 4})
    assert shop.status["history"][0]["reason"] == "MetricFailed"


def test_another_strategy_at_rest_changes_nothing(shop: Shop) -> None:
    """The pods that serve go on as they are; the next version begins by the new strategy."""
    opened(shop, **WAYS["rolling-update"])
    before = shop.pods()
    shop.ship("v1", **WAYS["blue-green"])
    shop.wait_selects("web", shop.hash_of("v1"))
    shop.wait_phase("Healthy")

    assert (shop.pods(), shop.sizes()) == (before, {"v1": 4})
    assert [entry["revision"] for entry in shop.status["history"]] == [1]

    by_hand = {**WAYS["blue-green"], "strategy": {"blueGreen": {}}}
    shop.ship("v2", **by_hand)
    shop.wait_phase("Paused")
    shop.wait_sizes({"v1": 4, "v2": 4})
