"""What one namespace does delays no other: turns, places, urgent passes and the pace of one key."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.model import Key
from headgate.core.pass_order import URGENT_IN_A_ROW
from headgate.reconcile import concurrency, rate_limit
from headgate.reconcile.queue import Queue
from headgate.reconcile.workers import Workers
from tests.shell import virtual

VICTIM = Key("victim", "web")
HANGS_SECONDS = 100.0


def crowd(count: int, namespace: str = "hostile") -> list[Key]:
    """Return so many keys of one namespace."""
    return [Key(namespace, f"web-{number}") for number in range(count)]


class Shop:
    """A queue, workers, and passes that take as long as the test says."""

    def __init__(self, lasts: Callable[[Key], float], count: int = 8) -> None:
        self.lasts = lasts
        self.queue = Queue(clock=virtual.clock)
        self.workers = Workers(self.queue, self.run, count)
        self.begun: list[tuple[Key, float]] = []
        self.running = 0
        self.most = 0
        self.workers.start()

    async def run(self, key: Key) -> None:
        """Make a pass over *key*."""
        self.begun.append((key, virtual.clock()))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await virtual.elapse(self.lasts(key))
        finally:
            self.running -= 1

    async def waits(self, key: Key, begin: Callable[[Key], None]) -> float:
        """Return how long *key* waits for its pass once it was begun."""
        began = virtual.clock()
        begin(key)
        while not (found := [at for one, at in self.begun if one == key and at >= began]):
            await virtual.elapse(0.01)
        return found[0] - began


@pytest.mark.parametrize("urgent", [False, True])
def test_h33_passes_that_hang_delay_no_other_namespace(*, urgent: bool) -> None:
    """H33: a hundred Rollouts of one namespace whose passes hang delay a pass of another for half a second at most."""

    async def main() -> None:
        shop = Shop(lambda key: 0.005 if key == VICTIM else HANGS_SECONDS)
        for key in crowd(100):
            (shop.queue.add_urgent if urgent else shop.queue.add)(key)
        for at in (0.0, 0.3, 5.0, 50.0):
            await virtual.elapse(at)
            assert await shop.waits(VICTIM, shop.queue.add) <= concurrency.LONG_SECONDS + 0.02
            assert shop.queue.stalled_seconds() == 0
        await shop.workers.stop(0)

    virtual.run(main)


def test_h33_many_namespaces_whose_passes_hang_delay_no_other() -> None:
    """H33: passes of nine namespaces that hang, a dozen of each, still leave another one its place."""

    async def main() -> None:
        shop = Shop(lambda key: 0.005 if key == VICTIM else HANGS_SECONDS)
        for number in range(9):
            for key in crowd(12, f"hostile-{number}"):
                shop.queue.add_urgent(key)
        for _ in range(4):
            await virtual.elapse(3)
            assert await shop.waits(VICTIM, shop.queue.add) <= concurrency.LONG_SECONDS + 0.02
        assert shop.most <= 8 * concurrency.MOST_TIMES
        await shop.workers.stop(0)

    virtual.run(main)


def test_h33_heavy_passes_run_one_at_a_time() -> None:
    """H33: of Rollouts with large templates one at a time has its pass; all others go on beside it, in their turns."""

    async def main() -> None:
        shop = Shop(lambda key: 0.3 if key.namespace.startswith("hostile") else 0.005)
        heavy = [key for number in range(3) for key in crowd(20, f"hostile-{number}")]
        for _ in range(2):
            shop.most = 0
            for key in heavy:
                shop.queue.add(key)
            await virtual.elapse(0.01)
            for key in heavy:
                shop.queue.weigh(key)  # not taken in but of those that workers have
            while shop.running or len(shop.queue):
                await virtual.elapse(0.1)
                for key in heavy:
                    shop.queue.weigh(key)
        assert shop.most == 1
        for key in heavy:
            shop.queue.add(key)
        await virtual.elapse(1)
        assert await shop.waits(VICTIM, shop.queue.add) <= 0.02
        assert await shop.waits(heavy[-1], shop.queue.add_urgent) <= 0.3 * 4
        shop.queue.drop(heavy[0])
        await shop.workers.stop(0)

    virtual.run(main)


def test_heavy_pass_that_hangs_delays_the_others_for_a_while() -> None:
    """A heavy pass that takes long waits for somebody, and another one starts beside it."""

    async def main() -> None:
        shop = Shop(lambda key: HANGS_SECONDS if key.name == "web-0" and len(shop.begun) > 3 else 0.01)
        heavy = crowd(3)
        for key in heavy:
            shop.queue.add(key)
        await virtual.elapse(0.005)
        for key in heavy:
            shop.queue.weigh(key)
        await virtual.elapse(1)
        shop.queue.add(heavy[0])
        await virtual.elapse(0.5)
        assert await shop.waits(heavy[1], shop.queue.add) == pytest.approx(concurrency.HEAVY_SECONDS - 0.5, abs=0.05)
        await shop.workers.stop(0)

    virtual.run(main)


@pytest.mark.parametrize(("namespaces", "within_seconds"), [(1, 0.02), (3, 2 * concurrency.HEAVY_SECONDS)])
@pytest.mark.parametrize("urgent", [False, True])
def test_h33_abort_of_a_large_rollout_waits_for_no_large_one_that_hangs(
    namespaces: int, within_seconds: float, *, urgent: bool
) -> None:
    """H33: heavy passes of one namespace that hang, urgent ones too, hold up no urgent heavy pass of another one.

    Those of more namespaces than there are places hold it up for a second each, two at a time.
    """

    async def main() -> None:
        shop = Shop(lambda key: 0.01 if key == VICTIM or virtual.clock() < began + 1 else HANGS_SECONDS)
        began = virtual.clock()
        hostile = [key for number in range(namespaces) for key in crowd(20, f"hostile-{number}")]
        heavy = [VICTIM, *hostile]
        for key in heavy:
            shop.queue.add(key)
        while shop.running or len(shop.queue):
            for key in heavy:
                shop.queue.weigh(key)
            await virtual.elapse(0.005)
        await virtual.elapse(1)
        for key in hostile:
            (shop.queue.add_urgent if urgent else shop.queue.add)(key)
        await virtual.elapse(0.1)
        assert await shop.waits(VICTIM, shop.queue.add_urgent) <= within_seconds
        await shop.workers.stop(0)

    virtual.run(main)


def test_passes_that_do_not_hang_keep_to_their_number() -> None:
    """As long as passes are short no more run than were allowed, and a few that are kept for those without any."""

    async def main() -> None:
        shop = Shop(lambda _: 0.1)
        for number in range(30):
            for key in crowd(10, f"shop-{number}"):
                shop.queue.add(key)
        await virtual.elapse(60)
        assert len(shop.begun) == 300
        assert shop.most <= 8 + 4
        await shop.workers.stop(0)

    virtual.run(main)


def test_one_namespace_alone_has_all_places() -> None:
    """Where nobody else wants one, a namespace gets every place, and no more than that while its passes are short."""

    async def main() -> None:
        shop = Shop(lambda _: 0.1)
        for key in crowd(80):
            shop.queue.add(key)
        await virtual.elapse(1.05)
        assert (len(shop.begun), shop.most) == (80, 8)
        await shop.workers.stop(0)

    virtual.run(main)


def test_places_come_back() -> None:
    """Passes that hung and have ended give their places back: afterwards all is as before."""

    async def main() -> None:
        lasts = 10.0
        shop = Shop(lambda _: lasts, count=2)
        for number in range(6):
            for key in crowd(3, f"shop-{number}"):
                shop.queue.add(key)
        await virtual.elapse(60)
        assert len(shop.begun) == 18
        lasts, shop.most = 0.1, 0
        for key in crowd(20):
            shop.queue.add(key)
        await virtual.elapse(60)
        assert (len(shop.begun), shop.most, len(shop.queue)) == (38, 2, 0)
        await shop.workers.stop(0)

    virtual.run(main)


def test_h33_urgent_passes_without_end_starve_nobody() -> None:
    """H33: a hundred Rollouts that are always urgent, more than can be served, delay another by four passes."""

    async def main() -> None:
        shop = Shop(lambda _: 0.05, count=1)

        def again(key: Key) -> None:
            shop.queue.add_urgent(key)
            asyncio.get_running_loop().call_later(0.2, again, key)

        for key in crowd(100):
            again(key)
        await virtual.elapse(3)
        assert await shop.waits(VICTIM, shop.queue.add) <= 0.05 * (URGENT_IN_A_ROW + 2) + 0.02
        assert await shop.waits(Key("other", "web"), shop.queue.add_urgent) <= 0.05 * 3 + 0.02
        await shop.workers.stop(0)
        shop.queue.close()

    virtual.run(main)


def test_one_pass_of_four_is_for_those_that_are_not_urgent() -> None:
    """While both wait, three urgent keys go first, then one of the others; with no others, all that are urgent."""

    async def main() -> None:
        work = Queue(clock=virtual.clock)
        for number in range(9):
            work.add_urgent(Key("a", f"urgent-{number}"))
        for number in range(2):
            work.add(Key("a", f"rest-{number}"))
        order = []
        for _ in range(11):
            key = await work.get()
            order.append(key.name.partition("-")[0])
            work.done(key)
        assert order == ["urgent"] * 3 + ["rest"] + ["urgent"] * 3 + ["rest"] + ["urgent"] * 3

    virtual.run(main)


def test_key_that_is_woken_without_end_has_its_pace() -> None:
    """One that is woken a hundred times a second is looked at many times at once, then twice a second; never lost."""

    async def main() -> None:
        shop = Shop(lambda _: 0.001)
        for _ in range(2000):
            shop.queue.add(VICTIM)
            await virtual.elapse(0.01)
        allowed = rate_limit.BURST + 20 / rate_limit.PERIOD_SECONDS
        assert allowed - 2 <= len(shop.begun) <= allowed + 2
        before = len(shop.begun)
        await virtual.elapse(2)
        assert len(shop.begun) - before <= 1
        await shop.workers.stop(0)

    virtual.run(main)


def test_pace_delays_nothing_that_is_urgent() -> None:
    """However often a key was looked at, a hurry is met at once, and so is a time that was asked for."""

    async def main() -> None:
        shop = Shop(lambda _: 0.001)
        for _ in range(300):
            shop.queue.add(VICTIM)
            await virtual.elapse(0.01)
        assert await shop.waits(VICTIM, shop.queue.add_urgent) <= 0.02
        assert await shop.waits(VICTIM, lambda key: shop.queue.add_at(key, virtual.clock() + 0.05)) <= 0.08
        await virtual.elapse(60)
        assert await shop.waits(VICTIM, shop.queue.add) <= 0.02
        await shop.workers.stop(0)

    virtual.run(main)


@given(st.lists(st.tuples(st.sampled_from(["hurry", "due", "wake"]), st.floats(0.0, 1.0)), max_size=120))
def test_pace_is_never_in_debt(woken: list[tuple[str, float]]) -> None:
    """However often a key was looked at in a hurry or when it was due, a wake waits for no more than one period."""
    kept, now = rate_limit.RateLimit(), 0.0
    for how, seconds in woken:
        now += seconds
        if how != "wake" or kept.delay_seconds(VICTIM, now) <= 0:
            kept.used(VICTIM, now)
        assert kept.delay_seconds(VICTIM, now) <= rate_limit.PERIOD_SECONDS + 1e-9


def test_spec_that_is_edited_all_the_time_slows_nothing_afterwards() -> None:
    """A Rollout that was scaled a hundred times in ten seconds is looked at within a period when its pods move."""

    async def main() -> None:
        shop = Shop(lambda _: 0.001)
        for _ in range(100):
            shop.queue.add_urgent(VICTIM)
            await virtual.elapse(0.1)
        assert await shop.waits(VICTIM, shop.queue.add) <= rate_limit.PERIOD_SECONDS + 0.02
        await shop.workers.stop(0)

    virtual.run(main)


def test_pace_remembers_nothing_for_long() -> None:
    """What was looked at now and then leaves nothing behind."""
    kept = rate_limit.RateLimit()
    for number in range(5000):
        kept.used(Key("a", str(number)), float(number))
    assert len(kept._full_at) <= 3
    kept.forget(Key("a", "4999"))
    assert kept.delay_seconds(Key("a", "4999"), 5000.0) <= 0


def test_queue_is_stalled_only_where_nobody_takes() -> None:
    """A key for which there is room and that no worker takes is a stall; a long queue behind long passes is none."""

    async def main() -> None:
        work = Queue(clock=virtual.clock)
        work.add(VICTIM)
        await virtual.elapse(70)
        assert work.stalled_seconds() == pytest.approx(70)
        await work.get()
        assert work.stalled_seconds() == 0
        work.done(VICTIM)

        shop = Shop(lambda _: HANGS_SECONDS)
        for key in crowd(100):
            shop.queue.add(key)
        await virtual.elapse(90)
        assert shop.queue.waiting_seconds() == pytest.approx(90)
        assert (shop.queue.stalled_seconds(), shop.workers.problem()) == (0, "")
        await shop.workers.stop(0)

    virtual.run(main)
