"""Drills by schedule: when one starts, waits or is skipped."""

from typing import Any

from headgate.api import status as api
from headgate.core.rollout import drill_schedule
from headgate.core.rollout.decide import decide
from tests.core import answers
from tests.core.drilling import DRILL, SCHEDULED, leaving, resting
from tests.core.worlds import NOON, A, World


def scheduled(due: int, **changes: Any) -> World:
    """Return a world whose next drill is due at *due*, as the status remembers, and in a minute from now again."""
    known = api.DrillSchedule(schedule="* * * * * UTC", next=due)
    world = resting(SCHEDULED).with_status(drill=known)
    return world.but(**{"next_drill": int(world.now) // 60 * 60 + 60, **changes})


def test_a_schedule_counts_from_when_it_is_seen() -> None:
    """A new schedule, or another one, looks ahead only; without one there is nothing to look for."""
    world = resting(SCHEDULED)
    world = world.but(next_drill=int(world.now) + 60)
    decision = decide(world.observe())
    assert decision.status.drill == api.DrillSchedule(schedule="* * * * * UTC", next=int(world.now) + 60)
    assert decision.write_status
    assert decision.recheck_at is not None
    assert decision.recheck_at <= world.now + 60

    other = world.with_status(drill=api.DrillSchedule(schedule="0 4 * * * UTC", next=NOON - 100))
    assert decide(other.observe()).status.drill == decision.status.drill
    without = resting().with_status(drill=decision.status.drill)
    assert decide(without.observe()).status.drill is None
    invalid = world.but(next_drill=None)
    assert decide(invalid.observe()).status.drill is None


def test_a_clock_set_back_brings_the_next_one_nearer() -> None:
    """What is stored may lie far ahead of what the schedule says; the schedule wins."""
    world = scheduled(NOON + 90_000)
    assert decide(world.observe()).status.drill == api.DrillSchedule(
        schedule="* * * * * UTC", next=world.next_drill or 0
    )


def test_one_that_is_due_starts() -> None:
    """It starts when it is due, and the one after it is looked for."""
    due = int(resting(SCHEDULED).now) - 5
    world = scheduled(due)
    decision = decide(world.observe())
    assert decision.status.canary is not None
    assert decision.status.canary.drill is not None
    assert (decision.status.canary.drill.by, decision.status.canary.drill.within_seconds) == ("spec.drill.schedule", 30)
    assert decision.status.drill is not None
    assert decision.status.drill.next == world.next_drill


def test_one_that_cannot_start_waits_for_a_while() -> None:
    """While something is in the way, a due drill waits; after ten minutes it is skipped, with a Warning, once."""
    now = int(resting(SCHEDULED).now)
    waits = decide(scheduled(now - 5, paused=True).observe())
    assert (waits.status.canary, "DrillSkipped" in answers.reasons(waits)) == (None, False)
    assert waits.recheck_at is not None
    assert waits.recheck_at <= now - 5 + drill_schedule.LATE_SECONDS + 1

    late = decide(scheduled(now - 700, paused=True).observe())
    assert answers.said(late, "DrillSkipped").endswith("did not start within 10m: spec.paused is true")
    assert late.status.drill is not None
    assert late.status.drill.next > now
    missed = decide(scheduled(now - 700).observe())
    assert answers.said(missed, "DrillSkipped").endswith("did not start within 10m: no operator ran, or it was busy")
    assert missed.status.canary is None


def test_nothing_is_made_up_for() -> None:
    """What came due while a drill was in flight is passed over when it ends."""
    world = leaving(SCHEDULED).deployment(A, 10).deployment(DRILL, 0, drill=True)
    due = api.DrillSchedule(schedule="* * * * * UTC", next=int(world.now) - 10)
    world = world.with_status(drill=due).but(next_drill=int(world.now) + 50)
    decision = decide(world.observe())
    assert decision.status.canary is None
    assert decision.status.drill is not None
    assert decision.status.drill.next == int(world.now) + 50


def test_nothing_is_due_before_there_is_a_stable_revision() -> None:
    """While the first revision starts, a schedule only looks ahead."""
    world = World().first().ruled(SCHEDULED).but(next_drill=NOON + 30)
    known = api.DrillSchedule(schedule="* * * * * UTC", next=NOON - 30)
    decision = decide(world.with_status(drill=known).observe())
    assert decision.status.drill == known
