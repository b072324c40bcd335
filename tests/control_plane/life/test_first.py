"""The first revision of all, and versions of which no pod can start: told early, in the words of the pod or server."""

import json
import time

import pytest

from tests.control_plane.life.rollouts import World, manifest, metric, steered
from tests.prometheus.scripts import Rule, constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

SOON = {"failFast": {"after": "3s"}}


def test_what_cannot_start_is_told_and_the_next_one_is_tried_at_once(world: World) -> None:
    """There is nothing to go back to: Degraded, with the pod's own words and what to do."""
    world.apply(steered(manifest(world.namespace, "v1", **SOON), ready="never", reason="ImagePullBackOff"))
    world.wait_phase("Degraded")
    ready = world.condition("Ready")
    assert ("PodsCannotStart", "True") == (ready["reason"], world.condition("Stalled")["status"])
    for words in ("there is nothing to go back to", "ImagePullBackOff", "apply another template: it is tried at once"):
        assert words in ready["message"]
    assert "ImagePullBackOff" in world.wait_event("PodsCannotStart")

    world.ship("v2", **SOON)
    world.wait_stable("v2")
    world.wait(lambda: world.sizes() == {"v2": 4}, "the first one is gone")


def test_metrics_of_first_are_judged_before_it_is_stable(world: World, prometheus: ScriptedPrometheus) -> None:
    """A failure is told and takes no pod away; once the metric passes, the revision is stable."""
    prometheus.script(constant(0.2, match=world.namespace))
    world.ship("v1", analysis={"metrics": [metric(world.namespace, when=["First"])]})
    world.wait(lambda: world.condition("Ready").get("reason") == "MetricFailed", "told")
    assert ("Degraded", {"v1": 4}) == (world.status["phase"], world.sizes())
    assert "there is nothing to go back to: revision 1 keeps its pods" in world.condition("Ready")["message"]
    assert "stable" not in world.status

    prometheus.script(Rule(match=world.namespace, values=((0, 0.2), (time.time(), 0.01))))
    world.wait_stable("v1")
    world.ship("v2", analysis={"metrics": [metric(world.namespace, when=["First"])]})
    world.wait_stable("v2")


def test_a_quota_takes_the_version_back_in_the_servers_words(world: World) -> None:
    """H11: pods that a quota refuses do not wait for the deadline."""
    world.ship("v1", **SOON)
    world.wait_stable("v1")
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "four", "namespace": world.namespace}}
    world.apply({**quota, "spec": {"hard": {"pods": "4"}}})
    used = json.dumps({"pods": "4"})
    world.wait(
        lambda: (
            json.dumps(world.reader.get("resourcequotas", world.namespace, "four").get("status", {}).get("used"))
            == used
        ),
        "the quota is counted",
    )
    world.ship("v2", **SOON)
    world.wait_phase("RolledBack")

    ready = world.condition("Ready")
    assert "PodsCannotStart" == ready["reason"]
    assert "exceeded quota: four" in ready["message"]
    world.wait_sizes({"v1": 4})
