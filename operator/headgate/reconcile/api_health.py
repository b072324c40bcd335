"""Notices that the API server went away, and that it is back: then no Rollout waits out a backoff of before.

At rest it asks nothing. Where a request failed and none has succeeded since, it asks once: a server that answers then
is there, and what failed is one Rollout's own trouble. While it does not answer it is asked every two seconds, alone,
instead of every Rollout.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from headgate.core.faults import Fault, Unreachable

PROBE_SECONDS: Final = 2.0
SPREAD_SECONDS: Final = 1.0
"""Over which time the Rollouts that wait come back: the server has enough to do at such a moment."""

_log = logging.getLogger(__name__)


class ApiHealth:
    """Hears of all requests. Run `run` as a task."""

    def __init__(
        self,
        retry_now: Callable[[float], None],
        probe: Callable[[], Coroutine[Any, Any, None]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Ask by *probe*; when the server is back, call *retry_now* with the seconds within which all may come back."""
        self._retry_now = retry_now
        self._probe = probe
        self._clock = clock
        self._failing = asyncio.Event()
        self._since: float | None = None
        self._away = False

    def note(self, outcome: str) -> None:
        """Take in how a request ended: an answer, whichever, means that the server is there."""
        if outcome == "unreachable":
            if self._since is None:
                self._since = self._clock()
            self._failing.set()
        elif outcome != "cancelled":
            self._over()

    def problem(self) -> str:
        """Say since when no request has succeeded, if the last one did not."""
        return "" if self._since is None else f"no answer from the API server for {self._clock() - self._since:.0f} s"

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await self._failing.wait()
            self._failing.clear()
            await asyncio.sleep(PROBE_SECONDS)
            if self._since is None or await self._answers():
                continue  # those whose requests fail back off by themselves
            self._away = True
            _log.warning("the API server does not answer; nothing moves until it does")
            while self._away:
                await asyncio.sleep(PROBE_SECONDS)
                if self._away:
                    await self._answers()

    async def _answers(self) -> bool:
        try:
            await self._probe()
        except Unreachable as fault:
            _log.debug("still no answer: %s", fault)
            return False
        except Fault:
            return True  # it answers: who may see one namespace alone is refused the list of all
        return True

    def _over(self) -> None:
        since, self._since = self._since, None
        if not self._away:
            return
        self._away = False
        silent_seconds = 0.0 if since is None else self._clock() - since
        _log.info("the API server answers again after %.0f s", silent_seconds)
        self._retry_now(SPREAD_SECONDS)
