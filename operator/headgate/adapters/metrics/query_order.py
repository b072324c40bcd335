"""Whose query a server is asked next, so that no namespace and no slow query takes the turn of another.

Owns the places at one server and the order in which they are given. Knows Rollouts by their key alone; must not know
what is asked, or threads. Belongs to one event loop.

    8 places: a namespace has 6 of them at most, queries that are known to be slow have 4
    a place is free: of each kind the namespaces go round, in each of these its Rollouts

So two places are left for others however much one namespace asks for, and a quick query of a namespace that asks for
little waits for one place, not for the queue.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Callable
from typing import Final

from headgate.core.model import Key

_RESERVE: Final = 4
"""One place in so many is not for a namespace that has all others."""


@dataclasses.dataclass(slots=True, eq=False)
class Turn:
    """One query's place in the order, and then at the server."""

    key: Key
    slow: bool
    come: asyncio.Future[None]
    """Done when the query may be asked."""


class _Round:
    """Who waits: namespaces go round, and in each of them its Rollouts."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[Key, collections.deque[Turn]]] = {}

    def put(self, turn: Turn) -> None:
        """Let *turn* wait behind those of the same Rollout."""
        self._waiting.setdefault(turn.key.namespace, {}).setdefault(turn.key, collections.deque()).append(turn)

    def take(self, may: Callable[[str], bool]) -> Turn | None:
        """Return the next turn of a namespace that *may* have one; its namespace and its Rollout go to the end."""
        namespace = next((name for name in self._waiting if may(name)), None)
        if namespace is None:
            return None
        rollouts = self._waiting.pop(namespace)
        key = next(iter(rollouts))
        turns = rollouts.pop(key)
        turn = turns.popleft()
        if turns:
            rollouts[key] = turns
        if rollouts:
            self._waiting[namespace] = rollouts
        return turn

    def drop(self, turn: Turn) -> bool:
        """Let *turn* wait no more; return whether it did."""
        rollouts = self._waiting.get(turn.key.namespace, {})
        turns = rollouts.get(turn.key)
        if turns is None or turn not in turns:
            return False
        turns.remove(turn)
        if not turns:
            del rollouts[turn.key]
        if not rollouts:
            del self._waiting[turn.key.namespace]
        return True

    def __len__(self) -> int:
        return sum(len(turns) for rollouts in self._waiting.values() for turns in rollouts.values())


class Turns:
    """The places at one server."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._share = places - places // _RESERVE
        self._slow_places = max(1, places // 2)
        self._quick, self._slow = _Round(), _Round()
        self._running: collections.Counter[str] = collections.Counter()
        self._slow_running = 0
        self._slow_is_next = False

    @property
    def waiting(self) -> int:
        """How many queries wait for a place."""
        return len(self._quick) + len(self._slow)

    def wait(self, key: Key, *, slow: bool) -> Turn:
        """Return the turn of a query of *key*; it may have come already."""
        turn = Turn(key, slow, asyncio.get_running_loop().create_future())
        (self._slow if slow else self._quick).put(turn)
        self._give()
        return turn

    def over(self, turn: Turn) -> None:
        """Give back the place of *turn*, or its wait for one."""
        if self._quick.drop(turn) or self._slow.drop(turn):
            return
        self._running[turn.key.namespace] -= 1
        self._running += collections.Counter()  # without those that are 0
        self._slow_running -= turn.slow
        self._give()

    def _give(self) -> None:
        """Give all places that are free to whose turn it is."""
        while self._running.total() < self._places and (turn := self._next()) is not None:
            self._slow_is_next = not turn.slow
            self._running[turn.key.namespace] += 1
            self._slow_running += turn.slow
            if not turn.come.done():
                turn.come.set_result(None)

    def _next(self) -> Turn | None:
        kinds = [self._quick]
        if self._slow_running < self._slow_places:
            # Quick ones have the other half, but for a lone place, where the two take turns.
            kinds.insert(0 if self._slow_is_next or self._slow_places < self._places else 1, self._slow)
        found = (kind.take(lambda namespace: self._running[namespace] < self._share) for kind in kinds)
        return next((turn for turn in found if turn is not None), None)
