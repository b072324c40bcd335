"""Reads answers: no more of them than can be held, and none that is not the answer to what was asked.

Small answers come in as they are. Of larger ones two are read at a time, and the others wait on their connections:
16 of 10 MB each, at once, took 700 MB and held the event loop for 12 s.
"""

import asyncio
import dataclasses
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Final

import aiohttp

from headgate.adapters.cluster.errors import RetryLater
from headgate.api import dns, nesting
from headgate.core.faults import Refused
from headgate.core.model import Json
from headgate.kinds.resource_kind import ResourceKind

LARGEST_BYTES: Final = 3 * 1024 * 1024
"""Of one answer: one object, or a page of a list. etcd takes 1.5 MB, some of which grows when it is written as JSON."""
SMALL_BYTES: Final = 64 * 1024
LARGE_AT_ONCE: Final = 2
"""With 40 small ones beside them these make 8 MB."""
_CHUNK_BYTES: Final = 64 * 1024

_log = logging.getLogger(__name__)


class TooLarge(Refused):
    """An answer was cut off, because there was more of it than can be held."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    thing: Json
    size_bytes: int


class Intake:
    """Takes answers in, for one API server."""

    def __init__(self) -> None:
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def body(self, response: aiohttp.ClientResponse) -> bytes:
        """Return the body of *response*.

        Raises:
            TooLarge: if it is longer than LARGEST_BYTES; the connection is closed then.
        """
        pieces: list[bytes] = []
        try:
            if await _read(response, pieces, SMALL_BYTES):
                return b"".join(pieces)
            async with self._large:
                if await _read(response, pieces, LARGEST_BYTES):
                    return b"".join(pieces)
        except BaseException:
            response.close()
            raise
        response.close()
        raise TooLarge(f"the answer is longer than {LARGEST_BYTES // 1024 // 1024} MB")


async def beginning(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """Return the body of *response*, or as much of it as comes until there are more than *most_bytes*."""
    pieces: list[bytes] = []
    await _read(response, pieces, most_bytes)
    return b"".join(pieces)


async def _read(response: aiohttp.ClientResponse, pieces: list[bytes], most_bytes: int) -> bool:
    """Add what comes to *pieces* until these have more than *most_bytes*; return whether that was all."""
    held = sum(map(len, pieces))
    async for piece in response.content.iter_chunked(_CHUNK_BYTES):
        pieces.append(piece)
        held += len(piece)
        if held > most_bytes:
            return False
    return held <= most_bytes


async def lines(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of *response* as they come.

    Raises:
        TooLarge: if one is longer than LARGEST_BYTES.
        ValueError: if the last one has no end.
    """
    begun = bytearray()
    async for piece in response.content.iter_any():
        *ended, rest = piece.split(b"\n")
        for end in ended:
            yield bytes(begun + end)
            begun.clear()
        begun += rest
        if len(begun) > LARGEST_BYTES:
            raise TooLarge(f"one change is longer than {LARGEST_BYTES // 1024 // 1024} MB")
    if begun:
        raise ValueError("the answer breaks off within a line")


def parsed(data: bytes) -> Json:
    """Return the object that *data* holds.

    Raises:
        ValueError: if it holds none.
    """
    answer = nesting.parsed(data)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no object")
    return answer


def check_object(thing: Json, resource: ResourceKind, namespace: str, name: str) -> None:
    """Hold that *thing* is the object that was asked for.

    Raises:
        ComeBackLater: if it is another one: something between us and the API server answered.
    """
    metadata = nesting.mapping(thing.get("metadata"))
    asked = (name, namespace) if resource.namespaced else (name, "")
    if not _kind_fits(thing, resource, "") or (metadata.get("name"), metadata.get("namespace") or "") != asked:
        raise _another(resource, namespace, name)


def check_written(thing: Json, resource: ResourceKind, namespace: str, name: str | None) -> None:
    """Hold that *thing*, the answer to a write, is no other object; *name* is None where the API server makes one up.

    Raises:
        ComeBackLater: if it is another one, or a Status: whether anything was written is not known then.
    """
    metadata = nesting.mapping(thing.get("metadata"))
    placed = metadata.get("namespace") in (None, "", namespace)
    if not _kind_fits(thing, resource, "") or not placed or (name and metadata.get("name") not in (None, name)):
        raise _another(resource, namespace, name or "")


def _another(resource: ResourceKind, namespace: str, name: str) -> RetryLater:
    place = "/".join(filter(None, (namespace, name)))
    return RetryLater(f"the answer is not the {resource.kind} {place} that was asked for")


def items(page: Json, resource: ResourceKind, namespace: str, wanted: Mapping[str, str | None]) -> list[Json]:
    """Return those objects of *page* that were asked for: of *namespace*, if one was named, with the *wanted* labels.

    Any other one is passed over: it hides none of the rest.

    Args:
        page: a list of objects, or of their metadata.
        resource: their kind.
        namespace: empty for all.
        wanted: labels with their values; None: whichever.

    Raises:
        ComeBackLater: if it is no list of such objects.
    """
    listed = page.get("items")
    if not _kind_fits(page, resource, "List") or not isinstance(listed, list | None):
        raise RetryLater(f"the answer is no list of {resource.plural}")
    found = [one for one in listed or () if _asked_for(one, resource, namespace, wanted)]
    if strangers := len(listed or ()) - len(found):
        _log.warning("passed over %d of the %s in a list: they are not what was asked for", strangers, resource.plural)
    return found


def _kind_fits(thing: Json, resource: ResourceKind, suffix: str) -> bool:
    """Return whether *thing* says to be of the kind, or says nothing: what a list holds has no kind of its own."""
    kind, version = thing.get("kind"), thing.get("apiVersion")
    if suffix and kind in ("PartialObjectMetadataList", "List"):
        return True
    return kind in (None, f"{resource.kind}{suffix}") and version in (None, resource.api_version)


def _asked_for(one: Any, resource: ResourceKind, namespace: str, wanted: Mapping[str, str | None]) -> bool:
    if not isinstance(one, dict) or one.get("kind") not in (None, resource.kind, "PartialObjectMetadata"):
        return False
    metadata = nesting.mapping(one.get("metadata"))
    name, home, labels = metadata.get("name"), metadata.get("namespace") or "", metadata.get("labels") or {}
    if not isinstance(name, str) or not resource.names(name) or not isinstance(labels, dict):
        return False
    placed = home == namespace if namespace else dns.is_label(home) or not resource.namespaced
    return placed and _bears(labels.items(), wanted)


def _bears(labels: Iterable[tuple[str, Any]], wanted: Mapping[str, str | None]) -> bool:
    borne = dict(labels)
    return all(key in borne and value in (None, borne[key]) for key, value in wanted.items())
