"""A good version is shipped step by step, by pod ratio, and becomes stable."""

import pytest

from hack.cluster import wait_until
from tests.control_plane.life.rollouts import World, metric
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}


def test_first_revision_serves_at_once(world: World) -> None:
    """The first revision has no steps: it is healthy when all its pods are ready."""
    world.ship("v1")
    world.wait_stable("v1")

    world.wait_sizes({"v1": 4})
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Available")["status"] == "True"
    assert "Reconciling" not in {one["type"] for one in world.status["conditions"]}
    assert world.status["ready"] == "4/4"


def test_whole_canary_without_analysis(world: World) -> None:
    """A second version goes through the steps, waits at the pause until promoted, and takes over pod by pod."""
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED)
    world.wait_step(2)

    world.wait_sizes({"v1": 3, "v2": 1})
    assert world.status["phase"] == "Paused"
    assert world.status["weight"]["achieved"] == 25
    waits = world.status["step"]["waitingFor"]
    hash_ = world.status["canary"]["hash"]
    assert waits == f"until promoted: kubectl annotate rollouts.headgate.dev web headgate.dev/promote={hash_}/2"

    world.command("promote", f"{hash_}/2")
    world.wait_stable("v2")

    world.wait_sizes({"v2": 4})
    history = world.status["history"]
    assert [(entry["revision"], entry["outcome"]) for entry in history] == [(2, "Promoted"), (1, "Promoted")]
    assert "headgate.dev/promote" not in world.rollout()["metadata"].get("annotations", {})
    assert "finalizers" not in world.rollout()["metadata"]
    kept = world.deployments()
    assert kept["v1"]["spec"]["replicas"] == 0
    assert wait_until(lambda: "Promoted" in {reason for reason, _ in world.events()}, deadline_seconds=60)


def test_promotion_on_evidence(world: World, prometheus: ScriptedPrometheus) -> None:
    """With analysis a weight is left only after enough passes of its own; every tick is asked for once."""
    prometheus.script(constant(0.01, match=world.namespace))
    analysis = {"metrics": [metric(world.namespace)]}
    world.ship("v1", analysis=analysis)
    world.wait_stable("v1")

    assert prometheus.asked == [], "nobody measures at rest"

    world.ship("v2", analysis=analysis)
    world.wait_step(1)
    world.wait_step(2)
    world.wait_stable("v2")

    ticks = prometheus.ticks(world.namespace)
    assert ticks == sorted(set(ticks)), "none twice"
    assert ticks == list(range(ticks[0], ticks[-1] + 1)), "none skipped"


def test_commands_for_others_are_refused_in_words(world: World) -> None:
    """A command that does not fit has no effect, is removed, and its event says what would have fitted."""
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED)
    world.wait_step(2)
    hash_ = world.status["canary"]["hash"]

    world.command("promote", f"{hash_}/1")
    world.wait(lambda: "headgate.dev/promote" not in world.rollout()["metadata"].get("annotations", {}), "consumed")
    said = f"headgate.dev/promote={hash_}/1 had no effect: in flight is {hash_} at step 2; "
    said += f"headgate.dev/promote={hash_}/2 would match"

    assert wait_until(lambda: ("CommandMismatch", said) in world.events(), deadline_seconds=60)
    assert world.status["phase"] == "Paused"

    world.command("promote-full", hash_)
    world.wait_stable("v2")
