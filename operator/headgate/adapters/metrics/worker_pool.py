"""The way to one server: its own threads, and its own places that go round.

Owns when a query begins and the outer timeout. Must not know what is kept of an answer.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from typing import Final

from headgate.adapters.metrics.prometheus import PrometheusServer
from headgate.adapters.metrics.query_order import Turn, Turns
from headgate.adapters.metrics.settings import ServerSettings
from headgate.adapters.metrics.thread_pool import Threads
from headgate.core.model import Key, Reading

_CLOSING_SECONDS: Final = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """What is asked, and for whom."""

    key: Key
    text: str
    ticks: range
    slow: bool = False
    """Whether it was slow or failed when it was last asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What became of a query."""

    reading: Reading
    seconds: float = 0.0
    """How long the server took; the wait for a place is not in it."""


class WorkerPool:
    """The way to one server. Its threads are started when they are first needed."""

    def __init__(self, address: str, settings: ServerSettings) -> None:
        self._server = PrometheusServer(address, settings)
        self._threads = Threads(f"prometheus {address}")
        self._turns = Turns(settings.workers_per_server)
        self._running: set[asyncio.Future[Answer]] = set()
        # What a query may take. A server that answers in time is never given up on.
        self._patience_seconds = settings.connect_timeout_seconds + settings.timeout_seconds

    async def ask(self, query: Query, late: Callable[[str], None]) -> Answer:
        """Return what the server says, or that it says nothing.

        *late* is called, once and with why, if the query's turn has not come in the time that an answer may take; it
        keeps its turn.
        """
        turn = self._turns.wait(query.key, slow=query.slow)
        telling = asyncio.get_running_loop().call_later(self._patience_seconds, self._tell, late)
        try:
            await turn.come
        except asyncio.CancelledError:
            self._turns.over(turn)
            raise
        finally:
            telling.cancel()
        return await self._answer(query, turn)

    async def close(self) -> None:
        """Let go of the server, without waiting long for queries that hang."""
        if self._running:
            await asyncio.wait(self._running, timeout=_CLOSING_SECONDS)
        self._threads.close()
        self._server.close()

    def _tell(self, late: Callable[[str], None]) -> None:
        why = f"no answer within {self._patience_seconds:g} s: its turn has not come among other queries"
        late(self._server.problem(why).problem)

    async def _answer(self, query: Query, turn: Turn) -> Answer:
        try:
            work = self._threads.submit(functools.partial(self._read, query))
        except RuntimeError as error:
            # The machine has no thread left to give, or we are closing.
            self._turns.over(turn)
            return Answer(self._server.problem(f"it was not asked: {error}"))
        loop = asyncio.get_running_loop()
        answered = asyncio.wrap_future(work)
        self._running.add(answered)
        answered.add_done_callback(self._running.discard)

        def ended(_: concurrent.futures.Future[Answer]) -> None:
            # A thread cannot be stopped, so a place is free when its thread is, not when we stop waiting. The loop may
            # be gone by the time that a hanging query ends.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._turns.over, turn)

        work.add_done_callback(ended)
        # Twice: the thread ends in time, but not where the processor is busy.
        patience_seconds = 2 * self._patience_seconds
        try:
            async with asyncio.timeout(patience_seconds):
                return await answered
        except TimeoutError:
            return Answer(self._server.problem(f"no answer within {patience_seconds:g} s"), patience_seconds)

    def _read(self, query: Query) -> Answer:
        began = time.monotonic()
        reading = self._server.read(query.text, query.ticks, query.key.namespace)
        return Answer(reading, time.monotonic() - began)
