"""Weighted traffic through a real gateway: users get the shares that were asked for, and lose nothing at any switch."""

import copy
import json
import math
from collections.abc import Iterator

import pytest

from tests.control_plane.life import operators
from tests.e2e import gateways, podinfo, routed, shops
from tests.e2e.conftest import OpenShop
from tests.e2e.nodes import Json, Node
from tests.e2e.shops import PATIENCE_SECONDS, Shop, serving
from tests.e2e.timeline import POD, Timeline

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

OTHER = "other"
UNTIL_PROMOTED = routed.UNTIL_PROMOTED
# podinfo 3.0.0 fails for whole seconds, a third of them.
ERRORS = podinfo.error_rate("[45]..", window="8s", passesToAdvance=2)


def crowded_route(shop: Shop) -> Json:
    """Return a route with three rules, filters, and a third backend, of which one backendRef is ours."""
    route = podinfo.route(shop.namespace, shops.NAME, f"{shop.namespace}.test")
    set_header = {"set": [{"name": "x-shop", "value": "front"}]}
    route["spec"]["rules"] = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/legacy"}, "method": "GET"}],
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": set_header}],
            "backendRefs": [{"name": OTHER, "port": 80}],
        },
        {
            "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": set_header}],
            "timeouts": {"request": "10s"},
            "backendRefs": [{"name": OTHER, "port": 80, "weight": 10}, {"name": shops.NAME, "port": 80, "weight": 90}],
        },
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/moved"}}],
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 301, "hostname": "new.test"}}],
        },
    ]
    return route


def deployment(shop: Shop, name: str, replicas: int) -> Json:
    """Return a Deployment of the good version."""
    template = podinfo.template(podinfo.GOOD, name)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": shop.namespace},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def autoscaler(shop: Shop, kind: str, replicas: int) -> Json:
    """Return an autoscaler of what is called web: without metrics it sees to *replicas* at least."""
    group = {"Deployment": "apps/v1", "Rollout": "headgate.dev/v1alpha1"}[kind]
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shops.NAME, "namespace": shop.namespace},
        "spec": {
            "scaleTargetRef": {"apiVersion": group, "kind": kind, "name": shops.NAME},
            "minReplicas": replicas,
            "maxReplicas": 8,
            "metrics": [{"type": "Resource", "resource": cpu}],
        },
    }


def crowded(open_shop: OpenShop) -> Shop:
    """Return a shop whose route is about more than it."""
    shop = open_shop("crowded", per_second=20, metrics=[], **routed.spec(10, 50, UNTIL_PROMOTED))
    shop.apply(deployment(shop, OTHER, 1))
    shop.apply(podinfo.service(shop.namespace, OTHER))
    shop.apply(crowded_route(shop))
    return shop


def untouched(shop: Shop) -> Json:
    """Return the crowded route as the API server keeps it, tried on a copy that stays the user's."""
    route = crowded_route(shop)
    route["metadata"]["name"] = "untouched"
    route["spec"]["hostnames"] = ["untouched.test"]
    shop.apply(route)
    found = routed.read(shop, "httproute", "untouched")
    found["spec"]["hostnames"] = [f"{shop.namespace}.test"]
    return found


@pytest.fixture(scope="module")
def opened(open_shop: OpenShop) -> dict[str, Shop]:
    """Return shops to which their new versions were shipped, all at once, to be quick."""
    quiet: Json = {"metrics": []}
    found = {
        "promoted": open_shop("promoted", per_second=30, **quiet, **routed.spec(10, UNTIL_PROMOTED, 50)),
        "erring": open_shop("erring", per_second=20, metrics=[ERRORS], **routed.spec(25)),
        "warm": open_shop("warm", **quiet, **routed.spec(50, scale_down_delay="90s")),
        "late": open_shop("late", per_second=20, **quiet, **routed.spec(50, UNTIL_PROMOTED)),
        "crowded": crowded(open_shop),
    }
    for shop in found.values():
        serving(shop)
    for name, shop in found.items():
        shop.apply(routed.abrupt(shop.manifest(podinfo.BAD if name == "erring" else podinfo.BETTER)))
    return found


