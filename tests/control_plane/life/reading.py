"""Reads objects over HTTP: tests look ten times a second, and a kubectl for each look would be most of their cost."""

import base64
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import requests
import yaml

from tests.cluster import Cluster

Json = dict[str, Any]
Kubectl = Callable[..., str]

_GATEWAYS: Final = "apis/gateway.networking.k8s.io/v1"
ROOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rollouts": "apis/headgate.dev/v1alpha1",
        "deployments": "apis/apps/v1",
        "pods": "api/v1",
        "services": "api/v1",
        "resourcequotas": "api/v1",
        "replicasets": "apis/apps/v1",
        "poddisruptionbudgets": "apis/policy/v1",
        "events": "apis/events.k8s.io/v1",
        "httproutes": _GATEWAYS,
        "grpcroutes": _GATEWAYS,
    }
)
"""Where the API server has each kind."""


def client(cluster: Cluster) -> requests.Session:
    """Return an HTTP client with the administrator's certificate."""
    session, loaded = requests.Session(), yaml.safe_load(cluster.kubeconfig.read_text())
    user, server, files = loaded["users"][0]["user"], loaded["clusters"][0]["cluster"], []
    for name, text in (
        ("client.crt", user["client-certificate-data"]),
        ("client.key", user["client-key-data"]),
        ("authority.crt", server["certificate-authority-data"]),
    ):
        file = Path(cluster.state, f"reading-{name}")
        file.write_bytes(base64.b64decode(text))
        files.append(str(file))
    session.trust_env = False  # a proxy that somebody uses is not for loopback addresses
    session.cert, session.verify = (files[0], files[1]), files[2]
    return session


class HttpReader:
    """Reads as the administrator of a cluster whose API server listens on loopback."""

    def __init__(self, cluster: Cluster) -> None:
        self._server = cluster.server
        self._client = client(cluster)

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the object, which must be there; *kind* is its plural or its singular."""
        return self._read(kind, namespace, f"/{name}")

    def listed(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Return all objects of a kind in a namespace that have the labels of *selector*."""
        found: list[Json] = self._read(kind, namespace, "", labelSelector=selector)["items"]
        return found

    def _read(self, kind: str, namespace: str, path: str, **query: str) -> Json:
        plural = kind.lower().removesuffix("s") + "s"
        url = f"{self._server}/{ROOTS[plural]}/namespaces/{namespace}/{plural}{path}"
        answer = self._client.get(url, params=query, timeout=30)
        assert answer.status_code == HTTPStatus.OK, answer.text
        found: Json = answer.json()
        return found


class KubectlReader:
    """Reads from a cluster to which only its kubectl has a way: one in a network namespace of its own."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the object, which must be there; *kind* is its plural or its singular."""
        found: Json = json.loads(self._kubectl("get", _full(kind), name, "-n", namespace, "-o", "json"))
        return found

    def listed(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Return all objects of a kind in a namespace that have the labels of *selector*."""
        said = self._kubectl("get", _full(kind), "-n", namespace, "-l", selector, "-o", "json")
        found: list[Json] = json.loads(said)["items"]
        return found


def _full(kind: str) -> str:
    """Return what kubectl must be asked for: its "events" are the old ones, without `regarding`."""
    return "events.v1.events.k8s.io" if kind in {"event", "events"} else kind
