"""The parts of a real node that need neither root nor Kubernetes."""

import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
import tomllib
from pathlib import Path

import pytest

from hack.cluster import __main__ as command_line
from hack.cluster import binaries, control_plane, images, lifecycle, machine, mounts, namespaces, node
from hack.cluster.errors import ClusterError


def test_without_root_one_line_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is not root reads so, with the Debian packages by name, before anything is built."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(machine, "PACKAGES", {"runc": "no-such-program", "iproute2": "sh"})

    assert 1 == command_line.main(["up", "--size", "node"])
    assert (
        "error: a real node needs root, and these Debian packages: runc; without root use '--size control-plane'\n"
        == capsys.readouterr().err
    )
    assert [] == list(tmp_path.iterdir())


def test_other_systems_are_told_of_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Linux, the way to go is named."""
    monkeypatch.setattr("sys.platform", "darwin")

    assert "a real node needs Linux; elsewhere use kind: make cluster SIZE=node ON=kind" == lifecycle.lacking("node")
    assert "" == lifecycle.lacking("control-plane")


def test_without_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root of another distribution reads what to install by hand."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    assert all(package in machine.lacks() for package in machine.PACKAGES)


def test_missing_packages_are_installed_after_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root gets what is missing and nothing else; what then still is, is an error in one line."""
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name, **_: None if name == "runc" else f"/usr/bin/{name}")

    with pytest.raises(ClusterError, match="apt-get brought no runc"):
        machine.provide(lambda _: None)
    assert [("update", "--quiet"), ("install", "runc")] == [(words[1], words[-1]) for words in commands]


def test_two_that_install_take_turns(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever comes second waits, looks again, and finds that nothing is missing any more."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    missing = {"runc"}
    asked: list[str] = []

    def install(packages: list[str]) -> None:
        asked.extend(packages)
        missing.clear()

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine, "_missing", lambda: sorted(missing))
    monkeypatch.setattr(machine, "_install", install)
    threads = [threading.Thread(target=machine.provide, args=(lambda _: None,)) for _ in range(2)]
    with machine.package_lock():
        for thread in threads:
            thread.start()
        assert asked == []
    for thread in threads:
        thread.join(10)

    assert asked == ["runc"]


def test_a_state_folder_that_the_node_hides_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The node has its own /run, so no state of it may lie there."""
    monkeypatch.setattr(machine, "provide", lambda _: None)
    monkeypatch.setenv("XDG_STATE_HOME", "/run/user/1000")

    with pytest.raises(ClusterError, match="the node cannot see /run/user/1000/headgate/clusters"):
        namespaces.provide(lambda _: None)


def test_the_same_image_has_the_same_bytes(tmp_path: Path) -> None:
    """An archive holds one layer with the binary, the name, and the sum of that layer."""
    binary = tmp_path / "tool"
    binary.write_bytes(b"\x7fELF")
    one = images.build(tmp_path / "one.tar", "example.test/tool:1", binary, ("serve",), {"MODE": "loud"})
    two = images.build(tmp_path / "two.tar", "example.test/tool:1", binary, ("serve",), {"MODE": "loud"})

    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        content = {entry.name: (archive.extractfile(entry) or io.BytesIO()).read() for entry in archive}
    assert ["example.test/tool:1"] == json.loads(content["manifest.json"])[0]["RepoTags"]
    configuration = json.loads(content["config.json"])["config"]
    assert ["/bin/tool", "serve"] == configuration["Entrypoint"]
    assert ["PATH=/bin", "MODE=loud"] == configuration["Env"]
    with tarfile.open(fileobj=io.BytesIO(content["layer.tar"])) as layer:
        assert 0o755 == layer.getmember("bin/tool").mode


def test_a_program_that_cannot_run_alone_makes_no_image(tmp_path: Path) -> None:
    """A dynamically linked program, like Debian's other busybox, is refused before a node would fail to start it."""
    binary = tmp_path / "tool"
    binary.write_bytes(b"\x7fELF" + bytes(600) + b"/lib64/ld-linux-x86-64.so.2\0")

    with pytest.raises(ClusterError, match="link it statically"):
        images.build(tmp_path / "tool.tar", "example.test/tool:1", binary)


def test_mount_points_with_spaces_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mount points are found beneath a folder, latest first, as they were written."""
    listing = tmp_path / "mountinfo"
    listing.write_text(
        "1 0 8:1 / / rw - ext4 /dev/a rw\n"
        "2 1 0:4 net:[1] /s/my\\040own/net rw shared:1 - nsfs nsfs rw\n"
        "3 1 0:4 / /s/my\\040own/net/in rw - cgroup cpu rw\n"
        "4 1 0:4 / /s/my\\040owner rw - tmpfs tmpfs rw\n"
    )
    monkeypatch.setattr(mounts, "MOUNTS", listing)

    assert [Path("/s/my own/net/in"), Path("/s/my own/net")] == mounts.beneath(Path("/s/my own"))
    assert [Path("/s/my own/net/in")] == mounts.of_type("cgroup")


def test_containerd_reads_what_was_meant() -> None:
    """Nested tables, with dots in their names, survive as TOML."""
    content = {"version": 3, "plugins": {"io.example.v1": {"on": True, "dirs": ["/a b"], "runc": {"name": 'x"y'}}}}

    assert content == tomllib.loads(node._toml(content))


def test_a_node_is_of_the_control_planes_version() -> None:
    """Both groups of Kubernetes pin the same version, to every staging module."""
    ours, theirs = (
        (binaries.MODULES / group.module / "go.mod").read_text().partition("replace")[2]
        for group in (node.KUBERNETES, control_plane.KUBERNETES)
    )

    assert binaries.version(control_plane.KUBERNETES) == binaries.version(node.KUBERNETES)
    assert ours == theirs


def test_a_group_removes_only_its_own_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group whose name begins like another's leaves that one's half-built folder alone."""
    monkeypatch.setattr(binaries, "_build_module", lambda *_: None)
    other = tmp_path / f".kubernetes-node-{'a' * binaries.KEY_LENGTH}.building"
    own = tmp_path / f".kubernetes-{'b' * binaries.KEY_LENGTH}.building"
    for folder in (other, own):
        folder.mkdir()
    binaries._build(control_plane.KUBERNETES, tmp_path / "kubernetes-new", lambda: lambda _: None)

    assert {other.name, "kubernetes-new"} == {path.name for path in tmp_path.iterdir()}


def test_every_wheel_is_pinned_with_its_hash() -> None:
    """What comes ready-made is of one version and known content."""
    lines = (binaries.MODULES / "traefik" / "requirements.txt").read_text().splitlines()

    assert 1 == sum("==" in line for line in lines)
    assert any("--hash=sha256:" in line for line in lines)


def test_only_a_real_node_takes_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading an image into a control plane says why not, and its commands run where they are."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    nowhere = tmp_path / "nowhere"
    cluster = lifecycle.Cluster("small", "control-plane", nowhere, nowhere, nowhere, "", nowhere)

    assert ["kubectl"] == lifecycle.command(cluster, ["kubectl"])
    with pytest.raises(ClusterError, match="only a real node takes images"):
        lifecycle.load_image(cluster, tmp_path / "image.tar")
