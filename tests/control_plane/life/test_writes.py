"""What a rollout costs the API server, counted in its audit log and not by ourselves."""

import collections

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import World

pytestmark = pytest.mark.control_plane

WEIGHTS = 3
BUDGET = 14 + 4 * WEIGHTS
STEPS = {"canary": {"steps": [{"setWeight": 25}, {"setWeight": 50}, {"setWeight": 75}]}}


def test_writes_of_a_canary(world: World, control_plane: ControlPlane) -> None:
    """A whole canary with three weight steps stays within its budget of writes, events apart."""
    world.ship("v1", strategy=STEPS)
    world.wait_stable("v1")
    begin = operators.audited(control_plane.cluster)
    world.ship("v2", strategy=STEPS)
    world.wait_stable("v2")
    world.wait(lambda: "finalizers" not in world.rollout()["metadata"], "finalizer removed")

    made = collections.Counter(
        write for write in operators.writes(control_plane.cluster, begin, world.namespace) if write[1] != "events"
    )
    assert sum(made.values()) <= BUDGET, made


def test_no_writes_at_rest(world: World, control_plane: ControlPlane) -> None:
    """At rest nothing is written, though the status is looked at again and again."""
    world.ship("v1")
    world.wait_stable("v1")
    operators.settle(2)
    begin = operators.audited(control_plane.cluster)
    for label in ("one", "two", "three"):
        world.kubectl("label", "rollout", "web", "-n", world.namespace, f"touched={label}", "--overwrite")
        operators.settle(1)

    assert operators.writes(control_plane.cluster, begin, world.namespace) == []
