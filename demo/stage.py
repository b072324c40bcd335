"""The stage: a fresh cluster of one real node, the operator as its own process, and users.

Owns what is started and that it is all taken away again. Must not know the story.
"""

import contextlib
import fcntl
import http
import json
import os
import signal
import subprocess
import types
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Self

from hack import cluster as clusters
from hack.cluster import layout, probes, processes
from headgate.cli.status.facts import Objects
from tests.control_plane.life.operators import Operator, kubeconfig_of_operator
from tests.e2e import podinfo
from tests.e2e.load import Load

Json = dict[str, Any]

CLUSTER: Final = "demo"
NAMESPACE: Final = "demo"
RATE_PER_SECOND: Final = 60
LOAD_SECONDS: Final = 600
"""The users go after this, whatever becomes of the demo."""
SCRAPE_SECONDS: Final = 2
_ANSWER_SECONDS = 30.0
_KUBECTL_SECONDS = 60.0
_ESTABLISHED_SECONDS: Final = 30.0
_ROOT = Path(__file__).resolve().parent.parent
_SEEN = "rollouts.headgate.dev,deployments.apps,events.events.k8s.io"


@contextlib.contextmanager
def reserved() -> Iterator[str]:
    """Have the stage to oneself; give in one line why that cannot be, "" if it can."""
    state = layout.of(CLUSTER).state
    state.parent.mkdir(parents=True, exist_ok=True)
    with state.with_name(f".{CLUSTER}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield "it is running already, and has its cluster to itself"
            return
        if _mark_of_keeping().exists():
            yield f"its cluster was kept by an earlier run: 'make cluster-down NAME={CLUSTER}' removes it"
        else:
            yield ""


def _mark_of_keeping() -> Path:
    return layout.of(CLUSTER).state / "kept"


class Stage:
    """A cluster with podinfo's Service and route, an operator and users. Leaves nothing, unless it is to be kept.

    Entering it starts the cluster and the operator, and has this thread in the cluster's network.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._inside = contextlib.ExitStack()
        self.keep = False
        """Whether cluster and operator stay."""
        self.failed = False
        """Whether the logs stay."""
        self.cluster: clusters.Cluster
        self.operator: Operator | None = None
        self.load: Load | None = None

    def __enter__(self) -> Self:
        """Start all but the users."""
        clusters.stop(CLUSTER)
        try:
            self.cluster = clusters.start(CLUSTER, "node", self._say)
            # All that follows talks to the cluster alone, where no proxy of the environment leads.
            for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
                del os.environ[name]
            self._inside.enter_context(clusters.entered(self.cluster))
            self._install()
            self._start_operator()
        except BaseException as error:
            self.failed = not isinstance(error, KeyboardInterrupt)
            self._clear()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: types.TracebackType | None) -> None:
        """Take all away that is not to be kept."""
        self.failed = self.failed or (kind is not None and not issubclass(kind, KeyboardInterrupt))
        self._clear()

    @property
    def logs(self) -> Path:
        """Where the logs of all components and of the operator lie."""
        return self.cluster.state / "logs"

    def apply(self, content: Json) -> None:
        """Apply one object."""
        self.kubectl("apply", "--server-side", "-f", "-", content=json.dumps(content))

    def kubectl(self, *arguments: str, content: str | None = None) -> str:
        """Return what kubectl prints."""
        argv = [str(self.cluster.kubectl), f"--kubeconfig={self.cluster.kubeconfig}", *arguments]
        try:
            result = subprocess.run(  # noqa: S603 - kubectl of our own cache, told by us
                argv, input=content, capture_output=True, text=True, check=False, timeout=_KUBECTL_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise clusters.ClusterError(f"'kubectl {arguments[0]}' has not ended in {_KUBECTL_SECONDS:.0f} s") from None
        if result.returncode != 0:
            raise clusters.ClusterError(f"'kubectl {arguments[0]}' failed: {result.stderr.strip()}")
        return result.stdout

    def objects(self) -> Objects | None:
        """Return what `headgate status` shows of the Rollout; None before there is one."""
        code = self.operator.process.poll() if self.operator and self.operator.process else None
        if code is not None:
            raise clusters.ClusterError(f"the operator has ended by itself, with exit code {code}")
        found: dict[str, list[Json]] = {"Rollout": [], "Deployment": [], "Event": []}
        for item in json.loads(self.kubectl("get", _SEEN, "-n", NAMESPACE, "-o", "json"))["items"]:
            found[item["kind"]].append(item)
        return Objects(found["Rollout"][0], found["Deployment"], found["Event"]) if found["Rollout"] else None

    def let_users_in(self) -> None:
        """Wait until podinfo answers through the gateway, and start a steady load on it."""
        if not clusters.wait_until(self._answers, _ANSWER_SECONDS):
            raise clusters.ClusterError(f"podinfo has not answered through the gateway in {_ANSWER_SECONDS:.0f} s")
        self.load = Load(
            self.cluster,
            podinfo.url(self.cluster),
            podinfo.version_of,
            RATE_PER_SECOND,
            duration_seconds=LOAD_SECONDS,
        )
        self.load.start()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(podinfo.url(self.cluster), timeout=2) as answer:  # noqa: S310 - always http
                return bool(answer.status == http.HTTPStatus.OK)
        except OSError:
            return False

    def _install(self) -> None:
        self._say("installing the Rollout's definition, podinfo's Service and its route")
        self.kubectl("apply", "--server-side", "-f", str(_ROOT / "crds"))
        # Not by kubectl wait: it fails where a definition a moment old has no conditions at all yet.
        if not clusters.wait_until(self._established, _ESTABLISHED_SECONDS):
            raise clusters.ClusterError("the API server has not established the Rollout's definition in 30 s")
        self.kubectl("create", "namespace", NAMESPACE)
        self.apply(podinfo.service(NAMESPACE))
        self.apply(podinfo.route(NAMESPACE))

    def _established(self) -> bool:
        found = json.loads(self.kubectl("get", "crd", "rollouts.headgate.dev", "--output=json"))
        return probes.has_condition(found, "Established")

    def _start_operator(self) -> None:
        self._say("starting the operator, as a process with a service account's rights")
        settings = {
            "HEADGATE_PROMETHEUS_ADDRESS": str(self.cluster.prometheus),
            "HEADGATE_SCRAPE_INTERVAL_SECONDS": str(SCRAPE_SECONDS),
            # Taking the cluster down ends it, should we be killed, and when the cluster is kept.
            processes.MARK: layout.of(CLUSTER).mark_of("operator"),
        }
        kubeconfig = kubeconfig_of_operator(self.cluster, self.cluster.state)
        self.operator = Operator(kubeconfig, self.logs / "operator.log", settings, clusters.free_port())
        self.operator.start()

    def _clear(self) -> None:
        """End users, operator and cluster, whatever of them there is, and let nobody interrupt that."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if self.load is not None:
            self.load.stop()
        if self.keep and not self.failed:
            self._inside.close()
            _mark_of_keeping().touch()
            return
        self._say("taking the operator and the cluster down")
        if self.operator is not None:
            self.operator.stop()
        self._inside.close()
        clusters.stop(CLUSTER, clusters.Logs.KEPT if self.failed else clusters.Logs.DISCARDED)
