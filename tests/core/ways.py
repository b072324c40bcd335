"""Services, routes and Gateways to decide on, and the Rollouts that they belong to.

Owns what a possible one looks like: unless told otherwise everything is as Headgate leaves it at rest.
"""

from collections.abc import Mapping
from typing import Any, Final

from headgate.api import names, spec
from headgate.api import status as api
from headgate.api.traffic import Traffic
from headgate.core import model
from headgate.core.model.traffic import ParentFacts, RouteFacts, RuleFacts, ServiceFacts, TrafficFacts
from headgate.core.replicas import pod_budget
from headgate.core.traffic import plan as traffic_plan
from tests.core.worlds import NOON, SELECTED, A, B, World, Written, policy

STABLE, CANARY = "web", "web-canary"
HTTP: Final[Mapping[str, Any]] = {"name": "http", "port": 80, "targetPort": 8080}
LONG_AGO: Final = NOON - 9000
DRAIN: Final = 30
TRAFFIC: Final = Traffic.model_validate(
    {
        "stableService": STABLE,
        "canaryService": CANARY,
        "gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": "web"}]},
        "drain": f"{DRAIN}s",
    }
)


def service(name: str = STABLE, selects: str = A, endpoints: Any = None, **changes: Any) -> ServiceFacts:
    """Return a Service of ours that selects a revision and leads to ten of its pods."""
    key = {names.POD_HASH: selects} if selects else {}
    found = {selects: 10} if endpoints is None else endpoints
    fields = {
        "uid": f"uid-of-{name}",
        "resource_version": "1",
        "holder": "web",
        "labelled": True,
        "selector": {**SELECTED, **key},
        "ports": (HTTP,),
        "writer": "",
        **changes,
    }
    return ServiceFacts(name=name, endpoints=found, **fields)


def rule(stable: int = 100, canary: int | None = 0, foreign: int = 0, **changes: Any) -> RuleFacts:
    """Return a rule with these weights; without a backendRef for the canary where that is None."""
    fields = {
        "index": 0,
        "stable_at": 0,
        "canary_at": None if canary is None else 1,
        "ports": (80,),
        "reference": {"name": STABLE, "port": 80},
        **changes,
    }
    return RuleFacts(stable_weight=stable, canary_weight=canary or 0, foreign_weight=foreign, **fields)


def parent(**changes: Any) -> ParentFacts:
    """Return the answer of a Gateway that has accepted the route as it is now."""
    return ParentFacts(**{"name": "Gateway eg/public", "current": True, "accepted": True, **changes})


def route(*rules: RuleFacts, parents: tuple[ParentFacts, ...] | None = None, **changes: Any) -> RouteFacts:
    """Return the HTTPRoute web with *rules*."""
    fields = {
        "kind": "HTTPRoute",
        "name": "web",
        "uid": "uid-of-route",
        "resource_version": "1",
        "generation": 7,
        "labelled": True,
        "labels": True,
        "annotations": True,
        "rejected": "",
        "missing_rules": (),
        "parent_refs": ("Gateway eg/public",),
        "writer": "",
        **changes,
    }
    return RouteFacts(rules=rules or (rule(),), parents=(parent(),) if parents is None else parents, **fields)


def facts(**changes: Any) -> TrafficFacts:
    """Return all ways, at rest; *changes* may give the one route as ``route``."""
    one = changes.pop("route", route())
    routes = {("HTTPRoute", "web"): one}
    fields = {"stable": service(), "canary": service(CANARY), "routes": routes, **changes}
    return TrafficFacts(**fields)


def known(weight: int = 0, since: int | None = LONG_AGO, **changes: Any) -> api.TrafficStatus:
    """Return what the status remembers: *weight* in effect everywhere, everything else drained long ago."""
    fields = {"lowest": weight, "highest": weight, "stable_since": LONG_AGO, **changes}
    return api.TrafficStatus(weight=weight, since=since, **fields)


def pods(
    wanted: int, ready: int | None = None, existing: int | None = None, *, settled: bool = True
) -> pod_budget.Pods:
    """Return so many pods, all of them there and ready unless said otherwise."""
    there = wanted if existing is None else existing
    return pod_budget.Pods(wanted, there, wanted if ready is None else ready, settled)


def view(surge: int = 10, total: int = 10, unavailable: int = 0, **changes: Any) -> traffic_plan.View:
    """Return what a plan is made from: ten stable pods that carry everything."""
    fields = {
        "now": NOON,
        "facts": facts(),
        "status": known(),
        "drain_seconds": DRAIN,
        "stable_hash": A,
        "stable": pods(total),
        **changes,
    }
    return traffic_plan.View(budget=pod_budget.Budget(total, surge, unavailable), **fields)


def at_weight(weight: int, wanted: int, asked: int | None = None, **changes: Any) -> traffic_plan.View:
    """Return a canary of *wanted* pods with *weight*, in effect everywhere for long, on its way to what was *asked*."""
    found = {"canary": service(CANARY, B, {B: wanted}), "route": route(rule(100 - weight, weight))}
    ways = facts(**{**found, **changes.pop("ways", {})})
    wished = weight if asked is None else asked
    fields = {"facts": ways, "status": known(weight), "other_hash": B, "other": pods(wanted), "weight": wished}
    return view(**{**fields, **changes})


def routed(world: World, *plan: Written, ways: TrafficFacts | None = None, **changes: Any) -> World:
    """Return *world* with a router, whose policy is *plan* and whose ways are at rest unless given."""
    remembered = changes.pop("remembered", known())
    strategy = policy(*plan, surge=changes.pop("surge", "100%"), **changes)
    world = world.ruled(strategy.model_copy(update={"traffic": TRAFFIC}))
    return world.but(traffic=ways or facts()).with_status(traffic=remembered)


def in_flight(weight: int = 20, wanted: int = 2, *, metrics: tuple[spec.Metric, ...] = (), **changes: Any) -> World:
    """Return a world with a router in which the canary has *weight* since 100 s, in effect everywhere."""
    seen = at_weight(weight, wanted)
    world = World().stable(10).canary(wanted)
    world = routed(world, weight, 50, ways=changes.pop("ways", seen.facts), remembered=known(weight), metrics=metrics)
    return world.but(**changes).at_step(1, since=100)


def warm(world: World | None = None, until: int | None = NOON + 200, **changes: Any) -> World:
    """Return a world in which revision B was promoted 100 s ago and A is kept warm."""
    base = world or World()
    base = base.deployment(A, 10).deployment(B, 10).wants(B)
    side = api.Side(revision=2, hash=B, replicas=10, ready=10, progress=_whole())
    kept = api.Previous(
        revision=1,
        hash=A,
        replicas=10,
        ready=10,
        promoted=NOON - 100,
        started=NOON - 900,
        until=until,
        progress=_whole(),
    )
    ways = changes.pop("ways", facts(stable=service(STABLE, B), canary=service(CANARY, B)))
    base = routed(base, 20, ways=ways, **changes)
    return base.with_status(stable=side, previous=kept)


def _whole() -> api.Progress:
    return api.Progress(desired=10, ready=10, since=NOON - 5000)


UNREADABLE: Final = model.Unreadable("forbidden")
