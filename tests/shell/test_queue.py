"""The work queue keeps client-go's promises, and its timers wake when they should."""

import asyncio

import pytest

from headgate.core.model import Key
from headgate.reconcile.queue import Queue
from tests.shell import virtual

A, B, C, D = (Key("shop", name) for name in "abcd")


def queue() -> Queue:
    """Return a queue in virtual time."""
    return Queue(clock=virtual.clock)


def test_many_wakes_are_one_pass() -> None:
    """A key that is woken often stands in the queue once."""

    async def main() -> None:
        work = queue()
        for _ in range(20):
            work.add(A)
        assert len(work) == 1
        assert await work.get() == A
        assert len(work) == 0

    virtual.run(main)


def test_keys_come_in_order() -> None:
    """Who was woken first is looked at first."""

    async def main() -> None:
        work = queue()
        work.add(A)
        work.add(B)
        assert [await work.get(), await work.get()] == [A, B]

    virtual.run(main)


def test_hurried_key_comes_first() -> None:
    """Who is hurried is looked at before all who were only woken, also when it was woken like them before."""

    async def main() -> None:
        work = queue()
        for key in (A, B, C):
            work.add(key)
        await virtual.elapse(3)
        for key in (C, C, D):
            work.add_urgent(key)
        work.add(C)
        assert (len(work), work.waiting_seconds()) == (4, 3)
        assert [await work.get() for _ in range(4)] == [C, D, A, B]
        assert (len(work), work.waiting_seconds()) == (0, 0)

    virtual.run(main)


def test_hurried_while_busy_comes_first_afterwards() -> None:
    """A key that a worker has is not given to another, however urgent; then it comes first, once."""

    async def main() -> None:
        work = queue()
        work.add(A)
        await work.get()
        work.add_urgent(A)
        work.add(B)
        assert len(work) == 1
        work.done(A)
        assert await work.get() == A
        work.add(A)
        work.done(A)
        assert [await work.get(), await work.get()] == [B, A]

    virtual.run(main)


def test_closed_queue_is_not_hurried() -> None:
    """After the end nothing is given out, urgent or not."""

    async def main() -> None:
        work = queue()
        work.add_urgent(A)
        work.close()
        work.add_urgent(B)
        assert len(work) == 0

    virtual.run(main)


def test_busy_key_is_not_given_out_twice() -> None:
    """A key that a worker has is not given to another, but comes back when it was woken meanwhile."""

    async def main() -> None:
        work = queue()
        work.add(A)
        await work.get()
        work.add(A)
        work.add(A)
        assert len(work) == 0
        work.done(A)
        assert len(work) == 1
        assert await work.get() == A
        work.done(A)
        assert len(work) == 0

    virtual.run(main)


def test_waiting_worker_is_woken() -> None:
    """A worker that waits gets the key that comes."""

    async def main() -> None:
        work = queue()
        taking = asyncio.create_task(work.get())
        await virtual.elapse(1)
        work.add(A)
        assert await taking == A

    virtual.run(main)


def test_cancelled_worker_passes_the_key_on() -> None:
    """A worker that is cancelled while a key wakes it leaves the key to the next worker."""

    async def main() -> None:
        work = queue()
        first, second = asyncio.create_task(work.get()), asyncio.create_task(work.get())
        await virtual.elapse(1)
        work.add(A)
        first.cancel()
        assert await second == A
        with pytest.raises(asyncio.CancelledError):
            await first

    virtual.run(main)


def test_timer_wakes_at_its_time() -> None:
    """A timer wakes its key at its time, not before."""

    async def main() -> None:
        work = queue()
        work.add_at(A, virtual.EPOCH + 100)
        assert await work.get() == A
        assert virtual.clock() - virtual.EPOCH == pytest.approx(100)

    virtual.run(main)


def test_earlier_of_two_times_counts() -> None:
    """A key has one timer, at the earlier of the times it was given."""

    async def main() -> None:
        work = queue()
        for at in (50, 10, 30):
            work.add_at(A, virtual.EPOCH + at)
        await work.get()
        assert virtual.clock() - virtual.EPOCH == pytest.approx(10)
        work.done(A)
        await virtual.elapse(100)
        assert len(work) == 0

    virtual.run(main)


def test_pass_ends_the_timer() -> None:
    """A key that is looked at anyway has no timer from before: the pass sets the next one."""

    async def main() -> None:
        work = queue()
        work.add_at(A, virtual.EPOCH + 10)
        work.add(A)
        await work.get()
        work.done(A)
        await virtual.elapse(100)
        assert len(work) == 0

    virtual.run(main)


