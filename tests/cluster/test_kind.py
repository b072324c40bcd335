"""Clusters of kind, by programs that stand in for kind and Docker: which commands are run, how failures are told."""

import argparse
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from hack.cluster import __main__ as command_line
from hack.cluster import add_ons, binaries, kind, layout, lifecycle, prometheus
from hack.cluster.__main__ import On
from hack.cluster.errors import ClusterError
from tests.cluster.stand_ins import StandIns

REPOSITORY = Path(__file__).parents[2]
ENGINE = "info*) echo 29.1.0"
NO_ENGINE = "info*) echo 'Cannot connect to the Docker daemon.' >&2; exit 1"
PORTS = ("port*30080/tcp) echo 127.0.0.1:41000", "port*30090/tcp) echo 127.0.0.1:42000")
NONE, OURS = "'get clusters') echo other", "'get clusters') echo other; echo shop"


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Give a PATH with nothing on it yet, and a state folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = StandIns(tmp_path / "programs")
    made.alone(monkeypatch)
    return made


def _kubeconfig() -> Path:
    return kind._kubeconfig("shop")


def _wanted(on: On) -> argparse.Namespace:
    return argparse.Namespace(name="shop", on=on)


def _run(*words: str) -> int:
    return command_line.main([words[0], "--name", "shop", *words[1:]])


def _last_line(capture: pytest.CaptureFixture[str]) -> str:
    return capture.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ({"docker": ENGINE}, "kind is not on the PATH"),
        ({"kind": NONE}, "docker is not on the PATH"),
        ({"kind": NONE, "docker": NO_ENGINE}, "no Docker engine answers: Cannot connect to the Docker daemon."),
        ({"kind": NONE, "docker": "info*) true"}, "no Docker engine answers: it said nothing"),
        ({"kind": NONE, "docker": ENGINE}, ""),
    ],
)
def test_kind_needs_its_program_and_an_engine(
    stand_ins: StandIns, capfd: pytest.CaptureFixture[str], programs: dict[str, str], why: str
) -> None:
    """Without kind, Docker or its engine the cluster is local, and one line says what is missing."""
    for name, answers in programs.items():
        stand_ins.add(name, answers)

    assert why == kind.lacks()
    assert (On.LOCAL if why else On.KIND) is command_line._chosen(_wanted(On.DETECT))
    told = f"local: {why}" if why else "kind: kind is on the PATH and a Docker engine answers"
    assert f"the cluster shop is {told}\n" == capfd.readouterr().err


