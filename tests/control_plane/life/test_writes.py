"""What a rollout costs the API server, counted in its audit log and not by ourselves."""

import collections

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import Json, World
from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane

Write = tuple[str, str]

FIXED, PER_STEP = 14, 4
WARM = "10m"
"""Longer than any test: what comes after a version is Healthy is not counted."""


def strategy(*weights: int) -> Json:
    """Return a strategy whose steps are these weights alone."""
    return {"canary": {"steps": [{"setWeight": weight} for weight in weights], "scaleDownDelay": WARM}}


def counted(control_plane: ControlPlane, begin: int, namespace: str) -> collections.Counter[Write]:
    """Return the operator's writes since the audit log was *begin* lines long, events apart."""
    made = operators.writes(control_plane.cluster, begin, namespace)
    return collections.Counter(write for write in made if write[1] != "events")


def test_writes_of_a_canary(world: World, control_plane: ControlPlane) -> None:
    """A whole canary with three weight steps stays within its budget of writes, events apart."""
    steps = strategy(25, 50, 75)
    world.ship("v1", strategy=steps)
    world.wait_stable("v1")
    begin = operators.audited(control_plane.cluster)
    world.ship("v2", strategy=steps)
    world.wait_stable("v2")
    world.wait(lambda: "finalizers" not in world.rollout()["metadata"], "finalizer removed")

    made = counted(control_plane, begin, world.namespace)
    assert made.total() <= FIXED + PER_STEP * 3, made


def test_writes_of_a_canary_through_a_route(shop: Shop, control_plane: ControlPlane) -> None:
    """So does one with five weight steps through a route, each of which needs more pods."""
    spec: Json = {"replicas": 10, "strategy": strategy(10, 25, 50, 75, 90)}
    shop.open(**spec)
    begin = operators.audited(control_plane.cluster)
    shop.deploy("v2", **spec)
    shop.wait_stable("v2")
    assert "finalizers" not in shop.rollout()["metadata"]

    made = counted(control_plane, begin, shop.namespace)
    assert made.total() <= FIXED + PER_STEP * 5, made
    assert made["patch", "httproutes"] == 5 + 2, "each step, 100 %, and home again"
    assert made["patch", "services"] == 2, "the canary's to the new pods, and the stable one's"


@pytest.mark.parametrize("routed", [False, True], ids=["by pods", "by a route"])
def test_no_writes_at_rest(shop: Shop, control_plane: ControlPlane, *, routed: bool) -> None:
    """At rest nothing is written, though the status is looked at again and again."""
    if routed:
        shop.open()
    else:
        shop.ship("v1")
        shop.wait_stable("v1")
    operators.settle(2)
    begin = operators.audited(control_plane.cluster)
    for label in ("one", "two", "three"):
        shop.kubectl("annotate", "rollout", "web", "-n", shop.namespace, f"example.com/touched={label}", "--overwrite")
        operators.settle(1)

    assert operators.writes(control_plane.cluster, begin, shop.namespace) == []
