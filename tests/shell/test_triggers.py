"""What a watch shows wakes a Rollout when, and only when, a pass could see a difference."""

import copy
from typing import Any

import pytest

from headgate.core.model import Key, Kind
from headgate.reconcile.triggers import Triggers, sight

ROLLOUT: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web",
        "uid": "r1",
        "resourceVersion": "5",
        "generation": 1,
        "annotations": {"team": "shop"},
    },
    "status": {"phase": "Healthy"},
}
DEPLOYMENT: dict[str, Any] = {
    "metadata": {
        "namespace": "shop",
        "name": "web-abc",
        "uid": "d1",
        "resourceVersion": "6",
        "generation": 1,
        "labels": {"headgate.dev/rollout": "web"},
        "annotations": {"deployment.kubernetes.io/revision": "1"},
        "ownerReferences": [
            {"apiVersion": "headgate.dev/v1alpha1", "kind": "Rollout", "name": "web", "uid": "r1", "controller": True}
        ],
    },
    "status": {
        "replicas": 2,
        "availableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "Updated", "message": "old"}],
    },
}


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return *body* with *value* at *path* (~ is a slash in a name), as a later write would leave it."""
    result = copy.deepcopy(body)
    *parents, last = path.split("/")
    spot: Any = result
    for parent in parents:
        spot = spot[int(parent)] if isinstance(spot, list) else spot.setdefault(parent, {})
    spot[last.replace("~", "/")] = value
    result["metadata"]["resourceVersion"] = "99"
    return result


@pytest.mark.parametrize(
    ("kind", "path", "value", "wakes"),
    [
        (Kind.ROLLOUT, "metadata/generation", 2, True),
        (Kind.ROLLOUT, "metadata/annotations/headgate.dev~abort", "now", True),
        (Kind.ROLLOUT, "metadata/finalizers", ["headgate.dev/in-flight"], True),
        (Kind.ROLLOUT, "metadata/deletionTimestamp", "2026-01-01T00:00:00Z", True),
        (Kind.ROLLOUT, "status/phase", "Paused", False),
        (Kind.ROLLOUT, "metadata/managedFields", [{}], False),
        (Kind.DEPLOYMENT, "metadata/generation", 2, True),
        (Kind.DEPLOYMENT, "status/availableReplicas", 2, True),
        (Kind.DEPLOYMENT, "status/observedGeneration", 2, True),
        (Kind.DEPLOYMENT, "metadata/ownerReferences/0/uid", "r2", True),
        (Kind.DEPLOYMENT, "metadata/annotations/headgate.dev~x", "y", True),
        (Kind.DEPLOYMENT, "status/conditions/0/reason", "Other", True),
        (Kind.DEPLOYMENT, "status/conditions/0/message", "new", False),
        (Kind.DEPLOYMENT, "metadata/managedFields", [{}], False),
    ],
)
def test_change_wakes(kind: Kind, path: str, value: Any, *, wakes: bool) -> None:
    """A change that a pass could see wakes; one of our own status, or of bookkeeping, does not."""
    body = ROLLOUT if kind is Kind.ROLLOUT else DEPLOYMENT
    triggers = Triggers()
    triggers.worth_a_pass(sight(kind, body))

    assert wakes == triggers.worth_a_pass(sight(kind, changed(body, path, value)))
    assert triggers.resource_version(kind, body["metadata"]["uid"]) == "99"


@pytest.mark.parametrize(("kind", "body"), [(Kind.ROLLOUT, ROLLOUT), (Kind.DEPLOYMENT, DEPLOYMENT)])
def test_first_and_last_sight_wake(kind: Kind, body: dict[str, Any]) -> None:
    """An object that appears or goes wakes its Rollout; the same sight again does not."""
    triggers = Triggers()

    assert sight(kind, body).key == Key("shop", "web")
    assert triggers.worth_a_pass(sight(kind, body))
    assert not triggers.worth_a_pass(sight(kind, body))
    assert triggers.worth_a_pass(sight(kind, body, gone=True))
    assert triggers.resource_version(kind, body["metadata"]["uid"]) == ""


def test_refusal_of_pods_is_read_whole() -> None:
    """Why pods cannot be created is shown to users, so its words count."""
    body = changed(DEPLOYMENT, "status/conditions/0/type", "ReplicaFailure")
    triggers = Triggers()
    triggers.worth_a_pass(sight(Kind.DEPLOYMENT, body))

    assert triggers.worth_a_pass(sight(Kind.DEPLOYMENT, changed(body, "status/conditions/0/message", "quota")))


def test_orphan_belongs_to_whom_its_label_names() -> None:
    """A Deployment without a controller wakes the Rollout that its label names: that may adopt it."""
    orphan = changed(DEPLOYMENT, "metadata/ownerReferences", [])

    assert sight(Kind.DEPLOYMENT, orphan).key == Key("shop", "web")


@pytest.mark.parametrize(
    "owner",
    [
        {"apiVersion": "headgate.dev/v1alpha1", "kind": "Other", "name": "x", "controller": True},
        {"apiVersion": "example.com/v1", "kind": "Rollout", "name": "x", "controller": True},
        {"apiVersion": "headgate.dev.evil/v1", "kind": "Rollout", "name": "x", "controller": True},
    ],
)
def test_foreign_deployment_wakes_nobody(owner: dict[str, Any]) -> None:
    """A Deployment that somebody else controls is nobody's, whatever its labels say."""
    sighting = sight(Kind.DEPLOYMENT, changed(DEPLOYMENT, "metadata/ownerReferences", [owner]))

    assert sighting.key is None
    assert not Triggers().worth_a_pass(sighting)


def test_malformed_object_is_a_sighting() -> None:
    """An object that an old CRD let through cannot stop the watch."""
    for body in ({}, {"metadata": None}, {"metadata": {"name": 7, "annotations": [1]}, "status": None}):
        assert sight(Kind.ROLLOUT, body).key is not None
    assert sight(Kind.DEPLOYMENT, {"metadata": {}, "status": {"conditions": None}}).key is None


def test_lost_objects_are_found() -> None:
    """What is not listed any more, and nobody saw go, is forgotten and named."""
    triggers = Triggers()
    triggers.worth_a_pass(sight(Kind.ROLLOUT, ROLLOUT))
    triggers.worth_a_pass(sight(Kind.DEPLOYMENT, DEPLOYMENT))

    assert triggers.keep(Kind.DEPLOYMENT, ["d1"]) == []
    assert triggers.keep(Kind.DEPLOYMENT, []) == [Key("shop", "web")]
    assert triggers.keep(Kind.ROLLOUT, []) == [Key("shop", "web")]
    assert triggers.keep(Kind.ROLLOUT, []) == []
