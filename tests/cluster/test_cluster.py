"""The local control plane: it starts, steers pods, survives, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack import cluster as clusters
from hack.cluster import layout
from hack.cluster.lifecycle import Cluster

REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0

pytestmark = pytest.mark.control_plane


@pytest.fixture(scope="module", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def cluster(_own_state: None) -> Iterator[Cluster]:
    """Give one running cluster to all tests here."""
    started = clusters.start("shared")
    yield started
    clusters.stop(started)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hack.cluster", *arguments]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*arguments), cwd=REPOSITORY, capture_output=True, text=True, check=False)


def _kubectl(cluster: Cluster, *arguments: str, content: object = None) -> str:
    command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", *arguments]
    return subprocess.run(command, input=json.dumps(content), capture_output=True, text=True, check=True).stdout


def _pods(cluster: Cluster, name: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(_kubectl(cluster, "get", "pods", f"-lapp={name}", "-ojson"))["items"]
    return items


def _ready(pod: dict[str, Any]) -> str | None:
    conditions = {condition["type"]: condition["status"] for condition in pod["status"].get("conditions", ())}
    return conditions.get("Ready")


def _deploy(cluster: Cluster, name: str, annotations: dict[str, str]) -> None:
    template = {
        "metadata": {"labels": {"app": name}, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "example.test/app:1"}]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}
    _kubectl(cluster, "apply", "-f-", content=deployment)


def _available(cluster: Cluster, name: str) -> None:
    _kubectl(cluster, "wait", f"deployment/{name}", "--for=condition=Available", f"--timeout={DEADLINE_SECONDS:.0f}s")


def _with_path(state: Path) -> list[int]:
    """Return every process that has the state folder in its command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        if f"{state}/".encode() in content and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found


def test_a_deployment_becomes_available(cluster: Cluster) -> None:
    """Pods without annotations are Ready at once, on both fake nodes' capacity, and go when deleted."""
    _deploy(cluster, "plain", {})
    _available(cluster, "plain")
    pods = _pods(cluster, "plain")

    assert ["True", "True"] == [_ready(pod) for pod in pods]
    assert len({pod["status"]["podIP"] for pod in pods}) == 2

    _kubectl(cluster, "delete", "deployment", "plain")

    assert clusters.wait_until(lambda: not _pods(cluster, "plain"), DEADLINE_SECONDS)


def test_pods_can_become_ready_later(cluster: Cluster) -> None:
    """A pod with ready-after is Ready no sooner than that after it started to wait."""
    _deploy(cluster, "late", {"kwok.headgate.test/ready-after": "2s"})
    _available(cluster, "late")
    pods = json.loads(_kubectl(cluster, "get", "pods", "-lapp=late", "-ojson"))["items"]

    assert ["True", "True"] == [_ready(pod) for pod in pods]
    for pod in pods:
        scheduled, ready = (
            next(entry["lastTransitionTime"] for entry in pod["status"]["conditions"] if entry["type"] == kind)
            for kind in ("PodScheduled", "Ready")
        )
        assert scheduled < ready


@pytest.mark.parametrize(
    ("reason", "phase", "restarts"),
    [("ImagePullBackOff", "Pending", 0), ("CrashLoopBackOff", "Running", 5), (None, "Running", 0)],
)
def test_pods_can_be_kept_from_being_ready(cluster: Cluster, reason: str | None, phase: str, restarts: int) -> None:
    """A pod with ready=never says why in its container's waiting state, and is Ready once the annotation goes."""
    name = f"never-{(reason or 'unready').lower()}"
    reasons = {} if reason is None else {"kwok.headgate.test/reason": reason}
    _deploy(cluster, name, {"kwok.headgate.test/ready": "never", **reasons})

    def settled() -> bool:
        pods = _pods(cluster, name)
        return len(pods) == 2 and all(_ready(pod) == "False" for pod in pods)

    assert clusters.wait_until(settled, DEADLINE_SECONDS)
    for pod in _pods(cluster, name):
        status = pod["status"]["containerStatuses"][0]
        waiting = status["state"].get("waiting", {})
        assert (phase, restarts, reason) == (pod["status"]["phase"], status["restartCount"], waiting.get("reason"))
        assert (reason is None) == ("message" not in waiting)

    _kubectl(cluster, "annotate", "pods", f"-lapp={name}", "kwok.headgate.test/ready-")
    _available(cluster, name)


