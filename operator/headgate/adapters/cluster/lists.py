"""Lists: page by page, no page larger than one answer may be, and nothing in them that was not asked for.

How many objects a page has follows from how large those before were. One object that is larger than an answer may be
by itself is passed over: what else is listed is found all the same.

What is held as a whole has a bound as well, and of lists that are longer than a page is meant to be one is read at a
time. A namespace can hold more Deployments with a Rollout's label than this process has memory.
"""

import contextlib
import json
import logging
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Final

from headgate.adapters.cluster import answers, errors
from headgate.adapters.cluster.exchange import Exchange
from headgate.adapters.cluster.requests import JSON, Request
from headgate.core.faults import Refused
from headgate.core.model import Json
from headgate.kinds.resource_kind import ResourceKind

WHOLE_BYTES: Final = 16 * 1024 * 1024
"""Of a list that is held as a whole: a Rollout keeps 11 templates of 1 MB with its defaults, which make 12 MB."""
DROPPED_SHARE: Final = 4
"""How many times as long a list may be whose objects have their spec dropped: of a pod a quarter is left."""
PAGE_OBJECTS: Final = 100
"""Objects per answer. Python does not give back what parsed ones took: with 500 it keeps 4 MiB more."""
METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_FEWER: Final = 4
_WANTED_BYTES: Final = answers.LARGEST_BYTES * 2 // 3
_HEAD_BYTES: Final = 64 * 1024
_ITEMS: Final = b'"items":'

_log = logging.getLogger(__name__)


class Pages:
    """One list, to be read once."""

    def __init__(
        self, exchange: Exchange, resource: ResourceKind, namespace: str, selector: str, *, accept: str = JSON
    ) -> None:
        """List all objects of *resource* in *namespace* (empty: in all) that *selector* chooses."""
        self._exchange = exchange
        self._resource = resource
        self._namespace = namespace
        self._selector = selector
        self._accept = accept
        self._objects = PAGE_OBJECTS
        self._read_bytes = 0

    async def read(
        self, *, bound: Mapping[str, str] = MappingProxyType({}), whole: bool = False
    ) -> AsyncIterator[list[Json]]:
        """Yield the objects, in the order of the API server.

        Args:
            bound: what says how fresh the first page must be; the others have its version.
            whole: whether an object that is too large is a fault, and not passed over.

        Raises:
            Fault: if something cannot be listed.
        """
        try:
            async for page in self._read(bound, whole=whole):
                yield page
        except errors.NotFound as missing:  # not for a missing namespace: that has an empty list
            # A cluster may do without some kinds, the Gateway API's for example.
            if not self._resource.optional:
                raise Refused(str(missing)) from None

    async def held(self, bound: Mapping[str, str]) -> list[Json]:
        """Return all of the objects at once; *bound* is as for `read`.

        Raises:
            Refused: if one of them, or all together, are more than can be held.
            Fault: if something cannot be listed.
        """
        found, long = list[Json](), False
        most_bytes = WHOLE_BYTES * (DROPPED_SHARE if self._resource.spec_dropped else 1)
        async with contextlib.AsyncExitStack() as turn:
            async for page in self.read(bound=bound, whole=True):
                found.extend(map(_without_spec, page) if self._resource.spec_dropped else page)
                if self._read_bytes > most_bytes:
                    raise Refused(self._too_many(most_bytes))
                if not long and self._read_bytes > _WANTED_BYTES:
                    long = True
                    await turn.enter_async_context(self._exchange.long_lists)
        return found

    def _too_many(self, most_bytes: int) -> str:
        chosen = f" with the labels {self._selector}" if self._selector else ""
        most = most_bytes // 1024 // 1024
        return f"the {self._resource.plural}{chosen} take more than {most} MB, which is more than is read: delete some"

    async def _read(self, bound: Mapping[str, str], *, whole: bool) -> AsyncIterator[list[Json]]:
        place, wanted = bound, _labels(self._selector)
        while True:
            try:
                answer = await self._exchange.call(self._page(place, self._objects, self._accept))
            except answers.TooLarge as fault:
                if self._objects > 1:
                    self._objects = max(self._objects // _FEWER, 1)
                    continue
                if whole:
                    raise Refused(f"one of the {self._resource.plural} is too large: {fault}") from None
                more = await self._behind(place)
            else:
                self._read_bytes += answer.size_bytes
                self._objects = min(max(self._objects * _WANTED_BYTES // answer.size_bytes, 1), PAGE_OBJECTS)
                more = _goes_on(answer.thing)
                yield answers.items(answer.thing, self._resource, self._namespace, wanted)
            if not more:
                return
            if more == place.get("continue"):
                # A proxy that answers from its memory, say: without this the same page is asked for without end.
                raise errors.RetryLater(f"the list of {self._resource.plural} goes on where it was before")
            place = {"continue": more}

    def _page(self, place: Mapping[str, str], objects: int, accept: str) -> Request:
        query = {"limit": str(objects), **({"labelSelector": self._selector} if self._selector else {}), **place}
        return Request(verb="GET", resource=self._resource, namespace=self._namespace, query=query, accept=accept)

    async def _behind(self, place: Mapping[str, str]) -> str:
        """Return where the list goes on behind the one object that stands at *place*; empty: nowhere."""
        _log.warning("passed over one of the %s in a list: it is too large", self._resource.plural)
        # A list of metadata tells that before it tells the metadata, which alone may be too large as well.
        head = await self._exchange.head(self._page(place, 1, METADATA), _HEAD_BYTES)
        before, found, _ = head.partition(_ITEMS)
        told = json.loads(before + b'"items":null}') if found else {}
        return _goes_on(told)


def _goes_on(listed: Json) -> str:
    """Return where a list goes on; an empty text where it ends.

    Raises:
        ComeBackLater: if it cannot be told: half of a list is none.
    """
    metadata = listed.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise errors.RetryLater("the answer does not say where the list goes on")
    return str(metadata.get("continue") or "")


def _without_spec(thing: Json) -> Json:
    thing.pop("spec", None)
    thing["metadata"].pop("managedFields", None)
    return thing


def _labels(selector: str) -> dict[str, str | None]:
    """Return the labels that *selector* asks for, with their values; None: whichever."""
    found: dict[str, str | None] = {}
    for part in filter(None, selector.split(",")):
        key, equals, value = part.partition("=")
        found[key] = value if equals else None
    return found
