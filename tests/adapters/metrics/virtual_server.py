"""A Prometheus in virtual time: what it was asked, and when."""

import asyncio
import dataclasses

from headgate.adapters.metrics.worker_pool import Answer, Query
from headgate.core.model import Reading, Sample
from tests.shell import virtual


@dataclasses.dataclass
class Server:
    """Stands for every server, and for the threads that ask it: `lane` takes the place of `sampling.WorkerPool`."""

    answer_seconds: float = 0.5
    value: float = 0.0
    down: bool = False
    asked: list[tuple[float, str, range]] = dataclasses.field(default_factory=list)
    """When, by the loop's time, which query at which ticks."""

    def lane(self, *_: object) -> "Server":
        """Return the way to a server."""
        return self

    async def ask(self, query: Query, _: object) -> Answer:
        """Note who asks for what, and answer."""
        self.asked.append((asyncio.get_running_loop().time(), query.text, query.ticks))
        seconds = self.answer_seconds
        await virtual.elapse(seconds)
        samples = tuple(Sample(tick, self.value) for tick in query.ticks)
        return Answer(Reading(problem="down") if self.down else Reading(samples), seconds)

    async def close(self) -> None:
        """Have nothing to close."""

    def ticks(self, query: str = "up") -> list[int]:
        """Return the ticks at which *query* was asked, in order."""
        return [tick for _, text, ticks in self.asked for tick in ticks if text == query]
