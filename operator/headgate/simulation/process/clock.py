"""Virtual time: what happens when. Owns the order of events; knows nothing of what they do."""

import heapq
import itertools
from collections.abc import Callable
from typing import Final

START: Final = 1_800_000_000.0
"""A point in time like any other: 2027-01-15T08:00:00Z."""


class Clock:
    """Events in order of time, and of being entered where the time is the same."""

    def __init__(self, now: float = START) -> None:
        self.now = now
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._counter = itertools.count()

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        """Let *event* happen in *seconds*."""
        heapq.heappush(self._events, (self.now + max(0.0, seconds), next(self._counter), event))

    def elapse(self, seconds: float) -> None:
        """Let time pass and happen what is due. May be called by an event: a call that takes time is one."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            at, _, event = heapq.heappop(self._events)
            self.now = max(self.now, at)
            event()
        self.now = max(self.now, end)

    def step(self, latest: float) -> bool:
        """Let the next event happen, if it is due by *latest*; otherwise let it become *latest* and return False."""
        if not self._events or self._events[0][0] > latest:
            self.now = max(self.now, latest)
            return False
        at, _, event = heapq.heappop(self._events)
        self.now = max(self.now, at)
        event()
        return True
