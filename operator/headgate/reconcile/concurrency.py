"""How many passes run at a time, and how many of them one namespace may have.

    count 8                               a is hostile: its passes wait for something that never comes
    a alone                               8 passes of a run
    b comes while they are young          4 more places are kept for namespaces that have no pass
    they have run for half a second       they no longer count: 8 more places for namespaces that have fewer than 2
    whatever happens                      not more than 64 at a time

A pass that waits costs a little memory and no processor, so that to start another one beside it is cheap. One over a
Rollout with a large template costs a lot: with 0.9 MB it holds up the loop ten times for 20 to 80 ms each. Eight of
these at once delay each step of all other passes by half a second, so that one of them runs at a time: and beside it
one that is urgent, of another namespace. An abort of a large Rollout does not wait for one of another namespace.
"""

import asyncio
import collections
from collections.abc import Callable
from typing import Final

from headgate.core.model import Key

LONG_SECONDS: Final = 0.5
"""From then on a pass waits for a place: one among 200 canaries takes a quarter of a second."""
HEAVY_SECONDS: Final = 1.0
"""From then on a heavy pass waits for an answer, too: it takes 0.1 to 0.3 s of a processor by itself."""
HEAVY_AT_ONCE: Final = 2
"""Heavy passes that run at a time, where the second one is urgent."""
MOST_TIMES: Final = 8
"""How many times as many as usual may run if most of them only wait."""


class Concurrency:
    """Which passes run. Belongs to the event loop's thread."""

    def __init__(self, count: int, freed: Callable[[], None]) -> None:
        """Let *count* passes run at a time, as long as none takes long; call *freed* when there is room for another."""
        self._count = count
        self._freed = freed
        self._kept = max(1, count // 2)
        self._share = max(1, count // 4)
        self._most = count * MOST_TIMES
        self._young: dict[Key, asyncio.TimerHandle] = {}
        self._heavy: dict[Key, asyncio.TimerHandle] = {}
        self._running: collections.Counter[str] = collections.Counter()
        self._total = 0

    @property
    def most(self) -> int:
        """How many passes run at a time at most."""
        return self._most

    def full(self) -> bool:
        """Return whether there is no place left."""
        return self._total >= self._most or len(self._young) >= self._count + self._kept

    def free(self, namespace: str, *, heavy: bool = False, urgent: bool = False) -> bool:
        """Return whether a pass over a Rollout of *namespace* may start; it may be *heavy*, and *urgent*."""
        if heavy and self._heavy and not (urgent and self._beside(namespace)):
            return False
        if self._total < self._count:
            return True
        if self.full() or self._running[namespace] >= self._share:
            return False
        return len(self._young) < self._count or not self._running[namespace]

    def _beside(self, namespace: str) -> bool:
        """Return whether a second heavy pass may start, one of *namespace*."""
        return len(self._heavy) < HEAVY_AT_ONCE and all(key.namespace != namespace for key in self._heavy)

    def enter(self, key: Key, *, heavy: bool = False) -> None:
        """Take in that a pass over *key* starts, a heavy one or not."""
        loop = asyncio.get_running_loop()
        self._total += 1
        self._running[key.namespace] += 1
        self._young[key] = loop.call_later(LONG_SECONDS, self._grown, self._young, key)
        if heavy:
            self._heavy[key] = loop.call_later(HEAVY_SECONDS, self._grown, self._heavy, key)

    def leave(self, key: Key) -> None:
        """Take in that the pass over *key* has ended."""
        self._total -= 1
        self._running[key.namespace] -= 1
        if not self._running[key.namespace]:
            del self._running[key.namespace]
        for timers in (self._young, self._heavy):
            if (timer := timers.pop(key, None)) is not None:
                timer.cancel()
        self._freed()

    def close(self) -> None:
        """Drop all timers."""
        for timer in (*self._young.values(), *self._heavy.values()):
            timer.cancel()

    def _grown(self, timers: dict[Key, asyncio.TimerHandle], key: Key) -> None:
        del timers[key]
        self._freed()
