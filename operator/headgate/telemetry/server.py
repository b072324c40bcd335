"""Serves /metrics, /healthz and /readyz. Knows HTTP, and of what it serves no more than the text."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from headgate.telemetry.health import Health

_METRICS_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"


class ListenError(Exception):
    """The address cannot be listened on; the message is one line."""


class Server:
    """A small HTTP server. `start` it, then `close` it."""

    def __init__(self, health: Health, expose: Callable[[], bytes]) -> None:
        app = web.Application()
        app.router.add_get("/metrics", lambda _: _answer(expose()))
        app.router.add_get("/healthz", lambda _: _verdict(health.live()))
        app.router.add_get("/readyz", lambda _: _verdict(health.ready()))
        # No access log: probes and scrapes are nobody's news. Half a second ends idle keep-alive connections.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handle_signals=False)

    async def start(self, address: str, port: int) -> int:
        """Listen, and return the port: *port*, or a free one where that is 0.

        Raises:
            ListenError: if that is impossible.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, address, port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ListenError(f"cannot listen on {address}:{port}: {error.strerror or error}") from None
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()


async def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": _METRICS_TYPE})


async def _verdict(verdict: tuple[bool, str]) -> web.Response:
    good, text = verdict
    return web.Response(status=200 if good else 503, text=text)
