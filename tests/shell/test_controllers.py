"""Controllers reconcile their own kinds while the process leads, and a new kind is one more of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from headgate.core.model import Key
from headgate.reconcile import controllers
from headgate.reconcile.queue import Queue
from headgate.reconcile.reconciler import PASS_SECONDS_MAX
from tests.shell import virtual

WEB, API = Key("shop", "web"), Key("shop", "api")


class Toy:
    """A kind of the tests with its own queue and its own pass, as `assembly` would add one."""

    def __init__(self, kind: str, seconds: float = 0.0) -> None:
        self.queue = Queue(clock=virtual.clock)
        self.seen: list[Key] = []
        self.kind = kind
        self._seconds = seconds
        self.controller = controllers.Controller(kind, self.queue, self._reconcile, 2)

    async def _reconcile(self, key: Key) -> None:
        self.seen.append(key)
        if self._seconds:
            await virtual.elapse(self._seconds)


class Election:
    """An elector whose two moments the test says."""

    def __init__(self) -> None:
        self.won, self.over = asyncio.Event(), asyncio.Event()

    async def elected(self) -> None:
        """Return once the test has this process elected."""
        await self.won.wait()

    async def lost(self) -> None:
        """Return once the test has another process elected."""
        await self.over.wait()


@contextlib.asynccontextmanager
async def running(elector: controllers.Elector, *toys: Toy) -> AsyncIterator[controllers.Controllers]:
    """Run the controllers of *toys*, and stop them at the end."""
    bundle = controllers.Controllers(tuple(toy.controller for toy in toys), elector)
    task = asyncio.create_task(bundle.run())
    try:
        yield bundle
    finally:
        await bundle.stop(0.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_each_kind_is_reconciled_by_its_own_controller() -> None:
    """Objects of two kinds may have one name: each is passed over by the controller of its kind alone."""

    async def main() -> None:
        rollouts, gates = Toy("Rollout"), Toy("Gate")
        async with running(controllers.AlwaysLeader(), rollouts, gates):
            rollouts.queue.add(WEB)
            gates.queue.add(WEB)
            gates.queue.add(API)
            await virtual.elapse(1)
        assert (rollouts.seen, gates.seen) == ([WEB], [WEB, API])

    virtual.run(main)


def test_a_slow_kind_does_not_hold_up_another() -> None:
    """However long the passes over one kind take, another kind has places of its own."""

    async def main() -> None:
        slow, quick = Toy("Gate", seconds=100.0), Toy("Rollout")
        async with running(controllers.AlwaysLeader(), slow, quick):
            for number in range(40):
                slow.queue.add(Key("shop", f"gate-{number}"))
            await virtual.elapse(1)
            quick.queue.add(WEB)
            await virtual.elapse(1)
            assert quick.seen == [WEB]

    virtual.run(main)


def test_no_pass_is_made_before_the_process_leads() -> None:
    """A process that stands by makes no pass and is healthy all the same; once elected it passes over what waits."""

    async def main() -> None:
        election, toy = Election(), Toy("Gate")
        async with running(election, toy) as bundle:
            toy.queue.add(WEB)
            await virtual.elapse(controllers.STALLED_SECONDS_MAX * 2)
            assert (toy.seen, bundle.queue_problem(), bundle.workers_problem()) == ([], "", "")
            election.won.set()
            await virtual.elapse(1)
            assert (toy.seen, bundle.queue_problem()) == ([WEB], "")

    virtual.run(main)


def test_run_ends_with_the_leadership() -> None:
    """A process that does not lead any more is told so by the end of the run: its workers cannot start again."""

    async def main() -> None:
        election, toy = Election(), Toy("Gate")
        bundle = controllers.Controllers((toy.controller,), election)
        run = asyncio.create_task(bundle.run())
        election.won.set()
        await virtual.elapse(1)
        assert not run.done()
        election.over.set()
        await virtual.elapse(1)
        assert run.done()
        await bundle.stop(0.0)

    virtual.run(main)


def test_a_process_that_ends_starts_no_worker() -> None:
    """An election that is won while the process ends comes too late."""

    async def main() -> None:
        election, toy = Election(), Toy("Gate")
        async with running(election, toy) as bundle:
            toy.queue.add(WEB)
            await bundle.stop(0.0)
            election.won.set()
            await virtual.elapse(1)
            assert toy.seen == []

    virtual.run(main)


def test_all_controllers_stop_at_the_same_time() -> None:
    """The grace of two controllers that both have a long pass is not added up."""

    async def main() -> None:
        toys = Toy("Gate", seconds=100.0), Toy("Rollout", seconds=100.0)
        async with running(controllers.AlwaysLeader(), *toys) as bundle:
            for toy in toys:
                toy.queue.add(WEB)
            await virtual.elapse(1)
            before = asyncio.get_running_loop().time()
            await bundle.stop(10.0)
            assert asyncio.get_running_loop().time() - before == pytest.approx(10.0)

    virtual.run(main)


def test_a_pass_that_does_not_end_is_a_problem_of_any_controller() -> None:
    """What is wrong with the second controller is told as well as what is wrong with the first one."""

    async def main() -> None:
        rollouts, gates = Toy("Rollout"), Toy("Gate", seconds=1000.0)
        async with running(controllers.AlwaysLeader(), rollouts, gates) as bundle:
            gates.queue.add(WEB)
            await virtual.elapse(PASS_SECONDS_MAX)
            assert bundle.queue_problem() == ""
            await virtual.elapse(PASS_SECONDS_MAX)
            assert bundle.queue_problem() == "a pass has been running for 240 s"

    virtual.run(main)


def test_a_worker_that_ended_is_a_problem_of_any_controller() -> None:
    """A pass that raises ends its worker, and the health of the process tells it."""

    async def main() -> None:
        async def broken(_key: Key) -> None:
            raise asyncio.CancelledError  # an error would be logged by the loop, later and in another test

        queue = Queue(clock=virtual.clock)
        toy = Toy("Rollout")
        bundle = controllers.Controllers(
            (toy.controller, controllers.Controller("Gate", queue, broken, 1)), controllers.AlwaysLeader()
        )
        run = asyncio.create_task(bundle.run())
        queue.add(WEB)
        await virtual.elapse(1)
        assert "workers have ended" in bundle.workers_problem()
        await bundle.stop(0.0)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    virtual.run(main)


def test_a_key_that_no_worker_takes_is_a_problem() -> None:
    """A queue with room that gives nothing out for a minute is told with its kind."""

    async def main() -> None:
        async def none(_key: Key) -> None:
            raise asyncio.CancelledError

        queue = Queue(clock=virtual.clock)
        controller = controllers.Controller("Gate", queue, none, 1)
        controller.start()
        for number in range(40):
            queue.add(Key("shop", str(number)))
        await virtual.elapse(controllers.STALLED_SECONDS_MAX + 1)
        assert controller.queue_problem().startswith("a Gate has been waiting for a pass for 61 s")
        await controller.stop(0.0)

    virtual.run(main)
