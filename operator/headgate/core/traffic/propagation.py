"""What routes and Services hold, and what may still be in effect of what they held before.

Owns the memory of it. Must not know what is wanted.
"""

import math

from headgate.api.status import TrafficStatus
from headgate.core.model import Unreadable
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import ServiceFacts, TrafficFacts
from headgate.core.traffic.routers.gateway_api import header_routes, mirrors, route_weights


def observe_weights(
    known: TrafficStatus | None, facts: TrafficFacts, stable_hash: str, drain_seconds: float, now: float
) -> TrafficStatus:
    """Return what *facts* say, with what *known* remembers of weights that may still be in effect somewhere.

    Rules that lead to the canary alone count as a little weight, as far as somebody has to be there for them; copies of
    requests count as much as requests.
    """
    stable_since = _stable_since(known, facts, stable_hash, now)
    if known is not None and any(isinstance(route, Unreadable) for route in facts.routes.values()):
        return known.model_copy(update={"stable_since": stable_since})
    low, high = route_weights.lowest(facts.known_routes), route_weights.highest(facts.known_routes)
    current = all(parent.current and parent.follows for route in facts.known_routes for parent in route.parents)
    rules = header_routes.held(facts.known_routes, known.planned_rules) if known is not None else ()
    same = known is not None and known.weight == high and known.managed_rules == rules
    since = (known.since if known and same and known.since is not None else math.ceil(now)) if current else None
    changes: dict[str, object] = {"weight": high, "since": since, "stable_since": stable_since, "managed_rules": rules}
    if known is not None and rules:
        copied = mirrors.standing(facts.known_routes, known.planned_rules)
        high = min(WHOLE, max(high + copied, header_routes.LITTLE))
    drained = since is not None and now >= since + drain_seconds
    return _spanned(known, low, high, drained=drained).model_copy(update=changes)


def _spanned(known: TrafficStatus | None, low: int, high: int, *, drained: bool) -> TrafficStatus:
    """Return *known* with the least and the most that may be in effect: what is now, and what was until it drained."""
    if known is None:
        return TrafficStatus(weight=high, lowest=low, highest=high)
    if not drained:
        low, high = min(known.lowest, known.weight, low), max(known.highest, known.weight, high)
    return known.model_copy(update={"lowest": low, "highest": high})


def observe_switch(
    known: TrafficStatus | None,
    facts: TrafficFacts,
    hashes: tuple[str, str],
    drain_seconds: float,
    now: float,
) -> TrafficStatus:
    """Return the same where the stable Service is a switch, whose selector gives everybody to one of two revisions.

    A weight of 100 then means that it selects the second of *hashes*, that of the canary or the warm revision.
    """
    stable_hash, other_hash = hashes
    changes: dict[str, object] = {"stable_since": _stable_since(known, facts, stable_hash, now)}
    service = facts.stable
    if not isinstance(service, ServiceFacts) or isinstance(service.endpoints, Unreadable):
        return (known or TrafficStatus(weight=0, lowest=0, highest=0)).model_copy(update=changes)
    weight = WHOLE if other_hash and service.selects == other_hash else 0
    strange = bool(other_hash) and service.selects not in hashes
    low, high = (0, WHOLE) if strange else (weight, weight)
    alone = {key for key, count in service.endpoints.items() if count} <= {service.selects}
    same = known is not None and known.weight == weight
    since = (known.since if known and same and known.since is not None else math.ceil(now)) if alone else None
    drained = since is not None and now >= since + drain_seconds
    changes |= {"weight": weight, "since": since}
    return _spanned(known, low, high, drained=drained).model_copy(update=changes)


def swap_sides(known: TrafficStatus) -> TrafficStatus:
    """Return what is *known* of a switch when its two revisions change places: whoever had nobody has everybody."""
    weight, low, high = WHOLE - known.weight, WHOLE - known.highest, WHOLE - known.lowest
    home = {"stable_since": None if weight else known.since}
    return known.model_copy(update={"weight": weight, "lowest": low, "highest": high, **home})


def _stable_since(known: TrafficStatus | None, facts: TrafficFacts, stable_hash: str, now: float) -> int | None:
    service = facts.stable
    if not isinstance(service, ServiceFacts) or service.selects != stable_hash:
        return None
    if known is not None and known.stable_since is not None:
        # Stable may have no ready pod for a while: its Service leads nowhere else for that.
        return known.stable_since
    return math.ceil(now) if service.leads_only_to(stable_hash) else None
