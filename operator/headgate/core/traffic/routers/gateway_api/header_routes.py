"""What the canary gets beside its weight: requests with a header, and copies of others.

For copies see `mirrors`. For requests with a header there are rules of a route that only these meet. Each is a
companion to a rule that names the stable Service: its copy, which matches a header too and leads to the canary Service
alone. It stands behind all other rules. Which rule gets a request is decided by what it matches, and one that asks for
a header more comes first; the order counts among equals only, so that no rule of the user's loses any request but those
that the step means.

Which rules are ours is remembered in the status before the first one is written. One that somebody else wrote is never
touched, though it looks the same.
"""

import dataclasses
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from headgate.api.status import RULES_MAX, RULES_PUT_MAX, Canary
from headgate.core.model import Unreadable
from headgate.core.model.actions import RuleEdits
from headgate.core.model.traffic import RequestRuleFacts, RequestRules, RouteFacts, ServiceFacts, TrafficFacts
from headgate.core.replicas import weighted
from headgate.core.replicas.pod_budget import Sizes, portion
from headgate.core.revisions import identity
from headgate.core.strategies.steps import Step
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic.plan import Plan, View
from headgate.core.traffic.routers.gateway_api import acceptance, header_matches, mirrors

Body = Mapping[str, Any]

NONE: Final = RequestRules()
LITTLE: Final = 1
"""What requests with a header count as, in percent: how many these are is not known, only that they need somebody."""
MOST_RULES: Final = 16
MOST_MATCHES: Final = 64
"""What the Gateway API allows a route, and a rule."""
_OWN: Final = ("name", "matches", "backendRefs")
"""What a companion does not have from the rule that it goes with."""


def token(route: RouteFacts, body: Body) -> str:
    """Return by what a rule is known: its route, and what it matches."""
    return identity.digest(f"{route} {json.dumps(body.get('matches'), sort_keys=True)}")


def companions(route: RouteFacts, extras: RequestRules, canary_service: str) -> dict[str, dict[str, Any]]:
    """Return the rules that *extras* mean for *route*, each by its token."""
    if not extras.headers:
        return {}
    bodies = [
        {
            **{field: part for field, part in mirrors.bare(route, rule).items() if field not in _OWN},
            "matches": header_matches.narrowed(rule.body.get("matches") or (), extras.headers),
            "backendRefs": [{**rule.reference, "name": canary_service, "weight": 1}],
        }
        for rule in route.rules
    ]
    return {token(route, body): body for body in bodies}


def ours(route: RouteFacts, put: Collection[str]) -> list[tuple[str, RequestRuleFacts]]:
    """Return the rules of *route* that are among those that we have *put* there."""
    known = ((token(route, extra.body), extra) for extra in route.extras)
    return [(name, extra) for name, extra in known if name in put]


def held(found: Iterable[RouteFacts], put: Collection[str]) -> tuple[str, ...]:
    """Return what stands in the routes of what we have *put* there, no more than the status can hold."""
    if not put:
        return ()
    rules, copies = _standing(found, put)
    # How much is copied counts: less of it drains like less weight. Other people may have copied our filter.
    ends = {f"{name}:{end}" for name, percents in copies.items() for end in (min(percents), max(percents))}
    names = sorted(rules | ends)
    return tuple(names) if len(names) <= RULES_MAX else (*names[: RULES_MAX - 1], identity.digest(*names))


def _standing(found: Iterable[RouteFacts], put: Collection[str]) -> tuple[set[str], dict[str, set[int]]]:
    """Return which rules of ours stand in the routes, and which filters, with what these copy in percent."""
    rules: set[str] = set()
    copies: dict[str, set[int]] = {}
    for route in found:
        rules |= {name for name, _ in ours(route, put)}
        for name, one in mirrors.ours(route, put):
            copies.setdefault(name, set()).add(mirrors.percent(one))
    return rules, copies


def copied(facts: TrafficFacts, put: Collection[str]) -> int:
    """Return how much of the requests filters of ours copy now, in percent."""
    return mirrors.standing(facts.known_routes, put) if put else 0


def burdened(total: int, weight: int, extras: RequestRules) -> int:
    """Return how many of *total* pods carry *weight* with copies, and requests with a header beside them."""
    little = LITTLE if extras.headers and extras.mirror_percent else 0
    return weighted.burdened(total, weight, extras.mirror_percent + little)


