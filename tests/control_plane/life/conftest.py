"""One operator and one scripted Prometheus for all tests of this folder; a namespace for each."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster import free_port
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import gateways
from tests.control_plane.life.gateways import Gateways
from tests.control_plane.life.operators import Operator, kubeconfig_of_operator
from tests.control_plane.life.reading import HttpReader
from tests.control_plane.life.rollouts import World
from tests.control_plane.life.shops import Shop
from tests.prometheus.server import ScriptedPrometheus


@pytest.fixture(scope="session")
def running_prometheus() -> Iterator[ScriptedPrometheus]:
    """A server that speaks Prometheus' API and answers by script."""
    with ScriptedPrometheus() as server:
        yield server


@pytest.fixture(scope="session")
def reader(control_plane: ControlPlane) -> HttpReader:
    """What reads objects for the tests."""
    return HttpReader(control_plane.cluster)


@pytest.fixture(scope="session")
def running_gateways(control_plane: ControlPlane) -> Iterator[Gateways]:
    """The Gateway API, and a controller for the routes of all namespaces."""
    gateways.install(control_plane.cluster)
    with Gateways(control_plane.cluster) as running:
        yield running


@pytest.fixture(scope="session")
def one_operator(
    control_plane: ControlPlane,
    running_prometheus: ScriptedPrometheus,
    running_gateways: Gateways,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """The operator process; its log is kept where HEADGATE_TEST_LOGS says, for people to read after a failure."""
    assert running_gateways.alive
    folder = Path(os.environ.get("HEADGATE_TEST_LOGS") or tmp_path_factory.mktemp("operator"))
    settings = {
        "HEADGATE_PROMETHEUS_ADDRESS": running_prometheus.address,
        "HEADGATE_SCRAPE_INTERVAL_SECONDS": "0",
        "HEADGATE_PROMETHEUS_TIMEOUT_SECONDS": "2",
        "HEADGATE_LOG_LEVEL": "debug",
    }
    kubeconfig = kubeconfig_of_operator(control_plane.cluster, folder)
    made = Operator(kubeconfig, folder / "operator.log", settings, free_port())
    yield made
    made.stop()


@pytest.fixture
def operator(one_operator: Operator) -> Operator:
    """The operator, running."""
    one_operator.start()
    return one_operator


@pytest.fixture
def prometheus(running_prometheus: ScriptedPrometheus) -> Iterator[ScriptedPrometheus]:
    """The scripted server without a script: no query has data."""
    running_prometheus.script()
    running_prometheus.forget()
    yield running_prometheus
    running_prometheus.script()


@pytest.fixture
def world(control_plane: ControlPlane, reader: HttpReader, operator: Operator) -> Iterator[World]:
    """A fresh namespace under the operator's eyes."""
    assert operator.ready()
    namespace = f"life-{uuid.uuid4().hex[:8]}"

    def kubectl(*arguments: str, stdin: str | None = None) -> str:
        ended = control_plane.kubectl(*arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    kubectl("create", "namespace", namespace)
    yield World(kubectl, reader, namespace)
    kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")


@pytest.fixture
def gateways_of(running_gateways: Gateways) -> Gateways:
    """The controller of the Gateways, which accepts all routes at once unless it is told otherwise."""
    return running_gateways


@pytest.fixture
def shop(world: World) -> Shop:
    """A fresh namespace for a Rollout with a route."""
    return Shop(world.kubectl, world.reader, world.namespace)
