"""The gateway: the Gateway API's CRDs, and Traefik as their controller.

Owns one GatewayClass and one Gateway, to which routes of any namespace may
attach. Traefik runs beside the node, not on it, and sends straight to pods.
"""

import json
from collections.abc import Mapping
from typing import Any

from hack.cluster import addresses, files, identities, kubectl, probes
from hack.cluster.components import Component, Layer, ModuleGroup, Site, WheelGroup
from hack.cluster.deadlines import wait_until
from hack.cluster.errors import ClusterError
from hack.cluster.identities import User

TRAEFIK = WheelGroup("traefik")
CRD_FOLDER = "config/crd/standard"
CRDS = ModuleGroup(
    name="gateway-api",
    module="gateway-api",
    packages={},
    versioned_by="sigs.k8s.io/gateway-api",
    folders=(CRD_FOLDER,),
)
USER = User("traefik", "traefik", identities.ADMINISTRATORS)
# The entry point's port must be the listener's; the other one answers only for Traefik's health.
PORT, HEALTH_PORT = 8000, 8001
ESTABLISHED_SECONDS = 30.0
URL = f"http://{addresses.NODE}:{PORT}"
CLASS, GATEWAY, NAMESPACE = "traefik", "headgate", "gateway"


def write_files(site: Site) -> None:
    """Write the Gateway and what it needs."""
    identities.write_kubeconfig(site, USER)
    files.write(site.layout.configuration / "gateway.json", json.dumps(objects()))


def objects() -> dict[str, Any]:
    """Return the Gateway, its class and its namespace, as one List."""
    api = "gateway.networking.k8s.io/v1"
    listener = {
        "name": "http",
        "port": PORT,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": "All"}},
    }
    items: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": api,
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
        {
            "apiVersion": api,
            "kind": "Gateway",
            "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
            "spec": {"gatewayClassName": CLASS, "listeners": [listener]},
        },
    ]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def flags(address: str) -> dict[str, str]:
    """Return what Traefik is told, wherever it runs; its ports listen on *address*, "" is every one."""
    return {
        "entrypoints.web.address": f"{address}:{PORT}",
        "entrypoints.health.address": f"{address}:{HEALTH_PORT}",
        "ping": "true",
        "ping.entrypoint": "health",
        "providers.kubernetesgateway": "true",
        "global.checknewversion": "false",
        "global.sendanonymoususage": "false",
        "log.level": "INFO",
        "log.nocolor": "true",
    }


def components(site: Site) -> tuple[Component, ...]:
    """Return Traefik."""
    told = {**flags(addresses.NODE), "providers.kubernetesgateway.statusaddress.ip": addresses.NODE}
    path = f"apis/gateway.networking.k8s.io/v1/namespaces/{NAMESPACE}/gateways/{GATEWAY}"
    url = f"{site.https('kube-apiserver')}/{path}"
    ready = probes.holds(url, identities.authority(site), identities.admin(site), _unready)
    traefik = Component(
        "traefik",
        site.argv("traefik", "traefik", told),
        ready,
        after=("kube-apiserver",),
        prepare=lambda: _apply(site),
        environment={"KUBECONFIG": str(identities.kubeconfig(site, "traefik"))},
    )
    return (traefik,)


def _apply(site: Site) -> None:
    crds = site.installation.folder("gateway-api", CRD_FOLDER)
    kubectl.apply(site, crds)
    if not wait_until(lambda: _established(site), ESTABLISHED_SECONDS):
        raise ClusterError(f"the API server has not established the Gateway API's CRDs in {ESTABLISHED_SECONDS:g} s")
    kubectl.apply(site, site.layout.configuration / "gateway.json")


def _established(site: Site) -> bool:
    # kubectl wait fails at once where a CRD that is a moment old has no conditions at all yet.
    try:
        kubectl.run(site, "wait", "--for=condition=Established", "crd", "--all", "--timeout=5s")
    except ClusterError:
        return False
    return True


def _unready(gateway: Mapping[str, Any]) -> str | None:
    return None if probes.has_condition(gateway, "Programmed") else f"the Gateway {GATEWAY} is not Programmed"


LAYER = Layer(
    name="gateway",
    groups=(TRAEFIK, CRDS),
    write_files=write_files,
    components=components,
    urls={"gateway": URL},
)
