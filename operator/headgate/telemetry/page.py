"""A page that takes a while to write, for any number of readers at a time.

Owns when it is written: beside the event loop, once for all who ask meanwhile, and for a tenth of the time at most. The
port is open to every client in the cluster, and passes run in the same process. Must not know what is on the page.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable
from typing import Final

_REST: Final = 9.0
"""How long no page is written after one, in times of how long that took."""
_REST_SECONDS_MAX: Final = 1.0


class Page:
    """The text of *write*, never older than the question."""

    def __init__(self, write: Callable[[], bytes]) -> None:
        self._write = write
        # One thread of its own: those of the loop may all hang in the look-up of a name.
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="page")
        self._writing = asyncio.Lock()
        self._next: asyncio.Task[bytes] | None = None
        """What has not been begun yet: it answers all who ask until then."""
        self._rests_until = 0.0

    async def text(self) -> bytes:
        """Return the page as it is written after this call."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._written())
        # A client that disconnects does not end the rendering that other clients wait for.
        return await asyncio.shield(self._next)

    def close(self) -> None:
        """Write no more."""
        if self._next is not None:
            self._next.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _written(self) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            async with self._writing:
                await asyncio.sleep(self._rests_until - loop.time())
                self._next, began = None, loop.time()
                try:
                    return await loop.run_in_executor(self._thread, self._write)
                finally:
                    rest_seconds = min(_REST * (loop.time() - began), _REST_SECONDS_MAX)
                    self._rests_until = loop.time() + rest_seconds
        except asyncio.CancelledError:
            self._next = None
            raise
