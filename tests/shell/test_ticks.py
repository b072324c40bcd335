"""What a measurement costs and what it brings about: the real queue, passes, decisions and sampler, in virtual time.

The cluster is the simulation's, and holds a canary that waits for people at 20 percent.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from headgate.act import Actor
from headgate.adapters.metrics import sampling
from headgate.adapters.metrics.sampling import Sampler
from headgate.adapters.metrics.settings import ServerSettings
from headgate.api.status import HistoryEntry, Outcome, Phase
from headgate.core.analysis import ticks as analysis_ticks
from headgate.core.model import Key, Notice
from headgate.core.rollout import status as statuses
from headgate.core.rollout.decide import decide
from headgate.observe import Observer, autoscalers
from headgate.reconcile.queue import Queue
from headgate.reconcile.reconciler import Reconciler
from headgate.reconcile.workers import Workers
from headgate.simulation import specs
from headgate.simulation.world import KEY, Pace, World
from tests.adapters.metrics.virtual_server import Server
from tests.shell import virtual
from tests.simulation import worlds

SETTLE_SECONDS = 20.0
PAUSED = (specs.weight(20), specs.pause())


class Operator:
    """One process, as `assembly` joins it, but for watches: nothing wakes a Rollout that it does not wake itself."""

    def __init__(self, world: World, began: float, wakes: Callable[["Operator", Key], None]) -> None:
        self.world = world
        self.began = began
        self.passes: list[float] = []
        """When, by the loop's time."""
        connection = world.around.connect()
        self.queue = Queue(clock=self.clock)
        settings = ServerSettings(address="http://prometheus:9090")
        self.sampler = Sampler(settings, wake=lambda key: wakes(self, key), clock=self.clock)
        observer = Observer(connection, self.sampler, self.clock, settle_seconds=SETTLE_SECONDS)
        passes = Reconciler(self.queue, observer, decide, Actor(connection, self), self.sampler, self, clock=self.clock)
        self.workers = Workers(self.queue, passes.run, 2)

    def clock(self) -> float:
        """Return the time."""
        return self.began + asyncio.get_running_loop().time()

    async def time_passes(self) -> None:
        """Let time pass in the cluster, too."""
        while True:
            self.world.agenda.elapse(self.clock() - self.world.now)
            await virtual.elapse(0.5)

    def passed(self, _key: Key, _rule: str, result: str, _seconds: float) -> None:
        """Note a pass."""
        assert result in ("ok", "gone")
        self.passes.append(asyncio.get_running_loop().time())

    def stands(self, key: Key, phase: Phase | None) -> None:
        """Hear nothing."""

    def recorded(self, key: Key, entry: HistoryEntry) -> None:
        """Hear nothing."""

    def post(self, key: Key, uid: str, notice: Notice) -> None:
        """Post nothing."""


def heard(operator: Operator, key: Key) -> None:
    """Have an answer wake its Rollout."""
    operator.queue.add(key)


def lost(_operator: Operator, _key: Key) -> None:
    """Have an answer wake nobody: a bug that there should not be."""


