"""A stage for one rollout: a namespace, operators behind proxies of their own, and a scripted Prometheus.

Owns who is on it and what they are told; what is played there lies in plays.py.
"""

import contextlib
import dataclasses
import json
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hack.cluster import Cluster, free_port, wait_until
from tests.control_plane.access import Access
from tests.control_plane.hazards.recorder import Recorder
from tests.control_plane.life import gateways, rollouts, shops
from tests.control_plane.life.operators import Operator, kubeconfig_of_operator
from tests.control_plane.proxy import Proxy
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

Json = dict[str, Any]

GOOD, BAD = 0.01, 0.9
REPLICAS = 4
WEIGHTS = (25, 50, 100)
STEPS: Json = {"steps": [{"setWeight": weight} for weight in WEIGHTS[:-1]]}
HELD: Json = {"steps": [*STEPS["steps"], {"pause": {}}]}
"""They end with a pause: who makes the version bad may be slower than the last step."""


@dataclasses.dataclass(frozen=True, slots=True)
class House:
    """What all stages share."""

    cluster: Cluster
    access: Access
    recorder: Recorder
    kubeconfig: Path
    """The operator's own, with the rights of its service account."""
    folder: Path


@contextlib.contextmanager
def opened(cluster: Cluster, folder: Path) -> Iterator[House]:
    """Open the house: the Gateway API and its controller, the operator's rights, and the recorder."""
    gateways.install(cluster)
    kept = Path(os.environ.get("HEADGATE_TEST_LOGS") or folder)
    access = Access.to(cluster)
    with gateways.Gateways(cluster), Recorder(access) as recorder:
        yield House(cluster, access, recorder, kubeconfig_of_operator(cluster, folder), kept)


@dataclasses.dataclass
class Actor:
    """One operator behind a proxy of its own."""

    proxy: Proxy
    operator: Operator

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.operator.process is not None
        return self.operator.process.pid

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.operator.process is not None and self.operator.process.poll() is None

    @property
    def resident_mebibytes(self) -> float:
        """How much memory it holds now."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024

    def start_again(self) -> None:
        """Start it anew after it was killed."""
        assert self.operator.process is not None
        self.operator.process.wait(10)
        self.operator.start()


@dataclasses.dataclass
class Stage:
    """One namespace with one Rollout called web."""

    house: House
    namespace: str
    actors: list[Actor]
    prometheus: ScriptedPrometheus

    @property
    def rollout(self) -> Json:
        """The Rollout as last heard of."""
        return self.house.recorder.get(self.namespace, "rollouts", "web")

    @property
    def status(self) -> Json:
        """The Rollout's status as last heard of."""
        found: Json = self.rollout.get("status", {})
        return found

    def measure(self, value: float) -> None:
        """Let Prometheus say *value* from now on, of the past too."""
        self.prometheus.script(constant(value))

    def apply(self, kind: str, *wanted: Json) -> None:
        """Apply *wanted* as a user, past every proxy."""
        session = self.house.access.session()
        for one in wanted:
            said = session.patch(
                self.house.access.url(kind, self.namespace, one["metadata"]["name"]),
                params={"fieldManager": "test", "force": "true"},
                data=json.dumps(one),
                headers={"Content-Type": "application/apply-patch+yaml"},
                timeout=30,
            )
            assert said.ok, said.text

    def wait(self, condition: Callable[[], bool], what: str, deadline_seconds: float = 90) -> None:
        """Wait until *condition* holds; fail with the status if it does not in time."""
        if not wait_until(condition, deadline_seconds):
            message = f"{self.namespace}: {what}: not in {deadline_seconds} s; {json.dumps(self.rollout, indent=1)}"
            raise AssertionError(message)

    def ship(self, version: str, *, routed: bool, held: bool = False, **spec: Any) -> None:
        """Apply the Rollout with this version of the template; one that is *held* is not promoted by itself."""
        metric = rollouts.metric(self.namespace, passesToAdvance=1)
        steps = HELD if held else STEPS
        strategy: Json = {"canary": steps}
        more: Json = {"analysis": {"metrics": [metric]}}
        if routed:
            strategy = {"canary": {**steps, "scaleDownDelay": "0s"}}
            more["traffic"] = shops.traffic()
        self.apply("rollouts", rollouts.manifest(self.namespace, version, **{**more, "strategy": strategy, **spec}))

    def open(self, *, routed: bool) -> None:
        """Bring the first version to rest, behind a route if *routed*."""
        if routed:
            self.apply("services", shops.service())
            self.apply("httproutes", shops.route())
        self.ship("v1", routed=routed)
        self.wait(self.at_rest, "the first version at rest")

    def at_rest(self) -> bool:
        """Return whether the Rollout serves one version and nothing is left to be done."""
        found, status = self.rollout, self.status
        if not found or found["metadata"]["generation"] != status.get("observedGeneration"):
            return False
        over = status.get("phase") in ("Healthy", "RolledBack") and status.get("ready") == f"{REPLICAS}/{REPLICAS}"
        left = {"canary", "previous"} & set(status) or "finalizers" in found["metadata"]
        deployments = self.house.recorder.now(self.namespace, "deployments").values()
        sizes = [one["spec"]["replicas"] for one in deployments]
        return bool(over and not left and sum(sizes) == REPLICAS and self._led_home())

    def _led_home(self) -> bool:
        """Return whether the route, if there is one, leads to the stable Service alone."""
        route = self.house.recorder.get(self.namespace, "httproutes", "web")
        if not route:
            return True
        services = self.house.recorder.now(self.namespace, "services").values()
        selected = {one["spec"]["selector"].get("headgate.dev/pod-hash") for one in services}
        weights = {one["name"]: one.get("weight", 1) for one in route["spec"]["rules"][0]["backendRefs"]}
        return selected == {self.status["stable"]["hash"]} and len(services) == 2 and not weights.get("web-canary")


@contextlib.contextmanager
def staged(house: House, operators: int = 1, **settings: str) -> Iterator[Stage]:
    """Set a stage with running operators; what they say is kept in the house's folder."""
    namespace = f"hazard-{uuid.uuid4().hex[:8]}"
    namespaces = f"{house.cluster.server}/api/v1/namespaces"
    assert house.access.session().post(namespaces, json={"metadata": {"name": namespace}}, timeout=30).ok
    with contextlib.ExitStack() as stack:
        # With a new connection: the server closes one that was idle for as long as a play takes.
        stack.callback(lambda: house.access.session().delete(f"{namespaces}/{namespace}", timeout=30))
        prometheus = stack.enter_context(ScriptedPrometheus(constant(GOOD)))
        stage = Stage(house, namespace, [], prometheus)
        for number in range(operators):
            proxy = stack.enter_context(Proxy(house.cluster))
            name = f"{namespace}-{number}"
            made = Operator(
                proxy.kubeconfig(house.kubeconfig, house.folder / f"{name}.kubeconfig"),
                house.folder / f"{name}.log",
                {
                    "HEADGATE_NAMESPACES": namespace,
                    "HEADGATE_PROMETHEUS_ADDRESS": prometheus.address,
                    "HEADGATE_SCRAPE_INTERVAL_SECONDS": "0",
                    "HEADGATE_LOG_LEVEL": "debug",
                    **settings,
                },
                free_port(),
            )
            stack.callback(made.kill)
            made.start()
            stage.actors.append(Actor(proxy, made))
        yield stage
