"""An analysis step: metrics that are judged in it alone, and wait for nothing but their verdict."""

from typing import Any

import pytest

from headgate.api import spec
from headgate.api import status as api
from headgate.core.model import Decision
from headgate.core.rollout.decide import decide
from headgate.core.strategies import metric_timing, planning
from headgate.core.strategies.steps import Step
from tests.core import answers, ways
from tests.core.ways import CANARY, facts, known, route, rule, service
from tests.core.worlds import NOON, B, World, Written, metric, policy

SMOKE, USERS, BOTH = metric("smoke", when=["Step"]), metric("users"), metric("both", when=["Step", "Background"])
SCALE: Any = {"setCanaryScale": {"replicas": 2}}
SMOKED: Any = {"analysis": {"metrics": ["smoke"]}}
PREVIEW: tuple[Written, ...] = (SCALE, SMOKED, "pause", 20)
EARLIER = NOON - 30


def at(index: int, *plan: Written, weight: int = 0, metrics: tuple[spec.Metric, ...] = (SMOKE, USERS)) -> World:
    """Return a canary of two pods at a step, whose weight holds for 100 s."""
    found = facts(canary=service(CANARY, B, {B: 2}), route=route(rule(100 - weight, weight)))
    world = World().stable(10).canary(2)
    world = ways.routed(world, *plan, ways=found, remembered=known(weight), metrics=metrics)
    return world.at_step(index, since=100).knows("users", passes=3)


def judged(decision: Decision) -> dict[str, int]:
    """Return the metrics that are judged, and how often each has passed."""
    return {state.name: state.passes for state in decision.status.analysis}


def test_the_plan() -> None:
    """The step has the weight and the pods of those before it."""
    expected = (Step(0, pods=2, anew=True), Step(0, pods=2, metrics=("smoke",)), Step(20, pods=2), Step(100))
    assert expected == planning.planned(policy(SCALE, SMOKED, 20))


@pytest.mark.parametrize(
    ("weight", "asked", "judged", "proving", "late"),
    [
        (0, (), {"users", "both"}, set(), set()),
        (0, ("smoke", "both"), {"smoke", "users", "both"}, {"smoke", "both"}, {"smoke"}),
        (20, (), {"users", "both"}, {"users", "both"}, set()),
        (20, ("smoke",), {"smoke", "users", "both"}, {"smoke", "users", "both"}, {"smoke"}),
    ],
)
def test_metrics_by_step(
    weight: int, asked: tuple[str, ...], judged: set[str], proving: set[str], late: set[str]
) -> None:
    """Those of a step are judged in it alone, and count from the moment on at which its weight held."""
    ruled = policy(metrics=(SMOKE, USERS, BOTH))

    assert judged == {one.name for one in metric_timing.judged(ruled, weight, asked)}
    assert proving == {one.name for one in metric_timing.proving(ruled, weight, asked)}
    assert late == metric_timing.late(ruled, weight, asked)


def test_nobody_measures_before_it() -> None:
    """A rollout begins with the metrics that are judged all the time."""
    world = World().stable().recorded(B).wants(B)
    decision = decide(ways.routed(world, *PREVIEW, metrics=(SMOKE, USERS)).observe())

    assert {"users": 0} == judged(decision)


def test_it_begins_with_its_metrics() -> None:
    """They are measured from now on; what the others have proved at this weight stays."""
    decision = decide(at(1, *PREVIEW).observe())

    assert (2, {"smoke": 0, "users": 3}) == (answers.step(decision), judged(decision))
    assert "revision 2: step 2/5: analysis of smoke" == answers.said(decision, "StepStarted")
    reason, words = answers.ready(decision)
    assert "GatheringEvidence" == reason
    assert words.startswith("smoke passed 0 of 3 times")


@pytest.mark.parametrize(("passes", "expected"), [(2, 2), (3, 3)])
def test_it_ends_with_their_verdict(passes: int, expected: int) -> None:
    """As many passes as the metric says, though the next step takes no more of the new version."""
    decision = decide(at(2, *PREVIEW).knows("smoke", passes=passes).observe())

    assert expected == answers.step(decision)
    assert ("smoke" in judged(decision)) is (expected == 2)


def test_at_a_weight_the_others_have_to_pass_too() -> None:
    """The weight is left with all its evidence, whichever step stands in between."""
    world = at(2, 20, SMOKED, "pause", 50, weight=20).knows("smoke", passes=3).knows("users", passes=0)

    assert answers.ready(decide(world.observe()))[1].startswith("users passed 0 of 3 times")


def test_their_failures_take_it_back() -> None:
    """As those of any metric."""
    decision = decide(at(2, *PREVIEW).knows("smoke", last_tick=NOON - 50).reads(0.9, 0.9, 0.9, name="smoke").observe())

    assert api.Ending.ROLLED_BACK == answers.ending(decision)


def test_what_was_before_the_weight_held_counts_for_nothing() -> None:
    """Nobody came to the new version then; its silence was no failure."""
    world = at(2, *PREVIEW).knows("smoke", last_tick=EARLIER - 20).reads(0.9, 0.9, 0.9, name="smoke")
    world = world.at_step(2, since=60)
    (smoke,) = [state for state in decide(world.observe()).status.analysis if state.name == "smoke"]

    assert (0, "its window reaches back too far: its pods or its weight were not there yet") == (
        smoke.failures,
        smoke.message,
    )


@pytest.mark.parametrize(("then", "expected"), [("Hold", 2), ("Advance", 3)])
def test_without_data_it_waits_as_long_as_the_user_says(then: str, expected: int) -> None:
    """Silence is no verdict."""
    silent = metric("smoke", when=["Step"], noData={"after": "30s", "then": then})
    world = at(2, *PREVIEW, metrics=(silent, USERS))
    blind = world.knows("smoke", verdict=api.Outcome.NO_DATA, last_judged=None, watched_since=int(world.now - 100))
    decision = decide(blind.observe())

    assert expected == answers.step(decision)
    assert ("NoData" == answers.ready(decision)[0]) is (then == "Hold")


@pytest.mark.parametrize("command", ["promote_full", "abort"])
def test_people_can_end_it(command: str) -> None:
    """Skipping all evidence goes on at the last step, where the metrics of no step are judged; abort goes back."""
    decision = decide(at(2, *PREVIEW).knows("smoke").told(**{command: B}).observe())

    assert {"users"} >= set(judged(decision)) or answers.ending(decision) is api.Ending.ABORTED
    assert (5 if command == "promote_full" else 2) == answers.step(decision)


def test_an_edit_in_the_middle_of_it() -> None:
    """A metric that was changed begins anew; the step stays."""
    world = at(2, *PREVIEW).knows("smoke", passes=2)
    other = metric("smoke", when=["Step"], threshold={"max": 0.5})
    edited = policy(*PREVIEW, metrics=(other, USERS), surge="100%").model_copy(update={"traffic": ways.TRAFFIC})
    decision = decide(world.edited(edited).observe())

    assert (2, {"smoke": 0, "users": 3}) == (answers.step(decision), judged(decision))


def test_promotion_is_watched_by_the_others() -> None:
    """While the old revision is warm, no step asks for anything."""
    world = ways.warm(metrics=(SMOKE, USERS))

    assert {"users"} == {one.name for one in metric_timing.judged(world.observe().policy, 100)}