def test_an_engine_that_hangs_does_not_answer(
    stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who waits for an engine waits for a bounded time."""
    monkeypatch.setattr(kind, "ENGINE_SECONDS", 0.1)
    os.mkfifo(tmp_path / "silence")
    stand_ins.add("kind")
    stand_ins.add("docker", f"info*) read answer < {tmp_path / 'silence'}")

    assert "no Docker engine has answered in 0 s" == kind.lacks()


@pytest.mark.parametrize("on", [On.LOCAL, On.KIND])
def test_what_was_asked_for_is_not_questioned(stand_ins: StandIns, capfd: pytest.CaptureFixture[str], on: On) -> None:
    """Who says what a cluster is to stand on gets that, and nothing else is looked at."""
    assert on is command_line._chosen(_wanted(on))
    assert [] == stand_ins.calls()
    assert f"the cluster shop is {on.value}: as asked\n" == capfd.readouterr().err


def test_a_cluster_stays_what_it_is(stand_ins: StandIns) -> None:
    """An engine that comes or goes does not make a second cluster of the same name."""
    stand_ins.add("kind")
    stand_ins.add("docker", ENGINE)
    layout.write_record(layout.of("shop"), layout.Record("control-plane", {}))
    assert On.LOCAL is command_line._chosen(_wanted(On.DETECT))

    layout.of("shop").record.unlink()
    stand_ins.add("docker", NO_ENGINE)
    _kubeconfig().parent.mkdir(parents=True)
    _kubeconfig().touch()
    assert On.KIND is command_line._chosen(_wanted(On.DETECT))


def test_tests_never_stand_on_kind(stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --on the command line, as tests use it, runs neither kind nor Docker, though both would answer."""
    stand_ins.add("kind", OURS)
    stand_ins.add("docker", ENGINE)
    started: list[str] = []

    def start(name: str, _: str) -> None:
        started.append(name)
        raise ClusterError("enough")

    monkeypatch.setattr(lifecycle, "start", start)
    monkeypatch.setattr(lifecycle, "stop", lambda *_: 0)

    assert (1, 0) == (_run("up"), _run("down"))
    assert (["shop"], []) == (started, stand_ins.calls())


def test_up_creates_a_cluster(stand_ins: StandIns, capfd: pytest.CaptureFixture[str]) -> None:
    """The cluster is made of kind-config.yaml, with a kubeconfig of its own; what eval reads stands alone on stdout."""
    stand_ins.add("kind", NONE, "create*) echo 'Creating cluster'")
    stand_ins.add("docker", ENGINE)
    code = _run("up", "--on", "kind")
    output = capfd.readouterr()

    assert (0, f"export KUBECONFIG={_kubeconfig()}\n") == (code, output.out)
    assert "Creating cluster" in output.err
    flags = f"--name=shop --kubeconfig={_kubeconfig()} --config={REPOSITORY / 'kind-config.yaml'} --wait=300s"
    assert ["kind get clusters", f"kind create cluster {flags}"] == stand_ins.calls("kind")


def test_a_second_up_creates_nothing(stand_ins: StandIns, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a cluster that runs, up writes the kubeconfig anew and prints the same."""
    stand_ins.add("kind", OURS)
    stand_ins.add("docker", ENGINE)
    code = _run("up", "--on", "detect")
    output = capfd.readouterr()

    assert (0, f"export KUBECONFIG={_kubeconfig()}\n") == (code, output.out)
    assert "already running" in output.err
    assert ["kind get clusters", f"kind export kubeconfig --name=shop --kubeconfig={_kubeconfig()}"] == stand_ins.calls(
        "kind"
    )


def test_up_furnishes_a_node(stand_ins: StandIns, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With size node, CRDs come before what needs them, each step waits for the last, and both URLs are told."""
    applied = tmp_path / "applied"
    stand_ins.add("kind", OURS)
    stand_ins.add("docker", ENGINE, f"exec*apply*) /bin/cat >> {applied}", *PORTS)
    code = _run("up", "--on", "kind", "--size", "node")

    assert 0 == code
    assert "gateway http://127.0.0.1:41000, prometheus http://127.0.0.1:42000" in _last_line(capfd)
    kubectl = "docker exec --interactive shop-control-plane kubectl --kubeconfig=/etc/kubernetes/admin.conf"
    apply = "apply --server-side --force-conflicts --filename=-"
    wait = ("wait --for=condition=", " --timeout=300s ")
    assert [
        f"{kubectl} {apply}",
        f"{kubectl} {wait[0]}Established{wait[1]}crd --all",
        f"{kubectl} {apply}",
        f"{kubectl} {wait[0]}Available{wait[1]}deployment --all --all-namespaces",
        f"{kubectl} {wait[0]}Programmed{wait[1]}gateway/headgate --namespace=gateway",
    ] == stand_ins.calls("docker exec")
    assert ["docker port shop-worker 30080/tcp", "docker port shop-worker 30090/tcp"] == stand_ins.calls("docker port")
    crds, _, rest = applied.read_text(encoding="utf-8").partition('{"apiVersion": "v1", "kind": "List"')
    assert "httproutes.gateway.networking.k8s.io" in crds
    assert all(image in rest for image in add_ons.images())


@pytest.mark.parametrize(
    ("programs", "words"),
    [
        ({"docker": NO_ENGINE}, "no cluster of kind can be started: no Docker engine answers: Cannot connect"),
        ({"kind": "get*) exit 1"}, "'kind get clusters' failed: it said nothing"),
        ({"kind": "create*) echo 'ERROR: no space' >&2; exit 3"}, "failed with exit code 3, the lines above say why"),
        ({"docker": f"{ENGINE};; exec*) echo 'no such container' >&2; exit 1"}, "failed: no such container"),
        ({"docker": f"{ENGINE};; port*) echo 'no public port' >&2; exit 1"}, "failed: no public port"),
    ],
)
def test_a_failure_is_one_line(
    stand_ins: StandIns, capfd: pytest.CaptureFixture[str], programs: dict[str, str], words: str
) -> None:
    """Whatever fails, the last line says which command it was and why, stdout stays empty, and the exit code is 1."""
    for name, answers in {"kind": NONE, "docker": ENGINE, **programs}.items():
        stand_ins.add(name, answers)
    code = _run("up", "--on", "kind", "--size", "node")
    output = capfd.readouterr()

    assert (1, "") == (code, output.out)
    assert output.err.splitlines()[-1].startswith("error: ")
    assert words in output.err.splitlines()[-1]


@pytest.mark.parametrize(("on", "ended"), [("detect", "0 processes ended, logs discarded; "), ("kind", "")])
def test_down_deletes_the_cluster(stand_ins: StandIns, capfd: pytest.CaptureFixture[str], on: str, ended: str) -> None:
    """Down takes a cluster of that name from kind, beside the local one unless only kind was asked for."""
    stand_ins.add("kind", OURS)
    stand_ins.add("docker", ENGINE)
    assert 0 == _run("up", "--on", "kind")
    _kubeconfig().touch()

    assert 0 == _run("down", "--on", on)
    assert f"the cluster shop is down: {ended}its cluster of kind was deleted" == _last_line(capfd)
    assert f"kind delete cluster --name=shop --kubeconfig={_kubeconfig()}" == stand_ins.calls("kind")[-1]
    assert not _kubeconfig().exists()


def test_down_leaves_other_clusters_alone(stand_ins: StandIns, capfd: pytest.CaptureFixture[str]) -> None:
    """Where kind has no cluster of that name, nothing is deleted; where there is no kind, nothing is asked."""
    stand_ins.add("kind", NONE)
    stand_ins.add("docker", ENGINE)
    assert 0 == _run("down", "--on", "detect")
    assert _last_line(capfd).endswith("; kind had none")
    assert ["kind get clusters"] == stand_ins.calls("kind")

    stand_ins.add("docker", NO_ENGINE)
    assert 0 == _run("down", "--on", "detect")
    assert "kind was not asked: no Docker engine answers" in _last_line(capfd)


def test_down_does_not_forget_a_cluster(stand_ins: StandIns, capfd: pytest.CaptureFixture[str]) -> None:
    """A cluster that was started here is not called down while no engine can be asked to delete it."""
    stand_ins.add("kind", OURS)
    stand_ins.add("docker", NO_ENGINE)
    _kubeconfig().parent.mkdir(parents=True)
    _kubeconfig().touch()

    assert 1 == _run("down", "--on", "detect")
    assert "error: the cluster shop of kind cannot be deleted now: no Docker engine answers" in _last_line(capfd)
    assert _kubeconfig().exists()


@pytest.mark.parametrize(("given", "on"), [([], "detect"), (["ON=kind"], "kind"), (["ON=local"], "local")])
def test_make_lets_people_choose(given: list[str], on: str) -> None:
    """`make cluster` detects, unless ON says otherwise, and so does `make cluster-down`."""
    # A make that runs these tests has flags and variables of its own.
    bare = {"PATH": os.environ["PATH"]}
    command = ["make", "--dry-run", "--no-print-directory", "PYTHON=python", *given]
    lines = [
        subprocess.run([*command, target], cwd=REPOSITORY, env=bare, capture_output=True, text=True, check=True).stdout
        for target in ("cluster", "cluster-down")
    ]

    assert [True, True] == [line.endswith(f" --name headgate --on {on}\n") for line in lines]


def test_images_are_of_the_pinned_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traefik and Prometheus are those of the real node, and a module that no release is known for is refused."""
    traefik_image, prometheus_image = add_ons.images()
    major, minor, patch = prometheus_image.removeprefix("prom/prometheus:v").split(".")

    assert f"v0.{major}{minor:0>2}.{patch}" == binaries.version(prometheus.PROMETHEUS)
    assert f"=={traefik_image.removeprefix('traefik:v')} " in (
        binaries.MODULES / "traefik" / "requirements.txt"
    ).read_text(encoding="utf-8")
    monkeypatch.setattr(binaries, "version", lambda _: "v1.0.0")
    with pytest.raises(ClusterError, match=r"no release of Prometheus is known for its module v1\.0\.0"):
        add_ons.images()


def test_the_ports_of_the_services_are_published() -> None:
    """What kind publishes of the worker, on this machine alone, is where the Gateway and Prometheus answer."""
    nodes = yaml.safe_load(kind.CONFIGURATION.read_text(encoding="utf-8"))["nodes"]
    published = [mapping for node in nodes for mapping in node.get("extraPortMappings", ())]
    services = [part for part in add_ons.objects()["items"] if part["kind"] == "Service"]

    assert {"127.0.0.1"} == {mapping["listenAddress"] for mapping in published}
    assert {mapping["containerPort"] for mapping in published} == {
        port["nodePort"] for service in services for port in service["spec"]["ports"]
    }
