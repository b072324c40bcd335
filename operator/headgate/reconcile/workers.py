"""The workers that take keys from the queue and make passes over them.

There are more of them than passes that usually run: one that only waits holds up no other pass (`concurrency`). An idle
worker costs nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from headgate.core.model import Key
from headgate.reconcile.queue import Queue

_log = logging.getLogger(__name__)


class Workers:
    """A number of workers. `start` them, then `stop` them once."""

    def __init__(self, queue: Queue, run: Callable[[Key], Awaitable[None]], count: int) -> None:
        """Make passes over the keys of *queue* by *run*, *count* at a time and more while these only wait."""
        self._queue = queue
        self._run = run
        self._count = queue.allow(count)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start to work."""
        self._tasks = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(self._count)]

    def problem(self) -> str:
        """Say how many workers have ended, if any has: none ever should."""
        ended = sum(task.done() for task in self._tasks)
        return f"{ended} of {self._count} workers have ended" if ended else ""

    async def stop(self, grace_seconds: float) -> None:
        """Take no more keys; let running passes end within *grace_seconds*, then cancel them between two writes."""
        self._queue.close()
        if not self._tasks:
            return
        _, running = await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in running:
            task.cancel()
        if running:
            _log.warning("%d passes were cancelled at the end; they are repeated after the restart", len(running))
            await asyncio.wait(running, timeout=1.0)

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except EOFError:
                return
            try:
                await self._run(key)
            finally:
                self._queue.done(key)
