"""Whether this process works: facts that can be false while the process runs and the port answers.

Not live means that a restart may help; ready means that Headgate sees the cluster and acts on it.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

Check = Callable[[], str]
"""Returns what is wrong, or nothing."""

LAG_SECONDS_MAX: Final = 5.0


class LoopLag:
    """How late the event loop is: a blocked loop does no work, even if its tasks are alive."""

    def __init__(self, *, period_seconds: float = 1.0) -> None:
        self._period_seconds = period_seconds
        self._due: float | None = None
        self.lag_seconds = 0.0

    async def run(self) -> None:
        """Measure for ever."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + self._period_seconds
            await asyncio.sleep(self._period_seconds)
            self.lag_seconds = max(0.0, loop.time() - self._due)

    def check(self) -> str:
        """Say how late the loop is, if it is too late."""
        late = self.lag_seconds
        if self._due is not None:
            late = max(late, asyncio.get_running_loop().time() - self._due)
        return f"the event loop is {late:.1f} s late" if late > LAG_SECONDS_MAX else ""


class Health:
    """The checks behind /healthz and /readyz, by name."""

    def __init__(self, live: Mapping[str, Check], ready: Mapping[str, Check]) -> None:
        self._live = dict(live)
        self._ready = dict(ready)

    def live(self) -> tuple[bool, str]:
        """Return whether the process works, and a line per check."""
        return _evaluate(self._live)

    def ready(self) -> tuple[bool, str]:
        """Return whether Headgate sees the cluster and acts on it, and a line per check."""
        return _evaluate({**self._live, **self._ready})


def _evaluate(checks: Mapping[str, Check]) -> tuple[bool, str]:
    problems = {name: check() for name, check in checks.items()}
    lines = [f"{name}: {problem or 'ok'}" for name, problem in problems.items()]
    return not any(problems.values()), "\n".join(lines) + "\n"
