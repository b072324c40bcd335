"""Controllers: for each kind that is reconciled a queue, the workers that serve it, and one pass over one object.

Owns when the workers of all controllers start and end. They start once this process leads, and the operator ends when
it does not lead any more: workers start once, and a queue that was closed stays closed. Must not know any kind.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from headgate.core.model import Key
from headgate.reconcile.queue import Queue
from headgate.reconcile.reconciler import PASS_SECONDS_MAX
from headgate.reconcile.workers import Workers

STALLED_SECONDS_MAX: Final = 60.0


class Elector(Protocol):
    """Tells whether this process leads: of several processes only the leader makes passes."""

    async def elected(self) -> None:
        """Return once this process leads."""

    async def lost(self) -> None:
        """Return once this process does not lead any more."""


class AlwaysLeader:
    """There is one process, and it leads."""

    async def elected(self) -> None:
        """Return at once."""

    async def lost(self) -> None:
        """Never return."""
        await asyncio.get_running_loop().create_future()


class Controller:
    """Reconciles the objects of one kind. A key does not say its kind, so that each controller has its own queue."""

    def __init__(self, kind: str, queue: Queue, reconcile: Callable[[Key], Awaitable[None]], places: int) -> None:
        """Make passes over the keys of *queue* by *reconcile*, which raises nothing but cancellation.

        Args:
            kind: what stands in an object's kind, for messages.
            queue: the keys that wait for a pass.
            reconcile: makes one pass over one object.
            places: how many passes run at a time; more do while these only wait.
        """
        self._kind = kind
        self._queue = queue
        self._workers = Workers(queue, reconcile, places)
        self._started = False

    def start(self) -> None:
        """Start to make passes."""
        self._started = True
        self._workers.start()

    async def stop(self, grace_seconds: float) -> None:
        """Take no more keys; let running passes end within *grace_seconds*, then cancel them between two writes."""
        await self._workers.stop(grace_seconds)

    def queue_problem(self) -> str:
        """Say that keys wait though there is room, or that a pass does not end; empty if neither is so."""
        if not self._started:
            return ""  # a process that does not lead serves no queue
        # Not how long objects wait, nor how long they take: a restart would help none of them, and a namespace with a
        # thousand of them, or an API server that hangs, must not bring one about.
        stalled, working = self._queue.stalled_seconds(), self._queue.working_seconds()
        if stalled > STALLED_SECONDS_MAX:
            return f"a {self._kind} has been waiting for a pass for {stalled:.0f} s though there is room for it"
        if working > PASS_SECONDS_MAX * 1.5:
            return f"a pass has been running for {working:.0f} s"
        return ""

    def workers_problem(self) -> str:
        """Say how many workers have ended, if any has."""
        return self._workers.problem()


class Controllers:
    """All controllers of one process, which make passes while it leads."""

    def __init__(self, controllers: tuple[Controller, ...], elector: Elector) -> None:
        self._controllers = controllers
        self._elector = elector

    async def run(self) -> None:
        """Start all controllers once this process leads; return once it does not lead any more."""
        await self._elector.elected()
        for controller in self._controllers:
            controller.start()
        await self._elector.lost()

    async def stop(self, grace_seconds: float) -> None:
        """Stop all controllers at the same time, each within *grace_seconds*; their queues give out no more."""
        await asyncio.gather(*(controller.stop(grace_seconds) for controller in self._controllers))

    def queue_problem(self) -> str:
        """Return the first problem of a queue; empty if there is none."""
        return next(filter(None, (controller.queue_problem() for controller in self._controllers)), "")

    def workers_problem(self) -> str:
        """Return the first problem of workers; empty if there is none."""
        return next(filter(None, (controller.workers_problem() for controller in self._controllers)), "")
