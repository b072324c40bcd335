"""What the tests ask for, and what stands around a sampler: who is woken, the time, the count."""

import asyncio
import dataclasses
from typing import Any

from headgate.api.spec import Metric
from headgate.core.model import Key, MeasureRequest

WEB = Key("prod", "web")
SHOP = Key("prod", "shop")
DEADLINE_SECONDS = 10.0
SETTLE_SECONDS = 20.0


def metric(query: str = "up", *, name: str = "errors", address: str | None = None, interval: str = "10s") -> Metric:
    """Return a metric of *query*."""
    prometheus: dict[str, Any] = {"query": query} | ({"address": address} if address else {})
    return Metric.model_validate(
        {"name": name, "interval": interval, "prometheus": prometheus, "threshold": {"max": 0.01}}
    )


def ticks(first: int, last: int, of: Metric | None = None) -> MeasureRequest:
    """Return the request for the ticks from *first* to *last* of a metric."""
    wanted = of or metric()
    interval_seconds = int(wanted.interval_seconds)
    return MeasureRequest(wanted, wanted.prometheus.query, first, last, interval_seconds, SETTLE_SECONDS)


@dataclasses.dataclass
class Clock:
    """A clock that stands still until it is set."""

    at: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.at


@dataclasses.dataclass
class Meter:
    """Counts queries by how they ended."""

    results: list[str] = dataclasses.field(default_factory=list)

    def queried(self, result: str, seconds: float) -> None:
        """Note *result*."""
        assert seconds >= 0
        self.results.append(result)


class Bell:
    """Takes the place of the work queue."""

    def __init__(self) -> None:
        self.woken: list[Key] = []
        self._rang = asyncio.Event()

    def __call__(self, key: Key) -> None:
        """Note that *key* was woken."""
        self.woken.append(key)
        self._rang.set()

    async def rings(self, count: int = 1) -> list[Key]:
        """Wait until so many have been woken since the last call; return who."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.woken) < count:
                self._rang.clear()
                await self._rang.wait()
        woken, self.woken = self.woken, []
        return woken
