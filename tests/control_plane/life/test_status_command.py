"""`headgate status` as people run it: a process of its own, with a kubeconfig and the rights of its user."""

import contextlib
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate.cli.status import ending
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.gateways import Gateways
from tests.control_plane.life.rollouts import World, manifest, metric, steered
from tests.control_plane.life.shops import Shop
from tests.control_plane.people import Person, rule
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

READS = [
    {**rule("rollouts", group="headgate.dev"), "verbs": ["get", "list", "watch"]},
]
READS_ALL = [
    *READS,
    {**rule("deployments", group="apps"), "verbs": ["get", "list", "watch"]},
    {**rule("events", group="events.k8s.io"), "verbs": ["get", "list", "watch"]},
]
GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}
DEADLINE_SECONDS = 90


def command(kubeconfig: Path, *arguments: str) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "headgate.cli", "status", *arguments, f"--kubeconfig={kubeconfig}"]


def status(kubeconfig: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return how `headgate status` ends."""
    return subprocess.run(
        command(kubeconfig, *arguments), capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS
    )


class Following:
    """`headgate status --watch` in the background, line by line."""

    def __init__(self, kubeconfig: Path, *arguments: str) -> None:
        argv = command(kubeconfig, *arguments, "--watch")
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def wait_line(self, words: str) -> None:
        """Wait until a line has these *words*."""
        with self._news:
            said = self._news.wait_for(lambda: any(words in line for line in self.lines), DEADLINE_SECONDS)
        assert said, f"no line with {words!r} in {self.lines}"

    def close(self) -> None:
        """End it, unless it has."""
        self.process.kill()
        with self.process:
            self._reader.join(DEADLINE_SECONDS)

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself, and return its exit code and what it said of errors."""
        code = self.process.wait(DEADLINE_SECONDS)
        self._reader.join(DEADLINE_SECONDS)
        return code, self.process.stderr.read() if self.process.stderr else ""


@contextlib.contextmanager
def following(kubeconfig: Path, *arguments: str) -> Iterator[Following]:
    """Follow, and end that at the end."""
    started = Following(kubeconfig, *arguments)
    try:
        yield started
    finally:
        started.close()


def kubeconfig_of(control_plane: ControlPlane, folder: Path, name: str, *rules: Any, namespace: str) -> Path:
    """Return the kubeconfig of a service account of that *name* with these rights alone."""
    found = yaml.safe_load(control_plane.kubeconfig.read_text())
    account = ("serviceaccount", name, "-n", namespace)
    assert control_plane.kubectl("create", *account).returncode == 0
    Person(control_plane, name, namespace).grant(*rules)
    bound = control_plane.kubectl(
        *("create", "rolebinding", f"{name}-account", "-n", namespace),
        *(f"--role={name}", f"--serviceaccount={namespace}:{name}"),
    )
    assert bound.returncode == 0, bound.stderr
    token = control_plane.kubectl("create", "token", name, "-n", namespace)
    assert token.returncode == 0, token.stderr
    found["users"] = [{"name": one["name"], "user": {"token": token.stdout.strip()}} for one in found["users"]]
    for one in found["contexts"]:
        one["context"]["namespace"] = namespace
    path = folder / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(found))
    return path


def test_it_follows_a_rollout_until_it_is_promoted(world: World, control_plane: ControlPlane, tmp_path: Path) -> None:
    """`--watch` prints a line for each change, names the pause, and ends with 0 once the new version serves."""
    reader = kubeconfig_of(control_plane, tmp_path, "reader", *READS_ALL, namespace=world.namespace)
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    at_rest = status(reader, "web")
    world.ship("v2", strategy=GATED)
    with following(reader, "web") as watching:
        watching.wait_line("Paused; step 2 of 4")
        paused = status(reader, "web")
        world.command("promote", f"{world.status['canary']['hash']}/2")
        code, errors = watching.end()

    assert (at_rest.returncode, paused.returncode, code) == (ending.SERVES, ending.SERVES, ending.SERVES)
    assert "Healthy" in at_rest.stdout
    assert "● 25 %  ● pause  ○ 50 %  ○ 100 %" in paused.stdout
    assert re.search(r"canary +2  \w+  ■ 1 of 1 +web:v2", paused.stdout)
    assert "kubectl annotate" in paused.stdout
    assert errors == ""
    assert any(" * Promoted: " in line for line in watching.lines), watching.lines
    assert any(" Healthy; stable 2 with 4 of 4 pods ready" in line for line in watching.lines[-3:]), watching.lines
    assert not any("\x1b" in line for line in watching.lines)


