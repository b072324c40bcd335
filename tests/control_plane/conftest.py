"""The cluster that the tests of this folder share: one control plane for the whole run, with our CRD installed.

Who needs one where no operator is at work starts another: `with running("purpose")`.
"""

import contextlib
import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack import cluster
from headgate.api import crd
from headgate.cli import crds, policies
from tests.clusters import name_of

ESTABLISHED_SECONDS = 60
READABLE_SECONDS = 30


@dataclasses.dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running control plane."""

    cluster: cluster.Cluster

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.cluster.kubeconfig

    def kubectl(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return how it ended; *stdin* is what it reads from `-f -`."""
        command = [str(self.cluster.kubectl), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def running(purpose: str) -> Iterator[ControlPlane]:
    """Start a control plane that knows the kind Rollout, and take it down at the end."""
    try:
        cluster.build()
    except cluster.ClusterError as error:
        pytest.skip(f"the control plane cannot be built: {error}")
    name = name_of(purpose)
    try:
        started = ControlPlane(cluster.start(name))
        _install(started)
        yield started
    finally:
        cluster.stop(name)


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The control plane of the whole run. An operator may be at work in all of its namespaces."""
    with running("tests") as started:
        yield started


@pytest.fixture(scope="session")
def unattended() -> Iterator[ControlPlane]:
    """A control plane without an operator: what is stored there is what was written."""
    with running("unattended") as started:
        yield started


def _install(control_plane: ControlPlane) -> None:
    """Install the CRD and the policy of consent, and return once clients can use and read the CRD."""
    for text in (crds.text(), policies.text()):
        installed = control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=text)
        assert installed.returncode == 0, installed.stderr
    # `kubectl wait` gives up at once on a CRD so young that its status holds no list of conditions yet.
    waiting = ("wait", "--for=condition=Established", "--timeout=5s", f"crd/{crd.NAME}")
    assert cluster.wait_until(
        lambda: control_plane.kubectl(*waiting).returncode == 0, deadline_seconds=ESTABLISHED_SECONDS
    )
    # The description of the API follows a little later, and kubectl checks and explains by that.
    assert cluster.wait_until(
        lambda: control_plane.kubectl("explain", "rollout.spec").returncode == 0, deadline_seconds=READABLE_SECONDS
    )
