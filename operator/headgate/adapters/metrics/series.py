"""What is known of one question, and who wants to know more.

Owns which ticks are kept and which are asked for next, and when a question that is slow or fails may be asked again.
Knows no server and no clock: the time is given.
"""

import asyncio
import dataclasses
import math
from collections.abc import Sequence
from typing import Final

from headgate.adapters.metrics.sample_store import Samples
from headgate.core.analysis.news import News, news
from headgate.core.model import Key, MeasureRequest, Sample

TICKS_PER_QUERY: Final = 300
TICKS_AHEAD: Final = 2 * TICKS_PER_QUERY
"""How many ticks are read before a reader has taken the first of them."""
TICKS_BEHIND: Final = 5
"""How many ticks are kept that all readers have taken, for another that comes later with the same query."""


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What makes two requests the same.

    The namespace, because the server may answer each namespace otherwise, and because no namespace is to wait for, or
    to learn of, the questions of another. The phase, because ticks of one grid are never those of another.
    """

    namespace: str
    address: str
    query: str
    interval_seconds: int
    phase_seconds: int


@dataclasses.dataclass(slots=True, eq=False)
class Series:
    """What is known of one question, and who wants to know more."""

    question: Question
    settle_seconds: float
    samples: Samples = dataclasses.field(default_factory=Samples)
    readers: dict[Key, int] = dataclasses.field(default_factory=dict)
    """By Rollout: the first tick not yet taken."""
    requests: dict[Key, list[MeasureRequest]] = dataclasses.field(default_factory=dict)
    """By Rollout: what was requested, which says what its metrics allow; there may be several with one query."""
    waiting: dict[Key, int] = dataclasses.field(default_factory=dict)
    """By Rollout: the tick that it is woken for. A tick that no Rollout waits for is not asked for."""
    problem: str = ""
    strikes: int = 0
    """How often in a row it failed or was slow."""
    ticks_max: int = TICKS_PER_QUERY
    fetching: asyncio.Task[None] | None = None
    retry: asyncio.TimerHandle | None = None
    """Set until the next query is allowed."""
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
        last = min(math.floor(now - self.settle_seconds), first + (self.ticks_max - 1) * step)
        ticks = range(first, last + 1, step)
        ends = next((index for index, tick in enumerate(ticks) if tick in self.samples), len(ticks))
        return ticks[: max(ends, 1)]

    def await_tick(self, key: Key, tick: int) -> None:
        """Let *key* wait for *tick*; of several the first counts."""
        self.waiting[key] = min(tick, self.waiting.get(key, tick))

    def news(self, key: Key, new: Sequence[Sample]) -> News:
        """Return what the samples in *new*, which are kept by now, are to *key*."""
        return news(self.requests[key], new, self.samples)

    def answered(self, ticks: range, *, good: bool, quick: bool) -> None:
        """Note how the query for *ticks* ended. What fails is asked for half as many: they may have been too many."""
        self.strikes = 0 if good and quick else self.strikes + 1
        self.ticks_max = min(2 * self.ticks_max, TICKS_PER_QUERY) if good else max(1, len(ticks) // 2)

    def backoff_seconds(self, first_max: float, most: float) -> float:
        """Return for how long it is not to be asked: its interval, twice as long after each further strike."""
        if not self.strikes:
            return 0.0
        first = min(float(self.question.interval_seconds), first_max)
        # The exponent is bounded too: an outage of days would overflow a float.
        return min(first * 2.0 ** min(self.strikes - 1, 32), most)

    def drop_future(self, now: float) -> None:
        """Drop what was read of ticks that have not settled yet: while the clock was wrong."""
        settled = now - self.settle_seconds
        self.samples.keep(lambda tick: tick <= settled)

    def prune(self) -> None:
        """Drop the samples that no reader is near."""
        if len(self.samples) <= TICKS_BEHIND:
            return
        step = self.question.interval_seconds
        near = [range(at - TICKS_BEHIND * step, at + TICKS_AHEAD * step, step) for at in set(self.readers.values())]
        self.samples.keep(lambda tick: any(tick in ticks for ticks in near))
