"""What one decision costs: memory and calls, a guard by counts and not by time. A failure names who costs most."""

import collections
import dataclasses
import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest

from headgate.core.model import Observation
from headgate.core.rollout import started_with
from headgate.core.rollout.decide import decide
from tests.core import ways
from tests.core.worlds import World, metric

WARM = 3
"""Decisions before the one that is looked at: caches of the first ones are not its own."""
SHOWN = 8


def at_rest() -> Observation:
    """Return a Rollout of ten pods at rest."""
    return World().stable(10).observe()


def in_flight() -> Observation:
    """Return a canary at 20 percent behind a route, with a metric that has three measurements to read."""
    measured = ways.in_flight(metrics=(metric(),))
    return measured.knows(last_tick=measured.now // 10 * 10 - 50).reads(0.001, 0.002, 0.003).observe()


def breached() -> Observation:
    """Return the same with measurements that roll it back."""
    measured = ways.in_flight(metrics=(metric(),))
    seen = measured.knows(last_tick=measured.now // 10 * 10 - 50).reads(0.9, 0.9, 0.9).observe()
    assert seen.policy is not None
    noted = started_with.of(seen.policy)  # it was when the canary started
    return dataclasses.replace(seen, status=seen.status.model_copy(update={"begun": noted}))


@dataclasses.dataclass(frozen=True, slots=True)
class Bound:
    """What a decision may cost: a fifth more than when this was written down."""

    seen: Callable[[], Observation]
    rule: str
    kibibytes: int
    """In use at the height of deciding."""
    calls: int
    """Of functions written in Python."""


BOUNDS = {
    "at rest": Bound(at_rest, "settled", 20, 455),
    "in flight": Bound(in_flight, "waiting", 37, 1400),
    "breached": Bound(breached, "aborting", 40, 950),
}


def taken(seen: Observation) -> tuple[float, list[str]]:
    """Return how many KiB are in use at the height of deciding, and the lines whose memory the decision holds."""
    for _ in range(WARM):
        decide(seen)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        tracemalloc.reset_peak()
        begin = tracemalloc.get_traced_memory()[0]
        decision = decide(seen)
        height = tracemalloc.get_traced_memory()[1] - begin
        held = tracemalloc.take_snapshot().compare_to(before, "lineno")[:SHOWN]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert decision.rule
    return height / 1024, [str(line) for line in held]


def called(seen: Observation) -> collections.Counter[str]:
    """Return how often each Python function is called while deciding."""
    counts: collections.Counter[str] = collections.Counter()

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            counts[f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname}"] += 1

    for _ in range(WARM):
        decide(seen)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        decide(seen)
    finally:
        sys.setprofile(before)
    return counts


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_deciding_takes_no_more_memory_than_before(bound: Bound) -> None:
    """A decision on a fixed Observation stays within the memory that it took when the bound was written down."""
    height, lines = taken(bound.seen())

    assert height <= bound.kibibytes, "\n".join([f"{height:.1f} KiB of {bound.kibibytes}; it holds:", *lines])


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_deciding_takes_no_more_calls_than_before(bound: Bound) -> None:
    """A decision on a fixed Observation makes no more calls than when the bound was written down."""
    seen = bound.seen()
    counts = called(seen)
    lines = [f"{many} × {name}" for name, many in counts.most_common(SHOWN)]

    assert decide(seen).rule == bound.rule
    assert counts.total() <= bound.calls, "\n".join([f"{counts.total()} calls of {bound.calls}", *lines])
