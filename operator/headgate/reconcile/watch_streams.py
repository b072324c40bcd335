"""What kopf hears of the API server: never more at a time than can be held, and of each object what matters here.

kopf reads a page of 200 objects whole, whatever their size, and what it cannot decode ends it, again and again: one
object that is nested 1,000 levels deep would end all watches for ever. So it is given a session whose answers have been
read, cut and written anew before it sees them.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import aiohttp
import kopf

from headgate.api import nesting
from headgate.reconcile.predicates import trimmed

LARGEST_BYTES: Final = 3 * 1024 * 1024
"""Of one page or one event."""
PAGE_OBJECTS: Final = 200
_LIMIT: Final = f"limit={PAGE_OBJECTS}"
_FEWER: Final = 4
_HEAD_BYTES: Final = 64 * 1024
_ITEMS: Final = b'"items":'
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_SUCCESS: Final = 200
_SHOWN: Final = frozenset({"ADDED", "MODIFIED", "DELETED"})

_log = logging.getLogger(__name__)


def session(info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
    """Return a session for kopf that logs in as *info* says. Must be called in kopf's loop."""
    made = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=info.proxy_url,
        trust_env=info.trust_env,
        response_class=_Response,
    )
    return kopf.AiohttpSession(
        server=info.server,
        default_namespace=info.default_namespace,
        priority=info.priority,
        expiration=info.expiration,
        aiohttp_session=cast("aiohttp.ClientSession", _Session(made)),
    )


class _Session:
    """An aiohttp session as far as kopf uses one, which asks for as many objects as fitted into a page before."""

    def __init__(self, real: aiohttp.ClientSession) -> None:
        self._real = real
        self._one_page = asyncio.Lock()
        self._objects: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def request(self, method: str, url: str, **options: Any) -> aiohttp.ClientResponse:
        """Make a request; a list of a kind whose pages were too large asks for fewer objects."""
        fitted = self._objects.get(url.partition("?")[0], PAGE_OBJECTS)
        response = await self._real.request(method, url.replace(_LIMIT, f"limit={fitted}"), **options)
        if isinstance(response, _Response):
            response.again = self
        return response

    async def page(self, response: aiohttp.ClientResponse) -> Any:
        """Return the objects of a list, or of as much of it as can be held; one page at a time is held."""
        async with self._one_page:
            objects, data = int(response.url.query.get("limit", "1")), await _body(response)
            while data is None and objects > 1:
                objects = max(objects // _FEWER, 1)
                response = await self._real.get(response.url.update_query(limit=str(objects)))
                response.raise_for_status()
                data = await _body(response)
            self._objects[str(response.url.with_query(None))] = min(objects * 2, PAGE_OBJECTS)
            if data is None:
                return await self._behind(response)
            page = nesting.parsed(data)
        if isinstance(page, dict) and isinstance(page.get("items"), list):
            page["items"] = [trimmed(one) for one in page["items"] if isinstance(one, dict)]
        return page

    async def _behind(self, response: aiohttp.ClientResponse) -> Any:
        """Return an empty page that goes on behind the one object that *response* could not show."""
        _log.warning("passed over one of the objects in a list: it is too large")
        async with self._real.get(response.url, headers={"Accept": _METADATA}) as told:
            head = await told.content.read(_HEAD_BYTES)
        before, _, _ = head.partition(_ITEMS)
        return json.loads(before + b'"items":[]}')


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """Return the body of *response*; None if it is more than can be held."""
    found = bytearray()
    async for piece in response.content.iter_any():
        found += piece
        if len(found) > LARGEST_BYTES:
            response.close()
            return None
    return bytes(found)


class _Response(aiohttp.ClientResponse):
    """An answer whose objects are cut down before kopf sees them."""

    again: _Session

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Read the headers; what follows in a watch comes cut, line by line."""
        await super().start(connection)
        if self.status == _SUCCESS and self.url.query.get("watch") == "true":
            self.content = cast("aiohttp.StreamReader", _Lines(self.content))
        return self

    async def json(self, **options: Any) -> Any:
        """Return what came; of a failure it is the words that kopf looks for."""
        return await self.again.page(self) if self.status == _SUCCESS else await super().json(**options)


class _Lines:
    """The lines of a watch."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield one event after the other; one that is too large is left out, and the next resync finds its object."""
        line, dropped = bytearray(), False
        async for piece in self._content.iter_chunked(size):
            *ended, begun = piece.split(b"\n")
            for part in ended:
                line += part
                dropped = dropped or _too_large(line)
                if line and not dropped:
                    yield event(bytes(line))
                line, dropped = bytearray(), False
            line += begun
            if not dropped and _too_large(line):
                dropped = True
            if dropped:
                line.clear()
        if line:
            yield event(bytes(line))


def _too_large(line: bytearray) -> bool:
    if len(line) <= LARGEST_BYTES:
        return False
    _log.warning("passed over an event of a watch: its object is too large")
    return True


def event(line: bytes) -> bytes:
    """Return an event of a watch with its object cut down; what is none stays as it is, for kopf to judge."""
    try:
        found = nesting.parsed(line)
    except ValueError:
        return line + b"\n"
    if isinstance(found, dict) and found.get("type") in _SHOWN and isinstance(found.get("object"), dict):
        found["object"] = trimmed(found["object"])
    return json.dumps(found).encode() + b"\n"
