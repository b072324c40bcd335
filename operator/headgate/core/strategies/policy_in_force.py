"""Which policy is in force: the spec's, or the last accepted one where that is invalid or must wait for its turn."""

import dataclasses

from headgate.api.spec import Policy
from headgate.api.status import RolloutStatus
from headgate.core.model import Unreadable
from headgate.core.strategies import traits


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyInForce:
    """The policy by which decisions are made."""

    policy: Policy | None
    waits: bool = False
    """Whether the spec's own is valid and another one, and counts only once nothing is in flight any more."""
    unread: Unreadable | None = None
    """Why it is not known what is in force; then there is no policy here, though one was accepted."""


def in_force(
    status: RolloutStatus,
    wanted: Policy | None,
    accepted: Policy | Unreadable | None,
    *,
    same: bool = False,
    listed: bool = True,
) -> PolicyInForce:
    """Return the policy in force.

    The strategy, Services and routes that a rollout began with are those that it can be taken back by, so *wanted* may
    name others only while nothing is in flight and nothing is kept warm. Where it is not known what it began with, no
    other one counts until then.

    Args:
        status: the Rollout's.
        wanted: the spec's policy, if it is valid.
        accepted: the last one that was accepted; None if it is not on record.
        same: whether the spec holds, word for word, the one that was accepted.
        listed: whether the records could be listed, so that what is not among them is not there.
    """
    if wanted is not None and same:
        return PolicyInForce(wanted)
    if not isinstance(accepted, Policy):
        return _unknown(status, wanted, accepted, listed=listed)
    if wanted is None:
        return PolicyInForce(accepted)
    if not listed or (must_wait(status) and traits.other_way(wanted, accepted)):
        return PolicyInForce(accepted, waits=listed)
    return PolicyInForce(wanted)


def _unknown(status: RolloutStatus, wanted: Policy | None, why: Unreadable | None, *, listed: bool) -> PolicyInForce:
    if why is None and not status.policy:
        return PolicyInForce(wanted)  # none was accepted yet
    if wanted is not None and listed and not must_wait(status):
        return PolicyInForce(wanted)  # nothing is left that has to be taken back by the other one
    gone = Unreadable(
        f"its ControllerRevision, of the policy {status.policy}, is gone: put it back, or the strategy, analysis and "
        "traffic of the spec as they were accepted, or abort"
    )
    return PolicyInForce(None, unread=why or gone)


def must_wait(status: RolloutStatus) -> bool:
    """Return whether another way to move users must wait: something is in flight, or kept warm."""
    return status.stable is not None and (status.canary is not None or status.previous is not None)
