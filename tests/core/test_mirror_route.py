"""setMirrorRoute: copies of requests, which come with pods and where Gateways can make them, and go with the weight."""

from collections.abc import Mapping
from typing import Any

import pytest

from headgate.core.model import Decision, Unreadable
from headgate.core.model.actions import FilterEdit, RuleEdits, SetWeights
from headgate.core.model.traffic import GatewayFacts, RequestRules, RouteFacts
from headgate.core.replicas import weighted
from headgate.core.rollout.decide import decide
from headgate.core.strategies import planning, traits
from headgate.core.strategies.steps import Step
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic import propagation
from headgate.core.traffic.routers.gateway_api import header_routes, mirrors
from tests.core import answers, ways
from tests.core.test_header_route import header
from tests.core.ways import CANARY, STABLE, facts, known, parent, route, rule, service
from tests.core.worlds import A, B, World, Written, metric, policy

USERS: Mapping[str, Any] = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}
ELSEWHERE: Mapping[str, Any] = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "audit", "port": 80}}}
THEIRS: Mapping[str, Any] = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": CANARY, "port": 80}}}
ABLE = GatewayFacts("Gateway eg/public", "eg", frozenset({"HTTPRoute", mirrors.FEATURE}))
UNABLE = GatewayFacts("Gateway eg/public", "traefik", frozenset({"HTTPRoute", "HTTPRouteRequestMirror"}))
MESH = GatewayFacts("Service prod/web", "", frozenset())
UNKNOWN = GatewayFacts("Gateway eg/public", "", Unreadable("forbidden"))
SILENT = GatewayFacts("Gateway eg/public", "", Unreadable("timeout", passing=True))


def mirror(percentage: int = 50) -> Any:
    """Return a step that copies so many percent."""
    return {"setMirrorRoute": {"percentage": percentage}}


def copies(percent: int = 50) -> Mapping[str, Any]:
    """Return the filter that it means."""
    backend = {"group": "", "kind": "Service", "name": CANARY, "port": 80}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}}


def way(weight: int = 0, *filters: Mapping[str, Any], **changes: Any) -> RouteFacts:
    """Return a route of one rule with *filters*."""
    body: dict[str, Any] = {"matches": [], "backendRefs": [{"name": STABLE, "port": 80}]}
    body |= {"filters": list(filters)} if filters else {}
    places = tuple(
        at
        for at, one in enumerate(filters)
        if one["type"] == "RequestMirror" and one["requestMirror"]["backendRef"]["name"] == CANARY
    )
    found = {0: (filters, places)} if places else {}
    return route(rule(100 - weight, weight, body=body), **{"mirrors": found, "size": 1, **changes})


def token(percent: int = 50) -> str:
    """Return by what the filter is remembered."""
    return mirrors.token(way(), copies(percent))


def standing(percent: int = 50) -> tuple[str, ...]:
    """Return how it is remembered that it stands."""
    return (f"{token(percent)}:{percent}",) if percent else ()


def at(index: int, *plan: Written, pods: int = 5, ready: int | None = None, percent: int = 50, **changes: Any) -> World:
    """Return a canary at a step with copies of *percent* in effect for long; 0: none yet."""
    weight, since = changes.pop("weight", 0), changes.pop("since", 100)
    found = changes.pop("route", way(weight, *([copies(percent)] if percent else [])))
    able = changes.pop("gateways", (ABLE,))
    leads = service(CANARY, B, {B: pods if ready is None else ready})
    put = (token(percent),) if percent else ()
    remembered = known(weight, highest=min(100, weight + percent), managed_rules=standing(percent), planned_rules=put)
    changes = {"remembered": remembered, "ways": facts(canary=leads, route=found, gateways=able), **changes}
    return ways.routed(World().stable(10).canary(pods, ready), *plan, **changes).at_step(index, since=since)


def starts(*plan: Written, found: RouteFacts | None = None, gateways: Any = (ABLE,), **changes: Any) -> Decision:
    """Return what is decided of a new version."""
    there = facts(route=found or way(), gateways=gateways)
    return decide(ways.routed(World().stable(10).recorded(B).wants(B), *plan, ways=there, **changes).observe())


def written(decision: Decision) -> list[SetWeights]:
    """Return the writes to the route."""
    return [one for one in decision.actions if isinstance(one, SetWeights)]


def filtered(decision: Decision) -> list[tuple[Mapping[str, Any], ...]]:
    """Return the filters that are written."""
    return [edit.filters for one in written(decision) for edit in one.edits.filters]


# --- what it means ----------------------------------------------------------------------------------------------------


def test_the_plan() -> None:
    """A percentage holds until a step changes it, and no longer than somebody else has users."""
    plan = (mirror(), "pause", 20, mirror(0), mirror(10), 100)
    expected = (
        Step(0, mirror_percent=50, anew=True),
        Step(0, waits=True, mirror_percent=50),
        Step(20, mirror_percent=50),
        Step(20, anew=True),
        Step(20, mirror_percent=10, anew=True),
        Step(100),
    )
    assert expected == planning.planned(policy(*plan))


