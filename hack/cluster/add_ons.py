"""Traefik and Prometheus as pods: what a cluster of kind has beside Kubernetes itself.

Owns their objects, with public images of the versions that the real node runs. What the two are told lies in gateway.py
and prometheus.py. Must not know how objects get into a cluster.
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from hack.cluster import binaries, gateway, prometheus
from hack.cluster.errors import ClusterError

Json = dict[str, Any]

MONITORING = "monitoring"
# By which every node answers, and which kind-config.yaml publishes on 127.0.0.1.
GATEWAY_NODE_PORT, PROMETHEUS_NODE_PORT = 30080, 30090
# Prometheus 3.15.0 is released as the module v0.315.0.
MODULE_OF_PROMETHEUS = re.compile(r"v0\.(\d)(\d\d)\.(\d+)")
# Neither needs to be anybody: "nobody", so that no image runs as root.
USER_ID = 65534
CONFIGURATION_FOLDER, SAMPLES_FOLDER = "/etc/headgate", "/prometheus"
READ = ("get", "list", "watch")


@dataclasses.dataclass(frozen=True)
class AddOn:
    """One pod, the Service before it, and what its service account may do."""

    name: str
    namespace: str
    image: str
    flags: Mapping[str, object]
    rules: Sequence[Json]
    port: int
    node_port: int
    health_port: int
    health_path: str
    # Folder -> the volume that is mounted there.
    volumes: Mapping[str, Json] = dataclasses.field(default_factory=dict)


def images() -> tuple[str, str]:
    """Return the images of Traefik and Prometheus, of the versions that build/ pins."""
    pinned = binaries.version(prometheus.PROMETHEUS)
    parts = MODULE_OF_PROMETHEUS.fullmatch(pinned)
    if parts is None:
        raise ClusterError(f"no release of Prometheus is known for its module {pinned}: mend {__name__}")
    major, minor, patch = map(int, parts.groups())
    return f"traefik:v{binaries.wheel_version(gateway.TRAEFIK)}", f"prom/prometheus:v{major}.{minor}.{patch}"


def objects() -> Json:
    """Return all objects as one List, but for the Gateway API's CRDs, which must be there before."""
    content = {"prometheus.json": json.dumps(prometheus.configuration({}))}
    items = [
        *gateway.objects()["items"],
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MONITORING}},
        {**_head("v1", "ConfigMap", "prometheus", MONITORING), "data": content},
        *(part for add_on in _add_ons() for part in (*_account(add_on), _deployment(add_on), _service(add_on))),
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _add_ons() -> tuple[AddOn, AddOn]:
    traefik_image, prometheus_image = images()
    routing = "gateway.networking.k8s.io"
    watched = ["configmaps", "namespaces", "secrets", "services"]
    traefik = AddOn(
        name="traefik",
        namespace=gateway.NAMESPACE,
        image=traefik_image,
        flags=gateway.flags(""),
        rules=(
            _rule("", watched, READ),
            _rule("discovery.k8s.io", ["endpointslices"], READ),
            _rule(routing, ["*"], READ),
            _rule(routing, ["*/status"], ["update"]),
        ),
        port=gateway.PORT,
        node_port=GATEWAY_NODE_PORT,
        health_port=gateway.HEALTH_PORT,
        health_path="/ping",
    )
    measuring = AddOn(
        name="prometheus",
        namespace=MONITORING,
        image=prometheus_image,
        flags=prometheus.flags(f"{CONFIGURATION_FOLDER}/prometheus.json", SAMPLES_FOLDER, ""),
        rules=(_rule("", ["pods"], READ),),
        port=prometheus.PORT,
        node_port=PROMETHEUS_NODE_PORT,
        health_port=prometheus.PORT,
        health_path="/-/ready",
        volumes={CONFIGURATION_FOLDER: {"configMap": {"name": "prometheus"}}, SAMPLES_FOLDER: {"emptyDir": {}}},
    )
    return traefik, measuring


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Json:
    return {"apiGroups": [group], "resources": [*resources], "verbs": [*verbs]}


def _head(version: str, kind: str, name: str, namespace: str = "") -> Json:
    where = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **where}}


def _account(add_on: AddOn) -> tuple[Json, Json, Json]:
    api = "rbac.authorization.k8s.io"
    role = f"headgate-{add_on.name}"
    subject = {"kind": "ServiceAccount", "name": add_on.name, "namespace": add_on.namespace}
    reference = {"apiGroup": api, "kind": "ClusterRole", "name": role}
    return (
        _head("v1", "ServiceAccount", add_on.name, add_on.namespace),
        {**_head(f"{api}/v1", "ClusterRole", role), "rules": [*add_on.rules]},
        {**_head(f"{api}/v1", "ClusterRoleBinding", role), "roleRef": reference, "subjects": [subject]},
    )


def _deployment(add_on: AddOn) -> Json:
    volumes = {f"volume-{number}": volume for number, volume in enumerate(add_on.volumes.values())}
    container = {
        "name": add_on.name,
        "image": add_on.image,
        "args": [f"--{flag}={value}" for flag, value in add_on.flags.items()],
        "readinessProbe": {
            "httpGet": {"path": add_on.health_path, "port": add_on.health_port},
            "periodSeconds": 1,
        },
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in zip(volumes, add_on.volumes, strict=True)],
    }
    spec = {
        "serviceAccountName": add_on.name,
        "securityContext": {"runAsUser": USER_ID, "runAsNonRoot": True},
        "containers": [container],
        "volumes": [{"name": name, **volume} for name, volume in volumes.items()],
    }
    labels = {"app": add_on.name}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        **_head("apps/v1", "Deployment", add_on.name, add_on.namespace),
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def _service(add_on: AddOn) -> Json:
    port = {"port": add_on.port, "nodePort": add_on.node_port}
    spec = {"type": "NodePort", "selector": {"app": add_on.name}, "ports": [port]}
    return {**_head("v1", "Service", add_on.name, add_on.namespace), "spec": spec}
