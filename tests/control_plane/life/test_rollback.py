"""A bad version is taken back, is remembered, and is not tried again by itself."""

import time

import pytest

from hack.cluster import wait_until
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import World, metric, steered
from tests.control_plane.life.rollouts import manifest as rollout_manifest
from tests.prometheus.scripts import Rule, constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}


def shipped(world: World, **spec: object) -> None:
    """Bring v1 to rest, then v2 to the pause at 25 percent."""
    world.ship("v1", strategy=GATED, **spec)
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED, **spec)
    world.wait_step(2)


def test_breach_takes_the_version_back(world: World, prometheus: ScriptedPrometheus) -> None:
    """Two failures in a row roll back, with the value and the bound in the message; a paused rollout is watched too."""
    prometheus.script(constant(0.01, match=world.namespace))
    shipped(world, analysis={"metrics": [metric(world.namespace)]})
    prometheus.script(Rule(match=world.namespace, values=((0, 0.01), (time.time(), 0.2))))
    world.wait_phase("RolledBack")

    world.wait_sizes({"v1": 4})
    ready, stalled = world.condition("Ready"), world.condition("Stalled")
    assert (ready["status"], ready["reason"], stalled["status"]) == ("False", "MetricFailed", "True")
    assert "error-rate failed 2 times in a row: 0.2, allowed is <= 0.05" in ready["message"]
    assert world.condition("Available")["status"] == "True"
    entry = world.status["history"][0]
    assert (entry["outcome"], entry["by"], entry["revision"]) == ("RolledBack", "analysis", 2)


def test_abort_by_command(world: World) -> None:
    """`abort=now` takes back whatever is in flight, and the same word works again the next time."""
    shipped(world)
    hash_ = world.status["canary"]["hash"]
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    world.wait_sizes({"v1": 4})

    world.command("retry", hash_)
    world.wait_step(2)
    world.command("abort", "now")
    world.wait_phase("RolledBack")

    assert [entry["outcome"] for entry in world.status["history"]] == ["Aborted", "Aborted", "Promoted"]
    world.wait_sizes({"v1": 4})


def test_h14_template_put_back(world: World) -> None:
    """H14: the template put back mid-canary aborts at once, and no new rollout follows."""
    shipped(world)
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")

    world.wait_sizes({"v1": 4})
    assert world.status["history"][0]["outcome"] == "Withdrawn"
    assert "rejected" not in world.status or world.status["rejected"] == []
    assert world.status["stable"]["revision"] == 1


def test_h13_newer_template(world: World) -> None:
    """H13: a newer template replaces the one in flight and starts at its own first step."""
    shipped(world)
    world.ship("v3", strategy=GATED)
    world.wait(lambda: world.status.get("canary", {}).get("revision") == 3, "v3 on its way")
    world.wait_step(2)

    world.wait_sizes({"v1": 3, "v3": 1})
    assert world.status["weight"]["desired"] == 25
    assert world.status["history"][0]["outcome"] == "Superseded"


def test_h15_rejected_template_reapplied(world: World, operator: operators.Operator) -> None:
    """H15: a GitOps tool that applies the rejected template again changes nothing: no pods, no events, no writes."""
    shipped(world)
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    world.wait_event("RolledBack")
    events, passes = world.events(), operator.metric("headgate_reconcile_total")
    for label in ("one", "two"):
        again = rollout_manifest(world.namespace, "v2", strategy=GATED)
        again["metadata"]["labels"] = {"synced": label}
        world.apply(again)
    operators.settle(2)

    assert passes <= operator.metric("headgate_reconcile_total")
    assert (world.status["phase"], world.sizes(), world.events()) == ("RolledBack", {"v1": 4}, events)


def test_h11_pods_never_ready(world: World) -> None:
    """H11: pods that never become ready get no step, and go back at the deadline with the pod's own reason."""
    world.ship("v1", progressDeadlineSeconds=8)
    world.wait_stable("v1")
    bad = rollout_manifest(world.namespace, "v2", progressDeadlineSeconds=8)
    world.apply(steered(bad, ready="never", reason="ImagePullBackOff"))
    world.wait(lambda: world.condition("Ready").get("reason") == "PodsNotStarting", "told")
    assert "ImagePullBackOff" in world.condition("Ready")["message"]
    assert world.sizes()["v1"] == 4, "stable keeps its size"
    world.wait_phase("RolledBack")

    message = world.condition("Ready")["message"]
    assert "no progress for 8s: 0 of 1 pods ready" in message
    assert "ImagePullBackOff" in message
    world.wait_sizes({"v1": 4})


def test_h19_deleted_mid_canary(world: World) -> None:
    """H19: a Rollout deleted mid-canary goes back to stable first; orphaned pods run the stable version only."""
    shipped(world)
    world.kubectl("delete", "rollout", "web", "-n", world.namespace, "--cascade=orphan", "--wait=true", "--timeout=60s")

    world.wait_sizes({"v1": 4})

    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")

    def owners() -> list[str]:
        return [owner["uid"] for owner in world.deployments()["v1"]["metadata"].get("ownerReferences", [])]

    world.wait(lambda: owners() == [world.rollout()["metadata"]["uid"]], "adopted by the new Rollout of that name")
    world.wait_sizes({"v1": 4})


def test_h19_namespace_deleted_mid_canary(world: World, control_plane: ControlPlane) -> None:
    """H19: a namespace that is deleted mid-canary goes at once: nobody waits for pods that nobody can bring back."""
    shipped(world)
    world.kubectl("delete", "namespace", world.namespace, "--wait=false")

    def gone() -> bool:
        return control_plane.kubectl("get", "rollout", "web", "-n", world.namespace).returncode != 0

    assert wait_until(gone, deadline_seconds=30)


def test_h5_unavailable_stable_pod_does_not_block(world: World) -> None:
    """H5: with a stable pod unavailable, an abort still makes stable whole at once."""
    shipped(world)
    pod = min(world.pods(world.status["stable"]["selector"]).values())
    world.ail(pod, "ready=never")
    world.wait(lambda: world.deployments()["v1"]["status"].get("availableReplicas") == 2, "one pod unavailable")
    world.command("abort", "now")

    assert wait_until(lambda: world.sizes().get("v1") == 4, deadline_seconds=60)
    world.ail(pod, "ready-")
    world.wait_phase("RolledBack")
