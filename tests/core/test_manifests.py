"""The objects that we create: what is in them, and that the user's template stays the user's."""

import copy

import pytest

from headgate.core import model
from headgate.core.revisions import manifests
from tests.core.worlds import SELECTED, UID, A, World, template

ROLLOUT = World().observe().rollout
LABELS = {"app.kubernetes.io/managed-by": "headgate", "headgate.dev/managed": "true", "headgate.dev/rollout": "web"}


def test_a_deployment() -> None:
    """A revision's Deployment belongs to the Rollout, selects its own pods alone, and never gives up by itself."""
    written = manifests.deployment(ROLLOUT, template(A), A, 3, 7, 5)

    assert written["metadata"] == {
        "name": f"web-{A}",
        "namespace": "prod",
        "labels": {**LABELS, "headgate.dev/pod-hash": A},
        "annotations": {"headgate.dev/revision": "3"},
        "ownerReferences": [manifests.owner_reference(ROLLOUT)],
    }
    assert written["spec"] == {
        "replicas": 7,
        "minReadySeconds": 5,
        "progressDeadlineSeconds": 2_147_483_647,
        "selector": {"matchLabels": {**SELECTED, "headgate.dev/pod-hash": A}},
        "template": manifests.pod_template(template(A), A),
    }


def test_an_owner() -> None:
    """What we create goes with its Rollout, whose deletion waits for it where that is asked for."""
    assert manifests.owner_reference(ROLLOUT) == {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Rollout",
        "name": "web",
        "uid": UID,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_a_service() -> None:
    """A Service that was missing has its sibling's ports, leads to one revision, and goes with its Rollout."""
    ports = ({"name": "http", "port": 80, "targetPort": 8080},)
    written = manifests.service(ROLLOUT, "web-canary", A, ports)

    assert written["metadata"] == {
        "name": "web-canary",
        "namespace": "prod",
        "labels": LABELS,
        "ownerReferences": [manifests.owner_reference(ROLLOUT)],
    }
    assert written["spec"]["selector"] == {**SELECTED, "headgate.dev/pod-hash": A}
    assert list(written["spec"]["ports"]) == list(ports)


@pytest.mark.parametrize("metadata", [{}, {"metadata": None}, {"metadata": {"labels": None, "name": "x"}}])
def test_a_pod_template_gets_one_label(metadata: model.Json) -> None:
    """To the user's template exactly one label is added, and the user's own object is left as it is."""
    written = {**metadata, "spec": {"containers": []}}
    before = copy.deepcopy(written)
    marked = manifests.pod_template(written, A)

    assert written == before
    assert marked["metadata"]["labels"] == {"headgate.dev/pod-hash": A}
    assert marked["spec"] == written["spec"]


def test_identity() -> None:
    """A template is identified by what the API server makes of it, without what is not the user's."""
    probe = manifests.identity_probe(ROLLOUT, template(A))
    assert "name" not in probe["metadata"]
    assert "ownerReferences" not in probe["metadata"]
    assert probe["metadata"]["generateName"] == "web-"
    probe["spec"]["template"]["metadata"]["creationTimestamp"] = None
    before = copy.deepcopy(probe)
    assert manifests.identity(probe) == template(A)
    assert probe == before


def test_records() -> None:
    """A template and a policy are recorded raw, each under its own name and label."""
    kept = manifests.template_record(ROLLOUT, A, 3)
    assert (kept["metadata"]["name"], kept["revision"]) == (f"web-{A}", 3)
    assert kept["metadata"]["labels"] == {**LABELS, "headgate.dev/record": "template"}
    assert kept["data"] == {"hash": A, "template": template(A)}
    policy = manifests.policy_record(ROLLOUT)
    assert policy["metadata"]["name"] == f"web-policy-{ROLLOUT.policy_hash}"
    assert policy["metadata"]["labels"] == {**LABELS, "headgate.dev/record": "policy"}
    assert policy["data"] == {"hash": ROLLOUT.policy_hash, "policy": {}}
