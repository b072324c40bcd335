"""What is known of each query, and when to ask for the rest: fits `observe.Measurements`.

Owns what has been read and who waits for it. A settled tick never changes, so each is asked for once, by whichever
Rollout needs it first. Belongs to one event loop and takes hold of it at the first read.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from headgate.adapters.metrics.lanes import Lane
from headgate.adapters.metrics.settings import NotAllowed, ServerSettings
from headgate.core.model import Key, MeasureRequest, Reading, Sample

TICKS_PER_QUERY: Final = 300
_TICKS_AHEAD: Final = 2 * TICKS_PER_QUERY
"""How many ticks are read before a reader has taken the first of them."""
_TICKS_BEHIND: Final = 60
"""How many ticks are kept that a reader has taken, for another that comes later with the same query."""
_TICKS_TO_COME: Final = 10
"""How far Rollouts that share a query may be apart; ticks that lie further ahead were read under a wrong clock."""
_IDLE_SECONDS: Final = 600.0
_SWEEP_SECONDS: Final = 60.0


class Meter(Protocol):
    """Who counts the queries."""

    def queried(self, result: str, seconds: float) -> None:
        """Note a query that took *seconds*; *result* is `answered` or `problem`."""


class _Silent:
    def queried(self, result: str, seconds: float) -> None:
        """Note nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Question:
    """What makes two requests the same: the phase, because ticks of one grid are never those of another."""

    address: str
    query: str
    interval_seconds: int
    phase_seconds: int


@dataclasses.dataclass(slots=True, eq=False)
class _Series:
    """What is known of one question, and who wants to know more."""

    question: _Question
    samples: dict[int, Sample] = dataclasses.field(default_factory=dict)
    readers: dict[tuple[Key, str], int] = dataclasses.field(default_factory=dict)
    """By Rollout and metric: the first tick not yet taken."""
    waiting: set[Key] = dataclasses.field(default_factory=set)
    problem: str = ""
    fetching: asyncio.Task[None] | None = None
    retry: asyncio.TimerHandle | None = None
    """Set from a problem until the next try is allowed."""
    read_at: float = 0.0

    def known(self, request: MeasureRequest) -> tuple[Sample, ...]:
        """Return the samples of *request* up to the first that is missing."""
        found: list[Sample] = []
        for tick in _ticks(request):
            if (sample := self.samples.get(tick)) is None:
                break
            found.append(sample)
        return tuple(found)

    def missing(self, request: MeasureRequest, known: int) -> range:
        """Return the next ticks to ask for, after the *known* first ones: none that is known, none twice."""
        ticks = _ticks(request)[:_TICKS_AHEAD][known:][:TICKS_PER_QUERY]
        ends = next((index for index, tick in enumerate(ticks) if tick in self.samples), len(ticks))
        return ticks[:ends]

    def drop_future(self, request: MeasureRequest) -> None:
        """Drop what was read of ticks that are still to come: while the clock was wrong."""
        latest = request.last + _TICKS_TO_COME * self.question.interval_seconds
        if any(tick > latest for tick in self.samples):
            self.samples = {tick: kept for tick, kept in self.samples.items() if tick <= latest}

    def prune(self) -> None:
        """Drop the samples that no reader is near."""
        if len(self.samples) <= _TICKS_AHEAD + _TICKS_BEHIND:
            return
        step = self.question.interval_seconds
        near = [range(at - _TICKS_BEHIND * step, at + _TICKS_AHEAD * step, step) for at in set(self.readers.values())]
        self.samples = {tick: kept for tick, kept in self.samples.items() if any(tick in ticks for ticks in near)}


