"""A steady load by vegeta on an address inside a cluster, and who answered what, live.

Owns the attack, its bounds and the counting. Must not know which application answers: how a response tells its version
is the caller's to say.
"""

import base64
import contextlib
import dataclasses
import datetime
import enum
import json
import math
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, Self

from hack.cluster import Cluster, ClusterError, command, layout, processes

RATE_MAX, DURATION_MAX_SECONDS = 500, 3600
FAILURES_KEPT: Final = 1000
NOBODY: Final = "nobody"
"""The version of a response from no pod: the gateway's own, or none at all."""
NO_ANSWER: Final = "none"
"""The status class of a request that got no response: refused, reset, timed out."""


class Connections(enum.Enum):
    """How users connect: by a connection that stays open, or by a new one for each request."""

    KEPT = "true"
    NEW = "false"


_TIMEOUT_SECONDS = 5
_STOP_SECONDS = 2.0 * _TIMEOUT_SECONDS
_BODY_BYTES = 512
_FIRST_ERROR_CLASS = 4
# Latencies are counted in buckets, each this much wider than the one before: percentiles are true to 5 %.
_BUCKET_RATIO = 1.05


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """What a user got for one request. Code 0 is no response at all."""

    at: float
    """When it was sent, in seconds since the epoch."""
    code: int
    latency_seconds: float
    body: bytes = b""
    error: str = ""

    @property
    def status_class(self) -> str:
        """Return "2xx" and its like, or NO_ANSWER."""
        return f"{self.code // 100}xx" if self.code else NO_ANSWER

    @property
    def failed(self) -> bool:
        """Return whether the user was served badly."""
        return self.code == 0 or self.code // 100 >= _FIRST_ERROR_CLASS


