"""Passes and the simulation carry out what the one policy of retries says."""

import dataclasses
import inspect

import pytest

from headgate.act import Result
from headgate.core import requeue
from headgate.core.faults import Conflict, Fault, Unreachable
from headgate.core.model import Key
from headgate.reconcile import reconciler
from headgate.simulation.process import operator_process
from tests.shell import virtual
from tests.shell.observations import KEY, decision, observation
from tests.shell.surroundings import World

DELAYS = {requeue.REFUSED_SECONDS, requeue.BACKOFF_FIRST_SECONDS, requeue.CONFLICT_SECONDS, requeue.OVERTAKEN_SECONDS}


def test_simulation_looks_again_as_the_operator_does() -> None:
    """Both ask the very same function when to look again, and neither holds a delay of its own."""
    for module in (reconciler, operator_process):
        assert module.requeue.after is requeue.after
        assert "requeue.after(" in inspect.getsource(module)
        own = [name for name, value in vars(module).items() if isinstance(value, float) and value in DELAYS]
        assert own == []


def test_refused_step_back_is_tried_again_soon() -> None:
    """A write towards stable that is refused is tried again after a second, then two, and not a minute later."""

    async def main() -> None:
        world = World([observation()] * 4, [Result(refusals=("Deployment web: denied",))] * 3)
        world.decided = lambda _: dataclasses.replace(decision(), urgent=True)
        await world.first_pass()
        waits = [await world.next_pass(), await world.next_pass(), await world.next_pass()]
        assert waits == pytest.approx([0.75, 1.5, 3.0])

    virtual.run(main)


@pytest.mark.parametrize("fault", [Unreachable("away"), Conflict("late")])
def test_what_cannot_be_given_back_is_tried_ever_more_rarely(fault: Fault) -> None:
    """Of a Rollout that is gone too the number of tries in a row is kept, until what is ours is off its Services."""

    async def main() -> None:
        world = World([None] * 9)
        world.grudges = [fault] * 8
        await world.first_pass()
        came = [await world.next_pass() for _ in range(8)]
        backed_off = [0.75, 1.5, 3, 6, 12, 24, 45, 45]
        assert came == pytest.approx(backed_off if isinstance(fault, Unreachable) else [0] * 5 + [0.05, 0.1, 0.2])
        assert world.passes.keys() == set()

    virtual.run(main)


@pytest.mark.parametrize(("urgent", "seconds"), [(False, 15.0), (True, 0.75)])
def test_writes_wait_for_as_long_as_the_server_asks(*, urgent: bool, seconds: float) -> None:
    """A server that answers a write by 429 and Retry-After is left alone, unless the write leads back to stable."""

    async def main() -> None:
        world = World([observation()] * 2, [Result(unreachable="busy", retry_after_seconds=15.0)])
        world.decided = lambda _: dataclasses.replace(decision(), urgent=urgent)
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(seconds)

    virtual.run(main)


@pytest.mark.parametrize(("urgent", "hurried"), [(False, []), (True, [KEY])])
def test_urgent_conflict_is_hurried(*, urgent: bool, hurried: list[Key], monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost race on the way back to stable goes before Rollouts that are not urgent; any other does not."""

    async def main() -> None:
        world = World([observation()], [Result(conflict=True)])
        world.decided = lambda _: dataclasses.replace(decision(), urgent=urgent)
        told: list[Key] = []
        monkeypatch.setattr(world.queue, "add_urgent", told.append)
        await world.first_pass()
        assert told == hurried

    virtual.run(main)


@pytest.mark.parametrize("result", [Result(refusals=("no",)), Result(unreachable="down"), Result(conflict=True)])
@pytest.mark.parametrize("urgent", [False, True])
def test_step_back_that_failed_keeps_its_place(result: Result, *, urgent: bool) -> None:
    """However a write towards stable failed, its next try goes before Rollouts that wait and are not urgent."""

    async def main() -> None:
        world = World([observation()] * 9, [result] * 6)
        world.decided = lambda _: dataclasses.replace(decision(), urgent=urgent)
        for _ in range(6 if result.conflict else 1):
            await world.first_pass()
        other = Key("shop", "other")
        world.queue.add(other)
        assert await world.queue.get() == other  # several urgent ones have gone before it: it had its turn
        world.queue.done(other)
        world.queue.add(other)
        await virtual.elapse(61)
        assert [await world.queue.get() for _ in range(2)] == ([KEY, other] if urgent else [other, KEY])

    virtual.run(main)
