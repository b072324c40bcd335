"""Time that passes when nobody works: a loop whose sleeps take no time and whose clock shows what they should take."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

EPOCH = 1_800_000_000.0


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the clock."""

    elapsed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; where nothing is, let *timeout* pass at once."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise AssertionError("nothing will ever happen any more")
            self.elapsed += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """An event loop in virtual time, for work without sockets and threads."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._virtual.elapsed


def clock() -> float:
    """Return the virtual seconds since the epoch."""
    return EPOCH + asyncio.get_running_loop().time()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *main* in virtual time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main())


async def elapse(seconds: float) -> None:
    """Let virtual time pass."""
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, done.set)
    await done.wait()
