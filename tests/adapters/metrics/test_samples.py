"""What is kept of answers: nothing else than what was read, in little memory."""

import math
import random
import tracemalloc

import pytest

from headgate.adapters.metrics.sample_store import Samples
from headgate.adapters.metrics.series import TICKS_AHEAD, TICKS_BEHIND, Question, Series
from headgate.api.status import Outcome
from headgate.core.model import Key, Sample

T = 1_800_000_000


def sample(at: int, chance: random.Random) -> Sample:
    """Return any sample."""
    if chance.random() < 0.5:
        return Sample(at, chance.choice([0.0, -1.5, 1e300, 5e-324, 1 / 3]))
    return Sample(at, None, chance.choice([Outcome.NO_DATA, Outcome.AMBIGUOUS]), f"word {chance.randrange(400)}")


@pytest.mark.parametrize("seed", range(20))
def test_what_is_kept_is_what_was_read(seed: int) -> None:
    """Whatever is added and dropped in whatever order, each tick has its newest sample, bit by bit."""
    chance, kept, expected = random.Random(seed), Samples(), dict[int, Sample]()
    for _ in range(30):
        first, count, step = T + chance.randrange(500), chance.randrange(40), chance.choice([1, 7, 60])
        added = [sample(first + number * step, chance) for number in range(count)]
        kept.add(added)
        expected.update((one.at, one) for one in added)
        limit = T + chance.randrange(800)
        if chance.random() < 0.3:
            kept.keep(lambda tick, limit=limit: tick <= limit)  # type: ignore[misc]  # bound at once
            expected = {at: one for at, one in expected.items() if at <= limit}
        assert list(kept) == [expected[at] for at in sorted(expected)]
        assert all((tick in kept) == (tick in expected) for tick in range(T, T + 100))
        assert len(kept) == len(expected)
    for at, one in expected.items():
        assert kept[at] == one
    with pytest.raises(KeyError):
        kept[T - 1]


def test_a_value_that_is_no_number_stays_one() -> None:
    """NaN is a value here as any other."""
    kept = Samples()
    kept.add([Sample(T, math.nan)])

    assert math.isnan(kept[T].value or 0.0)
    assert kept[T].outcome is None


def full(number: int, message: str) -> Series:
    """Return a series with as many samples as are ever kept, of which all were taken."""
    series = Series(Question("team", "http://p:9090", f"sum(rate(x{number}[1m]))", 1, 0), 20.0)
    ticks = range(T, T + TICKS_AHEAD)
    series.samples.add(Sample(at, None, Outcome.AMBIGUOUS, message) for at in ticks)
    series.readers[Key("team", "web")] = T
    series.prune()
    return series


def test_a_series_at_rest_takes_little_memory() -> None:
    """After all readers have taken all, a few ticks are left; before, all of them take less than 15 kB."""
    message = "the query gave 23795 series in place of one"
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = [full(number, message) for number in range(50)]
    ahead, _ = tracemalloc.get_traced_memory()
    assert {len(series.samples) for series in kept} == {TICKS_AHEAD}
    for series in kept:
        series.readers[Key("team", "web")] = T + TICKS_AHEAD
        series.prune()
    rest, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert {len(series.samples) for series in kept} == {TICKS_BEHIND}
    assert (ahead - before) / len(kept) < 15_000
    assert (rest - before) / len(kept) < 3_000


def test_what_a_slower_reader_needs_is_kept() -> None:
    """Samples go when the last reader has taken them, not the first."""
    series = full(0, "")
    series.readers[Key("team", "shop")] = T + 500
    series.readers[Key("team", "web")] = T + 400
    series.prune()

    assert T + 400 - TICKS_BEHIND in series.samples
    assert T + 400 - TICKS_BEHIND - 1 not in series.samples
    assert T + 599 in series.samples
