"""How far the wall clock has jumped ahead of the time that has really passed. Must not know what waits for it.

A process has a clock that never jumps. Between two looks both should have gone on alike: what the wall clock has gained
is a jump, as by NTP, or where a virtual machine wakes up. What happened before a process first saw a Rollout it cannot
tell.
"""

import collections
from typing import Final

from headgate.core.model import Key
from headgate.observe.interfaces import Clock

LEAST_SECONDS: Final = 5.0
"""Less is no jump: a clock that is slowly put right gains 0.3 s in ten minutes, and waits are longer than that."""
_KEPT: Final = 16


class Jumps:
    """Watches the wall clock against one that never jumps."""

    def __init__(self, wall: Clock, steady: Clock) -> None:
        """Compare *wall*, in seconds since the epoch, with *steady*, which knows only how long things take."""
        self._wall = wall
        self._steady = steady
        self._last = (wall(), steady())
        self._found: collections.deque[tuple[float, float]] = collections.deque(maxlen=_KEPT)
        """When each was seen, and how far it went."""
        self._met: dict[Key, float] = {}
        """When each Rollout was first seen: what the clock did before is no matter of its waits."""

    def of(self, key: Key, written_at: float) -> float:
        """Return how far the clock has jumped since the status of *key* was last written by this process."""
        self._look()
        since = max(written_at, self._met.setdefault(key, self._last[0]))
        return sum(seconds for at, seconds in self._found if at > since)

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key*."""
        self._met.pop(key, None)

    def _look(self) -> None:
        wall, steady = self._wall(), self._steady()
        ahead = (wall - self._last[0]) - (steady - self._last[1])
        self._last = (wall, steady)
        if ahead >= LEAST_SECONDS:
            self._found.append((wall, ahead))
        if ahead <= -LEAST_SECONDS:
            # Set back: waits begin anew by themselves, and the moments of before compare with nothing any more.
            self._found.clear()
            self._met = {key: min(at, wall) for key, at in self._met.items()}
