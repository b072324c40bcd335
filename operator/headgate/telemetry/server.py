"""Serves /metrics, /healthz and /readyz. Knows HTTP, and of what it serves no more than the text."""

from collections.abc import Callable

import prometheus_client
from aiohttp import web

from headgate.telemetry.health import Health
from headgate.telemetry.page import Page


class ListenError(Exception):
    """The address cannot be listened on; the message is one line."""


class Server:
    """A small HTTP server. `start` it, then `close` it."""

    def __init__(self, health: Health, expose: Callable[[], bytes]) -> None:
        self._health = health
        self._page = Page(expose)
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        # No access log: probes and scrapes are routine. Half a second ends idle keep-alive connections.
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
        self._page.close()
        await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=await self._page.text(), headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        return _verdict(*self._health.live())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _verdict(*self._health.ready())


def _verdict(good: bool, text: str) -> web.Response:  # noqa: FBT001 - half of a verdict, not an option
    return web.Response(status=200 if good else 503, text=text)