def least_pods(total: int, step: Step) -> int:
    """Return how many canary pods of *total* a step asks for, whatever its weight needs."""
    # Requests with a header meet somebody, even where the weight is 0.
    least = min(total, 1) if step.headers else 0
    if step.mirror_percent:
        least = max(least, burdened(total, step.weight_percent, step.extras))
    return max(least, portion(step.pods, total)) if step.pods is not None else least


def asked(canary: Canary | None, step: Step) -> RequestRules:
    """Return what *step* gives to the canary beside its weight."""
    return NONE if canary is None or canary.abort is not None else step.extras


def _same(one: Body, other: Body) -> bool:
    rest = [{field: part for field, part in body.items() if field not in _OWN} for body in (one, other)]
    return rest[0] == rest[1]


def edits(route: RouteFacts, extras: RequestRules, put: Collection[str], canary_service: str) -> RuleEdits:
    """Return what has to change about our rules of *route*."""
    missing, drops = companions(route, extras, canary_service), []
    for name, extra in ours(route, put):
        if name in missing and _same(missing[name], extra.body):
            del missing[name]
        else:
            drops.append(extra)
    filters = mirrors.edits(route, extras.mirror_percent, put, canary_service)
    return RuleEdits(tuple(drops), tuple(missing.values()), filters)


def remembered(view: View, plan: Plan, *, in_flight: bool) -> tuple[str, ...]:
    """Return which rules are ours from now on: whatever this rollout put there, and what it is about to.

    Long plans and edited routes make more of them than can be remembered. Then those are forgotten first that stand
    nowhere any more. Where that is not enough, or cannot be known, nothing new is remembered, and so nothing is added.
    """
    known, kept = view.facts.known_routes, view.status.planned_rules
    stand = _stand(known, kept)
    if not in_flight and len(known) == len(view.facts.routes):
        return tuple(name for name in kept if name in stand)
    wanted = tokens(known, plan.extras or NONE, view.canary_service)
    both = tuple(dict.fromkeys((*kept, *wanted)))
    over = len(both) - RULES_PUT_MAX
    if over <= 0:
        return both
    if any(isinstance(route, Unreadable) for route in view.facts.routes.values()):
        return kept
    needed = {*stand, *wanted}
    gone = set([name for name in both if name not in needed][:over])
    return tuple(name for name in both if name not in gone) if len(gone) == over else kept


def tokens(found: Iterable[RouteFacts], extras: RequestRules, canary_service: str) -> tuple[str, ...]:
    """Return by what all is known that *extras* mean for the routes."""
    names: list[str] = []
    for route in found:
        names += companions(route, extras, canary_service)
        names += mirrors.tokens(route, extras.mirror_percent, canary_service)
    return tuple(dict.fromkeys(names))


def _stand(found: Iterable[RouteFacts], put: Collection[str]) -> set[str]:
    rules, copies = _standing(found, put)
    return rules | copies.keys()


def too_many(found: Sequence[RouteFacts], extras: RequestRules, put: Collection[str], canary_service: str) -> str:
    """Return why *extras* cannot be remembered beside what stands in the routes, for people; empty if they can."""
    stand = _stand(found, put)
    count = len({*stand, *tokens(found, extras, canary_service)})
    if count <= RULES_PUT_MAX:
        return ""
    return (
        f"the routes hold {len(stand)} rules and filters of earlier steps, and {count} would be more than the "
        f"{RULES_PUT_MAX} that can be remembered: take out of the routes what leads to {canary_service} and is not used"
    )


# --- plans ------------------------------------------------------------------------------------------------------------


def forward(view: View) -> Plan:
    """Return the plan for a canary on its way; requests with a header reach it once its pods can take them."""
    plan = traffic_plan.forward(view)
    if not view.extras and not view.status.planned_rules:
        return plan
    extras, sizes = _given(view), plan.sizes
    if not view.status.managed_rules and not view.drained:
        sizes = Sizes(sizes.stable, max(sizes.canary, view.other.wanted))  # what was there may still be in effect
    waits = plan.waits or (_off(view, view.extras) if view.budget.total else "")
    settled_at = None if waits else plan.settled_at
    return dataclasses.replace(plan, sizes=sizes, extras=extras, waits=waits, settled_at=settled_at)


