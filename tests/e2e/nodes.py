"""A running node as the tests of this folder use it: kubectl, what answers there, Prometheus, an operator.

Owns how these are reached and started. Must not know what is shipped.
"""

import contextlib
import dataclasses
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack import cluster
from hack.cluster import Cluster
from headgate.api import crd
from headgate.cli import crds
from tests.control_plane.life.operators import Operator, kubeconfig_of_operator

Json = dict[str, Any]
ESTABLISHED_SECONDS = 60
ANSWER_SECONDS = 5
SCRAPE_SECONDS = 2
"""How often Prometheus scrapes there."""
# No proxy of the environment may stand between us and the cluster.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclasses.dataclass(frozen=True, slots=True)
class Node:
    """A real node, used from outside of its network."""

    cluster: Cluster

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs kubectl with *arguments*."""
        kubectl = [str(self.cluster.kubectl), f"--kubeconfig={self.cluster.kubeconfig}", *arguments]
        return cluster.command(self.cluster, kubectl)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints; raise if it fails."""
        command = self.command(*arguments)
        ended = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"kubectl {' '.join(arguments)}: {ended.stderr}"
        return ended.stdout

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the object, which must be there; *kind* is its plural or its singular."""
        found: Json = json.loads(self.kubectl("get", _full(kind), name, "-n", namespace, "-o", "json"))
        return found

    def listed(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Return all objects of a kind in a namespace that have the labels of *selector*."""
        said = self.kubectl("get", _full(kind), "-n", namespace, "-l", selector, "-o", "json")
        found: list[Json] = json.loads(said)["items"]
        return found

    def install_crd(self) -> None:
        """Install the kind Rollout, and return once it can be used."""
        self.kubectl("apply", "--server-side", "-f", "-", stdin=crds.text())
        self.kubectl("wait", "--for=condition=Established", f"--timeout={ESTABLISHED_SECONDS}s", f"crd/{crd.NAME}")

    def answer(self, url: str) -> tuple[int, str]:
        """Return code and body of the answer at an address in there, (0, why) if there is none."""
        with cluster.entered(self.cluster):
            try:
                with _OPENER.open(url, timeout=ANSWER_SECONDS) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()
            except OSError as error:
                return 0, str(error)

    def series(self, query: str) -> list[Json]:
        """Return what Prometheus answers to *query*, nothing if it does not answer."""
        code, body = self.answer(f"{self.cluster.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        found: list[Json] = json.loads(body)["data"]["result"] if code == 200 else []
        return found

    def value(self, query: str) -> float:
        """Return the sum of what Prometheus answers to *query*, 0 if that is nothing."""
        return sum(float(one["value"][1]) for one in self.series(query))


def _full(kind: str) -> str:
    """Return what kubectl must be asked for: its "events" are the old ones, without `regarding`."""
    return "events.v1.events.k8s.io" if kind in {"event", "events"} else kind


@contextlib.contextmanager
def running(name: str) -> Iterator[Node]:
    """Start a node, and take it down at the end."""
    try:
        yield Node(cluster.start(name, size="node"))
    finally:
        cluster.stop(name)


def require() -> None:
    """Skip the test where no node can run."""
    if why := cluster.lacking("node"):
        pytest.skip(why)


@contextlib.contextmanager
def operated(node: Node, folder: Path) -> Iterator[Operator]:
    """Run the operator as a process in the node, under its service account's rights; its log in *folder*."""
    settings = {
        "HEADGATE_PROMETHEUS_ADDRESS": str(node.cluster.prometheus),
        "HEADGATE_SCRAPE_INTERVAL_SECONDS": str(SCRAPE_SECONDS),
        "HEADGATE_LOG_LEVEL": "debug",
        # No proxy of the environment may stand between it and the cluster.
        "NO_PROXY": "*",
    }
    with cluster.entered(node.cluster):
        kubeconfig = kubeconfig_of_operator(node.cluster, folder)
        operator = Operator(kubeconfig, folder / "operator.log", settings, cluster.free_port())
    try:
        with cluster.entered(node.cluster):
            operator.start()
        yield operator
    finally:
        operator.stop()
