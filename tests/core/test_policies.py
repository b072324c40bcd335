"""Which policy is in force."""

import pytest

from headgate.api import status as api
from headgate.api.spec import Policy
from headgate.core.model import Unreadable
from headgate.core.strategies.policy_in_force import PolicyInForce, in_force
from tests.core.ways import TRAFFIC
from tests.core.worlds import NOON, A, B, policy, policy_of

PLAIN = policy(20)
ROUTED = PLAIN.model_copy(update={"traffic": TRAFFIC})
OTHER = policy(80)
RECREATE = policy_of(recreate={})
STABLE = api.Side(revision=1, hash=A)
FLYING = api.RolloutStatus(stable=STABLE, canary=api.Canary(revision=2, hash=B, started=NOON))
WARM = api.RolloutStatus(stable=STABLE, previous=api.Previous(revision=2, hash=B, promoted=NOON, started=NOON))
RESTING = api.RolloutStatus(stable=STABLE)


@pytest.mark.parametrize(
    ("status", "wanted", "accepted", "expected"),
    [
        (RESTING, ROUTED, PLAIN, PolicyInForce(ROUTED)),
        (FLYING, ROUTED, PLAIN, PolicyInForce(PLAIN, waits=True)),
        (WARM, PLAIN, ROUTED, PolicyInForce(ROUTED, waits=True)),
        (FLYING, OTHER, PLAIN, PolicyInForce(OTHER)),
        (RESTING, RECREATE, PLAIN, PolicyInForce(RECREATE)),
        (FLYING, RECREATE, PLAIN, PolicyInForce(PLAIN, waits=True)),
        (WARM, RECREATE, PLAIN, PolicyInForce(PLAIN, waits=True)),
        (FLYING, None, PLAIN, PolicyInForce(PLAIN)),
        (FLYING, OTHER, None, PolicyInForce(OTHER)),
        (FLYING, None, None, PolicyInForce(None)),
    ],
)
def test_routes_and_the_kind_of_strategy_change_at_rest_only(
    status: api.RolloutStatus, wanted: Policy | None, accepted: Policy | None, expected: PolicyInForce
) -> None:
    """Steps and metrics may change in flight; the ways by which a rollout is taken back may not."""
    assert in_force(status, wanted, accepted) == expected


STRANGE = Unreadable("its record is not understood")
RECORDED = FLYING.model_copy(update={"policy": "abc"})
AT_REST = RESTING.model_copy(update={"policy": "abc"})


@pytest.mark.parametrize(
    ("status", "wanted", "accepted", "listed", "expected"),
    [
        (RECORDED, OTHER, STRANGE, True, PolicyInForce(None, unread=STRANGE)),
        (RECORDED, None, STRANGE, True, PolicyInForce(None, unread=STRANGE)),
        (AT_REST, OTHER, STRANGE, True, PolicyInForce(OTHER)),
        (AT_REST, None, STRANGE, True, PolicyInForce(None, unread=STRANGE)),
        (AT_REST, OTHER, STRANGE, False, PolicyInForce(None, unread=STRANGE)),
        (AT_REST, OTHER, PLAIN, False, PolicyInForce(PLAIN)),
    ],
)
def test_h31_what_is_not_understood_is_in_force_until_nothing_is_in_flight(
    status: api.RolloutStatus,
    wanted: Policy | None,
    accepted: Policy | Unreadable | None,
    expected: PolicyInForce,
    *,
    listed: bool,
) -> None:
    """H30, H31: the spec's policy counts once nothing has to be taken back by the one that cannot be read."""
    assert in_force(status, wanted, accepted, listed=listed) == expected


def test_h31_a_record_that_is_gone_says_which() -> None:
    """H31: in flight no other policy takes its place by itself."""
    found = in_force(RECORDED, RECREATE, None)

    assert found.unread is not None
    assert "the policy abc, is gone" in found.unread.why


def test_the_spec_that_was_accepted_needs_no_record() -> None:
    """Word for word it is the same policy."""
    assert in_force(RECORDED, PLAIN, STRANGE, same=True) == PolicyInForce(PLAIN)
