"""What people copy from examples/ works as it stands."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))


def test_there_are_examples() -> None:
    """One for each strategy and each way of moving users, for an autoscaler and for drills; all of a known kind."""
    names = {"autoscaled", "canary-gateway-api", "canary-pod-ratio", "canary-steps", "canary-by-header", "drills"}
    names |= {"rolling-update", "recreate", "canary-mirror"}
    assert names | {"blue-green-gateway-api", "blue-green-services"} == {file.stem for file in EXAMPLES}
    assert {file.suffix for file in EXAMPLES[0].parent.iterdir()} == {".yaml"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_example_is_healthy(shop: Shop, example: Path) -> None:
    """Applied with kubectl, its Rollout becomes healthy, and what routes it has lead to stable alone."""
    things = list(yaml.safe_load_all(example.read_text(encoding="utf-8")))
    rollouts = [thing["metadata"]["name"] for thing in things if thing["kind"] == "Rollout"]
    routes = [(thing["kind"], thing["metadata"]["name"]) for thing in things if thing["kind"].endswith("Route")]
    said = shop.kubectl("apply", "-n", shop.namespace, "-f", str(example))

    assert said.splitlines() == [f"{kind} created" for kind in map(described, things)]
    assert rollouts
    for name in rollouts:
        dataclasses.replace(shop, name=name).wait_phase("Healthy")
    for kind, name in routes:
        weights = list(shop.weights(kind=kind, name=name).values())
        assert (weights[0] > 0, sum(weights[1:])) == (True, 0)


def described(thing: dict[str, dict[str, str]]) -> str:
    """Return a thing as kubectl names it."""
    group = str(thing["apiVersion"]).rpartition("/")[0]
    kind = str(thing["kind"]).lower() + (f".{group}" if group else "")
    return f"{kind}/{thing['metadata']['name']}"
