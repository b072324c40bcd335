"""The control plane: etcd, the API server, its controllers, and fake nodes.

Owns which processes these are and what they are told. Needs no root, listens
on 127.0.0.1 alone, and is fit for tests only: etcd never waits for the disk.
"""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import certificates, files, kwok, probes, processes
from tests.cluster.components import Component, Layer, ModuleGroup, Site
from tests.cluster.errors import ClusterError

VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
KUBERNETES = ModuleGroup(
    name="kubernetes",
    module="kubernetes",
    packages={
        command: f"k8s.io/kubernetes/cmd/{command}"
        for command in ("kubectl", "kube-scheduler", "kube-controller-manager", "kube-apiserver")
    },
    # Without these the API server calls itself v0.0.0-master, and clients misjudge what it can do.
    variables={
        f"{package}.{name}": value
        for package in VERSION_PACKAGES
        for name, value in (("gitVersion", "{version}"), ("gitMajor", "{major}"), ("gitMinor", "{minor}"))
    },
    versioned_by="k8s.io/kubernetes",
)
ETCD = ModuleGroup(name="etcd", module="etcd", packages={"etcd": "go.etcd.io/etcd/server/v3"})
KWOK = ModuleGroup(
    name="kwok",
    module="kwok",
    packages={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
    versioned_by="sigs.k8s.io/kwok",
    folders=kwok.STAGE_FOLDERS,
)

SERVICE_RANGE = "10.96.0.0/16"
SERVER_NAMES = (
    "127.0.0.1",
    "localhost",
    "10.96.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
# The defaults (20 a second) would be what a test at scale measures.
QUERIES_PER_SECOND = 500
# kwok can stand still in a test, or the API server: fake nodes must not be drained for it.
NODE_GRACE = "10m0s"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
# In MiB. The default is rotation at 100 MiB, which would take writes away from who counts them.
AUDIT_LOG_MEBIBYTES = 100_000

# File name, user and group of each component's own kubeconfig.
USERS = (
    ("kube-controller-manager", "system:kube-controller-manager", ""),
    ("kube-scheduler", "system:kube-scheduler", ""),
    # What kwok writes can so be told apart in the audit log.
    ("kwok", "kwok", "system:masters"),
)


def _authority(site: Site) -> certificates.Authority:
    return certificates.authority(site.layout.certificates, site.layout.name)


def _server(site: Site) -> certificates.Pair:
    return _authority(site).server("server", SERVER_NAMES)


def _admin(site: Site) -> certificates.Pair:
    return _authority(site).client("admin", "kubernetes-admin", "system:masters")


def _kubeconfig(site: Site, name: str) -> Path:
    return site.layout.configuration / f"{name}.kubeconfig"


def write_files(site: Site) -> None:
    """Write certificates, kubeconfigs and configuration."""
    authority, server = _authority(site), site.https("kube-apiserver")
    for name, user, group in USERS:
        client = authority.client(name, user, group)
        certificates.write_kubeconfig(_kubeconfig(site, name), server, authority, client)
    folder = site.layout.configuration
    files.write(folder / "audit-policy.json", json.dumps(AUDIT_POLICY))
    files.write(folder / "scheduler.json", json.dumps(_scheduler_configuration(site)))
    files.write(folder / "nodes.json", json.dumps(kwok.nodes()))
    files.write(folder / "kwok.yaml", kwok.configuration(site.installation.folder("kwok", ".")))
    certificates.write_kubeconfig(site.layout.kubeconfig, server, authority, _admin(site))


def _scheduler_configuration(site: Site) -> dict[str, Any]:
    connection = {"kubeconfig": str(_kubeconfig(site, "kube-scheduler"))}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {**connection, "qps": QUERIES_PER_SECOND, "burst": 2 * QUERIES_PER_SECOND},
        "leaderElection": {"leaderElect": False},
    }


def components(site: Site) -> tuple[Component, ...]:
    """Return the processes of the control plane."""
    return _etcd(site), _api_server(site), _controller_manager(site), _scheduler(site), _kwok(site)


def _etcd(site: Site) -> Component:
    authority, server, url = _authority(site), _server(site), site.https("etcd")
    # One member has no peers; it insists on a peer address all the same, and port 0 is any free one.
    peer = "http://127.0.0.1:0"
    flags = {
        "name": "local",
        "data-dir": site.layout.data / "etcd" / "member",
        "listen-client-urls": url,
        "advertise-client-urls": url,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"local={peer}",
        "cert-file": server.certificate,
        "key-file": server.key,
        "trusted-ca-file": authority.pair.certificate,
        "client-cert-auth": "true",
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    ready = probes.answers(f"{url}/health", authority, _admin(site))
    return Component("etcd", _argv(site, "etcd", "etcd", flags), ready)


def _api_server(site: Site) -> Component:
    authority, server, admin = _authority(site), _server(site), _admin(site)
    account = certificates.signing_key(site.layout.certificates, "service-account")
    flags = {
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": site.ports["kube-apiserver"],
        "endpoint-reconciler-type": "none",
        "tls-cert-file": server.certificate,
        "tls-private-key-file": server.key,
        "client-ca-file": authority.pair.certificate,
        "etcd-servers": site.https("etcd"),
        "etcd-cafile": authority.pair.certificate,
        "etcd-certfile": admin.certificate,
        "etcd-keyfile": admin.key,
        "authorization-mode": "RBAC",
        "service-cluster-ip-range": SERVICE_RANGE,
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": account.certificate,
        "service-account-signing-key-file": account.key,
        "allow-privileged": "true",
        "audit-policy-file": site.layout.configuration / "audit-policy.json",
        "audit-log-path": site.layout.audit_log,
        "audit-log-format": "json",
        "audit-log-mode": "blocking",
        "audit-log-maxsize": AUDIT_LOG_MEBIBYTES,
        "profiling": "false",
    }
    ready = probes.answers(f"{site.https('kube-apiserver')}/readyz", authority, admin)
    argv = _argv(site, "kubernetes", "kube-apiserver", flags)
    return Component("kube-apiserver", argv, ready, after=("etcd",))


def _controller_manager(site: Site) -> Component:
    name, authority = "kube-controller-manager", _authority(site)
    account = certificates.signing_key(site.layout.certificates, "service-account")
    kubeconfig = _kubeconfig(site, name)
    flags = {
        **_secured(site, name),
        "kubeconfig": kubeconfig,
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "leader-elect": "false",
        "use-service-account-credentials": "true",
        "service-account-private-key-file": account.key,
        "root-ca-file": authority.pair.certificate,
        "cluster-signing-cert-file": authority.pair.certificate,
        "cluster-signing-key-file": authority.pair.key,
        "node-monitor-grace-period": NODE_GRACE,
        "kube-api-qps": QUERIES_PER_SECOND,
        "kube-api-burst": 2 * QUERIES_PER_SECOND,
        "profiling": "false",
    }
    # Until it has made this account, every new pod is refused.
    account_url = f"{site.https('kube-apiserver')}/api/v1/namespaces/default/serviceaccounts/default"
    ready = probes.answers(account_url, authority, _admin(site))
    return Component(name, _argv(site, "kubernetes", name, flags), ready, after=("kube-apiserver",))


def _scheduler(site: Site) -> Component:
    name = "kube-scheduler"
    flags = {
        **_secured(site, name),
        "config": site.layout.configuration / "scheduler.json",
        "authentication-kubeconfig": _kubeconfig(site, name),
        "authorization-kubeconfig": _kubeconfig(site, name),
    }
    ready = probes.answers(f"{site.https(name)}/readyz", _authority(site), _admin(site))
    return Component(name, _argv(site, "kubernetes", name, flags), ready, after=("kube-apiserver",))


def _kwok(site: Site) -> Component:
    flags = {
        "config": site.layout.configuration / "kwok.yaml",
        "kubeconfig": _kubeconfig(site, "kwok"),
        "manage-nodes-with-annotation-selector": "=".join(kwok.FAKE_NODE),
        # It renews no leases: after a restart it would first wait 40 s for its own old ones.
        "node-lease-duration-seconds": 0,
        # It serves nothing, so it listens nowhere.
        "node-port": 0,
        "node-ip": "127.0.0.1",
    }
    url = f"{site.https('kube-apiserver')}/api/v1/nodes"
    ready = probes.holds(url, _authority(site), _admin(site), _unready_fake_nodes)
    argv = _argv(site, "kwok", "kwok", flags)
    return Component("kwok", argv, ready, after=("kube-apiserver",), prepare=lambda: _create_nodes(site))


def _unready_fake_nodes(nodes: Mapping[str, Any]) -> str | None:
    ready = {
        node["metadata"]["name"]
        for node in nodes["items"]
        for condition in node["status"].get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    }
    missing = {node["metadata"]["name"] for node in kwok.nodes()["items"]} - ready
    return f"not Ready: {', '.join(sorted(missing))}" if missing else None


def _create_nodes(site: Site) -> None:
    kubectl, nodes = site.installation.binary("kubernetes", "kubectl"), site.layout.configuration / "nodes.json"
    # Also after a restart, when they are there already: server-side apply changes nothing then.
    apply = ("apply", "--server-side", "--force-conflicts", f"--filename={nodes}")
    command = [str(kubectl), f"--kubeconfig={site.layout.kubeconfig}", *apply]
    # Marked, should we be killed now; and kubectl's cache goes where the rest does.
    environment = {"HOME": str(site.layout.data / "kubectl"), processes.MARK: site.layout.mark_of("kubectl")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ClusterError(f"the fake nodes were refused: {result.stderr.strip()}")


def _secured(site: Site, name: str) -> dict[str, object]:
    server = _server(site)
    address = {"bind-address": "127.0.0.1", "secure-port": site.ports[name]}
    return {**address, "tls-cert-file": server.certificate, "tls-private-key-file": server.key}


def _argv(site: Site, group: str, command: str, flags: Mapping[str, object]) -> tuple[str, ...]:
    binary = site.installation.binary(group, command)
    return (str(binary), *(f"--{flag}={value}" for flag, value in flags.items()))


LAYER = Layer(
    name="control-plane",
    groups=(ETCD, KWOK, KUBERNETES),
    ports=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    write_files=write_files,
    components=components,
)
