"""Who the components of a cluster are to each other.

Owns the names of their certificates and kubeconfigs; how a certificate is made
lies in certificates.py.
"""

import dataclasses
from pathlib import Path

from hack.cluster import addresses, certificates
from hack.cluster.components import LOOPBACK, Site

SERVER_NAMES = (
    LOOPBACK,
    "localhost",
    addresses.API_SERVICE,
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
ADMINISTRATORS = "system:masters"


@dataclasses.dataclass(frozen=True)
class User:
    """A component as the API server knows it: what it writes can be told apart in the audit log."""

    # The component's name, and that of its files.
    component: str
    name: str
    group: str = ""


def authority(site: Site) -> certificates.Authority:
    """Return the cluster's certificate authority."""
    return certificates.authority(site.layout.certificates, site.layout.name)


def server(site: Site) -> certificates.Pair:
    """Return the serving certificate that all components share."""
    return authority(site).server("server", tuple(dict.fromkeys((*SERVER_NAMES, site.address))))


def admin(site: Site) -> certificates.Pair:
    """Return the administrator's certificate."""
    return authority(site).client("admin", "kubernetes-admin", ADMINISTRATORS)


def kubeconfig(site: Site, component: str) -> Path:
    """Return where the kubeconfig of *component* lies."""
    return site.layout.configuration / f"{component}.kubeconfig"


def write_kubeconfig(site: Site, user: User) -> None:
    """Write the kubeconfig of *user*."""
    signed = authority(site)
    client = signed.client(user.component, user.name, user.group)
    path = kubeconfig(site, user.component)
    certificates.write_kubeconfig(path, site.https("kube-apiserver"), signed, client)
