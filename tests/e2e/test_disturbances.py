"""What a rollout stands on goes away and comes back: it waits, forgets nothing, and ends as it would have ended."""

from collections.abc import Iterator

import pytest

from hack import cluster
from tests.control_plane.life.operators import Operator
from tests.e2e import podinfo
from tests.e2e.conftest import OpenShop
from tests.e2e.nodes import Node
from tests.e2e.shops import PATIENCE_SECONDS, SURE, Shop, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def blind(open_shop: OpenShop, node: Node) -> Iterator[Shop]:
    """Return a shop whose Prometheus will be stopped, and have it back at the end."""
    yield serving(open_shop("blind"))
    if cluster.component_process(node.cluster, "prometheus") is None:
        cluster.start_component(node.cluster, "prometheus")


@pytest.fixture(scope="module")
def shops(open_shop: OpenShop, operator: Operator, node: Node) -> dict[str, Shop]:
    """Return two shops whose operator was killed mid-canary and started when the bad version had hurt users."""
    errors_metric = podinfo.error_rate("[45]..", **SURE)
    found = {"good": open_shop("headless"), "bad": open_shop("unwatched", metrics=[errors_metric])}
    for shop in found.values():
        serving(shop)
    found["good"].ship(podinfo.BETTER)
    found["bad"].ship(podinfo.BAD)
    for shop in found.values():
        wait_new_pod(shop)
    operator.kill()
    found["bad"].wait(lambda: errors(found["bad"]) > 0, "Prometheus knows of errors", PATIENCE_SECONDS)
    started(operator, node)
    return found


@pytest.fixture
def good(shops: dict[str, Shop]) -> Shop:
    """Return the shop with a good version on its way."""
    return shops["good"]


@pytest.fixture
def bad(shops: dict[str, Shop]) -> Shop:
    """Return the shop with a bad version on its way."""
    return shops["bad"]


def wait_new_pod(shop: Shop) -> None:
    """Wait until a pod of the new version is ready."""
    shop.wait(lambda: shop.status.get("canary", {}).get("ready", 0) > 0, "a new pod is ready", PATIENCE_SECONDS)


def errors(shop: Shop) -> float:
    """Return how many errors Prometheus has seen there lately."""
    query = f'sum(increase(http_requests_total{{namespace="{shop.namespace}",status!="200"}}[8s]))'
    return shop.node.value(query)


def started(operator: Operator, node: Node) -> None:
    """Start the operator again, in the node's network."""
    with cluster.entered(node.cluster):
        operator.start()


def test_h7_prometheus_stopped_and_started(blind: Shop, node: Node) -> None:
    """H7: without Prometheus the weight is held, and the status says why; with it, the rollout goes on by itself."""
    blind.ship(podinfo.BETTER)
    blind.wait_step(1, PATIENCE_SECONDS)
    cluster.stop_component(node.cluster, "prometheus")
    blind.wait_phase("Holding", deadline_seconds=PATIENCE_SECONDS)
    held, sizes = blind.status, blind.sizes()
    cluster.start_component(node.cluster, "prometheus")
    blind.wait_stable(podinfo.BETTER)
    counts = blind.visitors.stop()

    assert (1, {podinfo.GOOD: 2, podinfo.BETTER: 2}) == (held["step"]["index"], sizes)
    assert "error-rate is Error" in held["step"]["waitingFor"]
    assert not {"RollingBack", "RolledBack"} & set(blind.timeline.values(blind.namespace, "phase"))
    assert (0, ()) == (counts.errors, counts.failures)


def test_operator_dead_while_users_are_hurt(bad: Shop) -> None:
    """What failed while no operator ran is read when it is back, and the version is taken back for it."""
    message = bad.wait_rolled_back("MetricFailed")
    then = bad.visitors.snapshot()
    bad.wait_visits(50)
    counts = bad.visitors.stop()

    assert "error-rate failed 2 times in a row" in message
    assert then.errors == counts.errors == counts.of(podinfo.BAD).errors > 0


def test_operator_killed_mid_canary(good: Shop, operator: Operator, node: Node) -> None:
    """An operator killed at a weight, and again at the last one, goes on where it was, and nobody notices."""
    good.wait(lambda: "Promoting" in good.timeline.values(good.namespace, "phase"), "the last step", PATIENCE_SECONDS)
    operator.kill()
    started(operator, node)
    good.wait_stable(podinfo.BETTER)
    counts = good.visitors.stop()

    assert [50, 100] == good.timeline.values(good.namespace, "weight")
    assert {podinfo.BETTER: 4} == good.sizes()
    assert (0, ()) == (counts.errors, counts.failures)
