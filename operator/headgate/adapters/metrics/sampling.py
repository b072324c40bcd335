"""What is known of each query, and when to ask for the rest: fits `observe.Measurements`.

Owns what has been read and who waits for it. A settled tick never changes, so each is asked for once, by whichever
Rollout needs it first. Belongs to one event loop and takes hold of it at the first read.

    a pass reads      what is known up to its last settled tick, and waits for the first tick that is not
    it settles        at once, or at the wall clock's time: it is asked for, with what else has settled
    answer, problem   who waits for what was asked is woken, and waits for nothing until its pass has read again
    quiet until       who said so is not woken up to this tick while ticks pass, and waits for the next one

So a tick costs one query and at most one pass, and of a Rollout that no pass looks at nothing is asked for long.

    turn late         who waits is woken and told; the query keeps its turn
    slow, problem     it is asked again after its interval, then after twice that, and so on; one quick answer ends it
"""

import asyncio
import collections
import dataclasses
import functools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from headgate.adapters.metrics.series import TICKS_AHEAD, Question, Series
from headgate.adapters.metrics.settings import NotAllowed, ServerSettings
from headgate.adapters.metrics.worker_pool import Query, WorkerPool
from headgate.core.analysis.news import News
from headgate.core.model import Key, MeasureRequest, Reading, Sample

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


