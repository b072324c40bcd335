"""The first look at everything: a few large lists instead of some reads for each of a thousand Rollouts.

What the lists say may spare a Rollout at rest its pass, if they show that there is nothing to do. Whatever is in
flight, is not plain from the lists, or needs a write, gets a pass that reads the cluster itself. The lists come in the
order of their namespaces, page by page, so that one namespace and a page of each kind is all that is held at a time.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from typing import Final, Protocol

from headgate import kinds
from headgate.api import nesting
from headgate.core.model import Json, Key, Kind
from headgate.observe.snapshot import Snapshot
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed, trimmed
from headgate.reconcile.queue import Queue

_BEYOND: Final = "\uffff"
"""Behind every namespace."""
_LARGE_CHARACTERS: Final = 64 * 1024
_AT_ONCE: Final = 50
_CUT: Final = "headgate.dev/cut"
"""In what was too large to be kept."""


class Lister(Protocol):
    """What the first look needs of the cluster."""

    def pages(self, kind: Kind, namespace: str, selector: str) -> AsyncIterator[list[Json]]:
        """Yield all objects of *kind* that *selector* chooses, in parts; an empty namespace means all of them."""


Settled = Callable[[Key, Snapshot], Awaitable[bool]]
"""Returns whether a Rollout needs no pass, by what was listed."""


class InitialList:
    """Lists everything once, and wakes whatever may need something."""

    def __init__(
        self, lister: Lister, queue: Queue, triggers: EventMapper, settled: Settled, *, namespaces: tuple[str, ...] = ()
    ) -> None:
        self._lister = lister
        self._queue = queue
        self._triggers = triggers
        self._settled = settled
        self._namespaces = namespaces or ("",)

    async def run(self) -> list[str]:
        """Look, and return the uids of the watched objects that are there.

        Raises:
            Unreachable, Refused: if something cannot be listed; what was seen so far has been woken.
        """
        return [uid for space in self._namespaces for uid in await self._look(space)]

    async def _look(self, space: str) -> list[str]:
        streams = {
            kind: _Stream(self._lister.pages(kind, space, first.selector)) for kind, first in kinds.FIRST_LISTS.items()
        }
        rollouts, uids = streams.pop(Kind.ROLLOUT), list[str]()
        while (place := await rollouts.next_place()) is not None:
            ours = await rollouts.up_to(place)
            keys = {key: _at_rest(body) for body in ours if (key := observed(Kind.ROLLOUT, body).key) is not None}
            uids += await self._sighted({Kind.ROLLOUT: ours}, keys)
            for key, at_rest in keys.items():
                if not at_rest:
                    self._queue.add(key)
            # Its own requests go out together; all but the first few namespaces wait for none.
            parts = await asyncio.gather(*(stream.up_to(place) for stream in streams.values()))
            others = dict(zip(streams, parts, strict=True))
            uids += await self._sighted(others, keys)
            await self._judge(place, keys, {Kind.ROLLOUT: ours, **others})
        for kind, stream in streams.items():
            uids += await self._sighted({kind: await stream.up_to(_BEYOND)}, {})
        return uids

    async def _sighted(self, things: dict[Kind, list[Json]], keys: Container[Key]) -> list[str]:
        """Remember *things*, so that their first sight through a watch is no reason for a pass; return their uids.

        What belongs to a Rollout that is not among *keys* is a reason: it has to be cleaned up.
        """
        bodies = [(kind, body) for kind, found in things.items() if kind in kinds.WATCHES for body in found]
        uids = list[str]()
        for number, (kind, body) in enumerate(bodies):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # five thousand of one namespace take seconds, and passes wait meanwhile
            sighting = observed(kind, body)
            uids.append(sighting.uid)
            for key in self._triggers.woken_by(sighting):
                if key not in keys:
                    self._queue.add(key)
        self._triggers.stirred()  # each of them is judged, or gets a pass, when all of its namespace have been seen
        return uids

    async def _judge(self, place: str, keys: dict[Key, bool], things: dict[Kind, list[Json]]) -> None:
        # Where something was too large to be kept as a whole, each Rollout gets a pass, which looks at its own alone.
        whole = not any(_CUT in body for found in things.values() for body in found)
        snapshot = Snapshot(place.removesuffix("/"), things) if whole else None
        for key, at_rest in keys.items():
            if at_rest and (snapshot is None or not await self._settled(key, snapshot)):
                self._queue.add(key)
            await asyncio.sleep(0)  # the passes of those in flight do not wait for a thousand at rest


class _Stream:
    """The objects of one kind, in the order in which the API server lists them: by namespace, then by name."""

    def __init__(self, pages: AsyncIterator[list[Json]]) -> None:
        self._pages = pages
        self._left: deque[Json] = deque()

    async def next_place(self) -> str | None:
        """Return where the next object stands; None: there are no more."""
        return _place(self._left[0]) if self._left or await self._more() else None

    async def up_to(self, place: str) -> list[Json]:
        """Return the next objects, up to the last that stands at *place*."""
        found = []
        while True:
            while self._left and _place(self._left[0]) <= place:
                found.append(self._left.popleft())
            if self._left or not await self._more():
                return found

    async def _more(self) -> bool:
        """Read on until there is something; return whether there is."""
        async for page in self._pages:
            self._left.extend(map(_kept, page))
            if page:
                return True
        return False


def _kept(body: Json) -> Json:
    """Return *body*, or where it is large what an ObservedObject needs of it."""
    # A namespace is held as a whole: a hundred Rollouts of 0.9 MB would take 800 MB. A common one has 5 kB.
    if not nesting.deeper(body, nesting.KEPT) and len(json.dumps(body)) <= _LARGE_CHARACTERS:
        return body
    return {**trimmed(body), _CUT: True}


def _place(body: Json) -> str:
    """Return by what the API server orders: "a/" comes behind "a-b/", as a slash comes behind a dash."""
    return f"{body['metadata'].get('namespace', '')}/"


def _at_rest(body: Json) -> bool:
    status = body.get("status")
    return isinstance(status, dict) and not status.get("canary") and not status.get("previous")
