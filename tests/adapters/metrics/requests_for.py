"""What the tests ask for: Rollouts, metrics, and a bell that notes who is woken."""

import asyncio
from typing import Any

from headgate.api.spec import Metric
from headgate.core.model import Key, MeasureRequest

WEB = Key("prod", "web")
SHOP = Key("prod", "shop")
DEADLINE_SECONDS = 10.0


def metric(query: str = "up", *, name: str = "errors", address: str | None = None, interval: str = "10s") -> Metric:
    """Return a metric of *query*."""
    prometheus: dict[str, Any] = {"query": query} | ({"address": address} if address else {})
    return Metric.model_validate(
        {"name": name, "interval": interval, "prometheus": prometheus, "threshold": {"max": 0.01}}
    )


def ticks(first: int, last: int, of: Metric | None = None) -> MeasureRequest:
    """Return the request for the ticks from *first* to *last* of a metric."""
    wanted = of or metric()
    return MeasureRequest(wanted, wanted.prometheus.query, first, last, int(wanted.interval_seconds))


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
