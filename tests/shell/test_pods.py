"""What pods say of themselves: the worst of them is told, and whether waiting can help."""

from typing import Any

import pytest

from headgate.core.model import EndingPods, PodFacts, PodTrouble
from headgate.observe import parse_workloads

CONTAINERS = "containerStatuses"


def pod(name: str, **status: Any) -> dict[str, Any]:
    """Return a pod with such a status."""
    return {"metadata": {"name": name}, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """Return a container that waits."""
    return {"name": "web", "state": {"waiting": {"reason": reason, "message": message}}}


def unscheduled(reason: str) -> dict[str, Any]:
    """Return the condition of a pod that has no node."""
    return {"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/3 nodes are available"}


def going(thing: dict[str, Any]) -> dict[str, Any]:
    """Return a pod that is being deleted."""
    return {**thing, "metadata": {**thing["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}


IMAGE = pod("a", **{CONTAINERS: [waiting("ImagePullBackOff", "Back-off pulling image")]})
NOWHERE = pod("b", conditions=[unscheduled("Unschedulable")])
GATED = pod("c", conditions=[unscheduled("SchedulingGated")])
STARTING = pod("d", **{CONTAINERS: [waiting("ContainerCreating")]})
RUNNING = pod("g", **{CONTAINERS: [{"name": "web", "ready": False, "state": {"running": {}}}]})
BETWEEN = pod(
    "h", **{CONTAINERS: [{"name": "web", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}]}
)
CRASHED = {"name": "web", "state": {"terminated": {"reason": "Error", "exitCode": 3}}}


@pytest.mark.parametrize(
    ("pods", "message", "hopeless", "unschedulable", "slow"),
    [
        ([], "", False, False, 0),
        ([STARTING], "", False, False, 1),
        ([RUNNING], "", False, False, 1),
        ([IMAGE], "a: container web: ImagePullBackOff: Back-off pulling image", True, False, 0),
        ([NOWHERE], "b: Unschedulable: 0/3 nodes are available", False, True, 0),
        ([GATED], "c: SchedulingGated: 0/3 nodes are available", False, False, 1),
        ([GATED, NOWHERE, STARTING],
         "1 of 3 pods cannot start: b: Unschedulable: 0/3 nodes are available", False, True, 2),
        ([NOWHERE, IMAGE], "a: container web: ImagePullBackOff: Back-off pulling image", True, True, 0),
        ([STARTING, IMAGE, IMAGE],
         "2 of 3 pods cannot start: a: container web: ImagePullBackOff: Back-off pulling image", True, False, 1),
        ([IMAGE, BETWEEN], "a: container web: ImagePullBackOff: Back-off pulling image", True, False, 0),
        ([pod("e", initContainerStatuses=[CRASHED])], "e: container web: Error: last exit code 3", False, False, 0),
        ([pod("f", **{CONTAINERS: [waiting("SignatureValidationFailed")]})],
         "f: container web: SignatureValidationFailed", True, False, 0),
        ([going(IMAGE), STARTING], "", False, False, 1),
        ([{**IMAGE, "status": {**IMAGE["status"], "phase": "Failed"}}, NOWHERE],
         "b: Unschedulable: 0/3 nodes are available", False, True, 0),
    ],
)  # fmt: skip
def test_trouble(pods: list[dict[str, Any]], message: str, *, hopeless: bool, unschedulable: bool, slow: int) -> None:
    """H11: the hopeless is told before what no node has room for, and that before all others, with how many it is.

    A pod between two crashes is not taken for one that only needs longer; one that goes or has ended does not count.
    """
    assert PodTrouble(message, hopeless, unschedulable, slow) == parse_workloads.trouble(pods)


def owned(name: str, holder: str = "web-5d8f-7c9d", **changes: Any) -> dict[str, Any]:
    """Return a pod of a ReplicaSet of Deployment web-5d8f."""
    references = [{"name": "somebody", "uid": "x"}, {"name": holder, "uid": "y", "controller": True}]
    metadata = {
        "name": name,
        "uid": f"uid-{name}",
        "creationTimestamp": "1970-01-01T00:01:40Z",
        "labels": {"pod-template-hash": "7c9d"},
        "ownerReferences": references,
        **changes.pop("metadata", {}),
    }
    return {"metadata": metadata, **changes}


def ready(status: str) -> dict[str, Any]:
    """Return the status of a pod that is ready, or not."""
    return {"conditions": [{"type": "Ready", "status": status, "lastTransitionTime": "1970-01-01T00:02:00Z"}]}


def test_pods_of_a_deployment() -> None:
    """When they were made, since when they are ready, and whether they are on their way out."""
    going = {"deletionTimestamp": "1970-01-01T00:03:00Z"}
    found = parse_workloads.pods_of(
        "web-5d8f",
        [owned("a", status=ready("True")), owned("b", status=ready("False")), owned("c", metadata=going)],
    )

    assert found == (
        PodFacts("a", "uid-a", 100, 120, leaving=False),
        PodFacts("b", "uid-b", 100, None, leaving=False),
        PodFacts("c", "uid-c", 100, None, leaving=True),
    )


@pytest.mark.parametrize(
    "stranger",
    [
        owned("a", "web-other-7c9d"),
        owned("a", "web-5d8f-more-7c9d"),
        owned("a", metadata={"ownerReferences": None}),
        owned("a", status={"phase": "Failed"}),
    ],
    ids=["another", "a longer name", "nobody's", "ended"],
)
def test_whose_pods_are_not_counted(stranger: dict[str, Any]) -> None:
    """Labels alone do not tell: a pod is the Deployment's if its ReplicaSet is, and if it has not ended."""
    assert () == parse_workloads.pods_of("web-5d8f", [stranger])


def ends(at: str = "1970-01-01T00:03:00Z", phase: str = "Running", **changes: Any) -> dict[str, Any]:
    """Return a pod of the Deployment whose grace is over then."""
    return owned("a", metadata={"deletionTimestamp": at}, status={"phase": phase}, **changes)


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], EndingPods()),
        ([ends()], EndingPods(1, 185)),
        ([ends(), ends("1970-01-01T00:04:00Z")], EndingPods(2, 245)),
        ([ends(), owned("b", status={"phase": "Running"})], EndingPods(2, None)),
        ([ends(), owned("b")], EndingPods(2, None)),
        ([ends(phase="Unknown")], EndingPods(1, 185)),
        ([ends(phase="Pending"), ends(phase="Succeeded"), ends(phase="Failed")], EndingPods()),
        ([ends(holder="web-other-7c9d")], EndingPods()),
    ],
)
def test_pods_that_may_still_answer(pods: list[dict[str, Any]], expected: EndingPods) -> None:
    """Those of which a container runs, until their grace is over and a little more; nobody else's."""
    assert expected == parse_workloads.ending("web-5d8f", pods, 5)
