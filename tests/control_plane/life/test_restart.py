"""The restart of all pods, as the real API server, its ReplicaSets and its disruption budgets have it."""

from pathlib import Path

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.rollouts import Json, World
from tests.control_plane.life.timelines import watching_pods

pytestmark = pytest.mark.control_plane


def budget(world: World, **spec: object) -> None:
    """Put a PodDisruptionBudget on the app's pods, and wait until it is counted."""
    metadata = {"name": "web", "namespace": world.namespace}
    selected = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    world.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": selected})

    def counted() -> bool:
        found = world.reader.get("poddisruptionbudgets", world.namespace, "web")
        status: Json = found.get("status", {})
        return status.get("observedGeneration") == found["metadata"]["generation"] and status.get("expectedPods") == 4

    world.wait(counted, "the budget is counted")


def over(world: World) -> None:
    """Wait until the restart has ended."""
    world.wait_event("Restarted")
    world.wait_stable("v1")


def replica_sets(world: World) -> list[str]:
    """Return the names of the ReplicaSets that have pods."""
    found = world.reader.listed("replicasets", world.namespace)
    return sorted(one["metadata"]["name"] for one in found if one["spec"]["replicas"])


def test_every_pod_is_another_one(world: World) -> None:
    """No new revision, no new ReplicaSet, as many pods as before; and the command is consumed."""
    world.ship("v1")
    world.wait_stable("v1")
    budget(world, minAvailable=4)
    before, sets, hash_ = world.pods(), replica_sets(world), world.status["stable"]["hash"]
    world.command("restart", "now")
    assert "are replaced" in world.wait_event("RestartRequested")
    over(world)

    world.wait(lambda: len(world.pods()) == 4, "those that are too many are gone")
    assert not before.keys() & world.pods().keys()
    assert (sets, hash_) == (replica_sets(world), world.status["stable"]["hash"])
    assert "headgate.dev/restart" not in world.rollout()["metadata"].get("annotations", {})
    assert ["Promoted"] == [entry["outcome"] for entry in world.status["history"]]


def test_a_budget_that_forbids_it_is_obeyed_and_named(world: World) -> None:
    """Not one pod goes while it says no, the message has its name, and it goes on once it allows it."""
    world.ship("v1")
    world.wait_stable("v1")
    budget(world, maxUnavailable=0)
    before = world.pods()
    world.command("restart", "now")
    world.wait(lambda: world.condition("Ready").get("reason") == "RestartBlocked", "told")
    message = world.condition("Ready")["message"]
    assert "The disruption budget web needs" in message
    assert "headgate.dev/abort=now" in message
    assert ("Holding", 4) == (world.status["phase"], world.status["restart"]["remaining"])
    assert before.keys() <= world.pods().keys()

    world.kubectl("delete", "poddisruptionbudget", "web", "-n", world.namespace)
    over(world)
    assert not before.keys() & world.pods().keys()


def test_abort_stops_it(world: World) -> None:
    """Old pods stay, and the surplus goes: the younger ones, but all are nearly of an age here."""
    world.ship("v1")
    world.wait_stable("v1")
    budget(world, maxUnavailable=0)
    before = world.pods()
    world.command("restart", "now")
    world.wait(lambda: world.condition("Ready").get("reason") == "RestartBlocked", "told")
    world.command("abort", "now")
    world.wait_event("RestartStopped")
    world.wait_stable("v1")

    world.wait(lambda: len(before) == len(world.pods()), "the surplus is gone")
    assert before.keys() & world.pods().keys()
    assert "restart" not in world.status


def test_a_new_version_goes_first(world: World) -> None:
    """It begins in the midst of a restart; what is stable after it has no old pod."""
    world.ship("v1")
    world.wait_stable("v1")
    budget(world, maxUnavailable=0)
    before = world.pods()
    world.command("restart", "now")
    world.wait(lambda: world.condition("Ready").get("reason") == "RestartBlocked", "told")
    world.ship("v2")
    world.wait_stable("v2")

    world.wait(lambda: "restart" not in world.status, "nothing is left to restart")
    assert not before.keys() & world.pods().keys()


def test_recreate_has_no_two_pods_that_follow_each_other_at_once(
    world: World, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """All pods are gone, terminating ones included, before the first new one starts."""
    recreate = {"strategy": {"recreate": {}}, "replicas": 2}
    with watching_pods(control_plane.cluster, world.namespace, tmp_path) as pods:
        world.ship("v1", **recreate)
        world.wait_stable("v1")
        before, hash_ = world.pods(), world.status["stable"]["hash"]
        pods.wait_alive({hash_: 2})
        world.command("restart", "2026-01-31T12:00:00Z")
        over(world)
        pods.wait_alive({hash_: 2})

    assert not before.keys() & world.pods().keys()
    assert 1 == pods.emptied()
