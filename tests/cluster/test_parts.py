"""The parts of the local clusters that need no Kubernetes."""

import dataclasses
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import __main__ as command_line
from hack.cluster import binaries, components, control_plane, deadlines, files, layout, processes, supervisor, toolchain
from hack.cluster.errors import ClusterError

REPOSITORY = Path(__file__).parents[2]
SLEEP = (sys.executable, "-c", "import signal; signal.pause()")


def _say_nothing(_: str) -> None:
    """Keep quiet."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[layout.Layout]:
    """Give the layout of a cluster of its own, and end whatever ran there."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    yield layout.of("parts")
    supervisor.stop_all(layout.of("parts"))


@pytest.fixture
def sleeper(place: layout.Layout) -> processes.Process:
    """Give a process of ours that nobody recorded."""
    return processes.start(SLEEP, {}, place.mark_of("sleeper"), place.log("sleeper"))


@pytest.mark.parametrize("change", [{"started_ticks": 1}, {"boot": "another"}])
def test_a_recycled_pid_is_never_killed(sleeper: processes.Process, change: dict[str, Any]) -> None:
    """A process that merely has a recorded pid is not the recorded one, and is left alone."""
    recorded = dataclasses.replace(sleeper, **change)
    processes.end(recorded)

    assert not processes.is_running(recorded)
    assert processes.is_running(sleeper)
    with pytest.raises(ClusterError, match="has ended"):
        processes.send(recorded, signal.SIGTERM)


def test_an_ended_process_does_not_run(sleeper: processes.Process) -> None:
    """Once ended a process does not run, and ending it again is fine."""
    processes.end(sleeper, grace_seconds=5)
    processes.end(sleeper)

    assert not processes.is_running(sleeper)
    assert not Path(f"/proc/{sleeper.pid}").exists()


def test_a_process_never_recorded_is_found_by_its_mark(place: layout.Layout, sleeper: processes.Process) -> None:
    """Whoever was killed before recording a process leaves one that down still finds."""
    found = [sleeper] if processes.is_running(sleeper) else []

    assert deadlines.wait_until(lambda: found == processes.marked(place.mark), 5)
    assert 1 == supervisor.stop_all(place)
    assert not processes.is_running(sleeper)


def test_components_start_after_what_they_need(place: layout.Layout) -> None:
    """A component starts once those it names are ready, and its preparation comes before."""
    order: list[str] = []
    second = components.Component("second", SLEEP, lambda: None, ("first",), prepare=lambda: order.append("second"))
    first = components.Component("first", SLEEP, lambda: None, prepare=lambda: order.append("first"))

    assert ["first", "second"] == supervisor.start([second, first], place, _say_nothing)
    assert ["first", "second"] == order
    assert [] == supervisor.start([second, first], place, _say_nothing)
    assert 2 == supervisor.stop_all(place)


def test_a_failed_start_ends_what_it_started(place: layout.Layout) -> None:
    """When one component ends early, the error has its last words and the others are ended."""
    fine = components.Component("fine", SLEEP, lambda: None)
    words = (sys.executable, "-c", "raise SystemExit('port taken')")
    broken = components.Component("broken", words, lambda: "not up", ("fine",))

    with pytest.raises(ClusterError, match="broken ended right after its start: port taken"):
        supervisor.start([fine, broken], place, _say_nothing)
    assert supervisor.running(place, "fine") is None


def test_a_program_that_is_missing_is_named(place: layout.Layout) -> None:
    """A program that cannot be started is an error in words."""
    gone = components.Component("gone", ("/nowhere/gone",), lambda: None)

    with pytest.raises(ClusterError, match="cannot start /nowhere/gone: No such file or directory"):
        supervisor.start([gone], place, _say_nothing)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a/b", "..", "a" * 41])
def test_a_name_that_could_leave_the_folder_is_refused(name: str) -> None:
    """Names are folder names and part of certificates: lower case, digits and hyphens."""
    with pytest.raises(ClusterError, match="cannot name a cluster"):
        layout.of(name)


