"""Runs a coroutine that waits for nothing but other coroutines: no socket, no real time, a tenth of asyncio.run."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Never, TypeVar

_Result = TypeVar("_Result")


class _Nothing:
    """Stands where an event loop keeps its selector, and has nothing to select from."""

    def select(self, timeout: float | None) -> list[Never]:
        """Return no events; raise instead of waiting for one."""
        if timeout is None or timeout > 0:
            raise AssertionError("something waits for the real world")
        return []


class _Loop(asyncio.BaseEventLoop):
    """An event loop without files."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Nothing()

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """No other coroutine runs."""


def completed(coroutine: Coroutine[Any, Any, _Result]) -> _Result:
    """Return what *coroutine* returns, or raise what it raises."""
    with contextlib.closing(_Loop()) as loop:
        return loop.run_until_complete(coroutine)