def read(line: str) -> Response:
    """Return the response that a *line* of `vegeta encode` describes."""
    entry: dict[str, Any] = json.loads(line)
    return Response(
        at=datetime.datetime.fromisoformat(entry["timestamp"]).timestamp(),
        code=int(entry["code"]),
        latency_seconds=entry["latency"] / 1e9,
        body=base64.b64decode(entry.get("body") or ""),
        error=entry.get("error", ""),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Counts:
    """What the users of one version got."""

    by_class: Mapping[str, int] = dataclasses.field(default_factory=dict)
    errors: int = 0
    latencies: Mapping[int, int] = dataclasses.field(default_factory=dict)
    first_at: float = 0.0
    last_at: float = 0.0
    first_error_at: float | None = None
    last_error_at: float | None = None

    @property
    def requests(self) -> int:
        """Return how many requests there were."""
        return sum(self.by_class.values())

    @property
    def unanswered(self) -> int:
        """Return how many got no response."""
        return self.by_class.get(NO_ANSWER, 0)

    def latency_seconds(self, percent: float) -> float:
        """Return what *percent* of the requests stayed beneath, 0 if there were none."""
        left = math.ceil(self.requests * percent / 100)
        for bucket, count in sorted(self.latencies.items()):
            left -= count
            if left <= 0:
                return float(_BUCKET_RATIO**bucket)
        return 0.0

    def with_one_more(self, response: Response) -> "Counts":
        """Return the counts after *response*."""
        bucket = math.ceil(math.log(max(response.latency_seconds, 1e-6), _BUCKET_RATIO))
        at, failed = response.at, response.failed
        return Counts(
            by_class={**self.by_class, response.status_class: self.by_class.get(response.status_class, 0) + 1},
            errors=self.errors + failed,
            latencies={**self.latencies, bucket: self.latencies.get(bucket, 0) + 1},
            first_at=min(self.first_at, at) if self.requests else at,
            last_at=max(self.last_at, at),
            first_error_at=min(self.first_error_at or at, at) if failed else self.first_error_at,
            last_error_at=max(self.last_error_at or at, at) if failed else self.last_error_at,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """All that was counted up to one moment."""

    versions: Mapping[str, Counts]
    failures: tuple[tuple[str, Response], ...]
    """Version and response of the first FAILURES_KEPT failures, in the order in which they came."""

    @property
    def requests(self) -> int:
        """Return how many requests were ended, whoever answered."""
        return sum(counts.requests for counts in self.versions.values())

    @property
    def errors(self) -> int:
        """Return how many of them failed."""
        return sum(counts.errors for counts in self.versions.values())

    def of(self, version: str) -> Counts:
        """Return what users of *version* got."""
        return self.versions.get(version, Counts())


class Tally:
    """Counts responses from one thread, for others to look at."""

    def __init__(self, identify: Callable[[Response], str]) -> None:
        self._identify = identify
        self._versions: dict[str, Counts] = {}
        self._failures: list[tuple[str, Response]] = []
        self._lock = threading.Lock()

    def add(self, response: Response) -> None:
        """Count *response*."""
        version = self._identify(response) or NOBODY
        with self._lock:
            self._versions[version] = self._versions.get(version, Counts()).with_one_more(response)
            if response.failed and len(self._failures) < FAILURES_KEPT:
                self._failures.append((version, response))

    def snapshot(self) -> Snapshot:
        """Return the counts of now; they do not change any more."""
        with self._lock:
            return Snapshot(dict(self._versions), tuple(self._failures))


class Load:
    """One attack: *rate_per_second* GET requests for *url*, for *duration_seconds* at most. Ends by itself.

        with load.Load(cluster, podinfo.url(cluster), podinfo.version_of, 50, duration_seconds=120) as running:
            …
            running.snapshot().of("2.0.0").errors

    Args:
        cluster: a cluster of size node; the requests are sent inside its network.
        url: what is asked for.
        identify: returns the version that a response came from, "" if from none.
        rate_per_second: how many requests are sent, evenly spread.
        duration_seconds: after which the attack ends by itself, whatever becomes of this process.
        host: the Host header, if not that of *url*.
        connections: how users connect.
    """

    def __init__(
        self,
        cluster: Cluster,
        url: str,
        identify: Callable[[Response], str],
        rate_per_second: int = 50,
        *,
        duration_seconds: int = 60,
        host: str = "",
        connections: Connections = Connections.KEPT,
    ) -> None:
        if not (0 < rate_per_second <= RATE_MAX and 0 < duration_seconds <= DURATION_MAX_SECONDS):
            raise ValueError(f"a load has at most {RATE_MAX} requests/s and {DURATION_MAX_SECONDS} s")
        self._cluster = cluster
        self._target = f"GET {url}\n" + (f"Host: {host}\n" if host else "")
        self._flags = (
            f"-rate={rate_per_second}",
            f"-duration={duration_seconds}s",
            f"-timeout={_TIMEOUT_SECONDS}s",
            f"-keepalive={connections.value}",
        )
        self._tally = Tally(identify)
        self._processes: list[subprocess.Popen[str]] = []
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start the attack."""
        if self._processes:
            raise ClusterError("this load was started already")
        vegeta = str(self._cluster.vegeta)
        # No proxy of the environment may stand between us and the cluster.
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        # Marked, so that taking the cluster down ends it, should we be killed.
        environment[processes.MARK] = layout.of(self._cluster.name).mark_of("load")
        attack = self._popen(
            command(self._cluster, [vegeta, "attack", *self._flags, f"-max-body={_BODY_BYTES}"]), environment
        )
        encode = self._popen([vegeta, "encode", "-to=json"], environment, attack.stdout)
        for given, stream in ((self._target, attack.stdin), ("", attack.stdout)):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.write(given) if given else None
                    stream.close()
        self._reader = threading.Thread(target=self._read, args=(encode.stdout,), name="load", daemon=True)
        self._reader.start()

    def stop(self) -> Snapshot:
        """End the attack, let requests on their way come back, and return all counts. Right at any time."""
        for number in (signal.SIGINT, signal.SIGKILL):
            for process in self._processes[: 1 if number is signal.SIGINT else None]:
                if process.poll() is None:
                    process.send_signal(number)
            if self._ended(_STOP_SECONDS):
                break
        return self.snapshot()

    def wait(self, timeout_seconds: float) -> Snapshot:
        """Wait until the attack has ended by itself and return all counts."""
        if not self._ended(timeout_seconds):
            raise ClusterError(f"the load has not ended in {timeout_seconds:.0f} s")
        return self.snapshot()

    @property
    def running(self) -> bool:
        """Return whether requests are still being sent."""
        return bool(self._processes) and self._processes[0].poll() is None

    def snapshot(self) -> Snapshot:
        """Return the counts of now."""
        return self._tally.snapshot()

    def _popen(
        self, argv: list[str], environment: Mapping[str, str], source: IO[str] | None = None
    ) -> subprocess.Popen[str]:
        # In a session of its own: a Ctrl-C in the terminal is ours to handle, and stop() ends the attack in order.
        process = subprocess.Popen(
            argv,
            stdin=source or subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def _read(self, lines: IO[str] | None) -> None:
        with contextlib.closing(lines) if lines else contextlib.nullcontext():
            for line in lines or ():
                if line.endswith("}\n"):  # the last one is cut where encode was killed
                    self._tally.add(read(line))

    def _ended(self, timeout_seconds: float) -> bool:
        """Return whether both programs have ended, and all that they said was read, in time."""
        for process in self._processes:
            try:
                process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                return False
        if self._reader is not None:
            self._reader.join(timeout_seconds)
        return self._reader is None or not self._reader.is_alive()
