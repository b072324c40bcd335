"""A plain client of the API server, as the administrator: for what users do, and for what the API alone costs.

Owns how requests are made. It parses nothing that nobody reads, and knows nothing of what objects mean.
"""

import asyncio
import dataclasses
import json
import ssl
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

import aiohttp
import requests

from hack.cluster import Cluster, ClusterError
from tests.control_plane.access import Access

Json = dict[str, Any]

JSON: Final = "application/json"
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"
AT_A_TIME: Final = 16
ANSWER_SECONDS: Final = 60
REFUSED: Final = 400


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """One request."""

    verb: str
    path: str
    """With its query."""
    body: Any = None
    content_type: str = JSON


class Client:
    """One client. Its own requests come one at a time; `burst` makes many at once, `timed` one after the other."""

    def __init__(self, cluster: Cluster) -> None:
        self._access = Access.to(cluster)
        self._session = self._access.session()

    def ask(self, request: Request) -> Json:
        """Make *request* and return the answer.

        Raises:
            ClusterError: unless it is a good one.
        """
        body = None if request.body is None else json.dumps(request.body)
        headers = {"Content-Type": request.content_type}
        url = f"{self._access.server}{request.path}"
        answer: requests.Response = self._session.request(
            request.verb, url, data=body, headers=headers, timeout=ANSWER_SECONDS
        )
        if not answer.ok:
            raise ClusterError(f"{request.verb} {request.path}: {answer.status_code} {answer.text[:300]}")
        found: Json = answer.json()
        return found

    def get(self, path: str) -> Json:
        """Return what is at *path*."""
        return self.ask(Request("GET", path))

    def merge(self, path: str, body: Json) -> Json:
        """Merge *body* into what is at *path*, and return the whole."""
        return self.ask(Request("PATCH", path, body, MERGE))

    def burst(self, many: Iterable[Request], at_a_time: int = AT_A_TIME) -> None:
        """Make *many* requests, so many at a time."""
        asyncio.run(self._burst(list(many), at_a_time))

    def timed(self, many: Sequence[Request]) -> list[float]:
        """Make *many* requests, each when the one before is answered, and return how many seconds each took."""
        return asyncio.run(self._timed(many))

    async def _burst(self, many: list[Request], at_a_time: int) -> None:
        waiting = iter(many)

        async def work(session: aiohttp.ClientSession) -> None:
            for request in waiting:
                await self._exchange(session, request)

        async with self._connected() as session:
            await asyncio.gather(*(work(session) for _ in range(at_a_time)))

    async def _timed(self, many: Sequence[Request]) -> list[float]:
        async with self._connected() as session:
            await self._exchange(session, Request("GET", "/version"))  # the handshake is paid once in a client's life
            taken = []
            for request in many:
                began = time.perf_counter()
                await self._exchange(session, request)
                taken.append(time.perf_counter() - began)
            return taken

    def _connected(self) -> aiohttp.ClientSession:
        context = ssl.create_default_context(cafile=self._access.authority)
        context.load_cert_chain(self._access.certificate, self._access.key)
        return aiohttp.ClientSession(
            self._access.server,
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(ANSWER_SECONDS),
        )

    @staticmethod
    async def _exchange(session: aiohttp.ClientSession, request: Request) -> None:
        body = None if request.body is None else json.dumps(request.body)
        headers = {"Content-Type": request.content_type}
        async with session.request(request.verb, request.path, data=body, headers=headers) as answer:
            content = await answer.read()
            if answer.status >= REFUSED:
                raise ClusterError(f"{request.verb} {request.path}: {answer.status} {content[:300]!r}")
