"""What people type: kubectl get, scale, wait and explain tell the story."""

import pytest

from tests.control_plane.life.rollouts import World

pytestmark = pytest.mark.control_plane

GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}


def row(world: World) -> dict[str, str]:
    """Return the line that `kubectl get rollouts.headgate.dev -o wide` shows, by column."""
    heads, line = world.kubectl("get", "rollouts", "-n", world.namespace, "-o", "wide").splitlines()
    starts = [heads.index(head) for head in heads.split()]
    ends = [*starts[1:], None]
    return {head: line[start:end].strip() for head, start, end in zip(heads.split(), starts, ends, strict=True)}


def test_get_tells_the_story(world: World) -> None:
    """`kubectl get hg -o wide` shows phase, step, weight, both revisions, pods, and what is waited for."""
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    at_rest = row(world)
    world.ship("v2", strategy=GATED)
    world.wait_step(2)
    in_flight = row(world)
    status = world.status

    assert (at_rest["PHASE"], at_rest["READY"], at_rest["CANARY"]) == ("Healthy", "4/4", "")
    assert (in_flight["PHASE"], in_flight["STEP"], in_flight["WEIGHT"]) == ("Paused", "2/4", "25")
    assert (in_flight["STABLE"], in_flight["CANARY"]) == (status["stable"]["hash"], status["canary"]["hash"])
    assert in_flight["MESSAGE"].startswith(
        "until promoted: kubectl annotate rollouts.headgate.dev web headgate.dev/promote="
    )


def test_scale_and_wait(world: World) -> None:
    """`kubectl scale` reaches the pods through the scale subresource, and `kubectl wait` sees them ready."""
    world.ship("v1")
    world.kubectl("wait", "--for=condition=Ready", "rollout/web", "-n", world.namespace, "--timeout=30s")
    world.kubectl("scale", "rollout", "web", "-n", world.namespace, "--replicas=6")
    world.wait(lambda: world.sizes() == {"v1": 6}, "scaled")
    world.kubectl("wait", "--for=condition=Ready", "rollout/web", "-n", world.namespace, "--timeout=30s")

    assert row(world)["READY"] == "6/6"
    assert world.status["replicas"] == 6


def test_scale_down_waits_in_flight(world: World) -> None:
    """While a rollout gathers evidence, fewer replicas wait; during an indefinite pause they count at once."""
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED)
    world.wait_step(2)
    world.kubectl("scale", "rollout", "web", "-n", world.namespace, "--replicas=8")
    world.wait(lambda: world.sizes() == {"v1": 6, "v2": 2}, "scaled up at the pause")
    world.kubectl("scale", "rollout", "web", "-n", world.namespace, "--replicas=4")
    world.wait(lambda: world.sizes() == {"v1": 3, "v2": 1}, "scaled down at the pause")
