"""Posts Kubernetes Events about Rollouts, in the background: fits `act.Notices`. Never fails, never blocks a pass.

What repeats itself within a window becomes a series of one Event: the first is posted at once, repetitions are added
to its count at most every half minute.

Places go round over namespaces. Of each one Event is posted at a time, in order, so that one that the API server keeps
waiting delays its own namespace. What is too much goes where there is most: it is the newest of the crowd that is
dropped, and no other namespace's.
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
from headgate.core.round_robin import RoundRobin
from headgate.telemetry.logs import about

WINDOW_SECONDS: Final = 600.0
"""Silence after which the same words are news again."""
REFRESH_SECONDS: Final = 30.0
"""How often at most a series' count is written."""
BACKLOG_MAX: Final = 1000
"""Events that wait to be posted; what comes on top is dropped and counted, from where most wait."""
SERIES_MAX: Final = 4096
"""Series that are remembered; the ones silent for longest are forgotten first."""
NAMESPACE_SERIES_MAX: Final = 512
"""Of these in one namespace; what comes on top displaces its own."""
POSTERS: Final = 4
"""Events that are posted at a time, each of another namespace."""
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


@dataclasses.dataclass(slots=True, eq=False)
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


class _Remembered:
    """The series that are remembered, few enough of each namespace and of all."""

    def __init__(self) -> None:
        self._all: collections.OrderedDict[Identity, _Series] = collections.OrderedDict()
        self._of: dict[str, collections.OrderedDict[Identity, None]] = {}

    def get(self, identity: Identity) -> _Series | None:
        """Return the series, which is the last now to be forgotten."""
        series = self._all.get(identity)
        if series is not None:
            self._all.move_to_end(identity)
            self._of[series.key.namespace].move_to_end(identity)
        return series

    def add(self, identity: Identity, series: _Series) -> None:
        """Remember *series* in place of any other one of that identity."""
        self._all[identity] = series
        mine = self._of.setdefault(series.key.namespace, collections.OrderedDict())
        mine[identity] = None
        if len(mine) > NAMESPACE_SERIES_MAX:
            self._drop(next(iter(mine)))
        elif len(self._all) > SERIES_MAX:
            self._drop(next(iter(self._all)))

    def _drop(self, identity: Identity) -> None:
        namespace = self._all.pop(identity).key.namespace
        del self._of[namespace][identity]
        if not self._of[namespace]:
            del self._of[namespace]


class EventPoster:
    """Posts Events of each namespace one by one, in the order in which they were given. Run `run` as a task."""

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
        self._series = _Remembered()
        self._backlog: RoundRobin[_Series] = RoundRobin()
        self._posting: set[str] = set()
        """The namespaces of which an Event is being posted."""
        self._free = asyncio.Event()
        """Set when there may be something to post."""
        self._posted = asyncio.Event()
        """Set when something was, or was let go."""
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
            self._series.add(identity, series)
            self._enqueue(series)
            return
        series.count += 1
        series.last_at = now
        if not series.waiting:
            self._enqueue_after(series, REFRESH_SECONDS - (now - series.posted_at))

    async def run(self) -> None:
        """Post for ever."""
        async with asyncio.TaskGroup() as group:
            for number in range(POSTERS):
                group.create_task(self._post_all(), name=f"events {number}")

    async def _post_all(self) -> None:
        while True:
            series = self._backlog.take(lambda namespace: namespace not in self._posting)
            if series is None:
                self._free.clear()
                await self._free.wait()
                continue
            namespace = series.key.namespace
            series.waiting = False
            self._posting.add(namespace)
            try:
                await self._write(series)
            finally:
                self._posting.discard(namespace)
                self._free.set()
                self._posted.set()

    async def drain(self, timeout_seconds: float) -> None:
        """Wait until what was given is posted, but not for ever; timers are dropped."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        try:
            async with asyncio.timeout(timeout_seconds):
                while len(self._backlog) or self._posting:
                    self._posted.clear()
                    await self._posted.wait()
        except TimeoutError:
            _log.warning("%d Events are lost at the end", len(self._backlog) + len(self._posting))

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
        series.waiting = True
        self._backlog.add(series.key.namespace, series)
        if len(self._backlog) > BACKLOG_MAX and (dropped := self._backlog.drop_newest()) is not None:
            dropped.waiting = False
            self._on_outcome("dropped")
        self._free.set()

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
            except Exception:  # noqa: BLE001 - words that cannot be written must not end the posting of all others
                _log.exception("a bug in Headgate lost an Event; please report it", extra=about(series.key))
                break
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
            "note": notice.message.encode(errors="replace")[:_NOTE_BYTES_MAX].decode(errors="ignore"),
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
