"""metrics-server: what pods use, for the HorizontalPodAutoscalers of a cluster with a real node.

Owns what it is told and how the API server finds it. No cluster starts with it: a test that needs it adds it, by
`cluster.extend`, and it goes with the cluster.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

from hack.cluster import addresses, certificates, files, identities, kubectl, probes
from hack.cluster.components import Component, Layer, ModuleGroup, Site
from hack.cluster.identities import User

NAME, NAMESPACE = "metrics-server", "kube-system"
HOST = f"{NAME}.{NAMESPACE}.svc"
MODULE = "sigs.k8s.io/metrics-server"
METRICS_SERVER = ModuleGroup(
    name=NAME,
    module=NAME,
    packages={NAME: f"{MODULE}/cmd/metrics-server"},
    versioned_by=MODULE,
)
GROUP, VERSION = "metrics.k8s.io", "v1beta1"
PORT = 10251
# The shortest that it takes. A value is the use between two looks at a pod, so that a new pod has none for 20 s.
RESOLUTION = "10s"
# It has to be less than that.
ANSWER = "5s"


def write_files(site: Site) -> None:
    """Write its kubeconfig, and what makes the API server ask it."""
    # It reads from the kubelet and the API server, and nobody tests its rights.
    identities.write_kubeconfig(site, User(NAME, NAME, identities.ADMINISTRATORS))
    files.write(site.layout.configuration / f"{NAME}.json", json.dumps(_objects(site)))


def components(site: Site) -> tuple[Component, ...]:
    """Return metrics-server."""
    kubeconfig, serving = identities.kubeconfig(site, NAME), _serving(site)
    flags = {
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": addresses.NODE,
        "secure-port": PORT,
        "tls-cert-file": serving.certificate,
        "tls-private-key-file": serving.key,
        "kubelet-certificate-authority": identities.authority(site).pair.certificate,
        "kubelet-preferred-address-types": "InternalIP",
        "metric-resolution": RESOLUTION,
        "kubelet-request-timeout": ANSWER,
    }
    url = f"{site.https('kube-apiserver')}/apis/apiregistration.k8s.io/v1/apiservices/{VERSION}.{GROUP}"
    ready = probes.holds(url, identities.authority(site), identities.admin(site), _unavailable)
    objects = site.layout.configuration / f"{NAME}.json"
    argv = site.argv(NAME, NAME, flags)
    return (Component(NAME, argv, ready, prepare=lambda: kubectl.apply(site, objects)),)


def _unavailable(service: Mapping[str, Any]) -> str | None:
    if probes.has_condition(service, "Available"):
        return None
    return next(
        (one["message"] for one in service.get("status", {}).get("conditions", ())), f"no {VERSION}.{GROUP} yet"
    )


def _serving(site: Site) -> certificates.Pair:
    return identities.authority(site).server(f"{NAME}-serving", (HOST, addresses.NODE))


def _objects(site: Site) -> dict[str, Any]:
    metadata, port = {"name": NAME, "namespace": NAMESPACE}, {"name": "https", "protocol": "TCP"}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": [{**port, "port": 443, "targetPort": PORT}]},
    }
    # It is no pod, so that no selector finds it.
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [addresses.NODE], "conditions": {"ready": True}}],
        "ports": [{**port, "port": PORT}],
    }
    authority = identities.authority(site).pair.certificate.read_bytes()
    registered = api_service({"name": NAME, "namespace": NAMESPACE, "port": 443})
    registered["spec"]["caBundle"] = base64.b64encode(authority).decode()
    return {"apiVersion": "v1", "kind": "List", "items": [service, endpoints, registered]}


def api_service(service: Mapping[str, Any]) -> dict[str, Any]:
    """Return what makes the API server ask a *service* for what pods use."""
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"{VERSION}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "version": VERSION,
            "service": dict(service),
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }


LAYER = Layer(name="metrics", groups=(METRICS_SERVER,), write_files=write_files, components=components)
