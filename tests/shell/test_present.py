"""Which pods are still there: what recreate waits for."""

from typing import Any

import pytest

from headgate.api import names
from headgate.observe import parse_workloads

LEAVING = {"deletionTimestamp": "2026-01-31T12:00:00Z"}


def pod(revision_hash: str | None, phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    """Return a pod of a revision, or of nobody's."""
    labels = {"app": "web", "pod-template-hash": "6f5d4"} | ({names.POD_HASH: revision_hash} if revision_hash else {})
    return {"metadata": {"name": "web-x", "labels": labels, **metadata}, "status": {"phase": phase}}


def owned(replica_set: str) -> list[dict[str, Any]]:
    """Return what a pod of a ReplicaSet says of its owner."""
    return [{"kind": "ReplicaSet", "name": replica_set, "controller": True}]


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], {}),
        ([pod("a"), pod("a", "Pending"), pod("b")], {"a": 2, "b": 1}),
        ([pod("a", **LEAVING), pod("a", "Unknown")], {"a": 2}),
        ([pod("a", "Failed"), pod("a", "Succeeded")], {}),
        ([pod("a", "Failed", **LEAVING)], {"a": 1}),
        ([pod(None), pod("another's")], {}),
        ([{"metadata": {"name": "bare"}}], {}),
        ([pod("tidied", ownerReferences=owned("web-tidied-6f5d4"), **LEAVING)], {"tidied": 1}),
        ([pod("theirs", ownerReferences=owned("web-shop-theirs-6f5d4"))], {}),
    ],
)
def test_pods_that_are_there(pods: list[dict[str, Any]], expected: dict[str, int]) -> None:
    """One that terminates counts, one that has ended for good does not, nor one of somebody else's.

    Nor does it matter whether its Deployment is still there, or its record: a volume is held all the same.
    """
    assert expected == parse_workloads.present(pods, "web", {"a", "b"})
