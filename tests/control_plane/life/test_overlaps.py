"""Two Rollouts that reach for the same pods or Services: both are told, nothing waits, and it ends by itself."""

import copy
import dataclasses
import json

import pytest

from tests.control_plane.life.operators import Operator
from tests.control_plane.life.rollouts import Json, World, manifest
from tests.control_plane.life.shops import Shop, service, traffic

pytestmark = pytest.mark.control_plane

GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}
HEALS_SECONDS = 25.0


def another(world: World, name: str, selector: Json, labels: Json, version: str = "v1", **spec: object) -> World:
    """Apply a Rollout of one pod with that selector and these labels, and return its world."""
    made = copy.deepcopy(manifest(world.namespace, version, replicas=1, strategy=GATED, **spec))
    made["metadata"]["name"] = name
    made["spec"]["selector"]["matchLabels"] = selector
    made["spec"]["template"]["metadata"]["labels"] = labels
    world.apply(made)
    return dataclasses.replace(world, name=name)


def told(world: World, *words: str) -> None:
    """Wait until the condition has these words."""
    world.wait(
        lambda: all(word in world.condition("Disputed").get("message", "") for word in words),
        f"{world.name} told of {words}",
        HEALS_SECONDS,
    )


def named_by_events(world: World) -> set[str]:
    """Return which Rollouts the Events begin with."""
    return {note.split()[1] for reason, note in world.events() if reason == "Disputed"}


def healed(world: World) -> None:
    """Wait until the condition is gone."""
    world.wait(lambda: not world.condition("Disputed"), f"{world.name} told no more", HEALS_SECONDS)


def test_both_are_told_and_both_go_on(world: World, operator: Operator) -> None:
    """One that is created while the other has a canary in flight is told of it, and it of that one.

    The canary goes on and is taken back beside it, the other becomes healthy; a restart of the operator changes
    nothing; when one is given labels of its own, both conditions go by themselves.
    """
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    assert world.condition("Disputed") == {}
    world.ship("v2", strategy=GATED)
    world.wait_step(2)
    other = another(world, "web2", {"tier": "a"}, {"tier": "a", "app": "web"})
    told(world, "Rollout web2 has pods that this Rollout selects")
    told(other, "Rollout web selects the pods of this Rollout")
    assert world.condition("Disputed")["reason"] == "RolloutsOverlap"
    world.wait(lambda: named_by_events(world) == {"web", "web2"}, "both have an Event")
    other.wait_phase("Healthy")

    operator.stop()
    before = world.condition("Disputed")
    operator.start()
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    assert world.condition("Disputed") == before
    another(world, "web2", {"tier": "a"}, {"tier": "a", "app": "web2"})
    healed(world)
    healed(other)


def test_labels_that_differ_by_one_key(world: World) -> None:
    """Where each selector asks for a label that the other's pods lack nothing is said; without one of them, it is."""
    first = another(world, "one", {"app": "web", "tier": "a"}, {"app": "web", "tier": "a"})
    second = another(world, "two", {"app": "web", "tier": "b"}, {"app": "web", "tier": "b"})
    for one in (first, second):
        one.wait_phase("Healthy")
        assert one.condition("Disputed") == {}
    third = another(world, "three", {"app": "web"}, {"app": "web"})
    told(third, "Rollout one has pods that this Rollout selects", "Rollout two has pods that this Rollout selects")
    told(first, "Rollout three selects the pods of this Rollout")
    told(second, "Rollout three selects the pods of this Rollout")
    assert "two" not in first.condition("Disputed")["message"]

    world.kubectl("delete", "rollout", "three", "-n", world.namespace)
    healed(first)
    healed(second)


def test_a_service_that_two_name(shop: Shop) -> None:
    """The one that has it goes on and is told who else wants it; the other is told whose it is, and waits for it."""
    shop.open()
    other = another(shop, "api", {"app": "api"}, {"app": "api"}, traffic=traffic(canaryService="api-canary"))
    told(shop, "Rollout api names Service web as this one does", "its own in spec.traffic")
    told(other, "Rollout web names Service web as this one does")
    shop.deploy("v2")
    shop.wait_weight(25)
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    shop.add(service("api"))
    another(
        shop, "api", {"app": "api"}, {"app": "api"}, traffic=traffic(stableService="api", canaryService="api-canary")
    )
    healed(shop)
    healed(other)


def test_a_deployment_of_the_same_labels(world: World) -> None:
    """One whose place a Rollout takes is named, however it selects its pods, and holds nothing, until it is deleted."""
    labels = {"app": "web", "tier": "old"}
    selector = {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["old", "older"]}]}
    template = copy.deepcopy(manifest(world.namespace)["spec"]["template"])
    template["metadata"]["labels"] = labels
    old = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "legacy", "namespace": world.namespace}}
    world.apply({**old, "spec": {"replicas": 2, "selector": selector, "template": template}})
    world.wait(lambda: len(world.pods("tier=old")) == 2, "the old pods")
    world.ship("v1", strategy=GATED)
    told(world, "to run pods that this Rollout selects: Deployment legacy; ")
    assert world.condition("Disputed")["reason"] == "PodsOfOthers"
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED)
    world.wait_step(2)
    world.command("abort", "now")
    world.wait_phase("RolledBack")
    world.kubectl("delete", "deployment", "legacy", "-n", world.namespace)
    world.wait(lambda: not world.condition("Disputed"), "told no more", 40)


def test_many_of_one_label(world: World) -> None:
    """Of many a few are named and the others counted; the one beside them has its canary and its abort."""
    for number in range(8):
        another(world, f"twin-{number}", {"app": "web"}, {"app": "web"})
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    told(world, "Rollout twin-0 ", "Rollout twin-1 ", "Rollout twin-2 ", "so do 5 more")
    assert "twin-3" not in world.condition("Disputed")["message"]
    world.ship("v2", strategy=GATED)
    world.wait_step(2)
    world.command("abort", "now")
    world.wait_phase("RolledBack")


def test_expressions_are_no_selector_of_a_rollout(world: World) -> None:
    """A selector has matchLabels alone: the API server refuses matchExpressions, so none is ever half understood."""
    made = manifest(world.namespace)
    made["spec"]["selector"]["matchExpressions"] = [{"key": "app", "operator": "Exists"}]
    with pytest.raises(AssertionError, match="matchExpressions"):
        world.apply(made)
    assert json.loads(world.kubectl("get", "rollouts", "-n", world.namespace, "-o", "json"))["items"] == []
