"""What is said and done while a canary leaves and something is unread."""

import pytest

from headgate.api import status as api
from headgate.core.model import Part
from headgate.core.model.actions import CreateDeployment
from headgate.core.rollout.decide import decide
from tests.core.test_gaps import FORBIDDEN, by_routes, recreated
from tests.core.worlds import NOON, A, B


def test_h30_stable_waits_for_old_pods_of_a_recreate_though_its_policy_is_unread() -> None:
    """H30: no two versions of a recreate have pods at a time, whatever cannot be read."""
    world = recreated().but(templates={}).recorded(A).recorded(B)
    leaving = api.Abort(ending=api.Ending.ABORTED, reason="Aborted", message="", by="", since=int(NOON) - 100)
    canary = world.status.canary
    world = world.with_status(canary=canary and canary.model_copy(update={"abort": leaving}))
    world = world.but(deployments={B: world.deployments[B]}, unread={Part.POLICY: FORBIDDEN})
    made = {
        count: any(isinstance(one, CreateDeployment) for one in decide(world.but(present=there).observe()).actions)
        for count, there in ((0, {}), (2, {B: 2}))
    }

    assert {0: True, 2: False} == made


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Part.POLICY, "going back needs none of it"),
        (Part.SIDES, "pods of the canary stay until that can be read"),
        (Part.TRAFFIC, "let spec.traffic name what this rollout began with"),
    ],
)
def test_h30_a_canary_that_leaves_says_what_is_unread(part: Part, said: str) -> None:
    """H30: what cannot be read is named while it leaves, with what that means for it."""
    world = by_routes().told(abort="now").but(unread={part: FORBIDDEN})
    ready = next(one for one in decide(world.observe()).status.conditions if one.type == "Ready")

    assert f"{part} cannot be read" in ready.message
    assert said in ready.message


def test_h30_a_canary_that_leaves_says_nothing_of_pods_that_only_restarts_need() -> None:
    """H30: what nothing of the way back rests on is not told as if something waited for it."""
    decision = decide(by_routes().told(abort="now").but(unread={Part.PODS: FORBIDDEN}).observe())

    assert "cannot be read" not in next(one for one in decision.status.conditions if one.type == "Ready").message
