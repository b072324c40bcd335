"""A real autoscaler by real CPU: the load doubles in the middle of a canary, both sides grow, and nobody notices."""

import contextlib
import dataclasses
import functools
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from hack import cluster
from hack.cluster import metrics
from tests.control_plane.life.operators import settle
from tests.e2e import podinfo, routed, shops
from tests.e2e.conftest import OpenShop
from tests.e2e.nodes import Json, Node
from tests.e2e.shops import PATIENCE_SECONDS, Shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PER_SECOND = 100
CPU_PERCENT = 150
REQUESTS = {"cpu": "10m", "memory": "32Mi"}
LOOKS_SECONDS = 90
"""metrics-server knows of a pod after two looks at it, 10 s apart, and a busy machine takes its time."""
EVERY_SECONDS = 2.0


def autoscaler(namespace: str, target: Json, least: int = 2) -> Json:
    """Return an autoscaler of the shop, of up to 10 pods."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shops.NAME, "namespace": namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": "headgate.dev/v1alpha1", "kind": "Rollout", "name": shops.NAME},
            "minReplicas": least,
            "maxReplicas": 10,
            "metrics": [target],
            # As docs/scaling.md says: within the tolerance, what the pods of two revisions need would pass for nothing.
            "behavior": {
                "scaleUp": {"tolerance": "0"},
                "scaleDown": {"tolerance": "0", "stabilizationWindowSeconds": 60},
            },
        },
    }


def share(resource: str, percent: int) -> Json:
    """Return a target of so much of what pods ask for."""
    return {
        "type": "Resource",
        "resource": {"name": resource, "target": {"type": "Utilization", "averageUtilization": percent}},
    }


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """How a shop stood at one moment."""

    at: float
    wanted: int
    stable: tuple[int, int]
    canary: tuple[int, int]
    weight: int
    phase: str
    used_percent: int | None
    requests: int

    @property
    def whole(self) -> bool:
        """Whether stable has all pods that are asked for."""
        return self.stable == (self.wanted, self.wanted)

    @property
    def grown(self) -> bool:
        """Whether the canary has half as many besides."""
        return self.whole and self.canary[1] * 2 >= self.wanted

    @property
    def ready(self) -> int:
        """How many pods are ready."""
        return self.stable[1] + self.canary[1]


def sampled(shop: Shop) -> Sample:
    """Return how the shop stands now."""
    found, status = shop.rollout()["spec"], shop.status
    seen = routed.read(shop, "hpa")["status"].get("currentMetrics") or [{}]
    # Of numbers alone the status tells every 30 s.
    sizes = {one["metadata"]["labels"][routed.KEY]: one for one in shop.node.listed("deployments", shop.namespace)}
    sides = [sizes.get((status.get(side) or {}).get("hash"), {}) for side in ("stable", "canary")]
    stable, canary = [
        (side.get("spec", {}).get("replicas", 0), side.get("status", {}).get("availableReplicas", 0)) for side in sides
    ]
    return Sample(
        at=time.time(),
        wanted=found["replicas"],
        stable=stable,
        canary=canary,
        weight=status.get("weight", {}).get("achieved", 0),
        phase=status["phase"],
        used_percent=seen[0].get("resource", {}).get("current", {}).get("averageUtilization"),
        requests=shop.visitors.snapshot().requests,
    )


@contextlib.contextmanager
def watched(shop: Shop) -> Iterator[list[Sample]]:
    """Look at a shop every two seconds, and print what was seen as a table."""
    samples, ended = [sampled(shop)], threading.Event()

    def look() -> None:
        while not ended.wait(EVERY_SECONDS):
            samples.append(sampled(shop))

    thread = threading.Thread(target=look, name="samples", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join(PATIENCE_SECONDS)
        print("\n".join(table(samples)))  # noqa: T201 - what the docs show


def table(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"\n{'s':>5} {'wanted':>6} {'stable':>7} {'canary':>7} {'weight':>6} {'used %':>6}  phase"
    for one in samples:
        sides = " ".join(f"{ready:>3}/{wanted:<3}" for wanted, ready in (one.stable, one.canary))
        used = one.used_percent if one.used_percent is not None else "-"
        yield f"{one.at - samples[0].at:5.0f} {one.wanted:6} {sides} {one.weight:6} {used:>6}  {one.phase}"


def known(shop: Shop) -> bool:
    """Return whether the autoscaler knows what the pods use."""
    conditions = routed.read(shop, "hpa").get("status", {}).get("conditions", [])
    return any(one["type"] == "ScalingActive" and one["status"] == "True" for one in conditions)


@pytest.fixture(scope="module")
def metered(node: Node) -> Node:
    """Return the node, with metrics-server."""
    cluster.extend(node.cluster, metrics.LAYER)
    return node


@pytest.fixture(scope="module")
def opened(open_shop: OpenShop, metered: Node) -> dict[str, Shop]:
    """Return a shop with visitors and one without, whose pods' use is known."""
    assert metered.cluster.gateway
    usual: Json = {"replicas": 3, "requests": REQUESTS, "metrics": []}
    preview: Json = {"strategy": {"blueGreen": {"scaleDownDelay": "0s"}}, "traffic": routed.spec(50)["traffic"]}
    found = {
        "busy": open_shop("busy", per_second=PER_SECOND, **usual, **routed.spec(50, routed.UNTIL_PROMOTED)),
        "heavy": open_shop("heavy", **usual, **preview),
    }
    scaled = {"busy": (share("cpu", CPU_PERCENT), 2), "heavy": (share("memory", 1000), 3)}
    shops.serving(found["busy"])
    for name, shop in found.items():
        shop.wait_stable()
        shop.apply(autoscaler(shop.namespace, *scaled[name]))
    for shop in found.values():
        shop.wait(functools.partial(known, shop), "the autoscaler knows what the pods use", LOOKS_SECONDS)
    return found


