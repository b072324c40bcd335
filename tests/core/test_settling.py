"""The two seconds in which an accepted weight reaches the data plane: one write tells of it and of what follows."""

import math
from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model import Decision
from headgate.core.rollout import refresh
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.ways import CANARY, facts, known, parent, route, routed, rule, service
from tests.core.worlds import NOON, B, World, metric

LATE = parent(current=False, accepted=False)


def accepted(*plan: int | str, **changes: Any) -> World:
    """Return a canary whose 20 percent have been accepted since the status was last written."""
    ways = facts(canary=service(CANARY, B, {B: 2}), route=route(rule(80, 20)))
    world = World(written_at=NOON - 1).stable(10).canary(2)
    world = routed(world, *(plan or (20, 50)), ways=ways, remembered=known(since=None), **changes)
    return world.knows(passes=0) if changes.get("metrics") else world


def starts(decision: Decision) -> tuple[int | None, int | None]:
    """Return since when the weight holds and since when the step lasts."""
    weight, step = decision.status.weight, decision.status.step
    return weight.since if weight else None, step.since if step else None


def later(world: World, decision: Decision, seconds: float) -> World:
    """Return *world* after the *decision*'s status was written."""
    return world.but(now=world.now + seconds, written_at=world.now, status=decision.status)


def test_one_write_tells_that_it_was_accepted_and_what_is_waited_for() -> None:
    """Evidence counts from when it has settled; the write that says so is made when that is known, not when it is."""
    world = accepted(metrics=(metric(),))
    decision = decide(world.observe())

    assert decision.write_status
    assert starts(decision) == (NOON + 2, NOON + 2)
    assert answers.ready(decision)[0] == "GatheringEvidence"
    condition = answers.condition(decision, "Ready")
    assert condition is not None
    # The first window that lies at the weight ends at 12:01:10, two more ticks follow, the last one settles in 20 s.
    assert "(enough by 2027-01-15T08:01:50Z at the earliest)" in condition.message
    for seconds in (0.5, 2, 3):
        assert not decide(later(world, decision, seconds).observe()).write_status


@pytest.mark.parametrize("now", [NOON, NOON + 0.4])
def test_its_pause_begins_with_it(now: float) -> None:
    """People read until when the pause is; it is as long as they asked for, from when the weight has settled."""
    decision = decide(accepted(20, "2m", 50).but(now=now).observe())

    assert (answers.step(decision), answers.ready(decision)[0]) == (2, "PausedForTime")
    settled = math.ceil(now) + 2
    assert starts(decision) == (settled, settled)
    for moment, expected in ((settled + 119.9, 20), (settled + 120, 50)):
        ends = later(accepted(20, "2m", 50), decision, moment - NOON)
        assert answers.weight(decide(ends.observe())) == expected


def test_nothing_else_begins_before_it_has_settled() -> None:
    """Without evidence or a pause to wait for, that is what is waited for; then comes the next weight."""
    world = accepted()
    decision = decide(world.observe())

    assert answers.ready(decision) == ("WaitingForTraffic", "weight 20 % was accepted and settles")
    assert (answers.weight(decision), decision.recheck_at) == (20, NOON + 2)
    assert answers.weight(decide(later(world, decision, 1.9).observe())) == 20
    assert answers.weight(decide(later(world, decision, 2).observe())) == 50


@pytest.mark.parametrize("command", [{"promote": f"{B}/2"}, {"promote_full": B}])
def test_no_command_skips_it(command: dict[str, str]) -> None:
    """What people may skip is the pause and the evidence; where the data plane sends requests is no opinion."""
    world = accepted(20, "pause", 50, metrics=())
    paused = decide(world.observe())
    told = later(world, paused, 1).told(**command)
    held = decide(told.observe())

    assert (answers.weight(held), held.rule) == (20, "settling")
    gone_on = later(told, held, 1).but(commands={})
    assert answers.weight(decide(gone_on.observe())) == (50 if "promote" in command else 100)


def test_passes_that_are_there_already_wait_for_it() -> None:
    """A weight that somebody took away and we put back settles anew."""
    decision = decide(accepted(metrics=(metric(),)).knows(passes=3).observe())

    assert decision.rule == "settling"


def test_an_answer_that_is_taken_back_counts_for_nothing() -> None:
    """Until the weight counts, a Gateway that has to answer anew begins it anew."""
    world = accepted(metrics=(metric(),))
    decision = decide(world.observe())
    unanswered = facts(canary=service(CANARY, B, {B: 2}), route=route(rule(80, 20), parents=(LATE,)))
    asked = later(world, decision, 1)
    waits = decide(asked.but(traffic=unanswered).observe())
    again = later(asked, waits, 9)

    assert (waits.rule, starts(waits)[0]) == ("waiting", None)
    assert starts(decide(again.observe())) == (NOON + 12, NOON + 12)


def test_once_it_counts_an_answer_may_be_late() -> None:
    """A change of the route that leaves its weights alone holds the step, and neither its clock nor the evidence."""
    world = accepted(metrics=(metric(),))
    unanswered = facts(canary=service(CANARY, B, {B: 2}), route=route(rule(80, 20), parents=(LATE,)))
    decision = decide(later(world, decide(world.observe()), 3).but(traffic=unanswered).observe())

    assert (decision.rule, starts(decision)) == ("waiting", (NOON + 2, NOON + 2))


@pytest.mark.parametrize(("ahead", "expected"), [(2, 2), (3, 3), (4, 0), (3600, 0)])
def test_only_a_clock_that_was_set_back_makes_a_start_lie_further_ahead(ahead: int, expected: int) -> None:
    """H27: two seconds and what is rounded up are written down ahead; a start beyond that becomes now."""
    world = World().stable(8).canary(2).at_step(1, since=-ahead).but(clock_set_back=True)
    status = refresh.opened(world.observe()).status

    assert status.weight is not None
    assert status.step is not None
    assert (status.weight.since, status.step.since) == (NOON + expected, NOON + expected)


def test_it_survives_the_end_of_the_operator() -> None:
    """All that is known of it stands in the one write: whoever reads it goes on where the other one was."""
    world = accepted()
    decision = decide(world.observe())
    read = api.RolloutStatus.model_validate(decision.status.written())
    restarted = aftermath.after(world, decision, 1).but(status=read, written_at=0)

    assert decide(restarted.observe()).rule == "settling"
    assert answers.weight(decide(restarted.but(now=NOON + 2).observe())) == 50
