"""Scripted metrics: what each revision's measurements say, and when the server that knows them can be asked.

`Script` is the world's truth, which judges may read as well. `Readings` is one operator process' way to it.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from headgate.api.spec import Threshold
from headgate.api.status import Outcome
from headgate.core.analysis.news import News, news
from headgate.core.model import Key, MeasureRequest, Reading, Sample
from headgate.simulation.process.clock import Clock

Value = float | Outcome
"""What a tick says: a number, or NO_DATA or AMBIGUOUS."""
EVERY: Final = ""
"""Stands for any revision."""
RETRY_SECONDS: Final = 5.0
SLEEP_SECONDS_MAX: Final = 30.0
TICKS_PER_QUERY: Final = 300
QUERY: Final = 'errors{{metric="{}",hash="$(canary.hash)"}}'
_QUERY: Final = re.compile(r'errors\{metric="([^"]*)",hash="([^"]*)"\}')


@dataclasses.dataclass(slots=True)
class Script:
    """What the metrics say, and when the server does not answer."""

    default: Value = 0.0
    said: dict[tuple[str, str], list[tuple[float, Value]]] = dataclasses.field(default_factory=dict)
    """By metric and revision's hash: from when on which value."""
    outages: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    answer_seconds: float = 0.2

    def say(self, value: Value, since: float, metric: str = "errors", revision_hash: str = EVERY) -> None:
        """Let ticks from *since* on have *value*."""
        self.said.setdefault((metric, revision_hash), []).append((since, value))

    def value(self, metric: str, revision_hash: str, tick: float) -> Value:
        """Return what *tick* says."""
        for line in (self.said.get((metric, revision_hash), []), self.said.get((metric, EVERY), [])):
            spoken = [value for since, value in line if since <= tick]
            if spoken:
                return spoken[-1]
        return self.default

    def sample(self, query: str, tick: int, now: float) -> Sample:
        """Return what a query with its variables filled in gives at *tick*; of the future nothing is known."""
        found = _QUERY.fullmatch(query)
        if found is None:
            raise AssertionError(f"a query of no metric in the spec: {query}")
        value = self.value(found[1], found[2], tick) if tick <= now else Outcome.NO_DATA
        if isinstance(value, Outcome):
            return Sample(tick, None, value, "no series" if value is Outcome.NO_DATA else "3 series instead of one")
        return Sample(tick, value)

    def out(self, now: float) -> bool:
        """Return whether the server gives no answer *now*."""
        return any(first <= now < last for first, last in self.outages)


@dataclasses.dataclass(slots=True)
class _Series:
    """What is known of one metric's query."""

    query: str
    interval_seconds: int
    settle_seconds: float
    threshold: Threshold
    request: MeasureRequest
    """As the last pass made it."""
    samples: dict[int, Sample] = dataclasses.field(default_factory=dict)
    problem: str = ""
    asking: bool = False
    """Whether an answer is on its way, or the server is left alone after a problem."""
    awaited: int | None = None
    """The tick that the Rollout is woken for; None until its next pass."""
    quiet_until: int = 0
    """Up to this tick it is not woken for those that pass."""
    alarm: int = 0
    """Which alarm counts; older ones ring in vain."""

    def asks(self, request: MeasureRequest) -> bool:
        """Return whether this is what *request* wants to know."""
        mine = (self.query, self.interval_seconds, self.settle_seconds, self.threshold)
        theirs = (request.query, request.interval_seconds, request.settle_seconds, request.metric.threshold)
        return mine == theirs

    def news(self, ticks: range) -> News:
        """Return what the samples at *ticks* are to the Rollout."""
        new = [self.samples[tick] for tick in ticks if tick in self.samples]
        return news((self.request,), new, [self.samples[tick] for tick in sorted(self.samples)])


