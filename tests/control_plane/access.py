"""The administrator's way to the API server, past every proxy, for many threads at once: tests and benchmarks take it.

Owns the credentials and where each kind is; must not know what is read or written there.
"""

import base64
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

import requests
import yaml

from hack.cluster import Cluster, files

_GATEWAYS: Final = "apis/gateway.networking.k8s.io/v1"
ROOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "rollouts": "apis/headgate.dev/v1alpha1",
        "deployments": "apis/apps/v1",
        "replicasets": "apis/apps/v1",
        "resourcequotas": "api/v1",
        "poddisruptionbudgets": "apis/policy/v1",
        "pods": "api/v1",
        "services": "api/v1",
        "events": "apis/events.k8s.io/v1",
        "namespaces": "api/v1",
        "roles": "apis/rbac.authorization.k8s.io/v1",
        "rolebindings": "apis/rbac.authorization.k8s.io/v1",
        "selfsubjectaccessreviews": "apis/authorization.k8s.io/v1",
        "httproutes": _GATEWAYS,
        "grpcroutes": _GATEWAYS,
    }
)
"""Where the API server has each kind."""


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """Makes sessions: one for each thread, because a session is not for many."""

    server: str
    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def to(cls, cluster: Cluster) -> Self:
        """Take the credentials for *cluster*, which lie in files beside it from now on."""
        loaded = yaml.safe_load(cluster.kubeconfig.read_text())
        user, server = loaded["users"][0]["user"], loaded["clusters"][0]["cluster"]
        certificate, key, authority = (
            cluster.state / f"access-{name}" for name in ("client.crt", "client.key", "authority.crt")
        )
        # Whole or not at all: a session of another Access may be reading them.
        files.write(certificate, base64.b64decode(user["client-certificate-data"]))
        files.write(key, base64.b64decode(user["client-key-data"]), mode=0o600)
        files.write(authority, base64.b64decode(server["certificate-authority-data"]))
        return cls(cluster.server, certificate, key, authority)

    def session(self) -> requests.Session:
        """Return a new HTTP client."""
        made = requests.Session()
        made.trust_env = False  # a proxy that somebody uses is not for loopback addresses
        made.cert, made.verify = (str(self.certificate), str(self.key)), str(self.authority)
        return made

    def url(self, kind: str, namespace: str = "", name: str = "") -> str:
        """Return where the objects of *kind*, by its plural, are: all, those of a namespace, or one of them."""
        inside = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.server}/{ROOTS[kind]}{inside}/{kind}" + (f"/{name}" if name else "")
