"""What is known of each query, and when to ask for the rest: fits `observe.Measurements`.

Owns what has been read and who waits for it. A settled tick never changes, so each is asked for once, by whichever
Rollout needs it first. Belongs to one event loop and takes hold of it at the first read.

    a pass reads      what is known up to its last settled tick, and waits for the first tick that is not
    it settles        at once, or at the wall clock's time: it is asked for, with what else has settled
    answer, problem   who waits for what was asked is woken, and waits for nothing until its pass has read again
    quiet until       who said so is not woken up to this tick while ticks pass, and waits for the next one

So a tick costs one query and at most one pass, and of a Rollout that no pass looks at nothing is asked for long.
"""

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from headgate.adapters.metrics.lanes import Lane
from headgate.adapters.metrics.settings import NotAllowed, ServerSettings
from headgate.api.status import Outcome
from headgate.core.analysis import completes_breach, judge
from headgate.core.model import Key, MeasureRequest, Reading, Sample

TICKS_PER_QUERY: Final = 300
_TICKS_AHEAD: Final = 2 * TICKS_PER_QUERY
"""How many ticks are read before a reader has taken the first of them."""
_TICKS_BEHIND: Final = 60
"""How many ticks are kept that a reader has taken, for another that comes later with the same query."""
_IDLE_SECONDS: Final = 600.0
_SWEEP_SECONDS: Final = 60.0
_SLEEP_SECONDS_MAX: Final = 30.0
"""The wall clock is looked at this often, so that its jumps put off no tick for longer."""


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
    settle_seconds: float
    samples: dict[int, Sample] = dataclasses.field(default_factory=dict)
    readers: dict[Key, int] = dataclasses.field(default_factory=dict)
    """By Rollout: the first tick not yet taken."""
    requests: dict[Key, list[MeasureRequest]] = dataclasses.field(default_factory=dict)
    """By Rollout: what was requested, which says what its metrics allow; there may be several with one query."""
    waiting: dict[Key, int] = dataclasses.field(default_factory=dict)
    """By Rollout: the tick that it is woken for. Nothing is asked for that nobody waits for."""
    problem: str = ""
    fetching: asyncio.Task[None] | None = None
    retry: asyncio.TimerHandle | None = None
    """Set from a problem until the next try is allowed."""
    alarm: asyncio.TimerHandle | None = None
    """Set while what is waited for has not settled."""
    read_at: float = 0.0

    def unknown(self, first: int) -> int:
        """Return the first tick from *first* on that is not known."""
        tick = first
        while tick in self.samples:
            tick += self.question.interval_seconds
        return tick

    def missing(self, first: int, now: float) -> range:
        """Return the ticks to ask for if *first* is unknown: it and those after it that have settled, none twice."""
        step = self.question.interval_seconds
        last = min(math.floor(now - self.settle_seconds), first + (TICKS_PER_QUERY - 1) * step)
        ticks = range(first, last + 1, step)
        ends = next((index for index, tick in enumerate(ticks) if tick in self.samples), len(ticks))
        return ticks[: max(ends, 1)]

    def await_tick(self, key: Key, tick: int) -> None:
        """Let *key* wait for *tick*; of several the first counts."""
        self.waiting[key] = min(tick, self.waiting.get(key, tick))

    def completes_breach(self, key: Key) -> bool:
        """Return whether what is known by now may be all that a breach of *key* needs."""
        return any(
            completes_breach(request, (self.samples[tick] for tick in sorted(self.samples) if tick >= request.first))
            for request in self.requests[key]
        )

    def drop_future(self, now: float) -> None:
        """Drop what was read of ticks that have not settled yet: while the clock was wrong."""
        settled = now - self.settle_seconds
        if any(tick > settled for tick in self.samples):
            self.samples = {tick: kept for tick, kept in self.samples.items() if tick <= settled}

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
        hurry: Callable[[Key], None] | None = None,
        meter: Meter = _Silent(),  # noqa: B008 - it has no state
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask the servers of *settings*, and *wake* who waits for an answer.

        Args:
            settings: which servers may be asked, and how.
            wake: called with whom an answer or a problem concerns.
            hurry: called instead with whose metric went beyond its bounds often enough for a breach.
            meter: who counts the queries.
            clock: seconds since the epoch; the same clock by which passes find out what has settled.
            now: a clock that never jumps, for how long things take.
        """
        self._settings = settings
        self._wake = wake
        self._hurry = hurry or wake
        self._meter = meter
        self._clock = clock
        self._now = now
        self._lanes: dict[str, Lane] = {}
        self._series: dict[_Question, _Series] = {}
        self._read_by: dict[Key, dict[_Question, _Series]] = {}
        self._quiet: dict[Key, int] = {}
        """By Rollout: up to which tick it is not woken for those that pass."""
        self._swept_at = now()
        self._closed = False

    def read(self, key: Key, requests: Sequence[MeasureRequest]) -> Mapping[str, Reading]:
        """Return by metric name what is known of the requested ticks, and see to it that the rest is fetched.

        *key* is woken with what it waits for from now on: of each request the first tick that is not known, settled or
        not. What it waited for before, or read under another query, is no longer its own.
        """
        self._sweep()
        before = self._taken_out(key)
        readings = {request.metric.name: self._read(key, request) for request in requests}
        for series in before:
            self._drop_unread(series)
        for series in self._read_by.get(key, {}).values():
            self._proceed(series)
        return readings

    def quiet(self, key: Key, until: int) -> None:
        """Do not wake *key* for ticks up to *until* that pass, but go on to the next one. Ends with its next read."""
        self._quiet[key] = until

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key* and for nobody else."""
        for series in self._taken_out(key):
            self._drop_unread(series)

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
        ticks = range(request.first, request.last + 1, request.interval_seconds)
        try:
            address = self._settings.resolve(request.metric.prometheus.address)
        except NotAllowed as why:
            return Reading(problem=str(why) if ticks else "")
        series = self._series_of(address, request)
        series.read_at = self._now()
        series.readers[key] = min(request.first, series.readers.get(key, request.first))
        series.requests.setdefault(key, []).append(request)
        self._read_by.setdefault(key, {})[series.question] = series
        series.drop_future(self._clock())
        series.prune()
        unknown = series.unknown(request.first)
        # Who takes nothing, because its status cannot be written, must not make us read on for ever.
        if unknown < request.first + _TICKS_AHEAD * request.interval_seconds:
            series.await_tick(key, unknown)
        known = tuple(series.samples[tick] for tick in ticks if tick < unknown)
        return Reading(known, series.problem if len(known) < len(ticks) else "")

    def _series_of(self, address: str, request: MeasureRequest) -> _Series:
        step = request.interval_seconds
        question = _Question(address, request.query, step, request.first % step)
        return self._series.setdefault(question, _Series(question, request.settle_seconds))

    def _proceed(self, series: _Series) -> None:
        """Ask for what is waited for if it has settled, or see to it that it is asked for then."""
        if series.alarm is not None:
            series.alarm.cancel()
            series.alarm = None
        if self._closed or not series.waiting or series.fetching is not None or series.retry is not None:
            return
        loop, first, now = asyncio.get_running_loop(), min(series.waiting.values()), self._clock()
        if ticks := series.missing(first, now):
            series.fetching = loop.create_task(self._ask(series, ticks))
            return
        sleep_seconds = min(first + series.settle_seconds - now, _SLEEP_SECONDS_MAX)
        series.alarm = loop.call_later(sleep_seconds, self._proceed, series)

    async def _ask(self, series: _Series, ticks: range) -> None:
        began = self._now()
        try:
            reading = await self._lane(series.question.address).ask(series.question.query, ticks)
        finally:
            series.fetching = None
        self._meter.queried("problem" if reading.problem else "answered", self._now() - began)
        series.samples.update((sample.at, sample) for sample in reading.samples)
        series.problem = reading.problem
        if reading.problem:
            pause_seconds = min(float(series.question.interval_seconds), self._settings.retry_seconds_max)
            series.retry = asyncio.get_running_loop().call_later(pause_seconds, self._try_again, series)
        self._tell(series, ticks, reading.samples)
        self._proceed(series)

    def _try_again(self, series: _Series) -> None:
        series.retry = None
        self._proceed(series)

    def _tell(self, series: _Series, ticks: range, samples: Iterable[Sample]) -> None:
        """Wake who waits for one of *ticks*. Whoever still misses something says so when it reads."""
        told = [key for key, tick in series.waiting.items() if tick in ticks]
        for key in told:
            judged = {judge(one.metric.threshold, sample) for one in series.requests[key] for sample in samples}
            passed = judged == {Outcome.PASSED} and not series.problem
            if passed and ticks[-1] <= self._quiet.get(key, 0):
                series.waiting[key] = series.unknown(ticks[-1])
                continue
            del series.waiting[key]
            urgent = Outcome.FAILED in judged and series.completes_breach(key)
            (self._hurry if urgent else self._wake)(key)

    def _lane(self, address: str) -> Lane:
        if address not in self._lanes:
            self._lanes[address] = Lane(address, self._settings)
        return self._lanes[address]

    def _taken_out(self, key: Key) -> Iterable[_Series]:
        """Let *key* neither read nor wait for anything any more, and return what it read."""
        self._quiet.pop(key, None)
        left = self._read_by.pop(key, {}).values()
        for series in left:
            del series.readers[key]
            del series.requests[key]
            series.waiting.pop(key, None)
        return left

    def _sweep(self) -> None:
        if self._now() - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = self._now()
        for series in list(self._series.values()):
            # What is waited for may be an hour away. Nobody waits twice without having read.
            if self._now() - series.read_at > _IDLE_SECONDS and not series.waiting:
                self._drop(series)

    def _drop_unread(self, series: _Series) -> None:
        if not series.readers:
            self._drop(series)

    def _drop(self, series: _Series) -> None:
        del self._series[series.question]
        for key in series.readers:
            del self._read_by[key][series.question]
        series.waiting.clear()
        for running in (series.retry, series.alarm, series.fetching):
            if running is not None:
                running.cancel()
