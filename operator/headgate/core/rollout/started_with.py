"""What a rollout is begun by, kept in the status: its record may be lost, and the spec may name another way by then."""

import math
from collections.abc import Mapping
from typing import Final

from headgate.api.begun import Begun, BegunRoute
from headgate.api.spec import Policy
from headgate.api.status import RolloutStatus
from headgate.api.strategy import BlueGreen, Canary, Recreate, RollingUpdate
from headgate.core.model import Observation, Part
from headgate.core.strategies import policy_in_force

_NAMES: Final[Mapping[type, str]] = {
    Canary: "canary",
    BlueGreen: "blueGreen",
    RollingUpdate: "rollingUpdate",
    Recreate: "recreate",
}


def of(policy: Policy) -> Begun:
    """Return what a rollout by *policy* is taken back by."""
    way, traffic = policy.strategy.way, policy.traffic
    bounds = (way.max_surge, way.max_unavailable) if isinstance(way, Canary | RollingUpdate) else (None, None)
    surge, unavailable = ("" if bound is None else str(bound) for bound in bounds)
    known = Begun(strategy=_NAMES[type(way)], max_surge=surge, max_unavailable=unavailable)
    if traffic is None:
        return known
    asked_for = traffic.gateway_api.routes if traffic.gateway_api else ()
    ways = {
        "stable_service": traffic.stable_service,
        "canary_service": traffic.canary_service,
        "routes": tuple(BegunRoute(kind=one.kind, name=one.name, rules=one.rules) for one in asked_for),
        "drain_seconds": math.ceil(traffic.drain_seconds),
    }
    return known.model_copy(update=ways)


def noted(seen: Observation, status: RolloutStatus) -> Begun | None:
    """Return what the rollout in flight, or what is kept warm, is taken back by; nothing at rest.

    Once noted it stays: another way to move users is not accepted before that has ended.
    """
    if not policy_in_force.must_wait(status):
        return None
    known = status.begun
    return of(seen.policy) if known is None and seen.policy is not None and Part.POLICY not in seen.unread else known
