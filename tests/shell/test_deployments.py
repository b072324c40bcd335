"""What is read from a Deployment: no pod counts that was asked to go a moment ago."""

import pytest

from headgate.api import names
from headgate.core.model import Json
from headgate.observe import parse_workloads


@pytest.mark.parametrize(("wanted", "ready"), [(4, 4), (1, 1), (0, 0)])
def test_no_more_pods_are_counted_on_than_are_asked_for(wanted: int, ready: int) -> None:
    """Its status is as old as its controller's last look, which may have been before they were asked to go."""
    thing: Json = {
        "metadata": {"name": "web-a", "uid": "u", "resourceVersion": "1", "generation": 2},
        "spec": {"replicas": wanted, "template": {"metadata": {}, "spec": {}}},
        "status": {"observedGeneration": 1, "replicas": 4, "readyReplicas": 4, "availableReplicas": 4},
    }
    found = parse_workloads.deployment(thing, {names.POD_HASH: "a"})

    assert (ready, ready) == (found.ready, found.answering)
