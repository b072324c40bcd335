"""The Gateway API's routes, and a controller that answers for them as a test says: at once, never, or with a refusal.

Owns the answers in a route's status; moves no traffic.
"""

import contextlib
import dataclasses
import enum
import json
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Self

import requests

from hack.cluster import Cluster, binaries, gateway, wait_until
from headgate.core.traffic.routers.gateway_api import mirrors
from tests.control_plane.access import Access

Json = dict[str, Any]

KINDS = ("httproutes", "grpcroutes")
GATEWAYS = ("gatewayclasses", "gateways")
CONTROLLER = "gateways.headgate.test/controller"
CLASSES = {"mirroring": ("HTTPRoute", mirrors.FEATURE), "plain": ("HTTPRoute", "HTTPRouteRequestMirror")}
"""By name, what a class says that it supports."""
PLACES = {("eg", "public"): "mirroring", ("eg", "plain"): "plain", ("gateway", "public"): "mirroring"}
"""The Gateways by namespace and name, each of a class."""


class Answer(enum.Enum):
    """What the controller says of the routes of a namespace."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
    SILENT = "Silent"


def install(cluster: Cluster) -> None:
    """Install the kinds of the Gateway API and some Gateways, and return once the API server serves them."""
    folder = binaries.install((gateway.CRDS,), print).folder("gateway-api", gateway.CRD_FOLDER)
    kubectl = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}"]
    kinds = (*KINDS, *GATEWAYS)
    for kind in kinds:
        file = folder / f"gateway.networking.k8s.io_{kind}.yaml"
        subprocess.run([*kubectl, "apply", "--server-side", "-f", str(file)], check=True, capture_output=True)
    names = [f"crd/{kind}.gateway.networking.k8s.io" for kind in kinds]
    waiting = [*kubectl, "wait", "--for=condition=Established", "--timeout=60s", *names]
    subprocess.run(waiting, check=True, capture_output=True)

    def served() -> bool:
        listed = [subprocess.run([*kubectl, "get", kind], check=False, capture_output=True) for kind in kinds]
        return not any(one.returncode for one in listed)

    assert wait_until(served, deadline_seconds=30)
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*_gateways()]})
    applied = [*kubectl, "apply", "--server-side", "-f", "-"]
    subprocess.run(applied, input=listed, text=True, check=True, capture_output=True)
    for name, features in CLASSES.items():
        said = json.dumps({"status": {"supportedFeatures": [{"name": feature} for feature in features]}})
        patch = [*kubectl, "patch", "gatewayclass", name, "--subresource=status", "--type=merge", "-p", said]
        subprocess.run(patch, check=True, capture_output=True)


def _gateways() -> Iterator[Json]:
    group = "gateway.networking.k8s.io/v1"
    for name in CLASSES:
        spec = {"controllerName": CONTROLLER}
        yield {"apiVersion": group, "kind": "GatewayClass", "metadata": {"name": name}, "spec": spec}
    for namespace in dict.fromkeys(namespace for namespace, _ in PLACES):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    for (namespace, name), of_class in PLACES.items():
        metadata = {"name": name, "namespace": namespace}
        listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
        served = {"gatewayClassName": of_class, "listeners": listeners}
        yield {"apiVersion": group, "kind": "Gateway", "metadata": metadata, "spec": served}


@dataclasses.dataclass
class Gateways:
    """One controller for all routes. By default it accepts them at once."""

    cluster: Cluster
    answers: dict[str, Answer] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._access = Access.to(self.cluster)
        self._client = self._access.session()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(kind,), daemon=True) for kind in KINDS]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return all(thread.is_alive() for thread in self._threads)

    def answer(self, namespace: str, answer: Answer) -> None:
        """Answer so from now on in *namespace*, for the routes that are there too."""
        self.answers[namespace] = answer
        for kind in KINDS:
            found = self._client.get(self._access.url(kind, namespace), timeout=30)
            for route in found.json()["items"]:
                self._say(kind, route)

    @contextlib.contextmanager
    def storm(self, namespace: str, name: str) -> Iterator["Storm"]:
        """Annotate an HTTPRoute again and again, as fast as the API server takes it."""
        storm = Storm(self._access.session(), self._access.url("httproutes", namespace, name))
        storm.start()
        try:
            yield storm
        finally:
            storm.ended.set()
            storm.join()

    def _follow(self, kind: str) -> None:
        """Watch all routes of a kind until the end."""
        while not self._ended.is_set():
            try:
                query = {"watch": "true", "timeoutSeconds": "300"}
                url = self._access.url(kind)
                with self._access.session().get(url, params=query, stream=True, timeout=(5, 310)) as stream:
                    for line in stream.iter_lines():
                        event = json.loads(line)
                        if event["type"] in ("ADDED", "MODIFIED"):
                            self._say(kind, event["object"])
            except (OSError, requests.RequestException):
                self._ended.wait(0.5)  # the API server is away, as some tests want it

    def _say(self, kind: str, route: Json) -> None:
        metadata = route["metadata"]
        answer = self.answers.get(metadata["namespace"], Answer.ACCEPTED)
        if answer is Answer.SILENT:
            return
        said = [parent(reference, metadata["generation"], answer) for reference in route["spec"].get("parentRefs", [])]
        if stripped(said) == stripped(route.get("status", {}).get("parents", [])):
            return
        with self._lock:
            said_so = self._client.patch(
                self._access.url(kind, metadata["namespace"], metadata["name"]) + "/status",
                data=json.dumps({"status": {"parents": said}}),
                headers={"Content-Type": "application/merge-patch+json"},
                timeout=30,
            )
            assert said_so.ok or said_so.status_code == HTTPStatus.NOT_FOUND, said_so.text


class Storm(threading.Thread):
    """Somebody who writes to an object all the time."""

    def __init__(self, session: requests.Session, url: str) -> None:
        super().__init__(name="storm", daemon=True)
        self.writes = 0
        self.ended = threading.Event()
        self._session, self._url = session, url

    def run(self) -> None:
        """Write until it is over."""
        while not self.ended.is_set():
            annotated = {"metadata": {"annotations": {"storm.example/count": str(self.writes)}}}
            kind = {"Content-Type": "application/merge-patch+json"}
            self._session.patch(self._url, data=json.dumps(annotated), headers=kind, timeout=30).raise_for_status()
            self.writes += 1


def parent(reference: Json, generation: int, answer: Answer) -> Json:
    """Return what a Gateway says of a route of that *generation*."""
    accepted = answer is Answer.ACCEPTED
    verdict = {
        "type": "Accepted",
        "status": "True" if accepted else "False",
        "reason": "Accepted" if accepted else "NotAllowedByListeners",
        "message": "" if accepted else "no listener allows it",
    }
    resolved = {"type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs", "message": ""}
    common = {"observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    conditions = [{**condition, **common} for condition in (verdict, resolved)]
    return {"parentRef": reference, "controllerName": CONTROLLER, "conditions": conditions}


def stripped(parents: list[Json]) -> list[Json]:
    """Return *parents* without what the API server adds to their references."""
    return [{"name": one["parentRef"]["name"], "conditions": one["conditions"]} for one in parents]
