"""Posts Kubernetes Events about Rollouts, in the background: fits `act.Notices`. Never fails, never blocks a pass.

What repeats itself within a window becomes a series of one Event: the first is posted at once, repetitions are added
to its count at most every half minute.
"""

import asyncio
import collections
import dataclasses
import datetime
import logging
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from headgate.api import names
from headgate.core.faults import Fault, Refused
from headgate.core.model import Json, Key, Notice
from headgate.telemetry.logs import about

WINDOW_SECONDS: Final = 600.0
"""Silence after which the same words are news again."""
REFRESH_SECONDS: Final = 30.0
"""How often at most a series' count is written."""
BACKLOG_MAX: Final = 1000
"""Events that wait to be posted; what comes on top is dropped and counted."""
SERIES_MAX: Final = 4096
"""Series that are remembered; the ones silent for longest are forgotten first."""
ATTEMPTS_MAX: Final = 4

_NOTE_BYTES_MAX: Final = 1024
_NAME_CHARACTERS_MAX: Final = 230

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where Events are written to. Every method may raise any of `core.faults`."""

    async def create_event(self, namespace: str, body: Json) -> None:
        """Create an events.k8s.io/v1 Event."""

    async def patch_event(self, namespace: str, name: str, operations: Sequence[Json]) -> bool:
        """Apply a JSON patch to an Event; return whether it still exists."""


@dataclasses.dataclass(slots=True)
class _Series:
    """One Event and its repetitions."""

    key: Key
    uid: str
    notice: Notice
    first_at: float
    last_at: float
    name: str = ""
    """The Event's name once it exists."""
    count: int = 1
    posted_at: float = 0.0
    waiting: bool = False
    """Whether it stands in the backlog, or a timer will put it there."""


Identity = tuple[str, str, str]
"""A Rollout's uid, a reason and a message."""


class EventPoster:
    """Posts Events one by one, in the order in which they were given. Run `run` as a task."""

    def __init__(
        self,
        sink: Sink,
        *,
        on_outcome: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        instance: str = "",
    ) -> None:
        self._sink = sink
        self._on_outcome = on_outcome
        self._clock = clock
        self._instance = (instance or socket.gethostname())[:128] or "headgate"
        self._series: collections.OrderedDict[Identity, _Series] = collections.OrderedDict()
        self._backlog: asyncio.Queue[_Series] = asyncio.Queue(BACKLOG_MAX)
        self._timers: set[asyncio.TimerHandle] = set()

    def post(self, key: Key, uid: str, notice: Notice) -> None:
        """Post *notice* about the Rollout; one that repeats itself is counted, not multiplied."""
        level = logging.WARNING if notice.warning else logging.INFO
        identity = (uid, notice.reason, notice.message)
        now = self._clock()
        series = self._series.get(identity)
        _log.log(level, "%s: %s", notice.reason, notice.message, extra=about(key))
        if series is None or now - series.last_at >= WINDOW_SECONDS:
            series = _Series(key, uid, notice, now, now)
            self._series[identity] = series
            if len(self._series) > SERIES_MAX:
                self._series.popitem(last=False)
            self._enqueue(series)
            return
        self._series.move_to_end(identity)
        series.count += 1
        series.last_at = now
        if not series.waiting:
            self._enqueue_after(series, REFRESH_SECONDS - (now - series.posted_at))

    async def run(self) -> None:
        """Post for ever."""
        while True:
            series = await self._backlog.get()
            series.waiting = False
            try:
                await self._write(series)
            finally:
                self._backlog.task_done()

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until what was given is posted, but not for ever; timers are dropped."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._backlog.join()
        except TimeoutError:
            _log.warning("%d Events are lost at the end", self._backlog.qsize())

    def _enqueue_after(self, series: _Series, delay_seconds: float) -> None:
        if delay_seconds <= 0:
            self._enqueue(series)
            return
        series.waiting = True

        def due() -> None:
            self._timers.discard(timer)
            self._enqueue(series)

        timer = asyncio.get_running_loop().call_later(delay_seconds, due)
        self._timers.add(timer)

    def _enqueue(self, series: _Series) -> None:
        try:
            self._backlog.put_nowait(series)
            series.waiting = True
        except asyncio.QueueFull:
            series.waiting = False
            self._on_outcome("dropped")

    async def _write(self, series: _Series) -> None:
        """Write one Event, with a few attempts; what fails is counted and let go."""
        for attempt in range(ATTEMPTS_MAX):
            try:
                await self._write_once(series)
            except Refused as refused:
                # Its namespace is being deleted, or we may not: neither changes soon.
                _log.debug("an Event was refused: %s", refused, extra=about(series.key))
                self._on_outcome("refused")
                return
            except Fault:
                await asyncio.sleep(0.5 * 2**attempt)
            else:
                series.posted_at = self._clock()
                self._on_outcome("posted" if series.count == 1 else "counted")
                return
        self._on_outcome("failed")

    async def _write_once(self, series: _Series) -> None:
        if series.name:
            seen = {"count": series.count, "lastObservedTime": _micro_time(series.last_at)}
            operation = {"op": "add", "path": "/series", "value": seen}
            if await self._sink.patch_event(series.key.namespace, series.name, [operation]):
                return
        name = f"{series.key.name[:_NAME_CHARACTERS_MAX].rstrip('-.')}.{secrets.token_hex(8)}"
        await self._sink.create_event(series.key.namespace, self._body(series, name))
        series.name = name

    def _body(self, series: _Series, name: str) -> dict[str, Any]:
        notice = series.notice
        body: dict[str, Any] = {
            "kind": "Event",
            "metadata": {"namespace": series.key.namespace, "name": name},
            "eventTime": _micro_time(series.first_at),
            "reportingController": f"{names.GROUP}/headgate",
            "reportingInstance": self._instance,
            "action": "Reconcile",
            "reason": notice.reason[:128],
            "type": "Warning" if notice.warning else "Normal",
            "note": notice.message.encode()[:_NOTE_BYTES_MAX].decode(errors="ignore"),
            "regarding": {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "namespace": series.key.namespace,
                "name": series.key.name,
                "uid": series.uid,
            },
        }
        if series.count > 1:
            body["series"] = {"count": series.count, "lastObservedTime": _micro_time(series.last_at)}
        return body


def _micro_time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
