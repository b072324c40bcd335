"""Which policy is in force."""

import pytest

from headgate.api import status as api
from headgate.api.spec import Policy
from headgate.core.policies import InForce, in_force
from tests.core.ways import TRAFFIC
from tests.core.worlds import NOON, A, B, policy, policy_of

PLAIN = policy(20)
ROUTED = PLAIN.model_copy(update={"traffic": TRAFFIC})
OTHER = policy(80)
RECREATE = policy_of(recreate={})
STABLE = api.Side(revision=1, hash=A)
FLYING = api.RolloutStatus(stable=STABLE, canary=api.Canary(revision=2, hash=B, started=NOON))
WARM = api.RolloutStatus(stable=STABLE, warm=api.Warm(revision=2, hash=B, promoted=NOON, started=NOON))
RESTING = api.RolloutStatus(stable=STABLE)


@pytest.mark.parametrize(
    ("status", "wanted", "accepted", "expected"),
    [
        (RESTING, ROUTED, PLAIN, InForce(ROUTED)),
        (FLYING, ROUTED, PLAIN, InForce(PLAIN, waits=True)),
        (WARM, PLAIN, ROUTED, InForce(ROUTED, waits=True)),
        (FLYING, OTHER, PLAIN, InForce(OTHER)),
        (RESTING, RECREATE, PLAIN, InForce(RECREATE)),
        (FLYING, RECREATE, PLAIN, InForce(PLAIN, waits=True)),
        (WARM, RECREATE, PLAIN, InForce(PLAIN, waits=True)),
        (FLYING, None, PLAIN, InForce(PLAIN)),
        (FLYING, OTHER, None, InForce(OTHER)),
        (FLYING, None, None, InForce(None)),
    ],
)
def test_routes_and_the_kind_of_strategy_change_at_rest_only(
    status: api.RolloutStatus, wanted: Policy | None, accepted: Policy | None, expected: InForce
) -> None:
    """Steps and metrics may change in flight; the ways by which a rollout is taken back may not."""
    assert in_force(status, wanted, accepted) == expected
