"""The servers that canaries are measured by, as witnesses of what they were asked and when.

Owns the real Prometheus: one that scrapes itself, on a port of this machine, from the binary that the clusters use.
"""

import contextlib
import dataclasses
import datetime
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import requests

from bench.stage import Prometheus, Say
from hack import cluster as clusters
from hack.cluster import binaries
from hack.cluster import prometheus as layer

MILLISECONDS: Final = 1000.0
SCRAPE_SECONDS: Final = 1
READY_SECONDS: Final = 30
ANSWER_SECONDS: Final = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A range query as the server saw it."""

    query: str
    ticks: range
    arrived: float


class Server(Protocol):
    """Who answers queries."""

    @property
    def name(self) -> str:
        """Which one it is, for people."""

    @property
    def address(self) -> str:
        """Where it is."""

    def query(self, mark: str) -> str:
        """Return a query that has a good value, and that *mark* tells from all others."""

    def forget(self) -> None:
        """Forget what was asked until now."""

    def asked(self) -> list[Asked]:
        """Return what was asked since."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scripted:
    """The scripted server."""

    prometheus: Prometheus
    name: str = "scripted Prometheus"

    @property
    def address(self) -> str:
        """Where it is."""
        return self.prometheus.address

    def query(self, mark: str) -> str:
        """Return a query with *mark*: to this server one is like the other."""
        return f'errors{{mark="{mark}",pod=~"$(canary.pods)"}}'

    def forget(self) -> None:
        """Forget what was asked until now."""
        self.prometheus.forget()

    def asked(self) -> list[Asked]:
        """Return what was asked since."""
        return [
            Asked(one["query"], range(one["first"], one["last"] + 1, one["step"]), one["arrived"])
            for one in self.prometheus.asked()
        ]


class Real:
    """A real Prometheus that measures itself. Its query log says what it was asked."""

    name = "real Prometheus"

    def __init__(self, address: str, log: Path) -> None:
        self.address = address
        self._log = log
        self._read = 0

    def query(self, mark: str) -> str:
        """Return a ratio of two rates, as people write them; *mark* excludes what is not there."""
        series = f'prometheus_http_requests_total{{handler!="{mark}",pod!~"$(canary.pods)"'
        bad, every = f'{series},code=~"5.."}}[$(window)]', f"{series}}}[$(window)]"
        return f"(sum(rate({bad})) or vector(0)) / (sum(rate({every})) or vector(1))"

    def forget(self) -> None:
        """Forget what was asked until now."""
        self._read = self._log.stat().st_size

    def asked(self) -> list[Asked]:
        """Return what was asked since."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            return [_asked(json.loads(line)) for line in log if line.endswith(b"\n")]


def _asked(entry: dict[str, Any]) -> Asked:
    """Return what a line of the query log says: it is written when the query has been answered."""
    form = entry["params"]
    first, last = (int(_moment(form[name])) for name in ("start", "end"))
    took = float(entry["stats"]["timings"]["execTotalTime"])
    return Asked(form["query"], range(first, last + 1, int(form["step"])), _moment(entry["time"]) - took)


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


@contextlib.contextmanager
def real(say: Say) -> Iterator[Real]:
    """Run a real Prometheus."""
    binary = binaries.install((layer.PROMETHEUS,), say).binary("prometheus", "prometheus")
    with tempfile.TemporaryDirectory() as folder:
        address, log = f"127.0.0.1:{clusters.free_port()}", Path(folder, "queries.log")
        itself = {"job_name": "itself", "static_configs": [{"targets": [address]}]}
        pace = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
        configuration = {"global": {**pace, "query_log_file": str(log)}, "scrape_configs": [itself]}
        file = Path(folder, "prometheus.json")
        file.write_text(json.dumps(configuration))
        samples = Path(folder, "samples")
        argv = [
            str(binary),
            f"--config.file={file}",
            f"--storage.tsdb.path={samples}",
            f"--web.listen-address={address}",
        ]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - of our own cache
            try:
                server = Real(f"http://{address}", log)
                if not clusters.wait_until(lambda: _answers(server), READY_SECONDS):
                    raise clusters.ClusterError(f"Prometheus does not answer on {address}")
                yield server
            finally:
                process.terminate()


def _answers(server: Server) -> bool:
    try:
        return requests.get(f"{server.address}/-/ready", timeout=ANSWER_SECONDS).ok
    except requests.RequestException:
        return False


def probe(server: Server, query: str, ticks: range, times: int) -> tuple[float, ...]:
    """Return how many ms a plain client waits for the answer to a query, each of so many *times*."""
    form: dict[str, str | int] = {"query": query, "start": ticks[0], "end": ticks[-1], "step": ticks.step}
    taken = []
    with requests.Session() as session:
        session.trust_env = False  # a proxy that somebody uses is not for loopback addresses
        for _ in range(times):
            began = time.perf_counter()
            answer = session.get(f"{server.address}/api/v1/query_range", params=form, timeout=ANSWER_SECONDS)
            answer.raise_for_status()
            taken.append((time.perf_counter() - began) * MILLISECONDS)
    return tuple(taken)
