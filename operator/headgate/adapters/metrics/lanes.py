"""One server's own threads, so that a slow server delays nobody else.

Owns threads and the outer timeout. Must not know what is kept of an answer.
"""

import asyncio
import concurrent.futures
import contextlib

from headgate.adapters.metrics.prometheus import PrometheusServer
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Reading

_CLOSING_SECONDS = 1.0


class Lane:
    """The way to one server. Its threads are started when they are first needed."""

    def __init__(self, address: str, settings: ServerSettings) -> None:
        self._server = PrometheusServer(address, settings)
        self._threads = concurrent.futures.ThreadPoolExecutor(
            settings.workers_per_server, thread_name_prefix=f"prometheus {address}"
        )
        # A thread cannot be stopped, so a place is free again when its thread is, not when we stop waiting: the pool's
        # own queue stays empty however long a server hangs.
        self._places = asyncio.Semaphore(settings.workers_per_server)
        self._running: set[concurrent.futures.Future[Reading]] = set()
        # Once to get a place, once for the answer: a server that answers in time is never given up on.
        self._patience_seconds = 2 * (settings.connect_timeout_seconds + 2 * settings.timeout_seconds)

    async def ask(self, query: str, ticks: range) -> Reading:
        """Return what the server says of *query* at *ticks*, or that it says nothing."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._places.acquire()
                return await asyncio.wrap_future(self._start(query, ticks))
        except RuntimeError as error:
            # The machine has no thread left to give, or we are closing.
            self._places.release()
            return self._server.problem(f"it was not asked: {error}")
        except TimeoutError:
            return self._server.problem(f"no answer within {self._patience_seconds:g} s, other queries included")

    async def close(self) -> None:
        """Let go of the server, without waiting long for queries that hang."""
        if self._running:
            running = [asyncio.wrap_future(work) for work in self._running]
            await asyncio.wait(running, timeout=_CLOSING_SECONDS)
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._server.close()

    def _start(self, query: str, ticks: range) -> concurrent.futures.Future[Reading]:
        loop = asyncio.get_running_loop()
        work = self._threads.submit(self._server.read, query, ticks)
        self._running.add(work)

        def ended(work: concurrent.futures.Future[Reading]) -> None:
            # The loop may be gone by the time that a hanging query ends.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._free, work)

        work.add_done_callback(ended)
        return work

    def _free(self, work: concurrent.futures.Future[Reading]) -> None:
        self._running.discard(work)
        self._places.release()