class Readings:
    """Fits `observe.Measurements`: asks in the background, in virtual time, and wakes who waits.

    As the real one it waits by itself for the tick that a pass names, and wakes once with the answer or the problem.
    """

    def __init__(
        self,
        script: Script,
        agenda: Clock,
        wake: Callable[[Key], None],
        clock: Callable[[], float],
        *,
        hurry: Callable[[Key], None],
    ) -> None:
        """Read from *script*; *wake* is called when more is known, *clock* is what its process believes.

        Where that may complete a breach *hurry* is called instead.
        """
        self._script = script
        self._agenda = agenda
        self._wake = wake
        self._hurry = hurry
        self._clock = clock
        self._series: dict[tuple[Key, str], _Series] = {}
        self.closed = False
        self.asked = 0
        """How many queries were made."""

    def read(self, key: Key, requests: Sequence[MeasureRequest]) -> Mapping[str, Reading]:
        """Return by metric name what is known of the requested ticks, and see to it that the rest is fetched."""
        wanted = {request.metric.name for request in requests}
        for place in [place for place in self._series if place[0] == key and place[1] not in wanted]:
            del self._series[place]
        return {request.metric.name: self._read(key, request) for request in requests}

    def quiet(self, key: Key, until: int) -> None:
        """Do not wake *key* for ticks up to *until* that pass."""
        for (reader, _), series in self._series.items():
            if reader == key:
                series.quiet_until = until

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key*."""
        for place in [place for place in self._series if place[0] == key]:
            del self._series[place]

    def _read(self, key: Key, request: MeasureRequest) -> Reading:
        place = (key, request.metric.name)
        series = self._series.get(place)
        if series is None or not series.asks(request):
            asked = (request.query, request.interval_seconds, request.settle_seconds, request.metric.threshold)
            series = _Series(*asked, request)
            self._series[place] = series
        series.request = request
        settled = self._clock() - series.settle_seconds
        # Of a clock that was set back: what was read ahead of time was read too early.
        series.samples = {tick: sample for tick, sample in series.samples.items() if tick <= settled}
        ticks = range(request.first, request.last + 1, request.interval_seconds)
        unknown = request.first
        while unknown in series.samples:
            unknown += request.interval_seconds
        series.awaited, series.quiet_until = unknown, 0
        self._proceed(place, series)
        known = tuple(series.samples[tick] for tick in ticks if tick < unknown)
        return Reading(known, series.problem if len(known) < len(ticks) else "")

    def _proceed(self, place: tuple[Key, str], series: _Series) -> None:
        series.alarm += 1
        if series.asking or series.awaited is None:
            return
        now, alarm = self._clock(), series.alarm
        settles = series.awaited + series.settle_seconds
        if settles > now:
            self._agenda.after(min(settles - now, SLEEP_SECONDS_MAX), lambda: self._rings(place, series, alarm))
            return
        series.asking = True
        self.asked += 1
        ticks = range(series.awaited, math.floor(now - series.settle_seconds) + 1, series.interval_seconds)
        self._agenda.after(self._script.answer_seconds, lambda: self._answered(place, series, ticks[:TICKS_PER_QUERY]))

    def _rings(self, place: tuple[Key, str], series: _Series, alarm: int) -> None:
        if self._living(place, series) and series.alarm == alarm:
            self._proceed(place, series)

    def _answered(self, place: tuple[Key, str], series: _Series, ticks: range) -> None:
        if not self._living(place, series):
            return
        if self._script.out(self._agenda.now):
            series.problem = "connection refused"
            self._agenda.after(RETRY_SECONDS, lambda: self._again(place, series))
        else:
            series.asking, series.problem = False, ""
            series.samples |= {tick: self._script.sample(series.query, tick, self._agenda.now) for tick in ticks}
        if series.awaited in ticks:
            told = series.news(ticks)
            if told is News.PASSED and not series.problem and ticks[-1] <= series.quiet_until:
                series.awaited = ticks.stop
            else:
                series.awaited = None
                (self._hurry if told is News.BREACH else self._wake)(place[0])
        self._proceed(place, series)

    def _again(self, place: tuple[Key, str], series: _Series) -> None:
        if self._living(place, series):
            series.asking = False
            self._proceed(place, series)

    def _living(self, place: tuple[Key, str], series: _Series) -> bool:
        return not self.closed and self._series.get(place) is series
