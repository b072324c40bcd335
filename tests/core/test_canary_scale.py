"""setCanaryScale: a floor beneath the pods of the canary, from one step to the next."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model import Decision
from headgate.core.replicas import weighted
from headgate.core.replicas.pod_budget import Budget, Sizes
from headgate.core.rollout.decide import decide
from headgate.core.strategies import planning
from headgate.core.strategies.steps import Step
from tests.core import answers, ways
from tests.core.ways import CANARY, facts, known, route, rule, service
from tests.core.worlds import NOON, A, B, World, Written, metric, policy

MATCH: Any = {"setCanaryScale": {"matchTrafficWeight": True}}


def scale(**how: Any) -> Any:
    """Return a step that sets the scale."""
    return {"setCanaryScale": how}


def at(index: int, *plan: Written, pods: int = 0, weight: int = 0, since: float | None = 100, **more: Any) -> World:
    """Return a canary of so many pods at a step, with what routes give to it."""
    leads = service(CANARY, B, {B: pods}) if pods else service(CANARY)
    found = facts(canary=leads, route=route(rule(100 - weight, weight)))
    world = World().stable(10).canary(pods)
    return ways.routed(world, *plan, ways=found, remembered=known(weight), **more).at_step(index, since=since)


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ((scale(replicas=3), "pause"), (Step(0, pods=3, anew=True), Step(0, waits=True, pods=3), Step(100))),
        (
            (scale(weight=25), 10, MATCH, 20),
            (Step(0, pods="25%", anew=True), Step(10, pods="25%"), Step(10, anew=True), Step(20), Step(100)),
        ),
    ],
)
def test_the_plan(plan: tuple[Written, ...], expected: tuple[Step, ...]) -> None:
    """It holds for all steps after it, until another one; what serves everybody has all pods anyway."""
    assert expected == planning.planned(policy(*plan))


@pytest.mark.parametrize(
    ("budget", "percent", "asked", "expected"),
    [
        (Budget(10, 10, 0), 0, 5, Sizes(10, 5)),
        (Budget(10, 10, 0), 80, 5, Sizes(10, 8)),
        (Budget(10, 2, 0), 0, 5, Sizes(10, 2)),
        (Budget(10, 2, 0), 20, 5, Sizes(8, 4)),
        (Budget(10, 0, 2), 0, 5, Sizes(8, 2)),
        (Budget(1, 1, 0), 0, 1, Sizes(1, 1)),
        (Budget(0, 0, 0), 50, 0, Sizes(0, 0)),
    ],
)
def test_more_pods_than_the_share(budget: Budget, percent: int, asked: int, expected: Sizes) -> None:
    """What is asked for is a floor, never a bound; it takes from stable only what that does not need for the rest."""
    assert expected == weighted.goal(budget, percent, asked)


@pytest.mark.parametrize(("how", "pods"), [({"replicas": 3}, 3), ({"weight": 25}, 3), ({"replicas": 40}, 10)])
def test_pods_come_before_any_weight(how: Any, pods: int) -> None:
    """Users stay where they are; the step says how many pods it starts."""
    world = World().stable(10).recorded(B).wants(B)
    decision = decide(ways.routed(world, scale(**how), 20).observe())

    assert {B: pods} == answers.sizes(decision)
    assert f"revision 2: step 1/3: {pods} of 10 pods, weight 0 %" == answers.said(decision, "StepStarted")
    assert (0, f"0 of {pods} canary pods ready") == (answers.weight(decision), answers.ready(decision)[1])


def test_what_the_surge_does_not_allow_is_told() -> None:
    """Stable keeps what users need: as many start as there is room for, and the step does not wait for others."""
    world = World().stable(10).recorded(B).wants(B)
    decision = decide(ways.routed(world, scale(replicas=5), 20, surge=2).observe())

    assert {B: 2} == answers.sizes(decision)
    assert "2 of 10 pods, where 5 are asked for: maxSurge leaves no more" in answers.said(decision, "StepStarted")
    assert answers.ready(decision)[1].startswith("0 of 2 canary pods ready; maxSurge allows 12 pods in all")


def ended(decision: Decision) -> bool:
    """Return whether the rollout has come to the second step."""
    return answers.step(decision) == 2


@pytest.mark.parametrize(("pods", "expected"), [(2, False), (3, True)])
def test_it_ends_when_its_pods_are_ready(pods: int, *, expected: bool) -> None:
    """Ready, and behind the canary Service."""
    assert expected is ended(decide(at(1, scale(replicas=3), "pause", 20, pods=pods, since=None).observe()))


def test_a_weight_has_the_pods_that_it_needs() -> None:
    """One pod never comes to carry all users because somebody forgot a scale that was set."""
    decision = decide(at(1, scale(replicas=1), 50, pods=1).observe())

    assert (50, {B: 5}) == (answers.weight(decision), answers.sizes(decision))


def test_back_to_what_the_weight_needs() -> None:
    """Pods beyond that go."""
    decision = decide(at(2, 20, scale(replicas=5), MATCH, pods=5, weight=20).observe())

    assert (3, {B: 2}) == (answers.step(decision), answers.sizes(decision))
    assert "5 canary pods, going down to 2" == answers.ready(decision)[1]


def test_evidence_begins_anew() -> None:
    """What the fewer pods showed does not count for more of them."""
    world = at(1, 20, scale(replicas=5), 50, pods=2, weight=20, metrics=(metric(),)).knows(passes=3)
    decision = decide(world.observe())

    assert (2, None) == (answers.step(decision), decision.status.weight and decision.status.weight.since)
    assert [0] == [state.passes for state in decision.status.analysis]


def test_abort_asks_for_nothing() -> None:
    """Pods that carried nobody go after the drain, as those of any weight do."""
    decision = decide(at(1, scale(replicas=5), 50, pods=5).told(abort=B).observe())

    assert api.Ending.ABORTED == answers.ending(decision)
    assert decision.status.canary is not None
    gone = decide(at(1, scale(replicas=5), 50, pods=5).leaving(since=60).but(now=NOON).observe())
    assert {B: 0} == {hash_: size for hash_, size in answers.sizes(gone).items() if hash_ != A}
