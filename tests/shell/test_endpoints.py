"""What EndpointSlices say of the pods behind a Service, by revision."""

from typing import Any

import pytest

from headgate.observe import parse_traffic

DEPLOYMENTS = {"abc": "web-abc", "def": "web-def"}


def endpoint(pod: str, *uid: str, **conditions: bool) -> dict[str, Any]:
    """Return an endpoint of a pod."""
    return {
        "conditions": conditions,
        "targetRef": {"name": pod, "uid": next(iter(uid), pod)},
        "addresses": ["10.0.0.1"],
    }


ENDS = {"ready": False, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("endpoints", "ready", "ending"),
    [
        ([], {}, {}),
        ([endpoint("web-abc-1-x"), endpoint("web-def-1-x", ready=True)], {"abc": 1, "def": 1}, {}),
        ([endpoint("web-abc-1-x", **ENDS), endpoint("web-abc-1-y", **ENDS)], {}, {"abc": 2}),
        ([endpoint("web-abc-1-x", ready=False, serving=False, terminating=True)], {}, {}),
        ([endpoint("web-abc-1-x", ready=False, terminating=True)], {}, {"abc": 1}),
        ([endpoint("web-abc-1-x", ready=True, terminating=True)], {}, {"abc": 1}),
        ([endpoint("web-abc-1-x", ready=False, serving=True)], {}, {}),
        ([endpoint("other-1-x"), endpoint("other-1-y", **ENDS)], {"": 1}, {"": 1}),
        ([endpoint("web-abc-1-x", "u"), endpoint("web-abc-1-x", "u")], {"abc": 1}, {}),
        ([{"addresses": ["10.0.0.9"]}], {"": 1}, {}),
        (["no endpoint"], {}, {}),
    ],
)
def test_pods_behind_a_service(endpoints: list[Any], ready: dict[str, int], ending: dict[str, int]) -> None:
    """Each pod counts once: as ready, as one that ends and still serves, or not at all."""
    slices = [{"endpoints": endpoints}]

    assert ready == parse_traffic.endpoints(slices, DEPLOYMENTS)
    assert ending == parse_traffic.ending(slices, DEPLOYMENTS)
