"""Scripted metrics: what each revision's measurements say, and when the server that knows them can be asked.

`Script` is the world's truth, which judges may read as well. `Readings` is one operator process' way to it.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from headgate.api.status import Outcome
from headgate.core.model import Key, MeasureRequest, Reading, Sample
from headgate.simulation.agenda import Agenda

Value = float | Outcome
"""What a tick says: a number, or NO_DATA or AMBIGUOUS."""
EVERY: Final = ""
"""Stands for any revision."""
RETRY_SECONDS: Final = 5.0
QUERY: Final = 'errors{{metric="{}",hash="$(canary.hash)"}}'
_QUERY: Final = re.compile(r'errors\{metric="([^"]*)",hash="([^"]*)"\}')


@dataclasses.dataclass(slots=True)
class Script:
    """What the metrics say, and when nobody answers."""

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
            raise AssertionError(f"a query that nobody wrote: {query}")
        value = self.value(found[1], found[2], tick) if tick <= now else Outcome.NO_DATA
        if isinstance(value, Outcome):
            return Sample(tick, None, value, "no series" if value is Outcome.NO_DATA else "3 series instead of one")
        return Sample(tick, value)

    def out(self, now: float) -> bool:
        """Return whether nobody answers *now*."""
        return any(first <= now < last for first, last in self.outages)


@dataclasses.dataclass(slots=True)
class _Series:
    """What is known of one metric's query."""

    query: str
    interval_seconds: int
    samples: dict[int, Sample] = dataclasses.field(default_factory=dict)
    problem: str = ""
    asking: bool = False
    first: int = 0
    """The first tick that was asked for last."""


class Readings:
    """Fits `observe.Measurements`: asks in the background, in virtual time, and wakes who waits."""

    def __init__(self, script: Script, agenda: Agenda, wake: Callable[[Key], None]) -> None:
        """Read from *script*; *wake* is called when more is known."""
        self._script = script
        self._agenda = agenda
        self._wake = wake
        self._series: dict[tuple[Key, str], _Series] = {}
        self.closed = False

    def read(self, key: Key, requests: Sequence[MeasureRequest]) -> Mapping[str, Reading]:
        """Return by metric name what is known of the requested ticks, and see to it that the rest is fetched."""
        return {request.metric.name: self._read(key, request) for request in requests}

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key*."""
        for place in [place for place in self._series if place[0] == key]:
            del self._series[place]

    def _read(self, key: Key, request: MeasureRequest) -> Reading:
        place = (key, request.metric.name)
        series = self._series.get(place)
        if series is None or (series.query, series.interval_seconds) != (request.query, request.interval_seconds):
            series = self._series[place] = _Series(request.query, request.interval_seconds)
        if request.first < series.first:
            series.samples = {}  # a clock was set back: what was read ahead of time was read too early
        series.first = request.first
        ticks = range(request.first, request.last + 1, request.interval_seconds)
        known: list[Sample] = []
        for tick in ticks:
            if tick not in series.samples:
                break
            known.append(series.samples[tick])
        if len(known) == len(ticks):
            return Reading(tuple(known))
        if not series.asking:
            series.asking = True
            missing = ticks[len(known) :]
            self._agenda.after(self._script.answer_seconds, lambda: self._answered(place, series, missing))
        return Reading(tuple(known), series.problem)

    def _answered(self, place: tuple[Key, str], series: _Series, ticks: range) -> None:
        if self.closed or self._series.get(place) is not series:
            return
        if self._script.out(self._agenda.now):
            fresh, series.problem = not series.problem, "connection refused"
            self._agenda.after(RETRY_SECONDS, lambda: self._answered(place, series, ticks))
            if fresh:
                self._wake(place[0])
            return
        series.asking, series.problem = False, ""
        series.samples |= {tick: self._script.sample(series.query, tick, self._agenda.now) for tick in ticks}
        self._wake(place[0])
