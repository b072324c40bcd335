"""The real node: pods run, traffic and measurements flow, and nothing is left behind."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hack import cluster as clusters
from hack.cluster import (
    add_ons,
    addresses,
    binaries,
    cgroups,
    gateway,
    images,
    kind,
    layout,
    machine,
    mounts,
    processes,
    prometheus,
)
from hack.cluster.lifecycle import Cluster
from tests.cluster.stand_ins import StandIns

REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0
REQUESTS_PER_SECOND, ATTACK_SECONDS = 50, 2

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(bool(machine.lacks()), reason=machine.lacks() or "it can run"),
]


@pytest.fixture(scope="module", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def cluster(_own_state: None) -> Iterator[Cluster]:
    """Give one running cluster to all tests here, with podinfo on it."""
    try:
        started = clusters.start("shared", "node")
        _deploy(started)
        yield started
    finally:
        clusters.stop("shared")


def _kubectl(cluster: Cluster, *arguments: str, content: object = None) -> str:
    argv = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    command = clusters.command(cluster, argv)
    return subprocess.run(command, input=json.dumps(content), capture_output=True, text=True, check=True).stdout


def _deployment(name: str, image: str) -> dict[str, Any]:
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "9797"}
    probe = {"httpGet": {"path": "/readyz", "port": 9898}, "periodSeconds": 1}
    labels = {"app": name, "headgate.dev/pod-hash": "h1"}
    template = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": image, "readinessProbe": probe}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def _deploy(cluster: Cluster) -> None:
    ports = [{"port": 80, "targetPort": 9898}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": ports},
    }
    route = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web"},
        "spec": {
            "parentRefs": [{"name": "headgate", "namespace": "gateway"}],
            "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
        },
    }
    for thing in (_deployment("web", images.podinfo("1.0.0")), service, route):
        _kubectl(cluster, "apply", "-f-", content=thing)
    _kubectl(cluster, "wait", "deployment/web", "--for=condition=Available", f"--timeout={DEADLINE_SECONDS:.0f}s")


def _get(cluster: Cluster, url: str | None) -> dict[str, Any]:
    """Return the JSON at an address inside the cluster, {} while it does not answer."""
    assert url is not None
    # No proxy of the environment may stand between us and the cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with clusters.entered(cluster):
        try:
            with opener.open(url, timeout=5) as answer:
                content: dict[str, Any] = json.load(answer)
        except OSError:
            return {}
    return content


def _samples(cluster: Cluster, query: str) -> list[Mapping[str, str]]:
    result = _get(cluster, f"{cluster.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return [sample["metric"] for sample in result.get("data", {}).get("result", ())]


def _up(name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "hack.cluster", "up", "--size", "node", "--name", name]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _namespaces(place: layout.Layout) -> set[str]:
    """Return the names by which the kernel knows the cluster's namespaces, like net:[4026532177]."""
    lines = [line.split() for line in mounts.MOUNTS.read_text().splitlines()]
    return {line[3] for line in lines if line[4].startswith(f"{place.namespaces}/")}


def _inside(namespaces: set[str]) -> list[str]:
    """Return every process in one of these namespaces."""
    found = []
    for path in Path("/proc").glob("[0-9]*/ns/*"):
        try:
            found += [str(path)] if str(path.readlink()) in namespaces else []
        except OSError:
            continue
    return found


def _assert_nothing_is_left(place: layout.Layout, namespaces: set[str]) -> None:
    assert clusters.wait_until(lambda: not _inside(namespaces), DEADLINE_SECONDS)
    assert [] == processes.marked(place.mark)
    assert [] == cgroups.groups(place)
    assert [] == mounts.beneath(place.state)
    assert not any(name in mounts.MOUNTS.read_text() for name in namespaces)
    assert not place.state.exists()


def test_a_service_reaches_both_pods(cluster: Cluster) -> None:
    """A ClusterIP answers from the node with the image's own version, by either of the two pods."""
    address = _kubectl(cluster, "get", "service", "web", "-ojsonpath={.spec.clusterIP}")
    pods = set(_kubectl(cluster, "get", "pods", "-lapp=web", "-ojsonpath={.items[*].metadata.name}").split())
    met: set[str] = set()

    def all_met() -> bool:
        met.add(_get(cluster, f"http://{address}/").get("hostname", ""))
        return pods <= met

    assert clusters.wait_until(all_met, DEADLINE_SECONDS)
    assert {"commit": "unknown", "version": "1.0.0"} == _get(cluster, f"http://{address}/version")


