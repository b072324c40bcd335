"""The proxy itself: an HTTP listener on loopback in a thread of its own, HTTPS to the real API server behind it.

Passes everything on as it is, streams included; counts what was written; does what `faults` says of a call.
"""

import asyncio
import base64
import contextlib
import dataclasses
import ssl
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiohttp
import yaml
import yarl
from aiohttp import web

from hack.cluster import Cluster
from tests.control_plane.proxy.faults import Answer, Call, Cut, Expire, Fault, Hang, Hold, When

T = TypeVar("T")
Judge = Callable[[Call], Fault | None]

LARGEST_BODY_BYTES: Final = 16 * 1024 * 1024
# What belongs to one connection and not to the message; the lengths are set anew.
_OURS: Final = frozenset({"host", "connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


@dataclasses.dataclass(frozen=True, slots=True)
class Write:
    """A write that the server has carried out."""

    number: int
    """Counted from 1 since the last `count_from_here`."""
    call: Call
    at: float


def _nothing_bad(_: Call) -> Fault | None:
    return None


def _nobody_listens(_: Write) -> None:
    """Do nothing."""


class Proxy:
    """One proxy for one client. `faults` and `on_write` may be set at any moment; they are called in its thread."""

    def __init__(self, cluster: Cluster) -> None:
        self.faults: Judge = _nothing_bad
        self.on_write: Callable[[Write], None] = _nobody_listens
        """Called right after the server has carried out a write, before the client hears of it."""
        self.writes: list[Write] = []
        self.calls = 0
        self._upstream = cluster.server.rstrip("/")
        self._trust = _trust(cluster.kubeconfig)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._transports: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._background: set[asyncio.Task[Any]] = set()
        self._port = 0

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def kubeconfig(self, original: Path, path: Path) -> Path:
        """Write *original* with this proxy in place of the server to *path*, and return that."""
        content = yaml.safe_load(original.read_text())
        for one in content["clusters"]:
            one["cluster"] = {"server": self.address}
        path.write_text(yaml.safe_dump(content))
        return path

    def count_from_here(self) -> None:
        """Count writes from 1 again."""
        self.writes = []

    def go_away(self) -> None:
        """Refuse connections, and break those that there are."""
        self._do(self._vanish())

    def come_back(self) -> None:
        """Listen again where it did before."""
        self._do(self._listen())

    # --- inside, in its own thread -----------------------------------------------------------------------------------

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    async def _open(self) -> None:
        # What the server compressed stays so.
        connector = aiohttp.TCPConnector(ssl=self._trust, limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector, auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None)
        )
        application = web.Application(client_max_size=LARGEST_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await self._listen()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def _vanish(self) -> None:
        await self._site.stop()
        for transport in list(self._transports):
            transport.abort()

    async def _close(self) -> None:
        for transport in list(self._transports):
            transport.abort()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._runner.cleanup()
        await self._session.close()
        # TLS connections that were closed before may wait 30 s for the server's goodbye; nobody needs it any more.
        waiting: Mapping[int, asyncio.Transport] = getattr(self._loop, "_transports", {})
        for transport in list(waiting.values()):
            transport.abort()
        ended = self._loop.create_future()
        # Both ends of a connection, its TLS and its TCP, end in the turn after the one in which they were aborted.
        self._loop.call_soon(lambda: self._loop.call_soon(ended.set_result, None))
        await ended

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._transports.add(transport)
        self.calls += 1
        call = Call(request.method, request.path, dict(request.query))
        body = await request.read()
        fault = self.faults(call)
        if isinstance(fault, Hang):
            await asyncio.Event().wait()  # ends by cancellation, when the client gives up
        if isinstance(fault, Expire):
            return web.Response(body=fault.line, content_type="application/json")
        if call.watch:
            with _cutting(transport, fault):
                return await self._stream(request)
        if isinstance(fault, Answer) and fault.carried_out is When.NEVER:
            return _error(fault)
        if call.write:  # the server does not stop because a client went away
            task = self._loop.create_task(self._pass_on(call, request, body, fault))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
            answer = await asyncio.shield(task)
        else:
            answer = await self._pass_on(call, request, body, fault)
        return _error(fault) if isinstance(fault, Answer) else answer

    async def _pass_on(self, call: Call, request: web.Request, body: bytes, fault: Fault | None) -> web.Response:
        if isinstance(fault, Hold):
            await asyncio.to_thread(fault.released.wait, 120)
        async with self._exchange(request, body) as answer:
            content = await answer.read()
            if call.write and answer.ok:
                self.writes.append(Write(len(self.writes) + 1, call, time.time()))
                self.on_write(self.writes[-1])
            return web.Response(body=content, status=answer.status, headers=_passed(answer.headers))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        async with self._exchange(request, b"") as answer:
            response = web.StreamResponse(status=answer.status, headers=_passed(answer.headers))
            with contextlib.suppress(ConnectionResetError):  # the client has heard enough
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response

    @contextlib.asynccontextmanager
    async def _exchange(self, request: web.Request, body: bytes) -> AsyncIterator[aiohttp.ClientResponse]:
        target = yarl.URL(f"{self._upstream}{request.raw_path}", encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
        async with self._session.request(request.method, target, headers=headers, data=body or None) as answer:
            yield answer


@contextlib.contextmanager
def _cutting(transport: asyncio.Transport, fault: Fault | None) -> Any:
    """Break *transport* after a while if *fault* says so."""
    if not isinstance(fault, Cut):
        yield
        return
    cut = asyncio.get_running_loop().call_later(fault.after_seconds, transport.abort)
    try:
        yield
    finally:
        cut.cancel()


def _error(answer: Answer) -> web.Response:
    headers = {"Retry-After": str(answer.retry_after_seconds)} if answer.retry_after_seconds else {}
    return web.Response(body=answer.body, status=answer.status, content_type="application/json", headers=headers)


def _passed(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OURS}


def _trust(kubeconfig: Path) -> ssl.SSLContext:
    server = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    return ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
