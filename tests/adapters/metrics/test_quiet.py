"""Who said up to which tick passes would change nothing: it sleeps while they pass, and through nothing else."""

import math
from typing import Any

import pytest

from tests.adapters.metrics.passing import ERRORS, STEP, T, World, asked, in_virtual_time
from tests.adapters.metrics.requests_for import SHOP, WEB
from tests.adapters.metrics.virtual_server import Server
from tests.shell import virtual


def test_who_is_content_sleeps_while_ticks_pass(server: Server) -> None:
    """Up to the tick that a pass named all are asked for as before, and only the one after them wakes it."""

    async def scene(world: World) -> None:
        world.look(WEB)
        world.sampler.quiet(WEB, T + 20)
        await virtual.elapse(55)

        assert list(range(-20, 40, STEP)) == asked(server)
        assert [(50.5, WEB)] == world.passes
        assert T + 30 == world.read[WEB]

    in_virtual_time(server, scene)


@pytest.mark.parametrize("trouble", [{"value": 0.5}, {"value": math.nan}, {"down": True}])
def test_nobody_sleeps_through_trouble(server: Server, trouble: dict[str, Any]) -> None:
    """Whoever wanted no word of passes hears at once of a failure, of a tick without a value and of a dead server."""

    async def scene(world: World) -> None:
        world.measured[WEB] = ERRORS.model_copy(update={"failures_to_rollback": 1})
        world.look(WEB)
        world.sampler.quiet(WEB, T + 600)
        await virtual.elapse(5)
        for name, value in trouble.items():
            setattr(server, name, value)
        await virtual.elapse(10)

        assert [(10.5, WEB)] == world.passes
        assert world.hurried == ([WEB] if trouble == {"value": 0.5} else [])

    in_virtual_time(server, scene)


def test_who_sleeps_keeps_nobody_else_asleep(server: Server) -> None:
    """Of two Rollouts with one query, the one that wants to know of each tick is woken by each."""

    async def scene(world: World) -> None:
        world.look(SHOP)
        world.look(WEB)
        world.sampler.quiet(WEB, T + 600)
        await virtual.elapse(15)

        assert [(0.5, SHOP), (10.5, SHOP)] == world.passes

    in_virtual_time(server, scene)


def test_who_looks_again_is_awake(server: Server) -> None:
    """Each pass says anew up to where it need not be woken."""

    async def scene(world: World) -> None:
        world.look(WEB)
        world.sampler.quiet(WEB, T + 600)
        await virtual.elapse(5)
        world.look(WEB)
        await virtual.elapse(10)

        assert [(10.5, WEB)] == world.passes

    in_virtual_time(server, scene)