def test_a_route_reaches_the_pods_through_the_gateway(cluster: Cluster) -> None:
    """A route of any namespace is Accepted, and the load generator loses no request through it."""
    assert clusters.wait_until(lambda: _get(cluster, f"{cluster.gateway}/version"), DEADLINE_SECONDS)
    parents = json.loads(_kubectl(cluster, "get", "httproute", "web", "-ojson"))["status"]["parents"]
    conditions = {condition["type"]: condition["status"] for condition in parents[0]["conditions"]}
    assert {"Accepted": "True", "ResolvedRefs": "True"} == conditions

    flags = [f"-rate={REQUESTS_PER_SECOND}", f"-duration={ATTACK_SECONDS}s"]
    attack = clusters.command(cluster, [str(cluster.vegeta), "attack", *flags])
    results = subprocess.run(attack, input=f"GET {cluster.gateway}/\n".encode(), capture_output=True, check=True).stdout
    report = [str(cluster.vegeta), "report", "-type=json"]
    summary = json.loads(subprocess.run(report, input=results, capture_output=True, check=True).stdout)
    # On a busy machine it may begin late, and so make one request less; none is answered otherwise, or not at all.
    assert {"200": summary["requests"]} == summary["status_codes"]
    assert summary["requests"] >= REQUESTS_PER_SECOND * ATTACK_SECONDS / 2


def test_prometheus_measures_the_pods(cluster: Cluster) -> None:
    """Samples of annotated pods carry namespace, pod, app and the revision's hash; each pod is one target."""
    _get(cluster, f"{cluster.gateway}/version")
    query = "http_requests_total{namespace='default',app='web',headgate_dev_pod_hash='h1',status='200'}"
    pods = set(_kubectl(cluster, "get", "pods", "-lapp=web", "-ojsonpath={.items[*].metadata.name}").split())

    assert clusters.wait_until(lambda: pods == {one["pod"] for one in _samples(cluster, query)}, DEADLINE_SECONDS)
    assert 2 == len(_samples(cluster, "up{app='web'}"))