class Sampler:
    """Reads metrics in the background and never makes anybody wait."""

    def __init__(
        self,
        settings: ServerSettings,
        *,
        wake: Callable[[Key], None],
        meter: Meter = _Silent(),  # noqa: B008 - it has no state
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._wake = wake
        self._meter = meter
        self._now = now
        self._lanes: dict[str, Lane] = {}
        self._series: dict[_Question, _Series] = {}
        self._read_by: dict[Key, set[_Question]] = {}
        self._swept_at = now()
        self._closed = False

    def read(self, key: Key, requests: Sequence[MeasureRequest]) -> Mapping[str, Reading]:
        """Return by metric name what is known of the requested ticks, and see to it that the rest is fetched."""
        self._sweep()
        return {request.metric.name: self._read(key, request) for request in requests}

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key* and for nobody else."""
        for question in self._read_by.pop(key, ()):
            series = self._series[question]
            series.waiting.discard(key)
            series.readers = {reader: at for reader, at in series.readers.items() if reader[0] != key}
            if not series.readers:
                self._drop(series)

    async def close(self) -> None:
        """Stop all queries and let go of the servers. Reads go on with what is known."""
        self._closed = True
        tasks = [series.fetching for series in self._series.values() if series.fetching is not None]
        for series in list(self._series.values()):
            self._drop(series)
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))
        self._lanes.clear()

    def _read(self, key: Key, request: MeasureRequest) -> Reading:
        try:
            address = self._settings.resolve(request.metric.prometheus.address)
        except NotAllowed as why:
            return Reading(problem=str(why))
        series = self._series_of(address, request)
        series.read_at = self._now()
        series.readers[key, request.metric.name] = request.first
        self._read_by.setdefault(key, set()).add(series.question)
        series.drop_future(request)
        series.prune()
        known = series.known(request)
        if len(known) == len(_ticks(request)):
            return Reading(known)
        series.waiting.add(key)
        self._fetch(series, series.missing(request, len(known)))
        return Reading(known, series.problem)

    def _series_of(self, address: str, request: MeasureRequest) -> _Series:
        step = request.interval_seconds
        question = _Question(address, request.query, step, request.first % step)
        return self._series.setdefault(question, _Series(question))

    def _fetch(self, series: _Series, ticks: range) -> None:
        if ticks and series.fetching is None and series.retry is None and not self._closed:
            series.fetching = asyncio.get_running_loop().create_task(self._ask(series, ticks))

    async def _ask(self, series: _Series, ticks: range) -> None:
        began = self._now()
        try:
            reading = await self._lane(series.question.address).ask(series.question.query, ticks)
        finally:
            series.fetching = None
        self._meter.queried("problem" if reading.problem else "answered", self._now() - began)
        if reading.problem:
            self._hold_off(series, reading.problem)
            return
        series.samples.update((sample.at, sample) for sample in reading.samples)
        series.problem = ""
        self._wake_all(series)

    def _hold_off(self, series: _Series, problem: str) -> None:
        # Nobody is woken for a problem that is known: they are woken to try again, when it is time.
        pause_seconds = min(float(series.question.interval_seconds), self._settings.retry_seconds_max)
        series.retry = asyncio.get_running_loop().call_later(pause_seconds, self._try_again, series)
        if problem != series.problem:
            series.problem = problem
            self._wake_all(series)

    def _try_again(self, series: _Series) -> None:
        series.retry = None
        self._wake_all(series)

    def _wake_all(self, series: _Series) -> None:
        # Whoever still misses something says so when it reads.
        waiting, series.waiting = series.waiting, set()
        for key in waiting:
            self._wake(key)

    def _lane(self, address: str) -> Lane:
        if address not in self._lanes:
            self._lanes[address] = Lane(address, self._settings)
        return self._lanes[address]

    def _sweep(self) -> None:
        if self._now() - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = self._now()
        for series in list(self._series.values()):
            if self._now() - series.read_at > _IDLE_SECONDS:
                self._drop(series)

    def _drop(self, series: _Series) -> None:
        del self._series[series.question]
        for key in {key for key, _ in series.readers}:
            self._read_by[key].discard(series.question)
        if series.retry is not None:
            series.retry.cancel()
        if series.fetching is not None:
            series.fetching.cancel()


def _ticks(request: MeasureRequest) -> range:
    return range(request.first, request.last + 1, request.interval_seconds)
