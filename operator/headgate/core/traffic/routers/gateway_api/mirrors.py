"""Copies of requests for the canary: a filter in each rule that is managed, and which Gateways can be trusted with it.

A Gateway that does not know the filter may answer every request of the rule with an error, and say of the route that it
is accepted all the same. So it is written only where each Gateway's class says that it can do it.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from headgate.core.model import Unreadable
from headgate.core.model.actions import FilterEdit
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import NOT_TOLD, GatewayFacts, RouteFacts, RuleFacts, TrafficFacts
from headgate.core.revisions import identity

FEATURE: Final = "HTTPRouteRequestPercentageMirror"
"""By which a GatewayClass says, in status.supportedFeatures, that its Gateways can copy a part of the requests."""
MOST_FILTERS: Final = 16
"""What the Gateway API allows a rule."""
_FROM_STABLE: Final = ("group", "kind", "namespace", "port")
"""What the copies' backendRef has from that of the stable Service."""
_SERVICE: Final = {"group": "", "kind": "Service"}
"""As the API server would write it."""

Body = Mapping[str, Any]


def body(rule: RuleFacts, percent: int, canary_service: str) -> dict[str, Any]:
    """Return the filter by which *rule* copies *percent* of its requests to the canary Service."""
    known = {field: rule.reference[field] for field in _FROM_STABLE if field in rule.reference}
    backend = {**_SERVICE, **known, "name": canary_service}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}}


def token(route: RouteFacts, one: Body) -> str:
    """Return by what a filter is known: its route, and where it copies to; how much, somebody may have changed."""
    return identity.digest(f"{route} {json.dumps(one['requestMirror'].get('backendRef'), sort_keys=True)}")


def tokens(route: RouteFacts, percent: int, canary_service: str) -> list[str]:
    """Return what the filters are known by that *percent* means for *route*."""
    return [token(route, body(rule, percent, canary_service)) for rule in route.rules] if percent else []


def ours(route: RouteFacts, put: Collection[str]) -> list[tuple[str, Body]]:
    """Return the filters of *route* that are among those that we have *put* there, each with its token."""
    found = [filters[at] for filters, places in route.mirrors.values() for at in _ours(route, filters, places, put)]
    return [(token(route, one), one) for one in found]


def _ours(route: RouteFacts, filters: Sequence[Body], places: Iterable[int], put: Collection[str]) -> list[int]:
    """Return those *places* where *filters* of *route* are ours."""
    return [at for at in places if token(route, filters[at]) in put]


def percent(one: Body) -> int:
    """Return how much of the requests a filter copies."""
    return int(one["requestMirror"].get("percent", WHOLE))


def standing(found: Iterable[RouteFacts], put: Collection[str]) -> int:
    """Return the most that any filter of ours copies, in percent."""
    percents = [percent(one) for route in found for _, one in ours(route, put)]
    return max(percents, default=0)


def edits(route: RouteFacts, percent: int, put: Collection[str], canary_service: str) -> tuple[FilterEdit, ...]:
    """Return what has to change about our filters in the rules of *route*."""
    managed = {rule.index: rule for rule in route.rules}
    changes = []
    for index in sorted({*managed, *route.mirrors}):
        rule = managed.get(index)
        was, places = route.mirrors.get(index, (_filters(rule.body) if rule else (), ()))
        mine = _ours(route, was, places, put)
        # Beside one that somebody else wrote, ours would be one too many.
        free = percent > 0 and len(mine) == len(places)
        wanted = [body(rule, percent, canary_service)] if rule is not None and free else []
        if [was[at] for at in mine] != wanted:
            kept = [one for at, one in enumerate(was) if at not in mine]
            changes.append(FilterEdit(index, was, (*kept, *wanted)))
    return tuple(changes)


def _filters(rule: Body) -> tuple[Body, ...]:
    return tuple(rule.get("filters") or ())


def bare(route: RouteFacts, rule: RuleFacts) -> Body:
    """Return *rule* without filters that copy to the canary Service: whoever is led there needs no copy there."""
    if rule.index not in route.mirrors:
        return rule.body
    filters, places = route.mirrors[rule.index]
    rest = [one for at, one in enumerate(filters) if at not in places]
    others = {field: part for field, part in rule.body.items() if field != "filters"}
    return {**others, "filters": rest} if rest else others


# --- what stands in the way -------------------------------------------------------------------------------------------


def able(facts: TrafficFacts) -> bool:
    """Return whether all Gateways of the routes are known to be able to do it."""
    return bool(facts.gateways) and not any(_why_not(gateway) for gateway in facts.gateways)


def unsure(facts: TrafficFacts) -> bool:
    """Return whether it only cannot be asked at the moment what some of the Gateways can do, which all could before."""
    return all(_passing(gateway) or not _why_not(gateway) for gateway in facts.gateways)


def _passing(gateway: GatewayFacts) -> bool:
    return isinstance(gateway.features, Unreadable) and gateway.features.passing


def unable(facts: TrafficFacts) -> Iterator[str]:
    """Yield why a Gateway cannot be trusted with it, for people."""
    for gateway in facts.gateways:
        if why := _why_not(gateway):
            yield why


def _why_not(gateway: GatewayFacts) -> str:
    if isinstance(gateway.features, Unreadable):
        return (
            f"whether {gateway} can do setMirrorRoute is not known: {gateway.features.why}; mend that (Headgate has to "
            "get gateways and gatewayclasses), or leave out the step"
        )
    if FEATURE in gateway.features:
        return ""
    if not gateway.class_name:
        return f"{gateway} is no Gateway, and nothing says whether it can do setMirrorRoute: leave out the step"
    its = "a GatewayClass" if gateway.class_name == NOT_TOLD else f"GatewayClass {gateway.class_name},"
    return (
        f"{gateway} is of {its} which does not list {FEATURE} in status."
        "supportedFeatures, so that every request may fail with setMirrorRoute: leave out the step, or take another "
        "Gateway"
    )


def crowded(route: RouteFacts, put: Collection[str]) -> str:
    """Return why *route* cannot hold the filter, for people; empty if it can."""
    for rule in route.rules:
        filters, places = route.mirrors.get(rule.index, (_filters(rule.body), ()))
        others = len(filters) - len(_ours(route, filters, places, put))
        if others >= MOST_FILTERS:
            return (
                f"rule {rule.index} of {route} has {others} filters, and setMirrorRoute needs one more: 16 are allowed"
            )
    return ""


def taken(route: RouteFacts, put: Collection[str]) -> str:
    """Return which rule copies to the canary Service already by a filter of the user's; empty if none does."""
    for index, (filters, places) in sorted(route.mirrors.items()):
        if len(_ours(route, filters, places, put)) < len(places):
            return (
                f"rule {index} of {route} mirrors to the canary Service already, as setMirrorRoute would: remove "
                "that filter, or the step"
            )
    return ""
