"""The work queue: which Rollout is looked at next. Knows keys and times, nothing of Rollouts.

As in client-go: a key stands in it at most once, however often it is woken; it is never given to two workers at a time,
and one that is woken while a worker has it comes back when that worker is done. At most one timer per key.

Fair to all: places go round over namespaces (`core.round_robin`), and one of these does not get all (`concurrency`).
Urgent keys go first, but each fourth pass is for one that is not. One that is not urgent and is woken without end is
given out twice a second (`rate_limit`); times that were asked for are met.
"""

import asyncio
import collections
import time
from collections.abc import Callable
from typing import Final

from headgate.core.model import Key
from headgate.core.pass_order import PassOrder
from headgate.reconcile.concurrency import Concurrency
from headgate.reconcile.rate_limit import RateLimit

PLACES: Final = 8
"""Keys that are given out at a time, unless said otherwise."""
_HEAVY: Final = " heavy"
"""Behind a namespace's name: its heavy Rollouts, which have turns of their own."""
SLEEP_SECONDS_MAX: Final = 30.0
"""Timers look at the clock at least this often, so that a jump of the wall clock delays nothing for longer."""


class Queue:
    """Keys that wait for a pass. All methods belong to the event loop's thread."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._places = Concurrency(PLACES, self._nudge)
        self._pace = RateLimit()
        self._turns = PassOrder()
        self.overtaken: Callable[[Key], None] = lambda _: None
        """Called with a key that is hurried while a worker has it."""
        self._hurried: set[Key] = set()
        """Keys that workers have, and that are urgent when they come back."""
        self._dirty: dict[Key, float] = {}
        """What has to be looked at, and since when; a key that a worker has stands here only, not in _turns."""
        self._heavy: set[Key] = set()
        self._busy: dict[Key, float] = {}
        """What workers have, and since when."""
        self._given_at: dict[Key, float] = {}
        """What the wall clock said when each of these was given out."""
        self._timers: dict[Key, tuple[float, asyncio.TimerHandle]] = {}
        """When each key is due by the wall clock, and its timer."""
        self._urgently: set[Key] = set()
        """Keys with a timer that are urgent when it rings."""
        self._waiters: collections.deque[asyncio.Future[None]] = collections.deque()
        self._moved_at = 0.0
        """When a key was last given out or back, by the loop's clock."""
        self._closed = False

    def allow(self, places: int) -> int:
        """Give out *places* keys at a time from now on; return how many it may be if most of them only wait."""
        self._places = Concurrency(places, self._nudge)
        return self._places.most

    def __len__(self) -> int:
        return len(self._turns)

    # --- adding ------------------------------------------------------------------------------------------------------

    def add(self, key: Key) -> None:
        """Look at *key* as soon as a worker is free, and after any pass over it that is running now.

        Not at once if it has been looked at too often of late.
        """
        if self._closed or key in self._dirty:
            return
        now = asyncio.get_running_loop().time()
        if key not in self._busy and (delay_seconds := self._pace.delay_seconds(key, now)) > 0:
            self.add_at(key, self._clock() + delay_seconds)
            return
        self._offer(key, now)

    def add_urgent(self, key: Key) -> None:
        """Add *key* before those that were only added: users may be hurt while it waits behind hundreds of others."""
        if self._closed or self._turns.urgent.holds(self._line(key), key):
            return
        self._dirty.setdefault(key, asyncio.get_running_loop().time())
        if key in self._busy:
            self._hurried.add(key)
            self.overtaken(key)
            return
        self._turns.hurry(self._line(key), key)
        self._nudge()

    def add_at(self, key: Key, at: float, *, urgent: bool = False) -> None:
        """Look at *key* at *at*, in seconds since the epoch; of two such times the earlier one counts.

        If either is *urgent* it then goes before those that are not.
        """
        if self._closed:
            return
        if urgent:
            self._urgently.add(key)
        current = self._timers.get(key)
        if current is not None:
            if current[0] <= at:
                return
            current[1].cancel()
        due = asyncio.get_running_loop().time() + max(at - self._clock(), 0.0)
        if key in self._busy:
            # Its worker has found *at* by the clock as it was, and that may have been set back by an hour since.
            due = min(due, self._busy[key] + max(at - self._given_at[key], 0.0))
        self._arm(key, at, due)

    def add_sooner(self, key: Key, seconds: float) -> None:
        """Look at *key* in *seconds* where it has a later time; one that has none waits already, or for nothing."""
        if key in self._timers:
            self.add_at(key, self._clock() + seconds)

    def weigh(self, key: Key) -> None:
        """Take in, while a worker has *key*, that passes over it are heavy: few of these are given out at a time."""
        if key in self._busy:
            self._heavy.add(key)

    def drop(self, key: Key) -> None:
        """Drop the timer of *key* and what else is kept: it is gone."""
        self._disarm(key)
        self._pace.forget(key)
        self._heavy.discard(key)

    # --- working -----------------------------------------------------------------------------------------------------

    async def get(self) -> Key:
        """Return the next key as soon as there is one; give it back with `done`.

        Raises:
            EOFError: once the queue is closed.
        """
        while (key := self._next()) is None:
            if self._closed:
                raise EOFError
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._nudge()  # the key that woke us must not wait for the next one
                raise
        self._disarm(key)
        del self._dirty[key]
        now = self._busy[key] = self._moved_at = asyncio.get_running_loop().time()
        self._given_at[key] = self._clock()
        self._places.enter(key, heavy=key in self._heavy)
        self._pace.used(key, now)
        if len(self):
            self._nudge()
        return key

    def done(self, key: Key) -> None:
        """Give *key* back; if it was woken meanwhile it waits again, before others if it was hurried."""
        self._moved_at = asyncio.get_running_loop().time()
        if self._busy.pop(key, None) is not None:
            del self._given_at[key]
            self._places.leave(key)
        since = self._dirty.pop(key, None)
        if since is not None and key in self._hurried:
            self._hurried.discard(key)
            self.add_urgent(key)
        elif since is not None:
            self.add(key)

    def close(self) -> None:
        """Give out no more keys and drop all timers."""
        self._closed = True
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._places.close()
        self._turns.clear()
        self._dirty.clear()
        while self._waiters:
            self._nudge()

    # --- for telemetry -----------------------------------------------------------------------------------------------

    def waiting_seconds(self) -> float:
        """Return how long a key has been waiting that no worker has."""
        since = next((since for key, since in self._dirty.items() if key not in self._busy), None)
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    def stalled_seconds(self) -> float:
        """Return for how long a key waits for which there is a place, and none was given out: no worker comes for it.

        However many wait, and however long the passes take that run now: these are no reason.
        """
        turns = self._turns
        if self._places.full() or not (turns.urgent.may_take(self._free_urgently) or turns.ready.may_take(self._free)):
            return 0.0
        return min(self.waiting_seconds(), asyncio.get_running_loop().time() - self._moved_at)

    def working_seconds(self) -> float:
        """Return how long the longest running pass has been running."""
        if not self._busy:
            return 0.0
        return asyncio.get_running_loop().time() - min(self._busy.values())

    # --- inside ------------------------------------------------------------------------------------------------------

    def _line(self, key: Key) -> str:
        return key.namespace + _HEAVY if key in self._heavy else key.namespace

    def _free(self, line: str, *, urgent: bool = False) -> bool:
        return self._places.free(line.removesuffix(_HEAVY), heavy=line.endswith(_HEAVY), urgent=urgent)

    def _free_urgently(self, line: str) -> bool:
        return self._free(line, urgent=True)

    def _next(self) -> Key | None:
        """Take out the key whose turn it is; None if none may be given out now."""
        return None if self._places.full() else self._turns.take(self._free, self._free_urgently)

    def _offer(self, key: Key, now: float) -> None:
        self._dirty.setdefault(key, now)
        if key not in self._busy:
            self._turns.add(self._line(key), key)
            self._nudge()

    def _nudge(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _arm(self, key: Key, at: float, due: float) -> None:
        loop = asyncio.get_running_loop()
        delay_seconds = min(max(min(at - self._clock(), due - loop.time()), 0.0), SLEEP_SECONDS_MAX)
        timer = loop.call_later(delay_seconds, self._due, key, at, due)
        self._timers[key] = (at, timer)

    def _due(self, key: Key, at: float, due: float) -> None:
        # By the wall clock or by the time that has really passed, whichever comes first: a clock that is set back must
        # not put off a look by as much, and one look too many does no harm.
        if self._clock() < at and asyncio.get_running_loop().time() < due:
            self._arm(key, at, due)
            return
        del self._timers[key]
        if key in self._urgently:
            self._urgently.discard(key)
            self.add_urgent(key)
        elif key not in self._dirty:
            self._offer(key, asyncio.get_running_loop().time())

    def _disarm(self, key: Key) -> None:
        self._urgently.discard(key)
        armed = self._timers.pop(key, None)
        if armed is not None:
            armed[1].cancel()
