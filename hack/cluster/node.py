"""A real node: containerd, the kubelet and kube-proxy.

Owns which processes these are and what they are told. They run in the network
namespace with all else; containerd and the kubelet, which mount, also in the
node's mount namespace, where their usual paths are folders of this cluster.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from hack.cluster import (
    addresses,
    cgroups,
    control_plane,
    files,
    identities,
    images,
    kubectl,
    machine,
    namespaces,
    probes,
)
from hack.cluster.components import Component, Layer, ModuleGroup, Site
from hack.cluster.identities import User

NAME = "node"
CONTAINERD = ModuleGroup(
    name="containerd",
    module="containerd",
    packages={
        command: f"github.com/containerd/containerd/v2/cmd/{command}"
        for command in ("containerd", "containerd-shim-runc-v2", "ctr")
    },
    # The kubelet reads its version, and leaves out what an older one could not do.
    variables={"github.com/containerd/containerd/v2/version.Version": "{version}"},
    versioned_by="github.com/containerd/containerd/v2",
)
KUBERNETES = ModuleGroup(
    name="kubernetes-node",
    module="kubernetes-node",
    packages={command: f"k8s.io/kubernetes/cmd/{command}" for command in ("kubelet", "kube-proxy")},
    variables=control_plane.KUBERNETES.variables,
    versioned_by="k8s.io/kubernetes",
)
USERS = (
    User("kubelet", f"system:node:{NAME}", identities.ADMINISTRATORS),
    User("kube-proxy", "system:kube-proxy"),
)
SOCKET = "/run/containerd/containerd.sock"
KUBELET_HEALTH_PORT, PROXY_HEALTH_PORT, PROXY_METRICS_PORT = 10248, 10256, 10249


def write_files(site: Site) -> None:
    """Write kubeconfigs, configuration and the images that every node has; make the control groups."""
    cgroups.create(site.layout)
    for user in USERS:
        identities.write_kubeconfig(site, user)
    folder = site.layout.configuration
    files.write(folder / "containerd.toml", _toml(_containerd_configuration(site)))
    files.write(folder / "cni" / "10-pods.conflist", json.dumps(_pod_network()))
    files.write(folder / "resolv.conf", "# No names in here: nothing outside can be reached.\n")
    files.write(folder / "kubelet.json", json.dumps(_kubelet_configuration(site)))
    files.write(folder / "kube-proxy.json", json.dumps(_proxy_configuration(site)))
    files.write(folder / "name-service.json", json.dumps(_name_service()))
    images.write(site)


def components(site: Site) -> tuple[Component, ...]:
    """Return the processes of the node."""
    return _containerd(site), _kubelet(site), _proxy(site)


def _containerd(site: Site) -> Component:
    configuration = site.layout.configuration / "containerd.toml"
    argv = site.argv("containerd", "containerd", {"config": configuration})
    environment = {"PATH": machine.path()}
    return Component("containerd", _on_node(site, argv), _containerd_answers(site), environment=environment)


def _containerd_answers(site: Site) -> Callable[[], str | None]:
    argv = _on_node(site, (*site.argv("containerd", "ctr", {"address": SOCKET}), "version"))

    def unready() -> str | None:
        result = subprocess.run(argv, capture_output=True, text=True, check=False)
        return result.stderr.strip() if result.returncode != 0 else None

    return unready


def _containerd_configuration(site: Site) -> dict[str, Any]:
    runc = {
        "runtime_type": "io.containerd.runc.v2",
        "runtime_path": str(site.installation.binary("containerd", "containerd-shim-runc-v2")),
        "options": {"BinaryName": str(machine.program("runc")), "SystemdCgroup": False},
    }
    runtime = {
        # A container may lack the right to make itself less likely to be killed.
        "restrict_oom_score_adj": True,
        "cni": {"bin_dirs": [str(machine.CNI_PLUGINS)], "conf_dir": str(site.layout.configuration / "cni")},
        "containerd": {"default_runtime_name": "runc", "runtimes": {"runc": runc}},
    }
    return {
        "version": 3,
        "grpc": {"address": SOCKET},
        "plugins": {
            "io.containerd.cri.v1.runtime": runtime,
            "io.containerd.cri.v1.images": {"pinned_images": {"sandbox": images.PAUSE}},
        },
    }


def _pod_network() -> dict[str, Any]:
    ranges = [[{"subnet": addresses.POD_RANGE}]]
    address_management = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": namespaces.BRIDGE, "isGateway": True, "hairpinMode": True}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{**bridge, "ipam": address_management}]}


def _kubelet(site: Site) -> Component:
    flags = {
        "config": site.layout.configuration / "kubelet.json",
        "kubeconfig": identities.kubeconfig(site, "kubelet"),
        "hostname-override": NAME,
        "node-ip": addresses.NODE,
    }
    url = f"{site.https('kube-apiserver')}/api/v1/nodes/{NAME}"
    ready = probes.holds(url, identities.authority(site), identities.admin(site), _unready_node)
    return Component(
        "kubelet",
        _on_node(site, site.argv("kubernetes-node", "kubelet", flags)),
        ready,
        # Not after the API server, for which it waits by itself: the images are loaded while that one starts.
        after=("containerd",),
        prepare=lambda: images.load_all(site),
        environment={"PATH": machine.path()},
    )


def _unready_node(node: Mapping[str, Any]) -> str | None:
    if probes.has_condition(node, "Ready"):
        return None
    return next((f"{one['message']}" for one in node["status"].get("conditions", ()) if one["type"] == "Ready"), "new")


def _kubelet_configuration(site: Site) -> dict[str, Any]:
    server, authority = identities.server(site), identities.authority(site)
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": addresses.NODE,
        "healthzBindAddress": addresses.NODE,
        "healthzPort": KUBELET_HEALTH_PORT,
        "tlsCertFile": str(server.certificate),
        "tlsPrivateKeyFile": str(server.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(authority.pair.certificate)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "resolvConf": str(site.layout.configuration / "resolv.conf"),
        # Without one, every pod would get a Warning event.
        "clusterDNS": [addresses.NAME_SERVICE],
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroups.name(site.layout)}",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "failSwapOn": False,
        # A full disk or little memory is this machine's matter: no pod is to be evicted in a test for it.
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "kubeAPIQPS": control_plane.QUERIES_PER_SECOND,
        "kubeAPIBurst": 2 * control_plane.QUERIES_PER_SECOND,
    }


def _proxy(site: Site) -> Component:
    flags = {"config": site.layout.configuration / "kube-proxy.json", "hostname-override": NAME}
    ready = probes.answers(
        f"http://{addresses.NODE}:{PROXY_HEALTH_PORT}/healthz", identities.authority(site), identities.admin(site)
    )
    argv = site.argv("kubernetes-node", "kube-proxy", flags)
    environment = {"PATH": machine.path()}
    objects = site.layout.configuration / "name-service.json"
    return Component(
        "kube-proxy",
        argv,
        ready,
        # Its first look is for its own node.
        after=("kube-apiserver", "kubelet"),
        prepare=lambda: kubectl.apply(site, objects),
        environment=environment,
    )


def _name_service() -> dict[str, Any]:
    """Return a Service behind which nobody stands: it is refused at once, where an unused address would time out."""
    ports = [{"name": protocol.lower(), "port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")]
    metadata = {"name": "kube-dns", "namespace": "kube-system"}
    spec = {"clusterIP": addresses.NAME_SERVICE, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _proxy_configuration(site: Site) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(identities.kubeconfig(site, "kube-proxy"))},
        "clusterCIDR": addresses.POD_RANGE,
        "bindAddress": addresses.NODE,
        "healthzBindAddress": f"{addresses.NODE}:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{addresses.NODE}:{PROXY_METRICS_PORT}",
        # The answer of a pod to a pod on the same bridge would go past us, and come from an address never asked.
        "nftables": {"masqueradeAll": True, "minSyncPeriod": "0s"},
        # These belong to the whole machine.
        "conntrack": {"maxPerCore": 0},
    }


def _on_node(site: Site, argv: tuple[str, ...]) -> tuple[str, ...]:
    return (*namespaces.enter_node(site.layout), *argv)


def _toml(content: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """Write tables of strings, numbers, booleans and lists of those: their JSON is TOML too."""
    values = [f"{key} = {json.dumps(value)}" for key, value in content.items() if not isinstance(value, dict)]
    header = [f"[{'.'.join(json.dumps(key) for key in path)}]"] if path else []
    tables = [_toml(value, (*path, key)) for key, value in content.items() if isinstance(value, dict)]
    return "\n".join((*header, *values, *tables))


LAYER = Layer(
    name="node",
    groups=(CONTAINERD, KUBERNETES, *images.PODINFO),
    write_files=write_files,
    components=components,
    remove=cgroups.end,
)
