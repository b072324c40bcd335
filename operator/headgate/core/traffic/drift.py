"""Others who keep changing our routes and Services back: noted, repaired, and a reason to hold the steps."""

import math
from typing import Final

from headgate.api.status import RolloutStatus, TrafficStatus
from headgate.core.model.traffic import ServiceFacts, TrafficFacts

QUIET_SECONDS: Final = 60
"""How long nobody may change what is ours before the steps go on: longer than a GitOps tool's usual retries."""
CONTESTED: Final = 2
"""From how many changes on: once is a mistake, twice is somebody who means it."""


def noted(status: RolloutStatus, found: TrafficStatus, facts: TrafficFacts, now: float) -> TrafficStatus:
    """Return *found* with what somebody else changed since *status* was written."""
    who = _routes(status, found, facts) or _switch(status, found, facts) or _services(status, found, facts)
    if not who:
        return found
    before = status.traffic
    lately = before is not None and before.drift_last_time is not None and now < before.drift_last_time + QUIET_SECONDS
    changes = before.drift_count + 1 if before is not None and lately else 1
    return found.model_copy(update={"drift_by": who, "drift_count": changes, "drift_last_time": math.floor(now)})


def _routes(status: RolloutStatus, found: TrafficStatus, facts: TrafficFacts) -> str:
    before = status.traffic
    if before is None or (before.weight, before.managed_rules) == (found.weight, found.managed_rules):
        return ""
    return next((f"{route.writer} changed {route}" for route in facts.known_routes if route.writer), "")


def _switch(status: RolloutStatus, found: TrafficStatus, facts: TrafficFacts) -> str:
    """Return who else moved users where the stable Service's selector does, and no route."""
    before = status.traffic
    if before is None or before.weight == found.weight or facts.routes or not isinstance(facts.stable, ServiceFacts):
        return ""
    return f"{facts.stable.writer} changed Service {facts.stable.name}" if facts.stable.writer else ""


def _services(status: RolloutStatus, found: TrafficStatus, facts: TrafficFacts) -> str:
    before, canary = status.traffic, status.canary
    if before is None:
        return ""
    stable_lost = before.stable_since is not None and found.stable_since is None
    if stable_lost and isinstance(facts.stable, ServiceFacts) and _changed(facts.stable, status):
        return f"{facts.stable.writer} changed Service {facts.stable.name}"
    weighty = canary is not None and before.weight > 0
    if canary is not None and weighty and isinstance(facts.canary, ServiceFacts) and facts.canary.writer:
        lost = facts.canary.selects != canary.hash
        return f"{facts.canary.writer} changed Service {facts.canary.name}" if lost else ""
    return ""


def _changed(service: ServiceFacts, status: RolloutStatus) -> bool:
    return bool(service.writer) and status.stable is not None and service.selects != status.stable.hash


def contested(found: TrafficStatus | None, now: float) -> float | None:
    """Return until when the steps are held because somebody keeps changing what is ours; None if nobody does."""
    if found is None or found.drift_last_time is None or found.drift_count < CONTESTED:
        return None
    quiet = found.drift_last_time + QUIET_SECONDS
    return quiet if now < quiet else None
