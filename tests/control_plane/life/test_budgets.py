"""What a PodDisruptionBudget over all pods of a Rollout allows, by the real controller and the Eviction API."""

import json
from typing import Any

import pytest

from hack.cluster import wait_until
from tests.control_plane.life.rollouts import Json, manifest, steered
from tests.control_plane.life.shops import SERVICES, Shop, service

pytestmark = pytest.mark.control_plane

PREVIEW: Json = {"strategy": {"blueGreen": {"scaleDownDelay": "0s"}}, "traffic": SERVICES}
WARM: Json = {"strategy": {"blueGreen": {"autoPromotion": {}, "scaleDownDelay": "5m"}}, "traffic": SERVICES}
SEEN_SECONDS = 60
BUDGETS: dict[str, Json] = {
    "one-away": {"maxUnavailable": 1},
    "quarter-away": {"maxUnavailable": "25%"},
    "three-quarters": {"minAvailable": "75%"},
    "three": {"minAvailable": 3},
    "one-away-always": {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
}


def budget(name: str) -> Json:
    """Return a budget over the pods of all revisions."""
    spec = {"selector": {"matchLabels": {"app": "web"}}, **BUDGETS[name]}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def allowed(shop: Shop) -> dict[str, tuple[int, ...]]:
    """Return of each budget the pods expected, healthy and needed, and how many may go."""
    found = json.loads(shop.kubectl("get", "pdb", "-n", shop.namespace, "-o", "json"))["items"]
    fields = ("expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed")
    return {one["metadata"]["name"]: tuple(one.get("status", {}).get(field, -1) for field in fields) for one in found}


def hold(shop: Shop, name: str, expected: tuple[int, ...]) -> None:
    """Hold that a budget comes to say so. There is one at a time: a pod's change wakes the first of several alone."""
    shop.add(budget(name))
    wait_until(lambda: allowed(shop) == {name: expected}, SEEN_SECONDS)
    assert allowed(shop) == {name: expected}


def lift(shop: Shop) -> None:
    """Delete what budgets there are."""
    shop.kubectl("delete", "pdb", "--all", "-n", shop.namespace)


def evicted(shop: Shop, pod: str) -> bool:
    """Ask for a pod's eviction; return whether it is granted."""
    eviction: Json = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": shop.namespace},
    }
    path = f"/api/v1/namespaces/{shop.namespace}/pods/{pod}/eviction"
    try:
        shop.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    except AssertionError as refusal:
        if "disruption budget" in str(refusal):
            return False
        raise
    return True


def pods_of(shop: Shop, version: str) -> list[str]:
    """Return the names of the pods of a version."""
    return list(shop.pods(f"headgate.dev/pod-hash={shop.hash_of(version)}").values())


def opened(shop: Shop, **spec: Any) -> None:
    """Bring four pods of v1 to rest."""
    shop.add(service())
    shop.ship("v1", **spec)
    shop.wait_stable("v1")


def hold_all(shop: Shop, *expected: tuple[int, ...]) -> None:
    """Hold what budgets by number, by both percentages and by a number to keep say, one after the other."""
    for name, numbers in zip(("one-away", "quarter-away", "three-quarters", "three"), expected, strict=True):
        hold(shop, name, numbers)
        lift(shop)


def test_what_counts_in_each_phase(shop: Shop) -> None:
    """The replicas of all Deployments that have pods are expected, and a Ready pod is healthy, whomever it serves."""
    rest, pair = (4, 4, 3, 1), (8, 8, 6, 2)
    opened(shop, **PREVIEW)
    hold_all(shop, rest, rest, rest, rest)

    shop.apply(steered(manifest(shop.namespace, "v2", **PREVIEW), ready="never"))
    shop.wait(lambda: len(pods_of(shop, "v2")) == 4, "broken pods in preview")
    hold_all(shop, (8, 4, 7, 0), (8, 4, 6, 0), (8, 4, 6, 0), (8, 4, 3, 1))

    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    hold_all(shop, rest, rest, rest, rest)

    shop.ship("v3", **WARM)
    shop.wait_stable("v3")
    hold_all(shop, (8, 8, 7, 1), pair, pair, (8, 8, 3, 5))


def test_warm_pods_do_not_stand_in_for_serving_ones_with_max_unavailable(shop: Shop) -> None:
    """maxUnavailable: 1 lets one pod go at a time; minAvailable: 3 lets all that serve go at once."""
    opened(shop, **WARM)
    shop.apply(steered(manifest(shop.namespace, "v2", **WARM), ready_after="20s"))
    shop.wait_stable("v2", 90)
    hold(shop, "one-away", (8, 8, 7, 1))
    assert [evicted(shop, pod) for pod in pods_of(shop, "v2")[:2]] == [True, False]

    lift(shop)
    hold(shop, "three", (8, 8, 3, 5))
    assert [evicted(shop, pod) for pod in pods_of(shop, "v2")] == [True] * 4


def test_broken_pods_of_a_canary_stop_a_drain_until_it_is_taken_back(shop: Shop) -> None:
    """They use the budget up, for serving pods; by AlwaysAllow at least they themselves may go."""
    opened(shop, **PREVIEW)
    shop.apply(steered(manifest(shop.namespace, "v2", **PREVIEW), ready="never"))
    shop.wait(lambda: len(pods_of(shop, "v2")) == 4, "broken pods in preview")
    serving, broken = pods_of(shop, "v1"), pods_of(shop, "v2")
    hold(shop, "one-away", (8, 4, 7, 0))
    assert [evicted(shop, pod) for pod in (serving[0], broken[0])] == [False, False]

    lift(shop)
    hold(shop, "one-away-always", (8, 4, 7, 0))
    assert [evicted(shop, pod) for pod in (serving[0], broken[0])] == [False, True]
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    hold(shop, "one-away-always", (4, 4, 3, 1))
    assert evicted(shop, serving[0])
