"""One namespace's queries and another's: who waits for whom, what each may take, and what is said of it."""

import asyncio
import threading
from typing import Any

import pytest

from headgate.adapters.metrics import sampling
from headgate.adapters.metrics.settings import ServerSettings
from headgate.adapters.metrics.thread_pool import Threads
from headgate.core.model import Key
from tests.adapters.metrics.passing import T, World, in_virtual_time
from tests.adapters.metrics.requests_for import WEB, metric, ticks
from tests.adapters.metrics.sampled import T as AT
from tests.adapters.metrics.sampled import world
from tests.adapters.metrics.virtual_server import Server
from tests.prometheus import scripts
from tests.shell import virtual

VICTIM = Key("victim", "web")
SLOW = [metric(f"slow_{number}", name=f"slow-{number}") for number in range(20)]


async def test_h33_slow_queries_of_a_tenant_delay_no_other() -> None:
    """H33: a hundred queries of another namespace that hang do not delay a victim's: it is answered while they run."""
    async with world(scripts.Rule(match="slow", hang=True), scripts.constant(1), timeout_seconds=30.0) as w:
        for number in range(5):
            w.sampler.read(Key("hostile", f"web-{number}"), [ticks(AT, AT, one) for one in SLOW])
        await w.arrived(6)
        w.sampler.read(VICTIM, [ticks(AT, AT)])

        assert await w.bell.rings() == [VICTIM]
        (reading,) = w.sampler.read(VICTIM, [ticks(AT, AT)]).values()
        assert [sample.value for sample in reading.samples] == [1.0]
        assert len(w.server.asked) == 7


async def test_a_query_without_a_turn_says_so_and_keeps_it() -> None:
    """A Rollout whose query waits for a place hears of it in time; when its turn comes, it is asked."""
    settings: dict[str, Any] = {"timeout_seconds": 8.0, "connect_timeout_seconds": 0.05, "workers_per_server": 1}
    async with world(scripts.Rule(match="slow", hang=True), scripts.constant(1), **settings) as w:
        lane = w.sampler._lane(w.server.address)
        lane._patience_seconds = 0.1
        w.sampler.read(WEB, [ticks(AT, AT, metric("slow"))])
        await w.arrived(1)
        w.sampler.read(VICTIM, [ticks(AT, AT)])
        while VICTIM not in await w.bell.rings():
            pass
        (reading,) = w.sampler.read(VICTIM, [ticks(AT, AT)]).values()
        assert reading.problem.endswith("no answer within 0.1 s: its turn has not come among other queries")
        assert reading.samples == ()
        w.server.release()
        while VICTIM not in await w.bell.rings():
            pass
        (reading,) = w.sampler.read(VICTIM, [ticks(AT, AT)]).values()

        assert [sample.value for sample in reading.samples] == [1.0]
        assert reading.problem == ""


async def test_namespaces_share_no_question() -> None:
    """Two namespaces that ask the same are asked for apart: neither learns of, nor waits for, the other's query."""
    async with world(scripts.constant(1)) as w:
        w.sampler.read(WEB, [ticks(AT, AT)])
        await w.bell.rings()
        w.sampler.read(VICTIM, [ticks(AT, AT)])

        assert await w.bell.rings() == [VICTIM]
        assert w.server.ticks() == [AT, AT]


def limited(server: Server, **settings: Any) -> sampling.Sampler:
    """Return a sampler in virtual time."""
    del server
    return sampling.Sampler(
        ServerSettings(address="http://p:9090", **settings), wake=lambda _: None, clock=virtual.clock
    )


def test_h33_metrics_beyond_the_most_are_said_and_never_asked(server: Server) -> None:
    """H33: beyond its number of metrics a namespace has an error that names the setting; others have theirs."""

    async def scene() -> None:
        sampler = limited(server, metrics_per_namespace_max=3)
        wanted = [ticks(T - 20, T - 20, metric(f"q{n}", name=f"q{n}")) for n in range(5)]
        first = sampler.read(WEB, wanted)
        sampler.read(VICTIM, wanted[:2])
        await virtual.elapse(1)

        told = [reading.problem for reading in first.values()]
        assert told[:3] == [""] * 3
        assert all("measures 3 metrics of a namespace at a time" in problem for problem in told[3:])
        assert all("HEADGATE_METRICS_PER_NAMESPACE_MAX), and prod has more" in problem for problem in told[3:])
        assert sorted(text for _, text, _ in server.asked) == ["q0", "q0", "q1", "q1", "q2"]
        # One metric less makes room for the next, at the next look.
        again = sampler.read(WEB, wanted[1:4])
        assert [reading.problem for reading in again.values()] == [""] * 3
        sampler.forget(WEB)
        sampler.forget(VICTIM)
        assert not sampler._measured
        await sampler.close()

    virtual.run(scene)