def test_images_need_no_registry(cluster: Cluster, tmp_path: Path) -> None:
    """An image made by tarfile from one static binary is loaded and runs, reaches the API server, and has logs."""
    name = f"{images.REPOSITORY}/kubectl:1"
    clusters.load_image(cluster, images.build(tmp_path / "kubectl.tar", name, cluster.kubectl))
    _kubectl(cluster, "run", "asks", f"--image={name}", "--restart=Never", "--", "get", "--raw=/readyz")
    _kubectl(cluster, "wait", "pod/asks", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=30s")

    assert "ok" == _kubectl(cluster, "logs", "asks")


def test_a_second_up_changes_nothing(cluster: Cluster) -> None:
    """Up of a running node starts nothing, and the command line finds its way in."""
    records = layout.of(cluster.name).processes
    before = {path.name: path.read_text() for path in records.iterdir()}
    assert 0 == _up(cluster.name).wait(DEADLINE_SECONDS)
    enter = [sys.executable, "-m", "hack.cluster", "enter", "--name", cluster.name, "--", "kubectl", "get", "nodes"]
    result = subprocess.run(enter, cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert before == {path.name: path.read_text() for path in records.iterdir()}
    assert re.search(r"^node +Ready", result.stdout, re.MULTILINE)


def test_the_machine_keeps_its_own_settings(cluster: Cluster) -> None:
    """What the kubelet sets in the kernel, and the folders it uses, it finds in the node's own namespace."""
    process = clusters.component_process(cluster, "kubelet")
    assert process is not None
    root = Path(f"/proc/{process.pid}/root")

    assert "1\n" == (root / "proc/sys/vm/overcommit_memory").read_text()
    assert (root / "run/containerd/containerd.sock").exists()
    assert not (root / "run/containerd").samefile("/run")


@pytest.fixture
def plain(_own_state: None, tmp_path: Path) -> Iterator[Cluster]:
    """Give a node with podinfo, whose Gateway nobody looks after, and with the images that kind would pull."""
    try:
        started = clusters.start("plain", "node")
        for name in ("traefik", "prometheus"):
            clusters.stop_component(started, name)
        _kubectl(started, "delete", f"namespace/{gateway.NAMESPACE}", f"gatewayclass/{gateway.CLASS}")
        built = binaries.install((gateway.TRAEFIK, prometheus.PROMETHEUS), print)
        for name, image in zip(("traefik", "prometheus"), add_ons.images(), strict=True):
            clusters.load_image(started, images.build(tmp_path / f"{name}.tar", image, built.binary(name, name)))
        _deploy(started)
        yield started
    finally:
        clusters.stop("plain")


def test_what_kind_gets_works_as_pods(plain: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by us through a stand-in for Docker, with their own service accounts, Traefik routes, Prometheus scrapes."""
    kubectl = shlex.join(clusters.command(plain, [str(plain.kubectl), f"--kubeconfig={plain.kubeconfig}"]))
    ports = [f"port*{port}/tcp) echo {addresses.NODE}:{port}" for port in (30080, 30090)]
    stand_ins = StandIns(tmp_path / "programs")
    stand_ins.add("kind", "'get clusters') echo shop")
    # Instead of: exec --interactive CONTAINER kubectl --kubeconfig=FILE
    stand_ins.add("docker", "info*) echo 29.1.0", f'exec*) shift 5; exec {kubectl} "$@"', *ports)
    stand_ins.before_others(monkeypatch)
    urls = kind.start("shop", "node", print).urls
    query = urllib.parse.urlencode({"query": "sum(http_requests_total{app='web',headgate_dev_pod_hash='h1'})"})

    def measured() -> bool:
        return bool(_get(plain, f"{urls['prometheus']}/api/v1/query?{query}").get("data", {}).get("result"))

    assert clusters.wait_until(lambda: _get(plain, f"{urls['gateway']}/version"), DEADLINE_SECONDS)
    assert "1.0.0" == _get(plain, f"{urls['gateway']}/version")["version"]
    assert clusters.wait_until(measured, DEADLINE_SECONDS)


def _shims(place: layout.Layout) -> list[processes.Process]:
    """Return what containerd started and does not end with it: a shim per pod."""
    return processes.marked(place.mark_of("containerd"))


def test_down_after_a_crash_leaves_nothing(cluster: Cluster) -> None:
    """Launcher killed half-way, started anew beside another node, containerd and a shim killed: down ends it all."""
    place = layout.of("crashed")
    with _up(place.name) as launcher:
        assert clusters.wait_until((place.processes / "containerd.json").exists, DEADLINE_SECONDS)
        launcher.send_signal(signal.SIGKILL)
    try:
        crashed = clusters.start(place.name, "node")
        _deploy(crashed)
        namespaces = _namespaces(place)
        clusters.signal_component(crashed, "containerd", signal.SIGKILL)
        assert clusters.wait_until(lambda: len(_shims(place)) == 2, DEADLINE_SECONDS)
        processes.end(_shims(place)[0])
    finally:
        ended = clusters.stop(place.name)

    # Etcd to Prometheus but containerd; for one pod a shim; and for both a pause and podinfo. There may be more: the
    # kubelet and kube-proxy start programs that live for milliseconds.
    assert ended >= 8 + 1 + 4
    assert len(namespaces) == 2
    _assert_nothing_is_left(place, namespaces)
    assert "web" in _kubectl(cluster, "get", "deployments", "-oname")
    assert "1.0.0" == _get(cluster, f"{cluster.gateway}/version")["version"]


@pytest.mark.parametrize("step", ["namespaces/mount", "config/kubelet.json", "processes/kubelet.json"])
def test_down_of_a_half_made_node_leaves_nothing(step: str) -> None:
    """Wherever the launcher is killed, down removes what there is."""
    place = layout.of("half")
    with _up(place.name) as launcher:
        assert clusters.wait_until((place.state / step).exists, DEADLINE_SECONDS, poll_seconds=0.001)
        launcher.send_signal(signal.SIGKILL)
    namespaces = _namespaces(place)
    clusters.stop(place.name)

    _assert_nothing_is_left(place, namespaces)
    assert os.getpid() not in {process.pid for process in processes.marked(place.mark)}


def test_down_waits_for_what_a_killed_launcher_was_about_to_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that appears, and a process that is marked, after down has looked for them: both are gone in the end."""
    place = layout.of("late")
    place.namespaces.mkdir(parents=True)
    late = processes.start(["sleep", "600"], {"PATH": machine.path()}, place.mark_of("late"), place.log("late"))
    looks: list[list[processes.Process]] = [[], []]
    look = processes.marked
    monkeypatch.setattr(processes, "marked", lambda mark: looks.pop() if looks else look(mark))
    unmount, first = mounts.unmount_beneath, [True]

    def mounted_meanwhile(folder: Path) -> None:
        unmount(folder)
        if first:
            first.clear()
            subprocess.run(["mount", "--bind", str(place.namespaces), str(place.namespaces)], check=True)

    monkeypatch.setattr(mounts, "unmount_beneath", mounted_meanwhile)

    assert clusters.stop(place.name) == 1
    assert not processes.is_running(late)
    assert [] == mounts.beneath(place.state)
    assert not place.state.exists()
