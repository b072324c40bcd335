"""Looks at everything now and then: for what no watch told.

After a 410 kopf lists anew and never tells what vanished in the gap, and a watch can die without a word. So after a
first look at the whole of them (`initial_list`) all objects are listed by their metadata now and then: those that
vanished are forgotten, every Rollout gets a pass, and where the watches have not shown within half a minute what the
list showed, they are started anew.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from headgate import kinds
from headgate.core.faults import Fault
from headgate.core.model import Json, Key, Kind
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed
from headgate.reconcile.queue import Queue

GRACE_SECONDS: Final = 30.0
"""How far a watch may be behind a list: a relisting watch of 5,000 objects needs some seconds."""
RETRY_SECONDS: Final = 5.0
"""Between attempts while the API server cannot list, or the CRD is not there yet."""

_RANDOM: Final = random.SystemRandom()  # it keeps no state

_log = logging.getLogger(__name__)


class Lister(Protocol):
    """What a resync needs of the cluster."""

    async def list_metadata(self, kind: Kind, namespace: str = "", labels: dict[str, str] | None = None) -> list[Json]:
        """Return the metadata of all objects of *kind*; an empty namespace means all of them."""


class Resync:
    """Lists, compares and wakes. Run `run` as a task."""

    def __init__(  # noqa: PLR0913 - the parts that it keeps honest
        self,
        lister: Lister,
        queue: Queue,
        triggers: EventMapper,
        *,
        first_look: Callable[[], Awaitable[list[str]]],
        namespaces: tuple[str, ...] = (),
        period_seconds: float = 600.0,
        remembered: Callable[[], set[Key]] = set,
        restart_watches: Callable[[], None] = lambda: None,
        expect: Callable[[list[str]], None] = lambda _: None,
        on_resync: Callable[[float], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        self._lister = lister
        self._queue = queue
        self._triggers = triggers
        self._first_look = first_look
        self._namespaces = namespaces or ("",)
        self._period_seconds = period_seconds
        self._remembered = remembered
        self._restart_watches = restart_watches
        self._expect = expect
        self._on_resync = on_resync
        self._clock = clock
        self._jitter = jitter
        self._soon = asyncio.Event()
        self._attempted_at: float | None = None
        self.listed = asyncio.Event()
        """Whether everything has been listed once."""

    def soon(self) -> None:
        """Do not wait for the end of the period."""
        self._soon.set()

    def problem(self) -> str:
        """Say how long no resync was attempted, if that is longer than two periods."""
        if self._attempted_at is None:
            return ""
        silent_seconds = asyncio.get_running_loop().time() - self._attempted_at
        return f"none for {silent_seconds:.0f} s" if silent_seconds > 2 * self._period_seconds else ""

    async def run(self) -> None:
        """Resync for ever."""
        self._attempted_at = asyncio.get_running_loop().time()
        while True:
            self._soon.clear()
            listed = await self._once_in_time()
            self._attempted_at = asyncio.get_running_loop().time()
            pause_seconds = self._period_seconds * (0.9 + 0.2 * self._jitter()) if listed else RETRY_SECONDS
            try:
                async with asyncio.timeout(pause_seconds):
                    await self._soon.wait()
            except TimeoutError:
                continue

    async def _once_in_time(self) -> bool:
        """List everything unless that takes too long: an API server that hangs must not look like a part that does."""
        try:
            async with asyncio.timeout(1.5 * self._period_seconds):
                return await self.once()
        except TimeoutError:
            _log.warning("cannot list all Rollouts: %s", f"that took more than {1.5 * self._period_seconds:.0f} s")
            return False
        except Exception:  # noqa: BLE001 - whatever it is, it is told, and tried again
            # One object that was not thought of must not end the loop, and with it the process, at every start again.
            _log.exception("a bug in Headgate stopped a look at all Rollouts; please report it. It is tried again")
            return False

    async def once(self) -> bool:
        """List everything, and wake what that gives reason for; return whether that was possible."""
        try:
            if not self.listed.is_set():
                self._expect(await self._first_look())
                self.listed.set()
                self._on_resync(self._clock())
                return True
            listed = {kind: await self._list(kind) for kind in kinds.WATCHES}
        except Fault as fault:
            _log.warning("cannot list all Rollouts: %s", fault)
            return False
        behind = [found for kind in kinds.WATCHES for found in self._behind(kind, listed[kind])]
        self._wake_vanished(listed)
        self._wake_all(listed[Kind.ROLLOUT])
        if behind:
            asyncio.get_running_loop().call_later(GRACE_SECONDS, self._judge_watches, behind)
        self._on_resync(self._clock())
        return True

    async def _list(self, kind: Kind) -> list[Json]:
        """List all objects of *kind* that are ours, or that we were given a part in."""
        labels = dict(kinds.WATCHES[kind].labels) or None
        return [found for space in self._namespaces for found in await self._lister.list_metadata(kind, space, labels)]

    def _wake_vanished(self, listed: Mapping[Kind, list[Json]]) -> None:
        lost = {kind: self._triggers.keep(kind, map(_uid, things)) for kind, things in listed.items()}
        there = {observed(Kind.ROLLOUT, rollout).key for rollout in listed[Kind.ROLLOUT]}
        for key in {key for keys in lost.values() for key in keys} | (self._remembered() - there):
            self._queue.add(key)  # the pass finds nothing there and forgets it
        for key in self._triggers.stirred():
            self._queue.add(key)

    def _wake_all(self, rollouts: list[Json]) -> None:
        """Wake all *rollouts* within half a period, so that they do not come as a crowd."""
        for rollout in rollouts:
            key = observed(Kind.ROLLOUT, rollout).key
            if key is not None:
                self._queue.add_at(key, self._clock() + self._period_seconds / 2 * self._jitter())

    def _behind(self, kind: Kind, listed: list[Json]) -> list[tuple[Kind, str, str, str]]:
        """Return the objects that the watches last showed in another state than the list did."""
        return [
            (kind, _uid(found), version, seen)
            for found in listed
            if (version := str(found["metadata"].get("resourceVersion", "")))
            != (seen := self._triggers.resource_version(kind, _uid(found)))
        ]

    def _judge_watches(self, behind: list[tuple[Kind, str, str, str]]) -> None:
        """Have the watches started anew if one of *behind* has not moved since."""
        for kind, uid, _, seen in behind:
            if self._triggers.resource_version(kind, uid) == seen:
                _log.warning("the watches missed changes of a %s: starting them anew", kind.value)
                self._restart_watches()
                return


def _uid(body: Json) -> str:
    return str(body["metadata"].get("uid", ""))