@pytest.fixture
def promoted(opened: dict[str, Shop]) -> Shop:
    """Return the shop whose next version is promoted."""
    return opened["promoted"]


@pytest.fixture
def erring(opened: dict[str, Shop]) -> Shop:
    """Return the shop whose next version fails a third of all requests."""
    return opened["erring"]


@pytest.fixture
def warm(opened: dict[str, Shop]) -> Shop:
    """Return the shop that keeps its old pods for a while."""
    return opened["warm"]


@pytest.fixture
def late(opened: dict[str, Shop]) -> Shop:
    """Return the shop whose gateway will be late."""
    return opened["late"]


@pytest.fixture
def busy_route(opened: dict[str, Shop]) -> Shop:
    """Return the shop whose route is about more than it."""
    return opened["crowded"]


@pytest.fixture
def newcomer(node: Node, timeline: Timeline, opened: dict[str, Shop]) -> Iterator[Shop]:
    """Return a shop that is a Deployment with a Service, a route and an autoscaler, and that users visit."""
    namespace = opened["promoted"].namespace.replace("promoted", "newcomer")
    defaults = {"metrics": [], **routed.spec(50)}
    visitors = shops.visiting(node, namespace, 20)
    shop = Shop(node.kubectl, node, namespace, node, timeline, visitors, defaults)
    node.kubectl("create", "namespace", namespace)
    shop.apply(routed.abrupt(deployment(shop, shops.NAME, 4)))
    shop.apply(podinfo.service(namespace, shops.NAME))
    shop.apply(autoscaler(shop, "Deployment", 4))
    shop.apply(podinfo.route(namespace, shops.NAME, f"{namespace}.test"))
    node.kubectl("wait", "--for=condition=Available", "-n", namespace, "deployment/web", "--timeout=120s")
    with shops.visiting(node, namespace, per_second=2) as probe:
        shop.wait(lambda: probe.snapshot().of(podinfo.GOOD).requests > 0, "the route leads there", PATIENCE_SECONDS)
    shop.visitors.start()
    yield shop
    shop.visitors.stop()
    node.kubectl("delete", "namespace", namespace, "--wait=false")


def promote(shop: Shop, step: int) -> None:
    """End the pause at *step*."""
    shop.command("promote", f"{shop.status['canary']['hash']}/{step}")


def within(percent: float, asked: tuple[int, int]) -> bool:
    """Return whether a share is what independent draws at *percent* give in all but one of 10,000 cases."""
    hits, requests = asked
    deviation = math.sqrt(requests * percent / 100 * (1 - percent / 100))
    return abs(hits - requests * percent / 100) <= 4 * deviation


def measured(shop: Shop, version: str, visits: int) -> tuple[int, int]:
    """Return how many of some *visits* from now on *version* answers, and how many there were."""
    before = shop.visitors.snapshot()
    shop.wait_visits(visits)
    return routed.share(before, shop.visitors.snapshot(), version)


def others_part(route: Json) -> Json:
    """Return a route without what is ours in it: the canary's backendRef, the stable one's weight, our label.

    And without what differs between a route and its copy, and with each write.
    """
    spec, metadata = copy.deepcopy(route["spec"]), route["metadata"]
    for rule in spec["rules"]:
        if "backendRefs" in rule:
            rule["backendRefs"] = [one for one in rule["backendRefs"] if one["name"] != routed.CANARY]
            for one in rule["backendRefs"]:
                if one["name"] == shops.NAME:
                    del one["weight"]
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key != routed.MANAGED}
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != routed.APPLIED}
    rest = {key: metadata.get(key) for key in ("ownerReferences", "finalizers", "deletionTimestamp")}
    return {"spec": spec, "labels": labels, "annotations": annotations, **rest}


def leaving_at(shop: Shop, version_hash: str) -> float:
    """Return when the first pod of a revision was asked to go."""
    moments = shop.timeline.of(shop.namespace, POD)
    return min(one.at for one in moments if one.facts.get("leaving") and f"-{version_hash}-" in one.name)


