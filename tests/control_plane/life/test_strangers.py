"""What others label as ours, copy from ours or forge, on a real API server."""

import copy
import json

import pytest

from tests.control_plane.life.rollouts import Json, World

pytestmark = pytest.mark.control_plane

STEPS = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}


def stripped(thing: Json, **metadata: object) -> Json:
    """Return a copy of an object as somebody would create it."""
    bare = {key: copy.deepcopy(value) for key, value in thing.items() if key != "status"}
    kept = {key: thing["metadata"][key] for key in ("labels", "namespace", "name") if key in thing["metadata"]}
    return {**bare, "metadata": {**kept, **metadata}}


def kept(world: World, name: str) -> Json:
    """Return a ControllerRevision."""
    found: Json = json.loads(world.kubectl("get", "controllerrevision", name, "-n", world.namespace, "-o", "json"))
    return found


def test_h34_a_copied_deployment(world: World) -> None:
    """H34: a copy of ours is not scaled, counted or deleted, does not hold the rollout, and is named."""
    world.ship("v1", strategy=STEPS)
    world.wait_stable("v1")
    ours = world.deployments()["v1"]
    name = f"{ours['metadata']['name']}-debug"
    twin = stripped(ours, name=name, ownerReferences=ours["metadata"]["ownerReferences"])
    twin["spec"]["replicas"] = 1
    world.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", **twin}))
    world.wait(lambda: name in world.condition("Disputed").get("message", ""), "told")
    world.wait_event("Disputed")
    world.ship("v2", strategy=STEPS)
    world.wait_step(2)
    real = world.reader.get("deployment", world.namespace, ours["metadata"]["name"])
    assert (real["spec"]["replicas"], world.status["stable"]["replicas"]) == (3, 3)
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    world.wait(lambda: world.status["ready"] == "4/4", "taken back")

    assert world.reader.get("deployment", world.namespace, name)["spec"]["replicas"] == 1
    world.kubectl("delete", "deployment", name, "-n", world.namespace)
    world.wait(lambda: not world.condition("Disputed"), "said no more")


def test_h34_a_forged_record(world: World) -> None:
    """H34: a record whose content is not what its name says is not believed: the spec's own template runs."""
    world.ship("v1", strategy=STEPS)
    world.wait_stable("v1")
    world.ship("v2", strategy=STEPS)
    world.wait_step(2)
    name = world.deployments()["v2"]["metadata"]["name"]
    record = kept(world, name)
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    # Somebody waits for the next attempt with another image under the name that it will look for.
    forged = {"apiVersion": "apps/v1", "kind": "ControllerRevision", **stripped(record)}
    forged["data"]["template"]["spec"]["containers"][0]["image"] = "registry.example/web:evil"
    world.kubectl("delete", "controllerrevision", name, "-n", world.namespace)
    world.kubectl("delete", "deployment", name, "-n", world.namespace)
    world.kubectl("create", "-f", "-", stdin=json.dumps(forged))
    world.command("retry", record["data"]["hash"])
    world.wait_step(2)

    assert set(world.deployments()) == {"v1", "v2"}
    assert f"ControllerRevision {name} is not believed" in world.condition("Disputed")["message"]
    world.command("promote-full", record["data"]["hash"])
    world.wait_stable("v2")
    assert kept(world, name)["data"]["template"]["spec"]["containers"][0]["image"].endswith("evil"), "left alone"