@pytest.fixture
def busy(opened: dict[str, Shop]) -> Shop:
    """Return the shop that is scaled by CPU."""
    return opened["busy"]


@pytest.fixture
def heavy(opened: dict[str, Shop]) -> Shop:
    """Return the shop that is scaled by memory."""
    return opened["heavy"]


def wanted(shop: Shop) -> int:
    """Return what the autoscaler asks for."""
    return int(shop.rollout()["spec"]["replicas"])


def test_load_doubles_in_the_middle_of_a_canary(busy: Shop, metered: Node) -> None:
    """H21: both sides grow by what the autoscaler asks for, no fewer are ready than before, and no request is lost."""
    # The first look of the autoscaler may ask for another pod a moment before.
    busy.wait(lambda: sampled(busy).whole, "all that is asked for is ready", LOOKS_SECONDS)
    with watched(busy) as samples:
        before = samples[0].ready
        busy.ship(podinfo.BETTER, replicas=wanted(busy))
        busy.wait_step(2, PATIENCE_SECONDS)
        with shops.visiting(metered, busy.namespace, PER_SECOND) as more:
            busy.wait(lambda: wanted(busy) > before, "the autoscaler asks for more", LOOKS_SECONDS)
            busy.wait(lambda: sampled(busy).grown, "all that was asked for is ready", LOOKS_SECONDS)
            busy.command("promote", f"{busy.status['canary']['hash']}/2")
            busy.wait_stable(podinfo.BETTER)
            busy.wait_visits(10 * PER_SECOND)
            late = more.stop()
    counts = busy.visitors.stop()

    assert (0, 0, ()) == (counts.errors, late.errors, (*counts.failures, *late.failures))
    assert late.requests > 10 * PER_SECOND
    assert max(one.wanted for one in samples) > before
    assert min(one.ready for one in samples) >= before
    assert all(one.canary[1] * 2 >= before for one in samples if one.weight == 50)


def test_memory_of_a_preview_waits(heavy: Shop) -> None:
    """Twice the pods at four fifths of the target make more than there were: that waits, and stable stays as it is."""
    used = sampled(heavy).used_percent or 0
    heavy.apply(autoscaler(heavy.namespace, share("memory", used * 5 // 4), 3))
    with watched(heavy) as samples:
        heavy.ship(podinfo.BETTER, replicas=3)
        heavy.wait_phase("Paused", deadline_seconds=PATIENCE_SECONDS)
        heavy.wait(lambda: wanted(heavy) > 3, "the autoscaler sees twice the pods", LOOKS_SECONDS)
        heavy.wait(lambda: heavy.condition("ScalingHeld").get("reason") == "MemoryTarget", "it waits", PATIENCE_SECONDS)
        settle(LOOKS_SECONDS / 3)
        held, sizes = heavy.condition("ScalingHeld")["message"], heavy.sizes()
        heavy.command("abort", "now")
        heavy.wait(lambda: "canary" not in heavy.status, "the preview is gone", PATIENCE_SECONDS)

    assert "because of memory; 3 count until" in held
    assert {podinfo.GOOD: 3, podinfo.BETTER: 3} == sizes
    assert {3} == {one.stable[0] for one in samples}
