"""What pods say of themselves: the worst of them is told, and whether waiting can help."""

from typing import Any

import pytest

from headgate.core.model import PodTrouble
from headgate.observe import objects

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


IMAGE = pod("a", **{CONTAINERS: [waiting("ImagePullBackOff", "Back-off pulling image")]})
NOWHERE = pod("b", conditions=[unscheduled("Unschedulable")])
GATED = pod("c", conditions=[unscheduled("SchedulingGated")])
STARTING = pod("d", **{CONTAINERS: [waiting("ContainerCreating")]})
CRASHED = {"name": "web", "state": {"terminated": {"reason": "Error", "exitCode": 3}}}


@pytest.mark.parametrize(
    ("pods", "message", "hopeless", "unschedulable"),
    [
        ([], "", False, False),
        ([STARTING], "", False, False),
        ([IMAGE], "a: container web: ImagePullBackOff: Back-off pulling image", True, False),
        ([NOWHERE], "b: Unschedulable: 0/3 nodes are available", False, True),
        ([GATED], "c: SchedulingGated: 0/3 nodes are available", False, False),
        ([GATED, NOWHERE, STARTING], "b: Unschedulable: 0/3 nodes are available", False, True),
        ([NOWHERE, IMAGE], "a: container web: ImagePullBackOff: Back-off pulling image", True, False),
        ([pod("e", initContainerStatuses=[CRASHED])], "e: container web: Error: last exit code 3", False, False),
        ([pod("f", **{CONTAINERS: [waiting("SignatureValidationFailed")]})],
         "f: container web: SignatureValidationFailed", True, False),
    ],
)  # fmt: skip
def test_trouble(pods: list[dict[str, Any]], message: str, *, hopeless: bool, unschedulable: bool) -> None:
    """H11: the hopeless is told before what no node has room for, and that before all others."""
    assert PodTrouble(message, hopeless, unschedulable) == objects.trouble(pods)
