"""The operator as a process: it starts from an environment, says how it is, and ends when it is told to."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from hack.cluster import wait_until
from tests.adapters.metrics import hostile_server
from tests.control_plane.conftest import ControlPlane
from tests.shell.test_api_server import ROLLOUT, with_

END_SECONDS = 5.0


@pytest.fixture
def start(tmp_path: Path) -> Iterator["Starts"]:
    """Start operators that are ended with the test."""
    started: list[Process] = []

    def start(kubeconfig: Path, **settings: str) -> Process:
        process = Process(kubeconfig, tmp_path / f"log-{len(started)}", settings)
        started.append(process)
        return process

    yield start
    for process in started:
        process.popen.kill()
        process.popen.wait()


class Process:
    """One operator on a free port."""

    def __init__(self, kubeconfig: Path, log: Path, settings: Mapping[str, str]) -> None:
        environment = {
            "KUBECONFIG": str(kubeconfig),
            "HEADGATE_LISTEN_PORT": "0",
            "HEADGATE_LOG_FORMAT": "json",
            "PYTHONPATH": ":".join(sys.path),
            "PATH": "",
            **{f"HEADGATE_{name.upper()}": value for name, value in settings.items()},
        }
        self.log = log
        with log.open("wb") as stream:
            self.popen = subprocess.Popen([sys.executable, "-m", "headgate"], env=environment, stderr=stream)

    def lines(self) -> list[dict[str, str]]:
        """Return what it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def said(self, words: str) -> bool:
        """Return whether it has said *words*."""
        return any(words in line["message"] for line in self.lines())

    def page(self, path: str) -> str | None:
        """Return what it serves at *path*, or None unless it says 200."""
        port = next(
            int(line["message"].rpartition(":")[2]) for line in self.lines() if "listening on" in line["message"]
        )
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Tell it to end; return its exit code and how many seconds that took."""
        before = time.monotonic()
        self.popen.send_signal(number)
        return self.popen.wait(timeout=15), time.monotonic() - before


class Starts(Protocol):
    """Starts operators."""

    def __call__(self, kubeconfig: Path, **settings: str) -> Process:
        """Start one with *settings*, which are named as in the environment, in lower case."""


def unreachable(folder: Path) -> Path:
    """Return a kubeconfig of a server that does not answer."""
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k"}}],
                "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:1"}}],
            }
        )
    )
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_without_a_cluster(start: Starts, tmp_path: Path, number: signal.Signals) -> None:
    """An operator whose API server is away is live but not ready, and ends in time with 0."""
    operator = start(unreachable(tmp_path))
    assert wait_until(lambda: operator.said("cannot list all Rollouts"), deadline_seconds=20)
    assert operator.page("healthz") is not None
    assert operator.page("readyz") is None
    code, seconds = operator.end(number)
    assert (code, seconds < END_SECONDS) == (0, True)


HANGING = """
import asyncio, sys, threading
from headgate import __main__ as operator

async def run(self, stop):
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
    await asyncio.sleep(0.1)
    {ends}

operator.Operator.run = run
sys.exit(operator.main())
"""


@pytest.mark.parametrize("ends", ["return", "raise RuntimeError('resync ended')"])
def test_end_waits_for_no_thread_that_hangs(tmp_path: Path, ends: str) -> None:
    """However the operator comes to its end, a thread that hangs in a library does not keep the process."""
    environment = {"KUBECONFIG": str(unreachable(tmp_path)), "PYTHONPATH": ":".join(sys.path), "PATH": ""}
    argv = [sys.executable, "-c", HANGING.format(ends=ends)]
    ended = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=30)
    assert ended.returncode == 1


@pytest.mark.control_plane
def test_ends_while_it_works(control_plane: ControlPlane, start: Starts) -> None:
    """An operator in the midst of its work ends in time with 0; its successor brings the work to its end."""
    control_plane.kubectl("create", "namespace", "process")
    operator = start(control_plane.kubeconfig)
    assert wait_until(lambda: operator.said("listening on") and operator.page("readyz"), deadline_seconds=30)
    rollouts = [with_(ROLLOUT, "metadata/name", f"web-{number}") for number in range(30)]
    items = [{"apiVersion": "headgate.dev/v1alpha1", **with_(body, "spec/replicas", 1)} for body in rollouts]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    applied = control_plane.kubectl("apply", "-n", "process", "-f", "-", stdin=listed)
    assert applied.returncode == 0, applied.stderr
    code, seconds = operator.end()
    assert (code, seconds < END_SECONDS) == (0, True), operator.log.read_text()
    successor = start(control_plane.kubeconfig)

    def healthy() -> bool:
        shown = control_plane.kubectl("get", "rollouts", "-n", "process", "-o", "jsonpath={.items[*].status.phase}")
        return shown.stdout.split() == ["Healthy"] * len(rollouts)

    assert wait_until(healthy, deadline_seconds=60), successor.log.read_text()
    metrics = successor.page("metrics") or ""
    assert "headgate_bugs_total 0.0" in metrics
    assert 'headgate_rollouts{phase="Healthy"}' in metrics
    assert successor.end()[0] == 0


@pytest.mark.control_plane
def test_ends_while_a_metrics_server_hangs(control_plane: ControlPlane, start: Starts) -> None:
    """Queries that drip in their threads for minutes hold no exit up: the operator ends in time with 0."""
    asked: list[int] = []
    endless = hostile_server.dripping(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 1000, 20, every_seconds=0.2)

    def play(connection: socket.socket, over: threading.Event) -> None:
        asked.append(1)
        endless(connection, over)

    metric = {"interval": "1s", "window": "1s", "when": ["First"], "threshold": {"max": 1}}
    metrics = [metric | {"name": f"m-{n}", "prometheus": {"query": f"up{{n='{n}'}}"}} for n in range(12)]
    body = with_(with_(ROLLOUT, "spec/replicas", 1), "spec/analysis", {"metrics": metrics})
    control_plane.kubectl("create", "namespace", "hangs")
    with hostile_server.serving(play) as port:
        operator = start(
            control_plane.kubeconfig,
            prometheus_address=f"http://127.0.0.1:{port}",
            prometheus_timeout_seconds="60",
            scrape_interval_seconds="0",
        )
        applied = json.dumps({"apiVersion": "headgate.dev/v1alpha1", **body})
        ended = control_plane.kubectl("apply", "-n", "hangs", "-f", "-", stdin=applied)
        assert ended.returncode == 0, ended.stderr
        assert wait_until(lambda: len(asked) >= 6, deadline_seconds=60), operator.log.read_text()
        code, seconds = operator.end()

    assert (code, seconds < END_SECONDS) == (0, True), operator.log.read_text()