def test_a_version_that_is_taken_back_ends_with_3(
    shop: Shop, gateways_of: Gateways, prometheus: ScriptedPrometheus, control_plane: ControlPlane, tmp_path: Path
) -> None:
    """A rollback is followed to its end with its reason, and the exit code says that the new version failed."""
    assert gateways_of.alive
    reader = kubeconfig_of(control_plane, tmp_path, "reader", *READS_ALL, namespace=shop.namespace)
    analysis = {"metrics": [metric(shop.namespace)]}
    prometheus.script(constant(0.0, match=f'"{shop.namespace}"'))
    shop.ship("v1", strategy=GATED, analysis=analysis)
    shop.wait_stable("v1")
    shop.ship("v2", strategy=GATED, analysis=analysis)
    with following(reader, "web") as watching:
        watching.wait_line("Paused; step 2 of 4; weight 25 %, 25 % wanted")
        prometheus.script(constant(0.9, match=f'"{shop.namespace}"'))
        code, errors = watching.end()
    after = status(reader, "web")

    assert (code, after.returncode, errors) == (ending.FAILED, ending.FAILED, "")
    last = next(line for line in watching.lines if " RolledBack; " in line)
    assert "error-rate" in last
    assert after.stdout.startswith(f"Rollout {shop.namespace}/web  RolledBack\n")


def test_rights_on_rollouts_alone_are_enough(world: World, control_plane: ControlPlane, tmp_path: Path) -> None:
    """Without Deployments and Events the rest is shown and followed, and a line says what is missing and why."""
    reader = kubeconfig_of(control_plane, tmp_path, "reader", *READS, namespace=world.namespace)
    world.ship("v1")
    with following(reader, "web") as watching:
        code, errors = watching.end()
    once = status(reader, "web")

    assert (code, errors, once.returncode) == (ending.SERVES, "", ending.SERVES)
    assert any(" Healthy; stable 1 with 4 of 4 pods ready" in line for line in watching.lines), watching.lines
    told = [line for line in once.stdout.splitlines() if line.startswith("! ")]
    assert [line.partition(" not shown: ")[0] for line in told] == [
        "! the Events are",
        "! the pods as they are now are",
    ]
    assert all("is forbidden" in line for line in told)


def test_what_cannot_be_read_is_one_line(world: World, control_plane: ControlPlane, tmp_path: Path) -> None:
    """A Rollout, a right or credentials that are missing: one line each, which says what to do."""
    world.ship("v1")
    reader = kubeconfig_of(control_plane, tmp_path, "reader", *READS, namespace=world.namespace)
    stranger = kubeconfig_of(control_plane, tmp_path, "stranger", namespace=world.namespace)
    forged = yaml.safe_load(reader.read_text())
    forged["users"][0]["user"]["token"] = forged["clusters"][0]["name"]
    (tmp_path / "forged").write_text(yaml.safe_dump(forged))
    right = f"ask for the right to get, list and watch rollouts.headgate.dev in the namespace {world.namespace}"
    expected = {
        ("web2", reader): f"no Rollout web2 in the namespace {world.namespace}: there is web (",
        ("web", stranger): right,
        ("web", tmp_path / "forged"): "log in again",
    }

    for (name, kubeconfig), words in expected.items():
        ended = status(kubeconfig, name, *(["--watch"] if kubeconfig == stranger else []))
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
        assert ended.stderr.startswith("headgate status: ")
        assert words in ended.stderr


def test_a_timeout_ends_with_4(world: World, control_plane: ControlPlane) -> None:
    """A rollout that is not over by then is named with its phase, and is left alone."""
    world.apply(steered(manifest(world.namespace), ready="never"))
    ended = status(control_plane.kubeconfig, "web", "-n", world.namespace, "--watch", "--timeout=2s")

    assert ended.returncode == ending.TIMED_OUT
    assert re.fullmatch(rf"headgate status: {world.namespace}/web is \w+ at the end of --timeout\n", ended.stderr), (
        ended.stderr
    )


def test_a_rollout_that_is_deleted_ends_it(world: World, control_plane: ControlPlane) -> None:
    """A Rollout that goes away while it is followed is told as missing."""
    world.apply(steered(manifest(world.namespace), ready="never"))
    with following(control_plane.kubeconfig, "web", "-n", world.namespace) as watching:
        watching.wait_line("pods ready")
        world.kubectl("delete", "rollout", "web", "-n", world.namespace)
        code, errors = watching.end()

    assert (code, errors.count("\n")) == (1, 1)
    assert f"no Rollout web in the namespace {world.namespace}" in errors


def test_following_asks_for_nothing_between_changes(world: World, control_plane: ControlPlane, tmp_path: Path) -> None:
    """While nothing changes, `--watch` sends no request: it has one watch for each of the three kinds."""
    world.ship("v1", strategy=GATED)
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED)
    world.wait_step(2)

    def asked() -> list[str]:
        lines = control_plane.cluster.audit_log.read_text().splitlines()
        found = [json.loads(line) for line in lines if f"/namespaces/{world.namespace}/" in line]
        return [one["requestURI"] for one in found if one["user"]["username"] == user]

    user = f"system:serviceaccount:{world.namespace}:reader"
    reader = kubeconfig_of(control_plane, tmp_path, "reader", *READS_ALL, namespace=world.namespace)
    with following(reader, "web") as watching:
        watching.wait_line("Paused")
        before = asked()
        with pytest.raises(subprocess.TimeoutExpired):
            watching.process.wait(4)
        assert asked() == before
