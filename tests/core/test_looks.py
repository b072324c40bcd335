"""When a decision that waits for measurements looks again, though nobody may wake it."""

from typing import Any

import pytest

from headgate.api.status import MetricStatus, Outcome
from headgate.core.analysis import evidence, fold
from headgate.core.analysis import ticks as analysis_ticks
from headgate.core.model import Reading
from headgate.core.rollout.decide import decide
from tests.core import answers
from tests.core.worlds import NOON, SETTLE, World, metric, policy

ERRORS = metric()
ROLLS_BACK = metric(noData={"then": "Rollback"})
PAUSED = policy(20, "pause", metrics=(metric(),))
SETTLED = NOON + 10.0
"""When the next tick has settled: the last one that is known is 20 s old."""


def state(**changes: object) -> MetricStatus:
    """Return the state of the metric as it begins at noon, with *changes*."""
    (fresh,) = fold.begin((ERRORS,), NOON)
    return fresh.model_copy(update=changes)


def found(known: MetricStatus, now: float) -> evidence.Evidence:
    """Return the evidence at a weight that holds since noon."""
    return evidence.evidence((ROLLS_BACK,), (known,), NOON, now, SETTLE)


def paused(**known: Any) -> World:
    """Return a canary that waits for people at 20 percent, and is measured."""
    return World().stable(8).canary(2).ruled(PAUSED).at_step(2, since=300).knows(**known)


@pytest.mark.parametrize(
    ("last_tick", "now", "expected"),
    [(NOON, NOON + 20, NOON + 30), (NOON, NOON + 95, NOON + 100), (NOON + 90, NOON + 20, NOON + 120)],
)
def test_next_reading(last_tick: int, now: float, expected: float) -> None:
    """The next tick is looked for once it has settled, and always in the future.

    Where whoever measures wakes us with it, that is only in case nobody does: after the time of a slow answer.
    """
    states = (state(last_tick=last_tick),)

    assert expected == analysis_ticks.next_reading((ERRORS,), states, (), now, SETTLE)
    assert expected + analysis_ticks.LAG_SECONDS == analysis_ticks.next_reading(
        (ERRORS,), states, {"errors"}, now, SETTLE
    )


def test_the_first_of_several_readings_counts() -> None:
    """One metric that nobody was told of is looked for in time, whatever is known of the others."""
    late, soon = metric("late"), metric("soon")
    states = (state(name="late"), state(name="soon"))

    assert NOON + 30 == analysis_ticks.next_reading((late, soon), states, {"late"}, NOON + 20, SETTLE)


def test_no_next_reading() -> None:
    """Where nothing is measured, there is nothing to wait for."""
    assert analysis_ticks.next_reading((ERRORS,), (), {"errors"}, NOON, SETTLE) is None


def test_only_what_was_asked_for_from_its_present_tick_on_is_announced() -> None:
    """Nobody relies on being woken for a metric that was begun or set back since the metrics were asked for."""
    names = ("goes on", "stays", "set back", "not asked for")
    before = tuple(state(name=name, last_tick=NOON) for name in names)
    ticks = {"goes on": NOON + 10, "set back": NOON - 3600}
    after = tuple(state(name=name, last_tick=ticks.get(name, NOON)) for name in (*names, "begun"))
    readings = {name: Reading() for name in (*names[:3], "begun")}

    assert {"goes on", "stays"} == analysis_ticks.wakeup_scheduled(before, after, readings)


@pytest.mark.parametrize(
    ("verdict", "now", "expected"),
    [
        (Outcome.ERROR, 130, (NOON + 160 + 1, NOON + 700 + 1)),
        (Outcome.ERROR, 160, (NOON + 160 + 1, NOON + 700 + 1)),
        (Outcome.ERROR, 160.5, (NOON + 700 + 1,)),
        (Outcome.ERROR, 701, ()),
        (Outcome.NO_DATA, 130, ()),
        (Outcome.PASSED, 130, ()),
    ],
)
def test_patience_ends(verdict: Outcome, now: float, expected: tuple[float, ...]) -> None:
    """Of a metric that cannot be read it is known when that has lasted for too long: no answer may tell."""
    known = state(verdict=verdict, since=NOON + 130, last_tick=NOON + 80, last_judged=NOON + 50)
    ends = evidence.patience_ends((metric("new"), ROLLS_BACK), (known,), NOON, NOON + now)

    assert expected == ends
    for end in ends:
        assert len(found(known, end).blind) == 1
    if expected:
        assert not found(known, expected[-1] - 1).doomed
        assert found(known, expected[-1]).doomed


