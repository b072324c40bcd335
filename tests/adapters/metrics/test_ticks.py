"""Ticks that are still to come, in virtual time: who is told once asks no more, and is woken once with each answer."""

import pytest

from headgate.adapters.metrics import series
from headgate.api.spec import Threshold
from headgate.core.model import Reading
from tests.adapters.metrics.passing import ERRORS, STEP, T, World, asked, in_virtual_time
from tests.adapters.metrics.requests_for import SHOP, WEB, metric, ticks
from tests.adapters.metrics.virtual_server import Server
from tests.shell import virtual


def test_a_tick_costs_one_query_and_one_pass(server: Server) -> None:
    """Once it was told, the sampler asks for each tick when it has settled, and wakes with the answer."""

    async def scene(world: World) -> None:
        world.look(WEB)
        await virtual.elapse(99)

        assert list(range(-20, 80, STEP)) == asked(server)
        assert [float(at) for at in range(0, 100, STEP)] == [at for at, *_ in server.asked]
        assert [(at + 0.5, WEB) for at in range(0, 100, STEP)] == world.passes

    in_virtual_time(server, scene)


def test_what_completes_a_breach_is_hurried(server: Server) -> None:
    """The failing answer that a breach waits for is looked at first; of two Rollouts with one query, by the one."""

    async def scene(world: World) -> None:
        world.measured[WEB] = ERRORS.model_copy(update={"failures_to_rollback": 1})
        world.measured[SHOP] = ERRORS.model_copy(update={"threshold": Threshold(max=1.0), "failures_to_rollback": 1})
        world.look(WEB)
        world.look(SHOP)
        await virtual.elapse(15)
        assert [] == world.hurried
        server.value = 0.5
        await virtual.elapse(10)

        assert [WEB] == world.hurried
        assert {WEB, SHOP} == {key for at, key in world.passes if at > 15}

    in_virtual_time(server, scene)


def test_what_completes_no_breach_is_only_woken_for(server: Server) -> None:
    """A failure of several that a breach takes is looked at in its turn: one metric that fails hurries nobody."""

    async def scene(world: World) -> None:
        world.measured[WEB] = ERRORS.model_copy(update={"failures_to_rollback": 3})
        server.value = 0.5
        world.look(WEB)
        await virtual.elapse(99)

        assert [] == world.hurried
        assert len(world.passes) == 10

    in_virtual_time(server, scene)


def test_looking_more_often_costs_no_query(server: Server) -> None:
    """Passes that something else woke ask for nothing twice, and take no answer away from the one that is to come."""

    async def scene(world: World) -> None:
        for _ in range(180):
            world.look(WEB)
            await virtual.elapse(0.55)

        assert list(range(-20, 80, STEP)) == asked(server)
        assert len(world.passes) == 10

    in_virtual_time(server, scene)


def test_who_is_not_looked_at_again_is_asked_for_once(server: Server) -> None:
    """Of a Rollout that no pass comes to any more, the tick that it was told of is the last one."""

    async def scene(world: World) -> None:
        world.look(WEB)
        await virtual.elapse(5)
        world.deaf = True
        await virtual.elapse(7200)

        assert [-20, -10] == asked(server)
        assert [(0.5, WEB), (10.5, WEB)] == world.passes
        world.deaf = False
        world.look(WEB)
        await virtual.elapse(5)
        assert list(range(-20, 7190, STEP)) == asked(server)

    in_virtual_time(server, scene)


@pytest.mark.parametrize("ending", ["forgotten", "nothing asked"])
def test_who_is_not_measured_any_more_is_asked_for_nothing(server: Server, ending: str) -> None:
    """A Rollout that is gone, or whose canary is, leaves no alarm behind, nor does an answer on its way wake it."""

    async def scene(world: World) -> None:
        for key in (WEB, SHOP):
            world.measured[key] = metric(key.name)
            world.look(key)
            await virtual.elapse(0.2)
        for key in (WEB, SHOP):
            if ending == "forgotten":
                world.sampler.forget(key)
            else:
                world.sampler.read(key, [])
        await virtual.elapse(3600)

        assert [("web", range(T - 20, T - 10, STEP)), ("shop", range(T - 20, T - 10, STEP))] == [
            (query, wanted) for _, query, wanted in server.asked
        ]
        assert [] == world.passes
        assert not world.sampler._series
        assert not world.sampler._read_by

    in_virtual_time(server, scene)