def test_a_weight_is_a_share_of_the_requests(promoted: Shop) -> None:
    """One pod of five gets the 10 % that were asked for; promoted, it gets everything, and no request is lost."""
    promoted.wait_step(2, PATIENCE_SECONDS)
    sizes, canary = promoted.sizes(), promoted.status["canary"]["hash"]
    asked = measured(promoted, podinfo.BETTER, 300)
    selects = routed.selected(promoted, routed.CANARY)
    promote(promoted, 2)
    promoted.wait_stable(podinfo.BETTER)
    promoted.wait(
        lambda: set(promoted.pods_by_version()) == {podinfo.BETTER}, "the old pods are gone", PATIENCE_SECONDS
    )
    promoted.wait_visits(60)
    counts = promoted.visitors.stop()

    assert {podinfo.GOOD: 4, podinfo.BETTER: 1} == sizes
    assert within(10, asked), asked
    assert canary == selects == routed.selected(promoted) == routed.selected(promoted, routed.CANARY)
    assert (100, 0) == routed.weights(promoted)
    assert [10, 50, 100] == promoted.timeline.values(promoted.namespace, "weight")
    assert (0, ()) == (counts.errors, counts.failures)


def test_missing_services_are_created(promoted: Shop) -> None:
    """A Service that is not there is made with its sibling's ports, goes with the Rollout, and lets people in."""
    promoted.visitors.stop()
    ours = routed.read(promoted, "service", routed.CANARY)
    promoted.kubectl("delete", "service", shops.NAME, "-n", promoted.namespace)
    promoted.wait(lambda: _exists(promoted, shops.NAME), "the stable Service is there", PATIENCE_SECONDS)
    again = routed.read(promoted, "service")

    for created in (ours, again):
        (port,) = created["spec"]["ports"]
        assert ("http", 80, podinfo.PORT) == (port["name"], port["port"], port["targetPort"])
        assert ["Rollout"] == [owner["kind"] for owner in created["metadata"]["ownerReferences"]]
    with shops.visiting(promoted.node, promoted.namespace, per_second=2) as probe:
        promoted.wait(lambda: probe.snapshot().of(podinfo.BETTER).requests > 0, "people are in", PATIENCE_SECONDS)


def _exists(shop: Shop, service: str) -> bool:
    return shop.kubectl("get", "service", service, "-n", shop.namespace, "--ignore-not-found") != ""


def test_rollback_by_error_rate(erring: Shop) -> None:
    """Nobody meets the bad version once the gateway has followed, its pods stay until then, and only it has failed."""
    message = erring.wait_rolled_back("MetricFailed")
    written, hash_ = routed.withdrawn_at(erring), erring.status["history"][0]["hash"]
    erring.wait_visits(60)
    counts = erring.visitors.stop()

    assert "error-rate failed 2 times in a row" in message
    assert 0 == routed.lost(counts)
    assert 0 < counts.of(podinfo.BAD).errors
    assert counts.of(podinfo.BAD).last_at < written + routed.DRAIN_SECONDS <= leaving_at(erring, hash_) + 1
    assert (100, 0) == routed.weights(erring)
    assert {podinfo.GOOD: 4} == erring.sizes()


def test_only_two_weights_of_a_route_are_ours(busy_route: Shop) -> None:
    """Rules, filters, timeouts and backends of others stay as they were, and other backends keep their share."""
    busy_route.wait_step(3, PATIENCE_SECONDS)
    before, during = untouched(busy_route), routed.read(busy_route, "httproute")
    asked = measured(busy_route, podinfo.BETTER, 200)
    promote(busy_route, 3)
    busy_route.wait_stable(podinfo.BETTER)
    after = routed.read(busy_route, "httproute")
    counts = busy_route.visitors.stop()
    shares = [[one["weight"] for one in route["spec"]["rules"][1]["backendRefs"]] for route in (before, during, after)]

    assert [[10, 90], [10, 45, 45], [10, 90, 0]] == shares
    assert others_part(before) == others_part(during) == others_part(after)
    assert within(45, asked), asked
    assert (0, ()) == (counts.errors, counts.failures)