def test_a_tick_that_somebody_waits_for_needs_no_look() -> None:
    """Who measures wakes us with the answer: we look by ourselves only once the slowest answer must have come."""
    assert SETTLED + analysis_ticks.LAG_SECONDS == decide(paused(verdict=Outcome.NO_DATA).reads().observe()).recheck_at


def test_a_tick_that_nobody_was_told_of_is_looked_for() -> None:
    """A metric that this pass asked nothing of is asked for when its tick has settled."""
    assert SETTLED == decide(paused().observe()).recheck_at


def test_a_clock_that_was_set_back_is_looked_for_in_time() -> None:
    """What was asked for under the wrong clock wakes nobody in time."""
    world = paused(since=NOON + 3000, last_tick=NOON + 3600, last_judged=NOON + 3600).but(clock_set_back=True).reads()
    recheck_at = decide(world.observe()).recheck_at

    assert recheck_at is not None
    assert recheck_at <= NOON + 10 + 20


def test_the_end_of_patience_is_looked_for() -> None:
    """A server that cannot be asked wakes nobody: what follows from that after a while follows in time all the same."""
    ruled = policy(20, "pause", metrics=(metric(noData={"after": "70s", "then": "Rollback"}),))
    since = NOON - 50
    world = paused(verdict=Outcome.ERROR, since=since, last_judged=NOON - 60, last_tick=NOON - 60).ruled(ruled)
    looks = []
    for _ in range(2):
        decision = decide(world.reads(problem="connection refused").observe())
        assert decision.rule == "pausing"
        assert decision.recheck_at is not None
        looks.append(decision.recheck_at - since)
        world = world.but(now=decision.recheck_at)

    assert looks == [60 + 1, 70 + 1]
    assert answers.ready(decide(world.observe()))[0] == "NoData"


@pytest.mark.parametrize(
    ("known", "weight_since", "expected"),
    [
        ({"passes": 3}, NOON, NOON + 100 - SETTLE - 1),
        ({"passes": 0}, NOON, NOON + 80 - 1),
        ({"passes": 0}, None, NOON + 100 - SETTLE - 1),
        ({"passes": 2, "last_tick": NOON + 60}, NOON, NOON + 70 - 1),
        ({"passes": 3, "verdict": Outcome.FAILED}, NOON, 0),
        ({"passes": 3, "verdict": Outcome.NO_DATA}, NOON, 0),
    ],
)
def test_quiet_until(known: dict[str, Any], weight_since: int | None, expected: float) -> None:
    """Passes go unseen until one of them is the last that is needed, or the status is due to be written.

    The window of 60 s lies at the weight from the tick 60 s after noon on, and three passes are needed. Where a metric
    does not pass, each tick is looked at.
    """
    states = (state(**{"verdict": Outcome.PASSED, **known}),)

    assert expected == analysis_ticks.no_wakeup_until((ERRORS,), states, weight_since, NOON + 100, SETTLE)


def test_nothing_is_quiet_before_it_was_measured() -> None:
    """Of a metric that nothing is known of, and of a time before the epoch, no tick goes unseen."""
    passing = state(verdict=Outcome.PASSED, passes=3)

    assert analysis_ticks.no_wakeup_until((ERRORS, metric("new")), (passing,), NOON, NOON + 100, SETTLE) == 0
    assert analysis_ticks.no_wakeup_until((ERRORS,), (passing,), NOON, 0.0, SETTLE) == 0


def test_a_canary_that_passes_while_people_are_waited_for_is_left_alone() -> None:
    """Until its numbers are due to be written no pass is needed; in case no answer comes then, one follows."""
    known: dict[str, Any] = {"verdict": Outcome.PASSED, "passes": 7, "last_tick": NOON - 20, "last_judged": NOON - 20}
    decision = decide(paused(**known).reads().observe())

    assert decision.rule == "pausing"
    assert decision.quiet_until == NOON + 29 - SETTLE - 1
    assert decision.recheck_at == NOON + 10 + SETTLE + analysis_ticks.LAG_SECONDS