class Sampler:
    """Reads metrics in the background and never makes a caller wait."""

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
        self._lanes: dict[str, WorkerPool] = {}
        self._series: dict[Question, Series] = {}
        self._measured: collections.Counter[str] = collections.Counter()
        """How many questions each namespace has here."""
        self._read_by: dict[Key, dict[Question, Series]] = {}
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
        questions = [self._question(key, request) for request in requests]
        for series in before:
            if series.question not in questions:
                self._drop_unread(series)
        wanted = zip(requests, questions, strict=True)
        readings = {request.metric.name: self._read(key, request, question) for request, question in wanted}
        for series in self._read_by.get(key, {}).values():
            self._proceed(series)
        return readings

    def quiet(self, key: Key, until: int) -> None:
        """Do not wake *key* for ticks up to *until* that pass, but go on to the next one. Ends with its next read."""
        self._quiet[key] = until

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key* alone."""
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

    def _question(self, key: Key, request: MeasureRequest) -> Question | NotAllowed:
        step = request.interval_seconds
        try:
            address = self._settings.resolve(request.metric.prometheus.address)
        except NotAllowed as why:
            return why
        return Question(key.namespace, address, request.query, step, request.first % step)

    def _read(self, key: Key, request: MeasureRequest, question: Question | NotAllowed) -> Reading:
        ticks = range(request.first, request.last + 1, request.interval_seconds)
        if isinstance(question, NotAllowed):
            return Reading(problem=str(question) if ticks else "")
        series = self._series_of(question, request.settle_seconds)
        if series is None:
            return Reading(problem=self._too_many(key) if ticks else "")
        series.read_at = self._now()
        series.readers[key] = min(request.first, series.readers.get(key, request.first))
        series.requests.setdefault(key, []).append(request)
        self._read_by.setdefault(key, {})[series.question] = series
        series.drop_future(self._clock())
        series.prune()
        unknown = series.unknown(request.first)
        # Who takes nothing, because its status cannot be written, must not make us read on for ever.
        if unknown < request.first + TICKS_AHEAD * request.interval_seconds:
            series.await_tick(key, unknown)
        known = tuple(self._said(series, tick) for tick in ticks if tick < unknown)
        return Reading(known, series.problem if len(known) < len(ticks) else "")

    def _said(self, series: Series, tick: int) -> Sample:
        """Return the sample at *tick*, with a word where it comes later than its interval says."""
        sample = series.samples[tick]
        if series.question.interval_seconds >= self._settings.interval_seconds_min or sample.message:
            return sample
        return dataclasses.replace(sample, message=self._settings.interval_words())

    def _too_many(self, key: Key) -> str:
        most = self._settings.metrics_per_namespace_max
        return (
            f"not measured: the operator measures {most} metrics of a namespace at a time "
            f"(HEADGATE_METRICS_PER_NAMESPACE_MAX), and {key.namespace} has more"
        )

    def _series_of(self, question: Question, settle_seconds: float) -> Series | None:
        """Return what is known of *question*, or None if its namespace may not ask one more."""
        if question not in self._series:
            if self._measured[question.namespace] >= self._settings.metrics_per_namespace_max:
                return None
            self._measured[question.namespace] += 1
            self._series[question] = Series(question, settle_seconds)
        return self._series[question]

    def _proceed(self, series: Series) -> None:
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

    async def _ask(self, series: Series, ticks: range) -> None:
        began = self._now()
        first = min(series.waiting, key=series.waiting.__getitem__)
        query = Query(first, series.question.query, ticks, slow=series.strikes > 0)
        try:
            answer = await self._lane(series.question.address).ask(query, functools.partial(self._late, series))
        finally:
            series.fetching = None
        reading = answer.reading
        self._meter.queried("problem" if reading.problem else "answered", self._now() - began)
        series.samples.add(reading.samples)
        series.problem = reading.problem
        series.answered(ticks, good=not reading.problem, quick=answer.seconds <= self._settings.slow_seconds)
        self._rest(series, self._now() - began)
        self._tell(series, ticks, reading.samples)
        self._proceed(series)

    def _late(self, series: Series, why: str) -> None:
        """Say *why* the query of *series* has not been asked yet; it will be."""
        series.problem = why
        told, series.waiting = series.waiting, {}
        for key in told:
            self._wake(key)

    def _rest(self, series: Series, took_seconds: float) -> None:
        """Let *series* be asked no sooner than the least interval, and later and later while it is slow or fails."""
        settings = self._settings
        least = settings.interval_seconds_min if series.question.interval_seconds < settings.interval_seconds_min else 0
        backoff_seconds = series.backoff_seconds(settings.retry_seconds_max, settings.backoff_seconds_max)
        pause_seconds = max(backoff_seconds, least - took_seconds)
        if pause_seconds > 0:
            series.retry = asyncio.get_running_loop().call_later(pause_seconds, self._try_again, series)

    def _try_again(self, series: Series) -> None:
        series.retry = None
        self._proceed(series)

    def _tell(self, series: Series, ticks: range, samples: Sequence[Sample]) -> None:
        """Wake the Rollouts that wait for one of *ticks*. One that still misses something says so when it reads."""
        told = [key for key, tick in series.waiting.items() if tick in ticks]
        for key in told:
            news = series.news(key, samples)
            if news is News.PASSED and not series.problem and ticks[-1] <= self._quiet.get(key, 0):
                series.waiting[key] = series.unknown(ticks[-1])
                continue
            del series.waiting[key]
            (self._hurry if news is News.BREACH else self._wake)(key)

    def _lane(self, address: str) -> WorkerPool:
        if address not in self._lanes:
            self._lanes[address] = WorkerPool(address, self._settings)
        return self._lanes[address]

    def _taken_out(self, key: Key) -> Iterable[Series]:
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
            # What is waited for may be an hour away. No Rollout waits twice without having read.
            if self._now() - series.read_at > _IDLE_SECONDS and not series.waiting:
                self._drop(series)

    def _drop_unread(self, series: Series) -> None:
        if not series.readers:
            self._drop(series)

    def _drop(self, series: Series) -> None:
        del self._series[series.question]
        self._measured[series.question.namespace] -= 1
        self._measured += collections.Counter()  # without those that are 0
        for key in series.readers:
            del self._read_by[key][series.question]
        series.waiting.clear()
        for running in (series.retry, series.alarm, series.fetching):
            if running is not None:
                running.cancel()
