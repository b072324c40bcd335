"""A sampler with a server that answers by a script, and clocks that stand still."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from typing import Any

from headgate.adapters.metrics.sampling import Sampler
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Reading
from tests.adapters.metrics.requests_for import SETTLE_SECONDS, WEB, Bell, Clock, Meter
from tests.prometheus import scripts
from tests.prometheus.server import ScriptedPrometheus

T = 1_700_000_000
"""A multiple of every interval used here."""
QUICKLY = 0.01


@dataclasses.dataclass
class World:
    """A sampler, the server that it asks, and who is woken."""

    sampler: Sampler
    server: ScriptedPrometheus
    bell: Bell
    clock: Clock
    wall: Clock
    meter: Meter

    def read(self, request: Any, key: Any = WEB) -> Reading:
        """Return the reading of one *request*, at the time when its last tick has settled."""
        self.wall.at = request.last + SETTLE_SECONDS
        (reading,) = self.sampler.read(key, [request]).values()
        return reading

    async def arrived(self, count: int) -> None:
        """Wait until the server has been asked so often."""
        await asyncio.to_thread(self.server.wait_for, count)


@contextlib.asynccontextmanager
async def world(*rules: scripts.Rule, **settings: Any) -> AsyncIterator[World]:
    """Give a sampler with a server that answers by *rules*."""
    with ScriptedPrometheus(*rules) as server:
        bell, clock, wall, meter = Bell(), Clock(), Clock(T + SETTLE_SECONDS), Meter()
        merged: dict[str, Any] = {"address": server.address, "retry_seconds_max": QUICKLY} | settings
        sampler = Sampler(ServerSettings(**merged), wake=bell, meter=meter, clock=wall, now=clock)
        try:
            yield World(sampler, server, bell, clock, wall, meter)
        finally:
            server.release()
            await sampler.close()