def _given(view: View) -> RequestRules | None:
    """Return what the canary is to have now; None: what it has."""
    service = view.facts.canary
    ready = service.ready(view.other_hash) if isinstance(service, ServiceFacts) else None
    wanted = _trusted(view)
    if not wanted or not view.budget.total:
        return NONE
    if not isinstance(service, ServiceFacts) or ready is None:
        return None
    if service.selects != view.other_hash:
        return NONE if service.selects == view.stable_hash else None
    if not ready:
        return NONE
    if view.status.managed_rules and not _off(view, wanted):
        return wanted
    aim = weighted.goal(view.budget, view.weight, view.preview).canary
    copied = burdened(view.budget.total, view.weight, wanted) if wanted.mirror_percent else 0
    able = min(ready, view.other.ready) >= max(aim, copied) and service.leads_only_to(view.other_hash)
    return wanted if able and acceptance.accepted(view.facts) else None


def _trusted(view: View) -> RequestRules:
    """Return what the canary is to have, without copies that a Gateway may not be able to make.

    Where it only is not known at the moment, those that are there already stay.
    """
    if not view.extras.mirror_percent or mirrors.able(view.facts):
        return view.extras
    if view.mirrored and mirrors.unsure(view.facts):
        return view.extras
    return dataclasses.replace(view.extras, mirror_percent=0)


def _off(view: View, extras: RequestRules) -> str:
    """Return which route does not hold *extras* yet, for people; empty if all do."""
    for route in view.facts.known_routes:
        if edits(route, extras, view.status.planned_rules, view.canary_service):
            return f"{route} is on its way to the rules of this step"
    return ""


def backward(view: View) -> Plan:
    """Return the plan for a canary that is leaving: its rules go in the first write, and its pods after the drain."""
    plan, service = traffic_plan.backward(view), view.facts.stable
    if not view.status.planned_rules:
        return plan
    serves = isinstance(service, ServiceFacts) and service.ready(view.stable_hash)
    gone = plan.percent is not None or serves
    # How many requests they bring is not known: none of the pods goes before that is over.
    stays = view.status.managed_rules or not view.drained
    sizes = Sizes(plan.sizes.stable, view.other.wanted if stays else plan.sizes.canary)
    waits = plan.waits or _off(view, NONE)
    return dataclasses.replace(plan, sizes=sizes, extras=NONE if gone else None, waits=waits)


def at_rest(view: View) -> Plan:
    """Return the plan with no canary: nothing of a step is left in any route."""
    plan = traffic_plan.at_rest(view)
    if not view.status.planned_rules:
        return plan
    return dataclasses.replace(plan, extras=NONE, waits=plan.waits or _off(view, NONE))


def crowded(route: RouteFacts, extras: RequestRules, canary_service: str) -> str:
    """Return why *route* cannot hold the rules of *extras*, for people; empty if it can."""
    for rule in route.rules:
        names = header_matches.named(rule.body.get("matches") or ())
        twice = [name for name, _, _ in extras.headers if name.lower() in names]
        if twice:
            return f"rule {rule.index} of {route} matches the header {twice[0]} already: let the step take another one"
    bodies = companions(route, extras, canary_service)
    if route.size + len(bodies) > MOST_RULES:
        return f"{route} has {route.size} rules, and would have {len(bodies)} more with setHeaderRoute: 16 are allowed"
    for body in bodies.values():
        if len(body["matches"]) > MOST_MATCHES:
            return f"a rule of {route} would have {len(body['matches'])} matches with setHeaderRoute: 64 are allowed"
        if len(body["matches"]) > 1 and "ReplacePrefixMatch" in json.dumps(body.get("filters")):
            return f"a rule of {route} rewrites a prefix, which allows one match: let setHeaderRoute have one header"
    return ""


def taken(facts: TrafficFacts, extras: RequestRules, put: Collection[str], canary_service: str) -> str:
    """Return which rule of the user's stands where one of ours should, for people; empty if none does."""
    for route in facts.known_routes:
        wanted = companions(route, extras, canary_service)
        for extra in route.extras:
            name = token(route, extra.body)
            if name in wanted and name not in put:
                return f"rule {extra.index} of {route} is what setHeaderRoute would add: remove that rule, or the step"
    return ""
