"""A sampler and the passes that it wakes, in virtual time."""

import asyncio
from collections.abc import Callable
from typing import Any

from headgate.adapters.metrics.sampling import Sampler
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Key, Reading
from tests.adapters.metrics.requests_for import SETTLE_SECONDS, SHOP, WEB, metric, ticks
from tests.adapters.metrics.virtual_server import Server
from tests.shell import virtual

T = int(virtual.EPOCH)
"""A multiple of every interval used here. At the beginning of a test, the tick at T - 20 has settled just now."""
STEP = 10
ERRORS = metric()
SERVER = "http://prometheus:9090"


class World:
    """A sampler, and Rollouts whose passes read and go on with what they read."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.skew_seconds = 0.0
        self.passes: list[tuple[float, Key]] = []
        self.read: dict[Key, int] = {}
        """By Rollout: the last tick that was read."""
        self.measured = {WEB: ERRORS, SHOP: ERRORS}
        self.deaf = False
        """Whether passes that were woken for come to nothing, as while the API server is away."""
        self.hurried: list[Key] = []
        self.sampler = Sampler(ServerSettings(address=SERVER), wake=self.wake, hurry=self.hurry, clock=self.clock)

    def clock(self) -> float:
        """Return the time as the operator believes it to be."""
        return virtual.clock() + self.skew_seconds

    def wake(self, key: Key) -> None:
        """Make a pass soon."""
        self.passes.append((virtual.clock() - T, key))
        if not self.deaf:
            asyncio.get_running_loop().call_soon(self.look, key)

    def hurry(self, key: Key) -> None:
        """Make a pass soon, before those of others."""
        self.hurried.append(key)
        self.wake(key)

    def look(self, key: Key) -> Reading:
        """Read all that has settled, and return it."""
        first = self.read.get(key, T - 30) + STEP
        settled = int(self.clock() - SETTLE_SECONDS) // STEP * STEP
        request = ticks(first, max(settled, first - STEP), self.measured[key])
        (reading,) = self.sampler.read(key, [request]).values()
        self.read[key] = max((sample.at for sample in reading.samples), default=first - STEP)
        return reading


def asked(server: Server, query: str = "up") -> list[int]:
    """Return the ticks at which *query* was asked, counted from T."""
    return [tick - T for tick in server.ticks(query)]


def in_virtual_time(server: Server, scene: Callable[[World], Any]) -> None:
    """Play *scene*, and see that nothing is left to run when its sampler was closed."""

    async def main() -> None:
        world = World(server)
        await scene(world)
        before = len(server.asked)
        await world.sampler.close()
        await virtual.elapse(3600)
        assert before == len(server.asked)

    virtual.run(main)
