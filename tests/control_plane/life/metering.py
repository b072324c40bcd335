"""What pods use, as a script says: metrics.k8s.io, served to the real controller of HorizontalPodAutoscalers.

Owns the server, and how the API server of the cluster finds it. CPU is shared among the ready pods, as demand is;
memory is what each pod needs. Must not know what follows from it.
"""

import contextlib
import dataclasses
import datetime
import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hack.cluster import Cluster, certificates, metrics, wait_until
from tests.control_plane.life.reading import HttpReader

Json = dict[str, Any]

NAME = "scripted-metrics"
_ROOT = f"/apis/{metrics.GROUP}/{metrics.VERSION}"
REQUEST_MILLICPU, REQUEST_MEBIBYTES = 100, 100
"""What each container of `template` asks for: with it, numbers are percentages."""


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """What the pods of a namespace use."""

    millicpu: int = 0
    """All of them together."""
    mebibytes: int = 0
    """Each of them."""


class Meter:
    """Tells what pods use."""

    def __init__(self, cluster: Cluster) -> None:
        self._reader = HttpReader(cluster)
        self._lock = threading.Lock()
        self._uses: dict[str, Use] = {}

    def say(self, namespace: str, **use: int) -> None:
        """Let the pods of *namespace* use so much from now on."""
        with self._lock:
            self._uses[namespace] = Use(**use)

    def answer(self, path: str) -> Json | None:
        """Return what is at a path of the API; None for nothing."""
        place, _, _ = path.partition("?")
        parts = place.removeprefix(_ROOT).strip("/").split("/")
        if not place.startswith(_ROOT):
            return None
        if len(parts) == 3 and parts[::2] == ["namespaces", "pods"]:
            return {**_KIND, "kind": "PodMetricsList", "metadata": {}, "items": self._pods(parts[1])}
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{metrics.GROUP}/{metrics.VERSION}",
            "resources": [
                {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
            ],
        }

    def _pods(self, namespace: str) -> list[Json]:
        with self._lock:
            use = self._uses.get(namespace, Use())
            pods = self._reader.listed("pods", namespace)
        ready = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and _ready(pod)]
        return [_measured(pod, use, len(ready)) for pod in ready]


_KIND = {"apiVersion": f"{metrics.GROUP}/{metrics.VERSION}"}


def _ready(pod: Json) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _measured(pod: Json, use: Use, ready: int) -> Json:
    named = {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels", "creationTimestamp")}
    amounts = {"cpu": f"{use.millicpu * 1_000_000 // ready}n", "memory": f"{use.mebibytes}Mi"}
    return {
        **_KIND,
        "kind": "PodMetrics",
        "metadata": named,
        "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "window": "0s",
        "containers": [{"name": one["name"], "usage": amounts} for one in pod["spec"]["containers"]],
    }


@contextlib.contextmanager
def metered(cluster: Cluster) -> Iterator[Meter]:
    """Let the API server of *cluster*, which listens on loopback, ask a meter in this process."""
    meter = Meter(cluster)
    with _served(meter, cluster.state) as port:
        # A loopback address can stand behind a Service by name alone.
        spec = {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]}
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME, "namespace": "default"},
            "spec": spec,
        }
        registered = metrics.api_service({"name": NAME, "namespace": "default", "port": port})
        registered["spec"]["insecureSkipTLSVerify"] = True
        _kubectl(cluster, "apply", "-f", "-", things=[service, registered])
        waiting = ("wait", "--for=condition=Available", "--timeout=5s", "apiservice", registered["metadata"]["name"])
        try:
            assert wait_until(lambda: _kubectl(cluster, *waiting) == 0, deadline_seconds=60)
            yield meter
        finally:
            # While nobody answered there, no namespace could be deleted.
            _kubectl(cluster, "delete", "-f", "-", things=[registered, service])


def _kubectl(cluster: Cluster, *arguments: str, things: list[Json] | None = None) -> int:
    command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": things}) if things else None
    return subprocess.run(command, input=text, text=True, capture_output=True, check=False).returncode


@contextlib.contextmanager
def _served(meter: Meter, folder: Path) -> Iterator[int]:
    """Serve *meter* on a port of the loopback address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = meter.answer(self.path)
            body = json.dumps(found or {}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    pair = certificates.authority(folder / "metering", "metering").server(NAME, ("localhost",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server = http.server.ThreadingHTTPServer(("localhost", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def autoscaler(name: str = "web", kind: str = "Rollout", target: str = "web", **more: Any) -> Json:
    """Return a HorizontalPodAutoscaler of 60 percent of CPU, of 2 to 20 pods, that scales down without waiting."""
    api = "headgate.dev/v1alpha1" if kind == "Rollout" else "apps/v1"
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": {"apiVersion": api, "kind": kind, "name": target},
            "minReplicas": 2,
            "maxReplicas": 20,
            "metrics": [share("cpu")],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
            **more,
        },
    }


def share(resource: str, percent: int = 60) -> Json:
    """Return a target of so much of what pods ask for."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def measured(version: str) -> Json:
    """Return a pod template that asks for CPU and memory, as an autoscaler needs it."""
    amounts = {"cpu": f"{REQUEST_MILLICPU}m", "memory": f"{REQUEST_MEBIBYTES}Mi"}
    container = {"name": "app", "image": f"registry.example/web:{version}", "resources": {"requests": amounts}}
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
