"""Good versions reach everybody, and no user notices."""

import pytest

from tests.e2e import podinfo
from tests.e2e.conftest import OpenShop
from tests.e2e.shops import PATIENCE_SECONDS, Shop, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

QUARTERS = ({"setWeight": 25}, {"setWeight": 50})


@pytest.fixture(scope="module")
def shops(open_shop: OpenShop) -> dict[str, Shop]:
    """Return shops with a good version on its way to both; shipped together, to be quick."""
    found = {"promoted": open_shop("promoted", per_second=20, steps=QUARTERS), "scaled": open_shop("scaled")}
    for shop in found.values():
        serving(shop)
    for shop in found.values():
        shop.ship(podinfo.BETTER)
    return found


@pytest.fixture
def scaled(shops: dict[str, Shop]) -> Shop:
    """Return the shop that is scaled."""
    return shops["scaled"]


@pytest.fixture
def promoted(shops: dict[str, Shop]) -> Shop:
    """Return the shop in which nothing else happens."""
    return shops["promoted"]


def test_scaling_mid_canary(scaled: Shop) -> None:
    """More pods come at once while a canary is in flight, fewer only when it has ended, and nobody loses a request."""
    scaled.wait_step(1, PATIENCE_SECONDS)
    scaled.kubectl("scale", "rollout/web", "-n", scaled.namespace, "--replicas=8")
    scaled.wait(lambda: scaled.sizes() == {podinfo.GOOD: 4, podinfo.BETTER: 4}, "half of eight", PATIENCE_SECONDS)
    phase = scaled.status["phase"]
    scaled.kubectl("scale", "rollout/web", "-n", scaled.namespace, "--replicas=2")
    scaled.wait(lambda: scaled.status["observedGeneration"] == scaled.rollout()["metadata"]["generation"], "seen")
    in_flight, sizes = "canary" in scaled.status, scaled.sizes()
    scaled.wait_stable(podinfo.BETTER)
    scaled.wait(lambda: scaled.status["ready"] == "2/2", "as few as were asked for", PATIENCE_SECONDS)
    scaled.wait_visits(20)
    counts = scaled.visitors.stop()

    assert ("Progressing", True) == (phase, in_flight)
    assert sum(sizes.values()) >= 8
    assert {podinfo.BETTER: 2} == scaled.sizes()
    assert (0, ()) == (counts.errors, counts.failures)


def test_promotion_loses_no_request(promoted: Shop) -> None:
    """A good version goes through its weights on evidence, becomes stable, and every request has a good answer."""
    promoted.wait_stable(podinfo.BETTER)
    promoted.wait(
        lambda: set(promoted.pods_by_version()) == {podinfo.BETTER}, "the old pods are gone", PATIENCE_SECONDS
    )
    promoted.wait_visits(40)
    counts = promoted.visitors.stop()

    assert (0, ()) == (counts.errors, counts.failures)
    assert {podinfo.GOOD, podinfo.BETTER} == set(counts.versions)
    assert [25, 50, 100] == promoted.timeline.values(promoted.namespace, "weight")
    assert {podinfo.BETTER: 4} == promoted.sizes()
    assert "Promoted" in {reason for reason, _ in promoted.events()}
