"""The administrator's way to the API server, past every proxy, for many threads at once."""

import base64
import dataclasses
from pathlib import Path
from typing import Self

import requests
import yaml

from tests.cluster import Cluster


@dataclasses.dataclass(frozen=True, slots=True)
class Access:
    """Makes sessions: one for each thread, because a session is not for many."""

    server: str
    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def to(cls, cluster: Cluster, folder: Path) -> Self:
        """Take the credentials for *cluster* into *folder*."""
        loaded = yaml.safe_load(cluster.kubeconfig.read_text())
        user, server = loaded["users"][0]["user"], loaded["clusters"][0]["cluster"]
        made = cls(cluster.server, folder / "administrator.crt", folder / "administrator.key", folder / "authority.crt")
        made.certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
        made.key.write_bytes(base64.b64decode(user["client-key-data"]))
        made.authority.write_bytes(base64.b64decode(server["certificate-authority-data"]))
        return made

    def session(self) -> requests.Session:
        """Return a new HTTP client."""
        made = requests.Session()
        made.trust_env = False  # a proxy that somebody uses is not for loopback addresses
        made.cert, made.verify = (str(self.certificate), str(self.key)), str(self.authority)
        return made
