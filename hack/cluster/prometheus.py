"""Prometheus, which measures what is rolled out.

Owns what is scraped, how often, and how samples are labelled.
"""

import json
from collections.abc import Mapping
from typing import Any

from hack.cluster import addresses, files, identities, probes
from hack.cluster.components import Component, Layer, ModuleGroup, Site
from hack.cluster.identities import User

PROMETHEUS = ModuleGroup(
    name="prometheus",
    module="prometheus",
    packages={"prometheus": "github.com/prometheus/prometheus/cmd/prometheus"},
    variables={"github.com/prometheus/common/version.Version": "{version}"},
    versioned_by="github.com/prometheus/prometheus",
    # Of all the ways to find targets only Kubernetes': a third of the size.
    tags=("remove_all_sd", "enable_kubernetes_sd"),
)
USER = User("prometheus", "prometheus", identities.ADMINISTRATORS)
PORT = 9090
URL = f"http://{addresses.NODE}:{PORT}"
SCRAPE_INTERVAL = "2s"
RETENTION = "1d"
ANNOTATION = "__meta_kubernetes_pod_annotation_prometheus_io"
# Label of a sample <- what Kubernetes says of the pod.
LABELS = {
    "namespace": "__meta_kubernetes_namespace",
    "pod": "__meta_kubernetes_pod_name",
    "app": "__meta_kubernetes_pod_label_app",
    "headgate_dev_pod_hash": "__meta_kubernetes_pod_label_headgate_dev_pod_hash",
}


def write_files(site: Site) -> None:
    """Write the configuration."""
    identities.write_kubeconfig(site, USER)
    access = {"kubeconfig_file": str(identities.kubeconfig(site, "prometheus"))}
    files.write(site.layout.configuration / "prometheus.json", json.dumps(configuration(access)))


def configuration(access: Mapping[str, str]) -> dict[str, Any]:
    """Return what is scraped. *access* says how the API server is reached; in a pod that needs no saying."""
    discovery = {"role": "pod", **access}
    job = {"job_name": "pods", "kubernetes_sd_configs": [discovery], "relabel_configs": _relabelling()}
    return {"global": {"scrape_interval": SCRAPE_INTERVAL, "scrape_timeout": SCRAPE_INTERVAL}, "scrape_configs": [job]}


def _relabelling() -> list[dict[str, Any]]:
    port = [f"{ANNOTATION}_port", "__meta_kubernetes_pod_ip"]
    return [
        {"source_labels": [f"{ANNOTATION}_scrape"], "action": "keep", "regex": "true"},
        # Kubernetes offers one target per port of each container; they become one by having one address.
        {"source_labels": port, "regex": r"(\d+);(.+)", "replacement": "$2:$1", "target_label": "__address__"},
        {"source_labels": [f"{ANNOTATION}_path"], "regex": "(.+)", "target_label": "__metrics_path__"},
        *({"source_labels": [source], "target_label": label} for label, source in LABELS.items()),
    ]


def flags(configuration_file: object, samples: object, address: str) -> dict[str, object]:
    """Return what Prometheus is told, wherever it runs; it listens on *address*, "" is every one."""
    return {
        "config.file": configuration_file,
        "storage.tsdb.path": samples,
        "storage.tsdb.retention.time": RETENTION,
        "web.listen-address": f"{address}:{PORT}",
    }


def components(site: Site) -> tuple[Component, ...]:
    """Return Prometheus."""
    configuration_file = site.layout.configuration / "prometheus.json"
    told = flags(configuration_file, site.layout.data / "prometheus" / "samples", addresses.NODE)
    ready = probes.answers(f"{URL}/-/ready", identities.authority(site), identities.admin(site))
    argv = site.argv("prometheus", "prometheus", told)
    return (Component("prometheus", argv, ready, after=("kube-apiserver",)),)


LAYER = Layer(
    name="prometheus",
    groups=(PROMETHEUS,),
    write_files=write_files,
    components=components,
    urls={"prometheus": URL},
)