@pytest.mark.parametrize(("plan", "asks"), [((mirror(), 20), True), ((mirror(0), 20), False), ((20,), False)])
def test_who_is_asked_what_it_can_do(plan: Any, *, asks: bool) -> None:
    """Gateways matter to plans with copies alone."""
    assert asks is traits.mirrors(policy(*plan))


@pytest.mark.parametrize(
    ("weight", "percent", "pods"), [(0, 50, 5), (0, 1, 1), (20, 50, 7), (60, 60, 10), (0, 100, 10)]
)
def test_copies_are_load(weight: int, percent: int, pods: int) -> None:
    """They take the pods of as many requests, and never more than all."""
    assert pods == weighted.burdened(10, weight, percent)


# --- on its way -------------------------------------------------------------------------------------------------------


def test_pods_come_first() -> None:
    """As many as the copies need, and nothing is written before."""
    decision = starts(mirror(), 20)

    assert ({B: 5}, []) == (answers.sizes(decision), written(decision))
    said = answers.said(decision, "StepStarted")
    assert "step 1/3: 5 of 10 pods, weight 0 %, copies of 50 % of the requests" in said


@pytest.mark.parametrize(
    ("changes", "comes"),
    [
        ({}, True),
        ({"ready": 4}, False),
        ({"ready": 0}, False),
        ({"route": way(parents=(parent(current=False, accepted=False),))}, False),
        ({"gateways": (UNABLE,)}, False),
        ({"gateways": (UNKNOWN,)}, False),
        ({"gateways": (ABLE, MESH)}, False),
        ({"gateways": ()}, False),
    ],
)
def test_the_filter_comes_when_it_can(changes: Any, *, comes: bool) -> None:
    """Pods behind the canary Service, and Gateways that are known to do it; it is remembered before it is written."""
    decision = decide(at(1, mirror(), 20, since=None, percent=0, **changes).observe())

    edits = RuleEdits(filters=(FilterEdit(0, (), (copies(),)),))
    assert ([edits] if comes else []) == [one.edits for one in written(decision)]
    assert decision.status.traffic is not None
    assert ((token(),) if comes else ()) == decision.status.traffic.planned_rules
    assert 1 == answers.step(decision)


def test_the_users_filters_stay() -> None:
    """Ours stands behind them, and goes without them."""
    (comes,) = filtered(decide(at(1, mirror(), 20, since=None, percent=0, route=way(0, USERS, ELSEWHERE)).observe()))
    assert (USERS, ELSEWHERE, copies()) == comes

    (goes,) = filtered(decide(at(2, mirror(), mirror(0), 20, route=way(0, copies(), USERS)).observe()))
    assert (USERS,) == goes


def test_it_holds_once_it_was_accepted() -> None:
    """And the next step begins, which keeps it; its pods come first."""
    decision = decide(at(1, mirror(), 20).observe())

    assert (2, 20, {B: 7}) == (answers.step(decision), answers.weight(decision), answers.sizes(decision))
    assert [] == written(decision)


@pytest.mark.parametrize(("ready", "weight"), [(7, 20), (6, None)])
def test_a_weight_comes_with_pods_for_both(ready: int, weight: int | None) -> None:
    """While requests are copied, those of the weight need pods of their own."""
    decision = decide(at(2, mirror(), 20, pods=7, ready=ready, since=None).observe())

    assert ([weight] if weight else []) == [one.percent for one in written(decision) if one.percent]


@pytest.mark.parametrize(("ready", "weight"), [(8, 25), (7, None)])
def test_nothing_between_two_steps(ready: int, weight: int | None) -> None:
    """A bounded surge moves users as pods allow, but not beside copies."""
    world = at(2, mirror(), 25, pods=8, ready=ready, since=None, surge=8)
    decision = decide(world.observe())

    assert ([weight] if weight else []) == [one.percent for one in written(decision) if one.percent]


def test_another_percentage() -> None:
    """One filter takes the place of the other, once there are the pods; none go before what was has drained."""
    fewer = decide(at(1, mirror(), mirror(20), 20).observe())
    assert [(copies(20),)] == filtered(fewer)
    assert {} == answers.sizes(fewer)

    few = decide(at(2, mirror(), mirror(80), 20, since=None).observe())
    assert ([], {B: 8}) == (filtered(few), answers.sizes(few))
    enough = decide(at(2, mirror(), mirror(80), 20, pods=8, since=None).observe())
    assert [(copies(80),)] == filtered(enough)
    assert enough.status.traffic is not None
    assert {token(), token(80)} == set(enough.status.traffic.planned_rules)


@pytest.mark.parametrize(("drained", "pods"), [(False, 5), (True, 2)])
def test_pods_of_fewer_copies_go_after_the_drain(*, drained: bool, pods: int) -> None:
    """What a Gateway may still copy has somebody to take it."""
    put = (token(), token(20))
    world = at(1, mirror(20), 20, percent=20, since=None)
    since = ways.LONG_AGO if drained else int(world.now - 5)
    status = known(0, since=since, highest=50, managed_rules=standing(20), planned_rules=put)
    decision = decide(world.with_status(traffic=status).observe())

    assert pods == answers.sizes(decision).get(B, 5)