def test_a_running_pod_can_stop_being_ready(cluster: Cluster) -> None:
    """An annotation on a live pod takes its readiness away and gives it back, and its address stays."""
    _deploy(cluster, "falls", {})
    _available(cluster, "falls")
    addresses = {pod["status"]["podIP"] for pod in _pods(cluster, "falls")}
    for annotation, expected in (("=never", "False"), ("-", "True"), ("=never", "False"), ("-", "True")):
        _kubectl(cluster, "annotate", "pods", "-lapp=falls", f"kwok.headgate.test/ready{annotation}")

        def settled(status: str = expected) -> bool:
            return [status, status] == [_ready(pod) for pod in _pods(cluster, "falls")]

        assert clusters.wait_until(settled, DEADLINE_SECONDS)

    assert addresses == {pod["status"]["podIP"] for pod in _pods(cluster, "falls")}


def test_writes_can_be_counted_in_the_audit_log(cluster: Cluster) -> None:
    """Each write is one JSON line with its user, and it is there when the answer is."""
    _kubectl(cluster, "create", "configmap", "counted")
    events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
    mine = [event for event in events if event.get("objectRef", {}).get("name") == "counted"]

    assert [("create", "kubernetes-admin", "ResponseComplete", "Metadata")] == [
        (event["verb"], event["user"]["username"], event["stage"], event["level"]) for event in mine
    ]


def test_a_second_up_changes_nothing(cluster: Cluster) -> None:
    """Up of a running cluster says so, prints the same last line and starts nothing."""
    before = sorted(_with_path(cluster.state))
    result = _run("up", "--size", "control-plane", "--name", cluster.name)

    assert f"export KUBECONFIG={cluster.kubeconfig}" == result.stdout.splitlines()[-1]
    assert "was already running" in result.stderr
    assert before == sorted(_with_path(cluster.state))
    assert str(cluster.kubeconfig) == _run("kubeconfig", "--name", cluster.name).stdout.strip()


def test_up_starts_what_has_died(cluster: Cluster) -> None:
    """After a component was killed, up brings it back and leaves the others running."""
    before = set(_with_path(cluster.state))
    clusters.signal_component(cluster, "kube-scheduler", signal.SIGKILL)

    assert clusters.wait_until(lambda: clusters.component_process(cluster, "kube-scheduler") is None, DEADLINE_SECONDS)
    clusters.start(cluster.name)
    after = set(_with_path(cluster.state))

    assert (1, 1) == (len(before - after), len(after - before))


def test_the_api_server_can_be_stopped_and_restarted(cluster: Cluster) -> None:
    """What was written before a stop or a kill of the API server is there after it, at the same address."""
    _kubectl(cluster, "create", "configmap", "survivor")
    clusters.signal_component(cluster, "kube-apiserver", signal.SIGSTOP)
    with pytest.raises(subprocess.CalledProcessError):
        _kubectl(cluster, "get", "--raw=/readyz", "--request-timeout=1s")
    clusters.signal_component(cluster, "kube-apiserver", signal.SIGCONT)
    clusters.restart_component(cluster, "kube-apiserver")

    assert "survivor" in _kubectl(cluster, "get", "configmaps", "-oname")
    with pytest.raises(clusters.ClusterError, match="no component of shared"):
        clusters.stop_component(cluster, "kubelet")


def test_two_clusters_stand_beside_each_other(cluster: Cluster) -> None:
    """Each has its own objects, ports and trust; taking one down leaves the other alone."""
    beside = clusters.start("beside")
    try:
        _kubectl(beside, "create", "configmap", "only-here")
        ours, theirs = (layout.read_record(layout.of(name)) for name in (cluster.name, beside.name))

        assert "only-here" not in _kubectl(cluster, "get", "configmaps", "-oname")
        assert ours is not None
        assert theirs is not None
        assert set(ours.ports.values()).isdisjoint(theirs.ports.values())
        with pytest.raises(subprocess.CalledProcessError):
            _kubectl(cluster, "get", "configmaps", f"--server={beside.server}")
    finally:
        clusters.stop(beside, clusters.Logs.KEPT)

    assert [beside.state / "logs"] == list(beside.state.iterdir())
    clusters.stop(beside)
    assert not beside.state.exists()
    assert "ok" == _kubectl(cluster, "get", "--raw=/readyz")


def test_down_after_a_crash_leaves_nothing() -> None:
    """With the launcher killed half-way and a component too, down ends the rest and removes the state."""
    place = layout.of("crashed")
    with subprocess.Popen(_command("up", "--name", place.name), cwd=REPOSITORY, stderr=subprocess.DEVNULL) as launcher:
        record = place.processes / "kube-apiserver.json"
        assert clusters.wait_until(record.exists, DEADLINE_SECONDS)
        launcher.send_signal(signal.SIGKILL)
    os.kill(json.loads((place.processes / "etcd.json").read_text())["process"]["pid"], signal.SIGKILL)

    assert _with_path(place.state)
    result = _run("down", "--name", place.name)

    assert 0 == result.returncode, result.stderr
    assert [] == _with_path(place.state)
    assert not place.state.exists()
    assert "0 processes ended" in _run("down", "--name", place.name).stderr
