"""Threads that no exit waits for.

Owns threads and hands work to them. Those of `concurrent.futures` are joined at the end of the process, however long a
server hangs. Must not know what the work is.
"""

import concurrent.futures
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Threads:
    """As many daemon threads as there was work for at a time; who hands it in sees to it that it is not too much."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._closed = False

    def submit(self, work: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Have *work* done.

        Raises:
            RuntimeError: if the machine has no thread left to give, or these were closed.
        """
        if self._closed:
            raise RuntimeError("the operator ends")
        if not self._idle.acquire(blocking=False):
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
            self._started += 1
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._work.put(lambda: _do(work, done))
        return done

    def close(self) -> None:
        """End those that are idle, and each other one when its work is done. Wait for none."""
        self._closed = True
        for _ in range(self._started):
            self._work.put(None)

    def _run(self) -> None:
        while (job := self._work.get()) is not None:
            job()
            job = None  # what it holds is not kept until the next one comes
            self._idle.release()


def _do(work: Callable[[], T], done: concurrent.futures.Future[Any]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
        done.set_exception(error)
    else:
        done.set_result(result)
