"""Which policy is in force: the spec's, or the last accepted one where that is invalid or must wait for its turn."""

import dataclasses

from headgate.api.spec import Policy
from headgate.api.status import RolloutStatus
from headgate.core import strategies


@dataclasses.dataclass(frozen=True, slots=True)
class InForce:
    """The policy by which decisions are made."""

    policy: Policy | None
    waits: bool = False
    """Whether the spec's own is valid and another one, and counts only once nothing is in flight any more."""


def in_force(status: RolloutStatus, wanted: Policy | None, accepted: Policy | None) -> InForce:
    """Return the policy in force.

    The strategy, Services and routes that a rollout began with are those that it can be taken back by, so *wanted* may
    name others only while nothing is in flight and nothing is kept warm.

    Args:
        status: the Rollout's.
        wanted: the spec's policy, if it is valid.
        accepted: the last one that was accepted, if it is on record.
    """
    if wanted is None or accepted is None:
        return InForce(wanted or accepted)
    if must_wait(status) and strategies.other_way(wanted, accepted):
        return InForce(accepted, waits=True)
    return InForce(wanted)


def must_wait(status: RolloutStatus) -> bool:
    """Return whether another way to move users must wait: something is in flight, or kept warm."""
    return status.stable is not None and (status.canary is not None or status.warm is not None)