def test_warm_revision_takes_over_by_one_write(warm: Shop, node: Node) -> None:
    """After a promotion an abort goes back by one write, to pods that are all there, and no request is lost."""
    warm.wait_stable(podinfo.BETTER)
    sizes, since = warm.sizes(), operators.audited(node.cluster)
    warm.command("abort", "now")
    warm.wait_rolled_back("Aborted")
    writes = operators.writes(node.cluster, since, warm.namespace)
    warm.wait_visits(30)
    counts = warm.visitors.stop()
    traffic = [resource for _, resource in writes if resource in ("services", "httproutes", "deployments")]

    assert {podinfo.GOOD: 4, podinfo.BETTER: 4} == sizes
    assert "services" == traffic[0]
    assert "httproutes" not in traffic
    assert {podinfo.GOOD: 4} == warm.sizes()
    assert (0, ()) == (counts.errors, counts.failures)


def test_a_deployment_becomes_a_rollout(newcomer: Shop) -> None:
    """On the way from a Deployment that the documentation describes users lose nothing; then it is scaled as before."""
    here = ("-n", newcomer.namespace)
    wanted = routed.abrupt(newcomer.manifest(podinfo.GOOD))
    newcomer.apply(wanted)
    newcomer.kubectl("wait", "--for=condition=Ready", "rollout/web", *here, f"--timeout={PATIENCE_SECONDS}s")
    newcomer.apply(autoscaler(newcomer, "Rollout", 5))
    # Longer than the drain: it looks every 15 s.
    newcomer.wait(lambda: newcomer.status.get("ready") == "5/5", "the autoscaler scales it", PATIENCE_SECONDS)
    del wanted["spec"]["replicas"]
    newcomer.kubectl("apply", "set-last-applied", "-f", "-", stdin=json.dumps(wanted))
    newcomer.apply(wanted)
    newcomer.kubectl("delete", "deployment", shops.NAME, *here)
    newcomer.wait(
        lambda: len(newcomer.pods_by_version(podinfo.GOOD)[podinfo.GOOD]) == 5, "its own alone", PATIENCE_SECONDS
    )
    newcomer.wait_visits(60)
    counts = newcomer.visitors.stop()
    kinds = ("deployment", "service", "httproute", "horizontalpodautoscaler")
    owners = {kind: routed.owners(newcomer, kind) for kind in kinds}

    assert (0, ()) == (counts.errors, counts.failures)
    assert ("Healthy", 5) == (newcomer.status["phase"], newcomer.rollout()["spec"]["replicas"])
    assert newcomer.status["stable"]["hash"] == routed.selected(newcomer)
    assert {
        "deployment": {f"web-{newcomer.status['stable']['hash']}": "Rollout"},
        "service": {shops.NAME: "", routed.CANARY: "Rollout"},
        "httproute": {shops.NAME: ""},
        "horizontalpodautoscaler": {shops.NAME: ""},
    } == owners


def test_h20_gateway_that_programs_late(late: Shop, node: Node) -> None:
    """H20: while the gateway still leads users to the rejected version its pods stay; none meets an empty backend."""
    late.wait_step(2, PATIENCE_SECONDS)
    with gateways.deaf(node):
        late.command("abort", "now")
        late.wait(lambda: routed.weights(late) == (100, 0), "the route is written", PATIENCE_SECONDS)
        hits, _ = measured(late, podinfo.BETTER, 200)
        pods = late.pods_by_version(podinfo.BETTER).get(podinfo.BETTER, [])
        waits = late.condition("Ready")["message"]
    late.wait_rolled_back("Aborted")
    late.wait_visits(60)
    counts = late.visitors.stop()

    assert hits > 0
    assert [False, False] == ["deletionTimestamp" in pod["metadata"] for pod in pods]
    assert "waiting for Gateway gateway/headgate to accept HTTPRoute web" in waits
    assert counts.of(podinfo.BETTER).last_at < leaving_at(late, late.status["history"][0]["hash"])
    assert (0, ()) == (counts.errors, counts.failures)
