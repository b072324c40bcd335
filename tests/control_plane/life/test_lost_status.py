"""The status is lost, on a real API server."""

import json

import pytest

from tests.control_plane.life.rollouts import World

pytestmark = pytest.mark.control_plane

STEPS = {"canary": {"steps": [{"setWeight": 25}, {"setWeight": 50}, {"pause": {}}, {"setWeight": 75}]}}


def emptied(world: World) -> None:
    """Take the status away, as a restore does that leaves it out."""
    world.kubectl(
        "patch", "rollout", "web", "-n", world.namespace, "--subresource=status", "--type=json",
        "-p", '[{"op": "remove", "path": "/status"}]',
    )  # fmt: skip


def test_h32_a_canary_in_flight(world: World) -> None:
    """H32: without a status the canary is taken back and begins again at its first step; it is never promoted."""
    world.ship("v1", strategy=STEPS)
    world.wait_stable("v1")
    world.ship("v2", strategy=STEPS)
    world.wait_step(3)
    emptied(world)
    world.wait_event("Recovered")
    world.wait(lambda: any(one["reason"] == "Recovered" for one in world.status.get("history", [])), "taken back")
    assert world.status["stable"]["images"] == ["registry.example/web:v1"]
    world.wait_step(3)

    world.wait_sizes({"v1": 2, "v2": 2})
    assert world.status["canary"]["revision"] == 2


def test_h32_orphaned_after_a_rollback_and_applied_again(world: World) -> None:
    """H32: what was rejected stays rejected, with its reason, and what was stable serves on with its own pods."""
    world.ship("v1", strategy=STEPS)
    world.wait_stable("v1")
    world.ship("v2", strategy=STEPS)
    world.wait_step(3)
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    world.wait(lambda: world.sizes() == {"v1": 4}, "whole again")
    pods = world.pods()
    world.kubectl("delete", "rollout", "web", "-n", world.namespace, "--cascade=orphan")
    world.ship("v2", strategy=STEPS)
    world.wait_phase("RolledBack")

    world.wait_sizes({"v1": 4})
    assert pods.items() <= world.pods().items()
    assert "aborted" in world.status["rejected"][0]["message"]
    world.command("retry", world.status["rejected"][0]["hash"])
    world.wait_step(3)


def test_h32_an_older_status_is_played_back(world: World) -> None:
    """H32: a status of before the last promotion is not believed against the Deployments' marks."""
    world.ship("v1", strategy={"canary": {}})
    world.wait_stable("v1")
    backup = world.rollout()
    world.ship("v2", strategy={"canary": {}})
    world.wait_stable("v2")
    now = world.rollout()
    now["status"] = backup["status"]
    for field in ("managedFields", "resourceVersion"):
        now["metadata"].pop(field)
    world.kubectl("replace", "--subresource=status", "-f", "-", stdin=json.dumps(now))
    world.wait_event("Recovered")
    world.wait_stable("v2")

    world.wait_sizes({"v2": 4})