@pytest.mark.parametrize(("weight", "percent", "high"), [(0, 50, 50), (20, 50, 70), (60, 60, 100), (20, 0, 20)])
def test_what_may_be_in_effect(weight: int, percent: int, high: int) -> None:
    """Copies count as much as requests."""
    put = (token(percent),)
    found = propagation.observe_weights(
        known(weight, highest=weight, planned_rules=put, managed_rules=standing(percent)),
        facts(route=way(weight, *([copies(percent)] if percent else []))),
        A,
        30,
        World().now,
    )
    assert (weight, high) == (found.weight, found.highest)


@pytest.mark.parametrize(
    ("leads", "stays"),
    [
        (service(CANARY, B, {B: 1}), True),
        (service(CANARY, B, {}), False),
        (service(CANARY, B, ways.UNREADABLE), True),
    ],
)
def test_the_filter_goes_with_its_pods(leads: Any, *, stays: bool) -> None:
    """Copies for nobody may cost a Gateway time; fewer pods than there should be keep theirs, as with a weight."""
    there = facts(canary=leads, route=way(0, copies()), gateways=(ABLE,))
    decision = decide(at(1, mirror(), 20, ways=there).observe())

    assert ([] if stays else [()]) == filtered(decision)


@pytest.mark.parametrize(
    ("gateways", "stays"), [((SILENT,), True), ((UNKNOWN,), False), ((UNABLE,), False), ((ABLE, MESH), False)]
)
def test_a_gateway_that_can_no_more(gateways: Any, *, stays: bool) -> None:
    """Where the route is moved to another Gateway the filter goes; an API server that is away changes nothing."""
    decision = decide(at(1, mirror(), 20, gateways=gateways).observe())

    assert ([] if stays else [()]) == filtered(decision)
    assert "MirrorUnsupported" == answers.ready(decision)[0]


def test_somebody_takes_it_away() -> None:
    """It is put back and told, and evidence begins anew."""
    decision = decide(at(1, mirror(), 20, route=way(writer="gitops"), metrics=(metric(),)).observe())

    assert [(copies(),)] == filtered(decision)
    assert "gitops changed HTTPRoute web; put back" == answers.said(decision, "TrafficRepaired")
    assert decision.status.weight is not None
    assert decision.status.weight.since is None


def test_beside_a_header() -> None:
    """Who is led to the canary needs no copy there: the companion has the user's filters alone."""
    beta = ("x-beta", "Exact", "1")
    plain = header_routes.companions(way(0, USERS), RequestRules((beta,)), CANARY)
    assert plain == header_routes.companions(way(0, USERS, copies()), RequestRules((beta,)), CANARY)
    bare = header_routes.companions(way(0), RequestRules((beta,)), CANARY)
    assert bare == header_routes.companions(way(0, copies()), RequestRules((beta,)), CANARY)

    decision = decide(at(2, header(), mirror(), 20, pods=6, percent=0, since=None).observe())
    (write,) = written(decision)
    assert (1, 1) == (len(write.edits.adds), len(write.edits.filters))


def test_a_rule_that_is_ours_no_more() -> None:
    """A filter of ours in a rule that does not name the stable Service any more goes."""
    left = route(rule(index=1, body={}), mirrors={0: ((copies(), USERS), (0,))})

    edits = mirrors.edits(left, 50, (token(),), CANARY)
    assert (FilterEdit(0, (copies(), USERS), (USERS,)), FilterEdit(1, (), (copies(),))) == edits


def test_twice_is_once_too_often() -> None:
    """The same filter twice is one too many, and ours beside one of the user's to the same Service is as well."""
    (edit,) = mirrors.edits(way(0, copies(), USERS, copies()), 50, (token(),), CANARY)
    assert (USERS, copies()) == edit.filters

    (edit,) = mirrors.edits(way(0, copies(), THEIRS, copies()), 50, (token(),), CANARY)
    assert (THEIRS,) == edit.filters
    assert () == mirrors.edits(way(0, THEIRS), 50, (token(),), CANARY)


@pytest.mark.parametrize("change", [{"percent": 5}, {}])
def test_somebody_changes_how_much_is_copied(change: dict[str, int]) -> None:
    """It is ours all the same: put right on its way, and taken away with everything else."""
    changed = {
        "type": "RequestMirror",
        "requestMirror": {"backendRef": copies()["requestMirror"]["backendRef"], **change},
    }
    assert change.get("percent", 100) == mirrors.standing([way(0, changed)], (token(),))
    (right,) = mirrors.edits(way(0, changed), 50, (token(),), CANARY)
    (gone,) = mirrors.edits(way(0, changed), 0, (token(),), CANARY)

    assert ((copies(),), ()) == (right.filters, gone.filters)


@pytest.mark.parametrize(("pods", "selects"), [(0, A), (1, "")])
def test_a_service_without_pods_leads_to_stable(pods: int, selects: str) -> None:
    """Where a step has left no pod: a Gateway that hears of the next weight first sends nobody into the void."""
    seen = ways.at_weight(0, pods, ways={"canary": service(CANARY, B, {B: pods})})

    assert selects == traffic_plan.forward(seen).canary_selects
