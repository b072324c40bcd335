"""Recreate: as the API server tells it, there is never a pod of the old version and one of the new one at once."""

import json
from pathlib import Path

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.rollouts import Json, World, metric
from tests.control_plane.life.timelines import watching_pods
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

RECREATE: Json = {"strategy": {"recreate": {}}}


def hold(world: World, pod: str, *finalizers: str) -> None:
    """Have a pod terminate for as long as it has a finalizer, as one does that closes its files."""
    changed = json.dumps({"metadata": {"finalizers": list(finalizers)}})
    world.kubectl("patch", "pod", pod, "-n", world.namespace, "--type=merge", f"--patch={changed}")


def terminating(world: World) -> tuple[str, str]:
    """Bring v1 to rest and ship v2, while one pod of v1 does not go; return that pod and v1's revision."""
    world.ship("v1", **RECREATE)
    world.wait_stable("v1")
    pod, stable = min(world.pods().values()), world.status["stable"]["hash"]
    hold(world, pod, "headgate.test/files")
    world.ship("v2", **RECREATE)
    world.wait(lambda: list(world.pods().values()) == [pod], "the others are gone")
    return pod, stable


def test_nothing_starts_before_the_last_old_pod_is_gone(
    world: World, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """One that terminates holds up the new version, for as long as it takes, and that is said."""
    with watching_pods(control_plane.cluster, world.namespace, tmp_path) as pods:
        pod, stable = terminating(world)
        said = "downtime is meant: 1 old pods left, terminating ones included; new ones start once they are gone"
        world.wait(lambda: world.condition("Ready").get("message") == said, said)
        assert (world.condition("Ready")["reason"], world.status["phase"]) == ("Recreating", "Progressing")
        assert (world.condition("Available")["status"], world.sizes()) == ("False", {})
        assert list(world.pods().values()) == [pod]
        hold(world, pod)
        world.wait_stable("v2")
        new = world.status["stable"]["hash"]
        pods.wait_alive({new: 4})

    assert pods.met() == [{stable}, {new}]


def test_aborted_while_old_pods_go(world: World, control_plane: ControlPlane, tmp_path: Path) -> None:
    """The old version comes back without a single pod of the new one."""
    with watching_pods(control_plane.cluster, world.namespace, tmp_path) as pods:
        pod, stable = terminating(world)
        world.command("abort", "now")
        hold(world, pod)
        world.wait_phase("RolledBack")
        pods.wait_alive({stable: 4})

    assert pods.met() == [{stable}]
    assert (world.sizes(), world.status["history"][0]["outcome"]) == ({"v1": 4}, "Aborted")


def test_the_way_back_is_the_same(
    world: World, prometheus: ScriptedPrometheus, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """A breach takes the new version away before the old one starts, and the downtime is said again."""
    prometheus.script(constant(0.2, match=world.namespace))
    watched = {**RECREATE, "analysis": {"metrics": [metric(world.namespace)]}}
    with watching_pods(control_plane.cluster, world.namespace, tmp_path) as pods:
        world.ship("v1", **watched)
        world.wait_stable("v1")
        stable = world.status["stable"]["hash"]
        pods.wait_alive({stable: 4})
        world.ship("v2", **watched)
        world.wait_phase("RollingBack")
        assert "downtime is meant: " in world.condition("Ready")["message"]
        new = world.status["canary"]["hash"]
        world.wait_phase("RolledBack")
        pods.wait_alive({stable: 4})

    assert pods.met() == [{stable}, {new}, {stable}]
    assert world.status["history"][0]["reason"] == "MetricFailed"