def test_h27_clock_that_is_set_back_puts_off_no_look() -> None:
    """H27: a timer rings when as much time has passed as was left, whatever the wall clock says by then."""

    async def main() -> None:
        behind = 0.0
        work = Queue(clock=lambda: virtual.clock() - behind)
        work.add_at(A, virtual.EPOCH + 10)
        behind = 3600.0
        await work.get()
        assert virtual.clock() - virtual.EPOCH == pytest.approx(10)

    virtual.run(main)


@pytest.mark.parametrize("jump_seconds", [-3600.0, -60.0, 60.0, 3600.0])
def test_h27_clock_that_jumps_during_a_pass_puts_off_no_look(jump_seconds: float) -> None:
    """H27: a time that a pass has found by the clock as it was counts from there, not from the jump."""

    async def main() -> None:
        jumped = 0.0
        work = Queue(clock=lambda: virtual.clock() + jumped)
        work.add(A)
        await work.get()
        found = virtual.clock() + 15
        await virtual.elapse(1)
        jumped = jump_seconds
        work.add_at(A, found)
        work.done(A)
        await work.get()
        assert virtual.clock() - virtual.EPOCH <= 15 + 1e-6

    virtual.run(main)


def test_clock_that_jumps_ahead_wakes_within_half_a_minute() -> None:
    """A timer looks at the wall clock every half minute, so that a jump ahead delays nothing for long."""

    async def main() -> None:
        ahead = 0.0
        work = Queue(clock=lambda: virtual.clock() + ahead)
        work.add_at(A, virtual.EPOCH + 3600)
        ahead = 3600.0
        await work.get()
        assert virtual.clock() <= virtual.EPOCH + 30

    virtual.run(main)


def test_urgent_time_goes_before_those_that_wait() -> None:
    """A key whose time is urgent goes first when it has come, whether it waits by then or not; its next time is new."""

    async def main() -> None:
        work = queue()
        for key in (B, C, D):
            work.add(key)
        work.add_at(A, virtual.EPOCH + 10, urgent=True)
        work.add_at(A, virtual.EPOCH + 1)  # the earlier one counts, and it is urgent still
        work.add_at(D, virtual.EPOCH + 2, urgent=True)
        await virtual.elapse(3)
        assert [await work.get() for _ in range(4)] == [A, D, B, C]
        for key in (A, B, C, D):
            work.done(key)
        work.add(B)
        work.add_at(A, virtual.EPOCH + 5)
        await virtual.elapse(5)
        assert [await work.get() for _ in range(2)] == [B, A]

    virtual.run(main)


def test_hastened_keys_come_sooner() -> None:
    """A key comes at the sooner of two times; one that has no time stays out, and times of others stay as they are."""

    async def main() -> None:
        work = queue()
        work.add_at(A, virtual.EPOCH + 60)
        work.add_at(B, virtual.EPOCH + 20)
        for key, seconds in ((A, 1.0), (B, 30.0), (C, 1.0)):
            work.add_sooner(key, seconds)
        assert await work.get() == A
        assert virtual.clock() - virtual.EPOCH == pytest.approx(1)
        assert await work.get() == B
        assert virtual.clock() - virtual.EPOCH == pytest.approx(20)
        await virtual.elapse(1000)
        assert len(work) == 0

    virtual.run(main)


def test_forgotten_key_does_not_wake() -> None:
    """A key that is gone has no timer left."""

    async def main() -> None:
        work = queue()
        work.add_at(A, virtual.EPOCH + 1)
        work.drop(A)
        await virtual.elapse(100)
        assert len(work) == 0

    virtual.run(main)


def test_closed_queue_gives_nothing_out() -> None:
    """Once closed, the queue ends its workers and takes no keys."""

    async def main() -> None:
        work = queue()
        waiting = asyncio.create_task(work.get())
        await virtual.elapse(1)
        work.add_at(A, virtual.EPOCH + 5)
        work.close()
        work.add(B)
        work.add_at(B, virtual.EPOCH + 5)
        with pytest.raises(EOFError):
            await waiting
        with pytest.raises(EOFError):
            await work.get()

    virtual.run(main)


def test_ages_are_told() -> None:
    """The queue knows how long its head waits and its longest pass runs."""

    async def main() -> None:
        work = queue()
        assert (work.waiting_seconds(), work.working_seconds()) == (0, 0)
        work.add(A)
        await virtual.elapse(5)
        assert work.waiting_seconds() == pytest.approx(5)
        await work.get()
        await virtual.elapse(7)
        assert work.waiting_seconds() == 0
        assert work.working_seconds() == pytest.approx(7)

    virtual.run(main)
