"""The worlds that the other tests stand on: what cannot be is refused."""

import pytest

from headgate.api import status as api
from tests.core.worlds import A, ImpossibleError, World

IMPOSSIBLE: dict[str, World] = {
    "cannot be stable and canary": World().stable().with_status(canary=World().first().status.canary),
    "only a rollout in flight is at a step": World().stable().at_step(1),
    "there is no step 7 of 6": World().stable(8).canary(2).with_status(step=api.StepStatus(index=7, of=6)),
    "without finalizers is gone": World().stable().but(deleting=True),
    "a valid spec has a policy": World().but(spec_policy=None),
    "more ready pods than pods": World().deployment(A, 3, 4),
    "lies in the future": World().stable(8).canary(2).at_step(2, since=-100),
}


@pytest.mark.parametrize("why", IMPOSSIBLE)
def test_impossible_worlds_are_refused(why: str) -> None:
    """A world that contradicts Kubernetes or our own status is no ground for a test."""
    with pytest.raises(ImpossibleError, match=why):
        IMPOSSIBLE[why].observe()
