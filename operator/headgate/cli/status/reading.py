"""Reads a Rollout and what is shown beside it, once or for as long as the command runs.

Following is by watches: between two changes nothing is asked. Owns what is read, what may be missing of it, and how
long an API server may be away. Must not know how anything is shown.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol

from headgate.adapters.cluster import Change
from headgate.api import names
from headgate.cli.status.facts import Objects
from headgate.core.faults import Fault, Unreachable
from headgate.core.model import Json, Key, Kind
from headgate.core.revisions import identity

PACE_SECONDS: Final = 1.0
"""Between two watches, however soon the server ended the first."""
PACE_SECONDS_MAX: Final = 8.0
PATIENCE_SECONDS: Final = 60.0
"""How long an API server may be away: one that is restarted is back in less."""
GATHER_SECONDS: Final = 0.1
"""Changes that come within so long are shown as one."""
_ROLLOUT: Final = "the Rollout"
_PODS: Final = "the pods as they are now"
_EVENTS: Final = "the Events"


class MissingError(Exception):
    """There is no such Rollout, or there is none any more."""


class Client(Protocol):
    """What is asked of the API server. Every method may raise any of `core.faults`."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object, or None if there is none."""

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return the objects that carry all of *labels*."""

    async def events(self, namespace: str, name: str) -> list[Json]:
        """Return the Events about the Rollout *name*."""

    def watch(self, kind: Kind, namespace: str, name: str) -> AsyncGenerator[Change, None]:
        """Yield the object, and each change of it."""

    def watch_labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> AsyncGenerator[Change, None]:
        """Yield the objects that carry all of *labels*, and each change of one."""

    def watch_events(self, namespace: str, name: str) -> AsyncGenerator[Change, None]:
        """Yield the Events about the Rollout *name*, and each new one."""


class _Beside(NamedTuple):
    """Objects that are shown beside the Rollout, where they may be read."""

    what: str
    read: Callable[[], Awaitable[list[Json]]]
    watch: Callable[[], AsyncGenerator[Change, None]]


def _beside(client: Client, key: Key) -> tuple[_Beside, _Beside]:
    labels = {names.ROLLOUT: identity.label_value(key.name)}
    return (
        _Beside(
            _PODS,
            lambda: client.select(Kind.DEPLOYMENT, key.namespace, labels),
            lambda: client.watch_labelled(Kind.DEPLOYMENT, key.namespace, labels),
        ),
        _Beside(_EVENTS, lambda: client.events(*_place(key)), lambda: client.watch_events(*_place(key))),
    )


def _unread(what: str, fault: Fault) -> str:
    return f"{what} are not shown: {fault}"


async def once(client: Client, key: Key) -> Objects:
    """Return what there is now.

    Raises:
        MissingError: if there is no such Rollout.
        Fault: if the Rollout cannot be read; what cannot be read besides is noted.
    """
    rollout = await client.get(Kind.ROLLOUT, key.namespace, key.name)
    if rollout is None:
        raise MissingError
    unread: list[str] = []

    async def if_possible(what: str, reading: Awaitable[list[Json]]) -> list[Json]:
        try:
            return await reading
        except Fault as fault:
            unread.append(_unread(what, fault))
            return []

    pods, events = await asyncio.gather(*(if_possible(one.what, one.read()) for one in _beside(client, key)))
    return Objects(rollout, pods, events, tuple(sorted(unread)))


class Follower:
    """Follows one Rollout: run `run` as a task, and read `objects` whenever `changed` is set."""

    def __init__(
        self,
        client: Client,
        key: Key,
        *,
        pace_seconds: float = PACE_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._client = client
        self._key = key
        self._pace_seconds = pace_seconds
        self._patience_seconds = patience_seconds
        self._heard: dict[str, float] = {}
        """When each watch last told something."""
        self._rollout: Json | None = None
        self._held: dict[str, dict[str, Json]] = {}
        self._unread: dict[str, str] = {}
        self.changed = asyncio.Event()

    @property
    def objects(self) -> Objects | None:
        """What there is now; None before all of it has been read, or cannot be."""
        deployments, events = self._held.get(_PODS), self._held.get(_EVENTS)
        if self._rollout is None or deployments is None or events is None:
            return None
        unread = tuple(words for _, words in sorted(self._unread.items()))
        return Objects(self._rollout, [*deployments.values()], [*events.values()], unread)

    async def run(self) -> None:
        """Follow until the Rollout cannot be followed any longer.

        Raises:
            MissingError: if there is no such Rollout, or it was deleted.
            Fault: if it may not be read, or the API server has been away for too long.
        """
        beside = [asyncio.create_task(self._collect(one)) for one in _beside(self._client, self._key)]
        try:
            await self._repeated(_ROLLOUT, self._follow)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _follow(self) -> None:
        """Follow the Rollout through one watch."""
        # Read before each watch, which would not tell that the object has gone since the last one.
        self._take(await self._client.get(Kind.ROLLOUT, *_place(self._key)))
        async with contextlib.aclosing(self._client.watch(Kind.ROLLOUT, *_place(self._key))) as changes:
            async for change in changes:
                self._take(None if change.deleted else change.thing)

    def _take(self, rollout: Json | None) -> None:
        if rollout is None:
            raise MissingError
        self._rollout = rollout
        self._tell(_ROLLOUT)

    def _tell(self, what: str) -> None:
        self._unread.pop(what, None)
        self._heard[what] = asyncio.get_running_loop().time()
        self.changed.set()

    async def _collect(self, beside: _Beside) -> None:
        """Keep the objects *beside* the Rollout as they are, as far as that is allowed."""

        async def one_watch() -> None:
            self._held[beside.what] = held = {_name(thing): thing for thing in await beside.read()}
            self._tell(beside.what)
            async with contextlib.aclosing(beside.watch()) as changes:
                async for change in changes:
                    held.pop(_name(change.thing), None)
                    if not change.deleted:
                        held[_name(change.thing)] = change.thing
                    self._tell(beside.what)

        try:
            await self._repeated(beside.what, one_watch)
        except Fault as fault:
            self._held[beside.what] = {}
            self._unread[beside.what] = _unread(beside.what, fault)
            self.changed.set()

    async def _repeated(self, what: str, watch: Callable[[], Awaitable[None]]) -> None:
        """Follow *watch* again and again, more slowly while the API server is away."""
        clock, pace, away_since = asyncio.get_running_loop().time, self._pace_seconds, math.inf
        while True:
            began = clock()
            try:
                await watch()
                pace, away_since = self._pace_seconds, math.inf
            except Unreachable as fault:
                heard = self._heard.get(what, -math.inf) >= began
                away_since = clock() if heard else min(away_since, began)
                if self._rollout is None and what == _ROLLOUT:
                    raise  # nothing was ever read: the address or the credentials may be wrong
                if clock() - away_since > self._patience_seconds:
                    raise
                self._held.setdefault(what, {})
                self._unread[what] = f"{what} cannot be read now, and will be asked for again: {fault}"
                self.changed.set()
                pace = self._pace_seconds if heard else min(pace * 2, PACE_SECONDS_MAX)
            await asyncio.sleep(pace)


def _name(thing: Json) -> str:
    return str(thing["metadata"]["name"])


def _place(key: Key) -> tuple[str, str]:
    return key.namespace, key.name
