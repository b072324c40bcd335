"""The stage of one section: a fresh control plane, the operator as its own process, a Prometheus that plays a script.

Owns what is started, and that all of it is taken down again. Must not know what is measured.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import requests

from bench.audit import OPERATOR, Audit
from bench.client import Client
from hack import cluster as clusters
from hack.cluster import layout, processes
from tests.control_plane.life import gateways, operators
from tests.prometheus import scripts

Say = Callable[[str], None]

_ROOT: Final = Path(__file__).resolve().parent.parent
_ANSWER_SECONDS: Final = 30
REFRESH_SECONDS: Final = 33.0
"""After half a minute a status is written whose numbers alone have changed. Who is silent for longer is at rest."""


@dataclasses.dataclass(frozen=True, slots=True)
class Prometheus:
    """A scripted Prometheus in a process of its own, so that it waits for nobody's Python."""

    address: str

    def script(self, *rules: scripts.Rule) -> None:
        """Answer by *rules* from now on."""
        self._ask("PUT", "script", scripts.to_json(list(rules)))

    def forget(self) -> None:
        """Forget what was asked."""
        self._ask("DELETE", "requests")

    def asked(self) -> list[dict[str, Any]]:
        """Return what was asked since, in order."""
        found: list[dict[str, Any]] = self._ask("GET", "requests")
        return found

    def _ask(self, verb: str, path: str, body: Any = None) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # a proxy that somebody uses is not for loopback addresses
            answer = session.request(verb, f"{self.address}/{path}", json=body, timeout=_ANSWER_SECONDS)
            answer.raise_for_status()
            return answer.json()


@dataclasses.dataclass
class Stage:
    """A running control plane, and who is at work there. Make one with `running`."""

    cluster: clusters.Cluster
    prometheus: Prometheus
    client: Client
    audit: Audit
    say: Say
    kubeconfig: Path
    operator: operators.Operator

    @property
    def pid(self) -> int:
        """The operator's."""
        if self.operator.process is None or self.operator.process.poll() is not None:
            raise clusters.ClusterError(f"the operator does not run; its log is {self.operator.log}")
        return self.operator.process.pid

    @property
    def server_pid(self) -> int:
        """The API server's."""
        return self.component_pid("kube-apiserver")

    def component_pid(self, name: str) -> int:
        """Return the pid of a component of the cluster."""
        process = clusters.component_process(self.cluster, name)
        if process is None:
            raise clusters.ClusterError(f"{name} does not run")
        return process.pid

    def wait(self, condition: Callable[[], object], what: str, seconds: float, poll_seconds: float = 0.25) -> None:
        """Wait until *condition* holds.

        Raises:
            ClusterError: if it does not in time.
        """
        if not clusters.wait_until(condition, seconds, poll_seconds):
            raise clusters.ClusterError(f"{what}: not in {seconds:.0f} s; the operator's log is {self.operator.log}")

    def rest(self, seconds: float) -> None:
        """Let *seconds* pass in which nothing is done."""
        operators.settle(seconds)

    def quiet(self, seconds: float = 2.0, deadline_seconds: float = 120.0) -> None:
        """Wait until the operator has asked for nothing in *seconds*."""
        ends = time.monotonic() + deadline_seconds
        while time.monotonic() < ends:
            since = self.audit.mark()
            self.rest(seconds)
            if not [one for one in self.audit.calls(since, OPERATOR) if one.verb != "watch"]:
                return
        raise clusters.ClusterError(f"the operator did not come to rest in {deadline_seconds:.0f} s")

    def until(self, moment: float) -> None:
        """Wait until *moment*, in seconds since the epoch."""
        self.rest(max(0.0, moment - time.time()))


@contextlib.contextmanager
def running(purpose: str, say: Say, prometheus: str = "") -> Iterator[Stage]:
    """Start a stage whose operator does not run yet, and take it down at the end.

    Args:
        purpose: what stands in the cluster's name.
        say: hears what is done.
        prometheus: another server that the operator measures by, in place of the scripted one.
    """
    name = f"bench-{purpose}-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        stack.callback(_stop, name)
        cluster = clusters.start(name, say=say)
        client = Client(cluster)
        _install(cluster)
        scripted = Prometheus(stack.enter_context(_prometheus(cluster)))
        stack.enter_context(gateways.Gateways(cluster))
        settings = {
            "HEADGATE_PROMETHEUS_ADDRESS": prometheus or scripted.address,
            "HEADGATE_SCRAPE_INTERVAL_SECONDS": "0",
            processes.MARK: layout.of(name).mark_of("operator"),  # so that the cluster's end is the operator's too
        }
        kubeconfig = operators.kubeconfig_of_operator(cluster, cluster.state)
        log = cluster.state / "logs" / "operator.log"
        operator = operators.Operator(kubeconfig, log, settings, clusters.free_port())
        stack.callback(operator.kill)
        yield Stage(cluster, scripted, client, Audit(cluster.audit_log), say, kubeconfig, operator)


def _stop(name: str) -> None:
    kept = clusters.Logs.KEPT if os.environ.get("KEEP_LOGS") else clusters.Logs.DISCARDED
    clusters.stop(name, kept)


def _install(cluster: clusters.Cluster) -> None:
    """Install the kind Rollout and the kinds of route."""
    kubectl = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}"]
    _run([*kubectl, "apply", "--server-side", "-f", str(_ROOT / "crds")])
    # No `kubectl wait`: that ends with an error where the definition has no conditions yet.
    listing = [*kubectl, "get", "rollouts.headgate.dev"]
    if not clusters.wait_until(lambda: subprocess.run(listing, capture_output=True, check=False).returncode == 0, 60):  # noqa: S603 - kubectl of our own cache
        raise clusters.ClusterError("the API server does not serve Rollouts")
    gateways.install(cluster)


def _run(argv: Sequence[str]) -> None:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - kubectl of our own cache
    if ended.returncode:
        raise clusters.ClusterError(f"{argv[2]}: {ended.stderr.strip()}")


@contextlib.contextmanager
def _prometheus(cluster: clusters.Cluster) -> Iterator[str]:
    """Run the scripted Prometheus and give its address."""
    script = cluster.state / "script.json"
    script.write_text(json.dumps([]))
    argv = [sys.executable, "-m", "tests.prometheus", "--script", str(script)]
    environment = {**os.environ, processes.MARK: layout.of(cluster.name).mark_of("scripted-prometheus")}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment, cwd=_ROOT) as process:  # noqa: S603 - a module of ours
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
