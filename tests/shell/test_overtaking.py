"""A pass makes way for a command, but not one that goes back itself."""

import asyncio
import dataclasses

import pytest

from headgate.act import Result
from headgate.core.model import Decision, Observation
from headgate.core.traffic.cleanup import OrphanedServices
from tests.shell import virtual
from tests.shell.observations import KEY, decision, observation
from tests.shell.surroundings import Hanging, World


@pytest.mark.parametrize("acting", [False, True])
def test_h35_pass_that_hangs_makes_way_for_a_command(*, acting: bool) -> None:
    """H35: a read or a write that hangs holds up a command by half a second, and not until it has timed out."""

    async def main() -> None:
        world = World([observation()] * 3)
        world.passes._observer, world.passes._actor = (world, _Held()) if acting else (Hanging(), world)
        world.queue.add(KEY)
        running = asyncio.create_task(world.next_pass())
        await virtual.elapse(5)
        world.queue.add_urgent(KEY)
        await virtual.elapse(0.01)
        assert running.done()
        assert world.ended == [("settled" if acting else "", "overtaken")]
        world.passes._observer, world.passes._actor = world, world
        assert await world.next_pass() == 0
        assert world.ended[-1] == ("settled", "ok")

    virtual.run(main)


def test_pass_that_only_began_is_given_a_moment() -> None:
    """A pass that would end well within half a second ends well, and the command has the next one."""

    async def main() -> None:
        world = World([observation()] * 3)
        world.passes._actor = _Held(0.4)
        world.queue.add(KEY)
        running = asyncio.create_task(world.next_pass())
        await virtual.elapse(0.1)
        world.queue.add_urgent(KEY)
        await running
        assert world.ended == [("settled", "ok")]
        assert await world.next_pass() == 0

    virtual.run(main)


@pytest.mark.parametrize("urgent", [False, True])
def test_pass_that_goes_back_makes_way_for_nothing(*, urgent: bool) -> None:
    """What leads back to stable is carried out to its end; each that was ended gives the next one twice the time."""

    async def main() -> None:
        world = World([observation()] * 5)
        world.decided = lambda _: dataclasses.replace(decision(), urgent=urgent)
        world.passes._actor = _Held(5.0)
        world.queue.add(KEY)
        overtaken = [(seconds, "overtaken") for seconds in (0.5, 1.0, 2.0, 4.0) if not urgent]
        for ends_at, ended in [*overtaken, (5.0, "ok")]:
            running = asyncio.create_task(world.next_pass())
            began = virtual.clock()
            for _ in range(10):
                await virtual.elapse(0.01)
                world.queue.add_urgent(KEY)
            await running
            assert virtual.clock() - began == pytest.approx(ends_at)
            assert world.ended[-1][1] == ended

    virtual.run(main)


class _Held:
    """An API server whose admission takes its time."""

    def __init__(self, seconds: float = 1e6) -> None:
        self.seconds = seconds

    async def act(self, _observation: Observation, _decision: Decision) -> Result:
        await virtual.elapse(self.seconds)
        return Result()

    async def give_back(self, _remains: OrphanedServices) -> tuple[str, ...]:
        return ()