@contextlib.asynccontextmanager
async def running(world: World, began: float, wakes: Callable[[Operator, Key], None]) -> AsyncIterator[Operator]:
    """Run an operator from *began* on; it looks at its Rollout once, as after every start."""
    operator = Operator(world, began, wakes)
    operator.workers.start()
    operator.queue.add(KEY)
    cluster = asyncio.create_task(operator.time_passes())
    yield operator
    await operator.workers.stop(1.0)
    await operator.sampler.close()
    assert not cluster.done()
    cluster.cancel()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the server that every sampler asks."""
    made = Server()
    monkeypatch.setattr(sampling, "WorkerPool", made.lane)
    return made


def paused(*measured: Any) -> World:
    """Return a cluster whose own operator has died while the canary waited for people."""
    play = worlds.play(3, pace=Pace(call=0.0, lag=0.0), steps=PAUSED, measured=measured)
    play.ship("web:2")
    play.reach(20)
    play.world.run(100)
    assert play.world.phase is Phase.PAUSED
    play.world.operator.die()
    play.world.restarts = False
    return play.world


def play(
    world: World, scene: Callable[[Operator], Any], wakes: Callable[[Operator, Key], None] = heard, late: float = 0.3
) -> None:
    """Play *scene* with an operator that starts *late* seconds after a tick has settled."""
    began = world.now // 100 * 100 + 100 + late
    world.run(began - world.now)

    async def main() -> None:
        async with running(world, began, wakes) as operator:
            await scene(operator)

    virtual.run(main)


@pytest.mark.parametrize(("interval", "refreshes"), [(1, 0), (5, 0), (10, 0), (20, 20), (30, 20), (60, 0)])
def test_a_tick_costs_one_pass_and_one_query(server: Server, interval: int, refreshes: int) -> None:
    """A tick that does not pass costs a pass and a query; the status is refreshed in one of them.

    Where no tick comes half a minute after the last write, it may be refreshed in a pass of its own.
    """
    world = paused(specs.metric(interval=f"{interval}s", window=f"{interval}s"))
    server.value = math.nan

    async def scene(operator: Operator) -> None:
        await virtual.elapse(100)
        before, reads = len(operator.passes), world.journal.reads
        server.asked.clear()
        await virtual.elapse(600)

        ticks = 600 // interval
        assert ticks == len(server.asked)
        assert ticks <= len(operator.passes) - before <= ticks + refreshes
        most_lists = 600 / autoscalers.READ_AGAIN_SECONDS
        assert 0 <= world.journal.reads - reads - (len(operator.passes) - before) * 3 <= most_lists

    play(world, scene)


@pytest.mark.parametrize(("interval", "passes"), [(1, 20), (5, 20), (10, 20), (20, 15), (30, 20), (60, 10)])
def test_ticks_that_pass_cost_queries_only(server: Server, interval: int, passes: int) -> None:
    """A canary that waits for people is looked at twice a minute while its ticks pass, each of which is read."""
    world = paused(specs.metric(interval=f"{interval}s", window=f"{interval}s"))

    async def scene(operator: Operator) -> None:
        await virtual.elapse(100)
        before = len(operator.passes)
        server.asked.clear()
        await virtual.elapse(600)

        assert 600 // interval == len(server.asked)
        assert passes == len(operator.passes) - before

    play(world, scene)


def test_what_lasts_is_written_as_often_as_ever(server: Server) -> None:
    """Numbers are in the status after half a minute, a verdict at once."""
    world = paused(specs.metric())

    async def scene(operator: Operator) -> None:
        await virtual.elapse(300)
        (state,) = world.status.analysis
        assert state.verdict is Outcome.PASSED
        assert operator.clock() - SETTLE_SECONDS - state.last_tick <= 30 + 10
        await virtual.elapse(10 - operator.clock() % 10 + 1)
        server.value = 0.5
        await virtual.elapse(9 + 0.6)
        (state,) = world.status.analysis
        assert (Outcome.FAILED, 1) == (state.verdict, state.failures)
        await virtual.elapse(10)
        assert world.status.canary is not None
        assert world.status.canary.abort is not None

    play(world, scene)


def test_an_operator_that_starts_reads_the_gap_and_goes_on(server: Server) -> None:
    """One query asks for the ticks of the gap, and after its answer the next one for the next tick."""
    world = paused(specs.metric())
    (state,) = world.status.analysis

    async def scene(operator: Operator) -> None:
        await virtual.elapse(15)
        gap, after = [wanted for _, _, wanted in server.asked]
        assert state.last_tick + 10 == gap[0]
        assert len(gap) > 3
        assert range(gap[-1] + 10, gap[-1] + 20, 10) == after
        assert 2 == len(operator.passes)

    play(world, scene)


def test_a_wake_that_is_lost_holds_nobody_for_ever(server: Server) -> None:
    """If no answer wakes its Rollout, it is looked at when the answer is overdue; every tick is read all the same."""
    world = paused(specs.metric())

    async def scene(operator: Operator) -> None:
        await virtual.elapse(600)
        (state,) = world.status.analysis
        longest = max(after - before for before, after in zip(operator.passes, operator.passes[1:], strict=False))
        assert longest <= statuses.REFRESH_SECONDS + 10 + analysis_ticks.LAG_SECONDS
        assert operator.clock() - SETTLE_SECONDS - state.last_tick <= 90
        ticks = server.ticks(server.asked[0][1])
        assert list(range(ticks[0], ticks[-1] + 10, 10)) == ticks

    play(world, scene, lost)


def test_a_server_that_never_answers_is_an_error_and_keeps_the_deadline(server: Server) -> None:
    """Without any answer passes go on; with one that it is down the verdict is Error, and `noData` counts."""
    world = paused(specs.metric(noData={"after": "3m", "then": "Rollback"}))

    async def scene(operator: Operator) -> None:
        server.answer_seconds = 1e6
        await virtual.elapse(120)
        assert len(operator.passes) >= 4
        assert 1 == len(server.asked)

    play(world, scene)
    server.answer_seconds, server.down = 5.0, True

    async def down(operator: Operator) -> None:
        await virtual.elapse(100)
        (state,) = world.status.analysis
        assert state.verdict is Outcome.ERROR
        assert world.status.canary is not None
        assert world.status.canary.abort is None
        await virtual.elapse(100)
        assert world.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
        assert len(operator.passes) <= 60

    play(world, down, late=400)


@pytest.mark.parametrize("gone", ["deleted", "aborted", "metrics removed", "query changed"])
def test_nothing_is_measured_that_is_not_analysed_any_more(server: Server, gone: str) -> None:
    """The tick that a Rollout waited for when it went is the last one that is asked for.

    Where nobody tells of an edit, that is the one with whose answer there would have been a pass in any case.
    """
    world = paused(specs.metric())

    async def scene(operator: Operator) -> None:
        await virtual.elapse(5)
        query = server.asked[0][1]
        asked = len(server.ticks(query))
        match gone:
            case "deleted":
                world.delete()
                operator.queue.add(KEY)
            case "aborted":
                world.annotate("headgate.dev/abort", "now")
                operator.queue.add(KEY)
            case "metrics removed":
                world.edit(analysis={"metrics": []})
            case _:
                world.edit(analysis={"metrics": [specs.metric("other")]})
        await virtual.elapse(300)

        assert len(server.ticks(query)) <= asked + (1 if gone in ("deleted", "aborted") else 4)
        others = {text for _, text, _ in server.asked} - {query}
        assert len(others) == (gone == "query changed")
        assert len(operator.sampler._series) == len(others)
        if gone == "deleted":
            assert world.rollout is None
            assert operator.queue._timers == {}

    play(world, scene)
