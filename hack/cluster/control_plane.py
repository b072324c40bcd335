"""The control plane: etcd, the API server and its controllers.

Owns which processes these are and what they are told. Needs no root, listens
on one address alone, and is fit for tests only: etcd never waits for the disk.
Nodes are another layer's: fake ones kwok's, a real one node.py's.
"""

import json
from typing import Any

from hack.cluster import addresses, certificates, files, identities, probes
from hack.cluster.components import LOOPBACK, Component, Layer, ModuleGroup, Site
from hack.cluster.identities import User

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

# The defaults (20 a second) would be what a test at scale measures.
QUERIES_PER_SECOND = 500
# A kubelet (or kwok) can stand still in a test, or the API server: nodes must not be drained for it.
NODE_GRACE = "10m0s"
# The default, 15 s, is longer than most of what a test watches.
AUTOSCALER_PERIOD = "3s"
FRONT_PROXY = "front-proxy"
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}
# In MiB. The default is rotation at 100 MiB, which would take writes away from who counts them.
AUDIT_LOG_MEBIBYTES = 100_000

USERS = (
    User("kube-controller-manager", "system:kube-controller-manager"),
    User("kube-scheduler", "system:kube-scheduler"),
)


def write_files(site: Site) -> None:
    """Write certificates, kubeconfigs and configuration."""
    for user in USERS:
        identities.write_kubeconfig(site, user)
    folder = site.layout.configuration
    files.write(folder / "audit-policy.json", json.dumps(AUDIT_POLICY))
    files.write(folder / "scheduler.json", json.dumps(_scheduler_configuration(site)))
    authority, admin = identities.authority(site), identities.admin(site)
    certificates.write_kubeconfig(site.layout.kubeconfig, site.https("kube-apiserver"), authority, admin)


def _scheduler_configuration(site: Site) -> dict[str, Any]:
    connection = {"kubeconfig": str(identities.kubeconfig(site, "kube-scheduler"))}
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {**connection, "qps": QUERIES_PER_SECOND, "burst": 2 * QUERIES_PER_SECOND},
        "leaderElection": {"leaderElect": False},
    }


def components(site: Site) -> tuple[Component, ...]:
    """Return the processes of the control plane."""
    return _etcd(site), _api_server(site), _controller_manager(site), _scheduler(site)


def _etcd(site: Site) -> Component:
    authority, server, url = identities.authority(site), identities.server(site), site.https("etcd")
    # One member has no peers; it insists on a peer address all the same, and port 0 is any free one.
    peer = f"http://{LOOPBACK}:0"
    flags = {
        "name": "local",
        "data-dir": site.layout.data / "etcd" / "member",
        # 2 GB by default: pods with templates of 0.9 MB fill that in six minutes, and then no write is taken any more.
        "quota-backend-bytes": 8 * 1024**3,
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
    ready = probes.answers(f"{url}/health", authority, identities.admin(site))
    return Component("etcd", site.argv("etcd", "etcd", flags), ready)


def _api_server(site: Site) -> Component:
    authority, server, admin = identities.authority(site), identities.server(site), identities.admin(site)
    account = certificates.signing_key(site.layout.certificates, "service-account")
    flags = {
        "bind-address": site.address,
        "advertise-address": site.address,
        "secure-port": site.ports["kube-apiserver"],
        # Pods find the API server through its Service; a loopback address cannot stand behind one.
        "endpoint-reconciler-type": "none" if site.address == LOOPBACK else "lease",
        "tls-cert-file": server.certificate,
        "tls-private-key-file": server.key,
        "client-ca-file": authority.pair.certificate,
        "etcd-servers": site.https("etcd"),
        "etcd-cafile": authority.pair.certificate,
        "etcd-certfile": admin.certificate,
        "etcd-keyfile": admin.key,
        **_proxying(authority),
        "authorization-mode": "RBAC",
        # For logs and exec; without them the kubelet takes it for nobody.
        "kubelet-client-certificate": admin.certificate,
        "kubelet-client-key": admin.key,
        "kubelet-preferred-address-types": "InternalIP",
        "service-cluster-ip-range": addresses.SERVICE_RANGE,
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
    argv = site.argv("kubernetes", "kube-apiserver", flags)
    return Component("kube-apiserver", argv, ready, after=("etcd",))


def _proxying(authority: certificates.Authority) -> dict[str, object]:
    """Return by what the API server asks those who serve a part of the API in its place, and they know it."""
    proxy = authority.client(FRONT_PROXY, FRONT_PROXY)
    return {
        "proxy-client-cert-file": proxy.certificate,
        "proxy-client-key-file": proxy.key,
        "requestheader-client-ca-file": authority.pair.certificate,
        "requestheader-allowed-names": FRONT_PROXY,
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    }


def _controller_manager(site: Site) -> Component:
    name, authority = "kube-controller-manager", identities.authority(site)
    account = certificates.signing_key(site.layout.certificates, "service-account")
    kubeconfig = identities.kubeconfig(site, name)
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
        "horizontal-pod-autoscaler-sync-period": AUTOSCALER_PERIOD,
        "kube-api-qps": QUERIES_PER_SECOND,
        "kube-api-burst": 2 * QUERIES_PER_SECOND,
        "profiling": "false",
    }
    # Until it has made this account, every new pod is refused.
    account_url = f"{site.https('kube-apiserver')}/api/v1/namespaces/default/serviceaccounts/default"
    ready = probes.answers(account_url, authority, identities.admin(site))
    return Component(name, site.argv("kubernetes", name, flags), ready, after=("kube-apiserver",))


def _scheduler(site: Site) -> Component:
    name = "kube-scheduler"
    flags = {
        **_secured(site, name),
        "config": site.layout.configuration / "scheduler.json",
        "authentication-kubeconfig": identities.kubeconfig(site, name),
        "authorization-kubeconfig": identities.kubeconfig(site, name),
    }
    ready = probes.answers(f"{site.https(name)}/readyz", identities.authority(site), identities.admin(site))
    return Component(name, site.argv("kubernetes", name, flags), ready, after=("kube-apiserver",))


def _secured(site: Site, name: str) -> dict[str, object]:
    server = identities.server(site)
    address = {"bind-address": site.address, "secure-port": site.ports[name]}
    return {**address, "tls-cert-file": server.certificate, "tls-private-key-file": server.key}


LAYER = Layer(
    name="control-plane",
    groups=(ETCD, KUBERNETES),
    ports=("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
    write_files=write_files,
    components=components,
)
