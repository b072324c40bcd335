"""The writes about traffic that follow from a plan."""

from headgate.core.model import Notice, Unreadable
from headgate.core.model.actions import (
    Action,
    CreateService,
    ReleaseService,
    RuleEdits,
    SelectRevision,
    SetWeights,
    WatchRoute,
)
from headgate.core.model.traffic import RouteFacts, ServiceFacts
from headgate.core.revisions import history, identity
from headgate.core.rollout import prescaling
from headgate.core.rollout.state import Situation
from headgate.core.traffic import problems as traffic_problems
from headgate.core.traffic.plan import Plan
from headgate.core.traffic.routers.gateway_api import header_routes, route_weights


def _mark(situation: Situation) -> str:
    canary = situation.canary
    if canary is None or canary.abort is None or canary.abort.ending not in history.REJECTING:
        return ""
    return identity.attempt(canary.hash, canary.started)


def _weighed(situation: Situation, route: RouteFacts, plan: Plan) -> list[Action]:
    off = plan.percent is not None and any(not route_weights.at(rule, plan.percent) for rule in route.rules)
    edits = _edited(situation, route, plan)
    if off or edits:
        mark = _mark(situation)
        return [SetWeights(route.kind, route.name, plan.percent, mark if route.rejected != mark else "", edits)]
    return [] if route.labelled or route.deleting else [WatchRoute(route.kind, route.name)]


def _edited(situation: Situation, route: RouteFacts, plan: Plan) -> RuleEdits:
    if plan.extras is None or situation.view is None:
        return RuleEdits()
    put, service = remembered(situation), situation.view.canary_service
    if not set(header_routes.tokens([route], plan.extras, service)) <= set(put):
        return RuleEdits()  # what is not remembered first would never be taken away
    return header_routes.edits(route, plan.extras, put, service)


def remembered(situation: Situation) -> tuple[str, ...]:
    """Return which rules of the routes are ours: no longer, already, or soon."""
    view, plan, known = situation.view, situation.routing, situation.status.traffic
    if known is None or view is None or plan is None or (plan.extras is None and not known.planned_rules):
        return known.planned_rules if known is not None else ()
    return header_routes.remembered(view, plan, in_flight=situation.in_flight)


def _service(
    situation: Situation, name: str, service: ServiceFacts | Unreadable | None, selects: str, leads_to: str
) -> list[Action]:
    if service is None:
        ports = traffic_problems.ports_to_create(situation.seen)
        return [CreateService(name, leads_to, ports)] if ports else []
    ours = ("", identity.label_value(situation.seen.rollout.name))
    if isinstance(service, ServiceFacts) and service.holder in ours and _due(situation, service, selects):
        return [SelectRevision(name, selects or service.selects)]
    return []


def _due(situation: Situation, service: ServiceFacts, selects: str) -> bool:
    """Return whether *service* is to be written: for another selection, or for the labels by which we watch it."""
    # Our key on a Service that selects other pods would leave it without any.
    fit = traffic_problems.selects_ours(situation.seen, service) and not service.deleting
    return fit and (bool(selects) or not service.labelled)


def actions(situation: Situation) -> list[Action]:
    """Return the writes that bring routes and Services to the plan; going back, they come before everything else."""
    plan, facts, stable, policy = situation.routing, situation.seen.traffic, situation.stable, situation.seen.policy
    if facts is None:
        return []
    former: list[Action] = [ReleaseService(service.name) for service in facts.former]
    if plan is None or stable is None or policy is None or policy.traffic is None:
        return former
    weights = [action for route in facts.known_routes for action in _weighed(situation, route, plan)]
    freed = plan.canary_selects or prescaling.vacated(situation)
    # The way to stable first, then who is sent along it; the canary's own is nobody's hurry.
    return [
        *_service(situation, policy.traffic.stable_service, facts.stable, plan.stable_selects, stable.hash),
        *weights,
        *_service(situation, policy.traffic.canary_service, facts.canary, freed, stable.hash),
        *former,
    ]


def repairs(situation: Situation) -> tuple[Notice, ...]:
    """Return what is said of changes that somebody else made to routes and Services."""
    found, before = situation.status.traffic, situation.seen.status.traffic
    if found is None or found.drift_last_time is None:
        return ()
    # Both: two changes may come in one second.
    if before is not None and (before.drift_last_time, before.drift_count) == (
        found.drift_last_time,
        found.drift_count,
    ):
        return ()
    return (Notice("TrafficRepaired", f"{found.drift_by}; put back", warning=True),)