def test_h33_a_smaller_interval_is_asked_for_at_the_least_one(server: Server) -> None:
    """H33: every tick of a metric at 1s is read and judged, with a query every 5 s, and each says why it comes late."""

    async def scene(world: World) -> None:
        world.sampler = sampling.Sampler(
            ServerSettings(address="http://p:9090", interval_seconds_min=5.0), wake=world.wake, clock=world.clock
        )
        fast = metric("fast", interval="1s")
        read: list[Any] = []

        def look(key: Key) -> None:
            first = read[-1].at + 1 if read else T - 20
            (reading,) = world.sampler.read(key, [ticks(first, int(virtual.clock() - 20), fast)]).values()
            read.extend(reading.samples)

        world.look = look  # type: ignore[method-assign, assignment]  # what the bell calls
        look(WEB)
        await virtual.elapse(100)

        assert 19 <= len(server.asked) <= 21
        assert server.ticks("fast") == list(range(T - 20, T - 20 + len(server.ticks("fast"))))
        assert [sample.at for sample in read] == list(range(T - 20, T - 20 + len(read)))
        assert len(read) > 90
        assert {sample.message for sample in read} == {
            "asked for every 5 s, the least interval that the operator allows (HEADGATE_METRIC_INTERVAL_SECONDS_MIN)"
        }
        before = len(server.asked)
        world.sampler.read(VICTIM, [ticks(T - 20, T - 30)])
        await virtual.elapse(100)
        assert len(server.asked) - before >= 10

    in_virtual_time(server, scene)


def test_a_range_that_fails_is_asked_for_in_parts(server: Server) -> None:
    """A gap whose answer is too large, or too slow, is read all the same: each try asks for half as many ticks."""

    class Choosy(Server):
        async def ask(self, query: Any, late: object) -> Any:
            self.down = len(query.ticks) > 10
            return await super().ask(query, late)

    choosy = Choosy()
    server.ask = choosy.ask  # type: ignore[assignment, method-assign]  # in place of the fixture

    async def scene(world: World) -> None:
        world.read[WEB] = T - 20 - 100 * 10
        world.look(WEB)
        await virtual.elapse(1200)

        assert [len(wanted) for *_, wanted in choosy.asked][:5] == [100, 50, 25, 12, 6]
        assert world.read[WEB] >= T + 600

    in_virtual_time(server, scene)


async def test_a_turn_that_is_given_up_is_given_back() -> None:
    """Queries of Rollouts that are forgotten, whether they wait or run, leave all places to others in the end."""
    async with world(scripts.Rule(match="slow", hang=True), scripts.constant(1), workers_per_server=2) as w:
        w.sampler.read(WEB, [ticks(AT, AT, one) for one in SLOW])
        await w.arrived(2)
        w.sampler.forget(WEB)
        w.server.release()
        w.sampler.read(VICTIM, [ticks(AT, AT)])

        assert await w.bell.rings() == [VICTIM]
        assert w.server.ticks("slow") == [AT, AT]


def test_threads_do_their_work_and_are_daemons() -> None:
    """As many threads as there was work at a time; what one raises is told; nothing is taken after the end."""
    threads, hold = Threads("work"), threading.Event()
    running = [threads.submit(lambda: hold.wait(10.0)) for _ in range(3)]
    assert len([thread for thread in threading.enumerate() if thread.name == "work" and thread.daemon]) == 3
    hold.set()
    assert [work.result(10.0) for work in running] == [True] * 3
    for _ in range(20):
        assert threads.submit(lambda: 5).result(10.0) == 5
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(10.0)
    ending = [thread for thread in threading.enumerate() if thread.name == "work"]
    threads.close()
    for thread in ending:
        thread.join(10.0)
    assert not any(thread.is_alive() for thread in ending)
    with pytest.raises(RuntimeError, match="the operator ends"):
        threads.submit(lambda: 5)


async def test_closing_forgets_no_thread() -> None:
    """A lane that closes while its server hangs returns within its second."""
    async with world(scripts.Rule(hang=True), timeout_seconds=30.0) as w:
        w.sampler.read(WEB, [ticks(AT, AT)])
        await w.arrived(1)
        async with asyncio.timeout(5.0):
            await w.sampler.close()