def test_ports_of_a_stopped_cluster_are_kept_for_it(place: layout.Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cluster is given a port that another has, even while nothing listens there."""
    # Ports that no other process chooses at the same time.
    monkeypatch.setattr(layout, "PORT_RANGE", range(61000, 61002))
    monkeypatch.setattr(layout, "_can_bind", lambda _: True)
    layout.write_record(place, layout.Record("control-plane", {"etcd": 61000}))

    assert {"one": 61001} == layout.choose_ports(["one"])
    with pytest.raises(ClusterError, match="no free port"):
        layout.choose_ports(["one", "two"])


CHOOSING = """
import sys
from hack.cluster import layout
layout.PORT_RANGE = range(61010, 61013)
print(*layout.choose_ports(["one", "two"]).values(), flush=True)
sys.stdin.read()
"""


def test_a_port_is_chosen_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before their servers start, ports of one process go to no other one, and not to a second caller within it."""
    monkeypatch.setattr(layout, "PORT_RANGE", range(61010, 61013))
    command = [sys.executable, "-c", CHOOSING]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = layout.free_port()
        assert {*theirs, ours} == {61010, 61011, 61012}
        with pytest.raises(ClusterError, match="no free port"):
            layout.free_port()
        other.communicate("")

    assert {layout.free_port(), layout.free_port()} == theirs


def test_a_lock_on_a_removed_folder_is_taken_anew(tmp_path: Path) -> None:
    """Who waited for a folder that was removed meanwhile holds the folder of that name, not its ghost."""
    folder = tmp_path / "locked"
    held = threading.Event()

    def wait_for_it() -> None:
        with files.locked_folder(folder):
            held.set()

    with files.locked_folder(folder):
        waiter = threading.Thread(target=wait_for_it)
        waiter.start()
        folder.rmdir()
    waiter.join(5)

    assert held.is_set()
    assert folder.is_dir()


def test_an_old_go_does_not_do(tmp_path: Path) -> None:
    """The needed Go comes from go.mod, and one that is older, or is none, is not taken."""
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    old.chmod(0o755)
    wanted = toolchain.needed(binaries.MODULES / "kubernetes" / "go.mod")

    assert (1, 26) <= wanted
    assert not toolchain._has(old, wanted)
    assert toolchain._has(old, (1, 19))
    assert not toolchain._has(tmp_path / "none", wanted)


def test_the_version_is_the_pinned_one() -> None:
    """What Kubernetes says of its version comes from go.mod, and staging modules fit it."""
    pinned = binaries.version(control_plane.KUBERNETES)
    flags = binaries._link_flags(control_plane.KUBERNETES)
    go_mod = (binaries.MODULES / "kubernetes" / "go.mod").read_text()

    assert f"-X k8s.io/component-base/version.gitVersion={pinned}" in flags
    assert f"k8s.io/apiserver => k8s.io/apiserver {pinned.replace('v1.', 'v0.')}" in go_mod


def test_errors_are_one_line(place: layout.Layout, capsys: pytest.CaptureFixture[str]) -> None:
    """A user's mistake exits with 1 and says what would be right, without a stack trace."""
    assert 1 == command_line.main(["kubeconfig", "--name", place.name])
    assert (
        "error: there is no cluster parts: start it with 'python -m hack.cluster up --name parts'\n"
        == capsys.readouterr().err
    )


def test_the_environment_of_a_launcher_does_not_steer_components(
    place: layout.Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy or KUBECONFIG in the launcher's environment reaches no component."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    supervisor.start([components.Component("one", SLEEP, lambda: None)], place, _say_nothing)
    process = supervisor.running(place, "one")

    assert process is not None
    names = {entry.partition(b"=")[0] for entry in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")}
    assert {b"PATH", b"HOME", processes.MARK.encode(), b""} >= names


def test_nothing_is_left_half_written(tmp_path: Path) -> None:
    """A file that is written again is the old one or the new one, with the mode that was asked for."""
    files.write(tmp_path / "deep" / "file", "one")
    files.write(tmp_path / "deep" / "file", "two", mode=0o600)

    assert "two" == (tmp_path / "deep" / "file").read_text()
    assert 0o600 == (tmp_path / "deep" / "file").stat().st_mode & 0o777
    assert ["file"] == [path.name for path in (tmp_path / "deep").iterdir()]


def test_help_names_every_command() -> None:
    """The command line tells what it can do."""
    command = [sys.executable, "-m", "hack.cluster", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, cwd=binaries.MODULES.parents[2]).stdout

    assert all(word in text for word in ("up", "down", "build", "kubeconfig"))