def test_another_query_takes_the_place_of_the_first(server: Server) -> None:
    """From the pass on that has another query, as of another canary, the old one is asked no more."""

    async def scene(world: World) -> None:
        world.look(WEB)
        await virtual.elapse(5)
        world.measured[WEB] = metric("new")
        world.look(WEB)
        await virtual.elapse(10)

        assert [-20] == asked(server)
        assert [-10] == asked(server, "new")

    in_virtual_time(server, scene)


def test_a_tick_that_two_wait_for_is_asked_for_once(server: Server) -> None:
    """Rollouts that share a query share each tick's, and both are woken; who waits for a later one is not."""

    async def scene(world: World) -> None:
        world.read[SHOP] = T
        world.look(WEB)
        world.look(SHOP)
        await virtual.elapse(49)

        assert list(range(-20, 30, STEP)) == asked(server)
        assert [0.5, 10.5, 20.5, 30.5, 40.5] == [at for at, key in world.passes if key == WEB]
        assert [30.5, 40.5] == [at for at, key in world.passes if key == SHOP]

    in_virtual_time(server, scene)


def test_who_is_behind_has_its_ticks_read_too(server: Server) -> None:
    """A Rollout that joins with older ticks unread, while a query is on its way, is woken with its own."""

    async def scene(world: World) -> None:
        world.look(WEB)
        world.read[SHOP] = T - 60
        world.look(SHOP)
        await virtual.elapse(3)

        assert [-20, -50, -40, -30] == asked(server)
        assert [(0.5, WEB), (1.0, SHOP)] == world.passes
        assert world.read[SHOP] == T - 20

    in_virtual_time(server, scene)


def test_a_server_that_is_down_costs_a_pass_for_each_try(server: Server) -> None:
    """Each try that fails is told, and they become rarer; once it answers, all ticks of the gap are read."""

    async def scene(world: World) -> None:
        server.down = True
        world.look(WEB)
        await virtual.elapse(150)
        tries = [at for at, *_ in server.asked]
        # 10 s after the first answer, then twice that, and 30 s from there on.
        assert [0.0, 10.5, 31.0, 61.5, 92.0, 122.5] == tries
        assert [at + 0.5 for at in tries] == [at for at, _ in world.passes]
        assert world.look(WEB).problem == "down"
        server.down = False
        await virtual.elapse(10)

        assert list(range(-20, 140, STEP)) == asked(server)[-16:]
        # How long the ranges were may have been what failed: 1 tick, 2, 4, and so on.
        assert [153.5, 154.0, 154.5, 155.0, 155.5] == [at for at, _ in world.passes[6:]]
        assert world.look(WEB).problem == ""
        await virtual.elapse(11)
        assert [160.5, 170.5] == [at for at, _ in world.passes[11:]]

    in_virtual_time(server, scene)


def test_a_problem_that_nobody_waits_for_is_not_tried_again(server: Server) -> None:
    """While passes come to nothing, a server that is down is left alone. Who waits for a later tick hears nothing."""

    async def scene(world: World) -> None:
        server.down, world.deaf = True, True
        world.look(WEB)
        world.read[SHOP] = T + 3600
        world.look(SHOP)
        await virtual.elapse(3000)

        assert len(server.asked) == 1
        assert [(0.5, WEB)] == world.passes

    in_virtual_time(server, scene)


def test_an_answer_that_takes_longer_than_the_interval_holds_nothing_up(server: Server) -> None:
    """What settles while an answer is on its way is asked for with one query after it, which waits longer and longer.

    One quick answer ends that.
    """

    async def scene(world: World) -> None:
        server.answer_seconds = 24.0
        world.look(WEB)
        await virtual.elapse(200)

        assert [0.0, 34.0, 78.0, 132.0, 186.0] == [at for at, *_ in server.asked]
        assert [1, 3, 4, 6, 5] == [len(wanted) for *_, wanted in server.asked]
        assert list(range(-20, 170, STEP)) == asked(server)
        server.answer_seconds = 0.5
        await virtual.elapse(80)
        assert [240.0, 250.0, 260.0, 270.0] == [at for at, *_ in server.asked][5:]

    in_virtual_time(server, scene)


def test_a_clock_that_is_set_back_reads_nothing_ahead_of_time(server: Server) -> None:
    """No tick is asked for that has not settled by the clock, and what was is not believed any more."""

    async def scene(world: World) -> None:
        world.look(WEB)
        await virtual.elapse(5)
        world.skew_seconds = -60.0
        await virtual.elapse(30)
        assert [-20] == asked(server)
        world.read.clear()
        assert world.look(WEB) == Reading()
        await virtual.elapse(26)

        assert [-20, -20] == asked(server)

    in_virtual_time(server, scene)


def test_a_clock_that_is_set_forward_is_noticed(server: Server) -> None:
    """A tick that settles by a jump of the clock is asked for within half a minute, however far away it was."""

    async def scene(world: World) -> None:
        world.deaf = True
        world.measured[WEB] = metric(interval="1000s")
        world.sampler.read(WEB, [ticks(T + 1000, T, world.measured[WEB])])
        world.skew_seconds = 1500.0
        await virtual.elapse(31)

        assert [1000] == asked(server)

    in_virtual_time(server, scene)


def test_metrics_of_one_rollout_that_ask_the_same_share_it(server: Server) -> None:
    """Two metrics with one query and two thresholds cost one query a tick, also where one is behind the other."""

    async def scene(world: World) -> None:
        world.deaf = True
        strict = metric(name="strict")
        readings = {}
        for _ in range(3):
            readings = dict(world.sampler.read(WEB, [ticks(T - 20, T - 20, strict), ticks(T - 40, T - 20, ERRORS)]))
            await virtual.elapse(1)

        assert [-40, -30, -20] == asked(server)
        assert [1, 3] == [len(reading.samples) for reading in readings.values()]
        assert [(0.5, WEB)] == world.passes[:1]

    in_virtual_time(server, scene)


def test_a_gap_longer_than_a_reading_is_read_without_a_wait(server: Server) -> None:
    """After hours without an operator each pass finds what the one before it had asked for."""

    async def scene(world: World) -> None:
        world.deaf = True
        first, last, passes = T - 20 - 899 * STEP, T - 20, 0
        while first <= last:
            until = min(last, first + 299 * STEP)
            (reading,) = world.sampler.read(WEB, [ticks(first, until)]).values()
            first += len(reading.samples) * STEP
            passes += 1
            await virtual.elapse(0.6)

        assert list(range(-20 - 899 * STEP, -10, STEP)) == asked(server)
        assert [series.TICKS_PER_QUERY] * 3 == [len(wanted) for *_, wanted in server.asked]
        assert passes == 4

    in_virtual_time(server, scene)


def test_a_status_that_cannot_be_written_stops_the_reading(server: Server) -> None:
    """Whoever reads the same ticks again and again is neither woken nor asked for in a loop."""

    async def scene(world: World) -> None:
        world.deaf = True
        request = ticks(T - 20 - 899 * STEP, T - 20 - 600 * STEP)
        world.sampler.read(WEB, [request])
        for _ in range(100):
            await virtual.elapse(1)
            (reading,) = world.sampler.read(WEB, [request]).values()
            assert len(reading.samples) == 300

        assert len(server.asked) == 2
        assert len(world.passes) == 2

    in_virtual_time(server, scene)
