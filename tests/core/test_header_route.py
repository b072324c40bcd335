"""setHeaderRoute: rules of a route for requests with a header, which come with pods and go before everything else."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.steps import HeaderMatch
from headgate.core.model import Decision
from headgate.core.model.actions import RuleEdits, SetWeights
from headgate.core.model.traffic import RequestRuleFacts, RequestRules, RouteFacts
from headgate.core.rollout.decide import decide
from headgate.core.strategies import headers, planning
from headgate.core.strategies.steps import Step
from headgate.core.traffic.routers.gateway_api import header_matches, header_routes
from tests.core import answers, ways
from tests.core.ways import CANARY, STABLE, facts, known, parent, route, rule, service
from tests.core.worlds import B, World, Written, metric, policy

BETA, STAFF = ("x-beta", "Exact", "1"), ("x-staff", "Exact", "yes")
BODY: Mapping[str, Any] = {
    "name": "all",
    "matches": [{"path": {"type": "PathPrefix", "value": "/shop"}}],
    "filters": [{"type": "RequestHeaderModifier"}],
    "backendRefs": [{"name": STABLE, "port": 80}],
}


def header(name: str = "beta", *match: Any) -> Any:
    """Return a step that leads requests with a header to the canary."""
    written = match or ({"headerName": f"x-{name}", "headerValue": {"exact": "1" if name == "beta" else "yes"}},)
    return {"setHeaderRoute": {"name": name, "match": list(written)}}


def over(name: str = "beta") -> Any:
    """Return a step that ends that."""
    return {"setHeaderRoute": {"name": name}}


def way(weight: int = 0, *added: Mapping[str, Any], **changes: Any) -> RouteFacts:
    """Return a route of one rule, and behind it rules that lead to the canary Service alone."""
    beside = tuple(RequestRuleFacts(1 + at, body) for at, body in enumerate(added))
    return route(rule(100 - weight, weight, body=BODY), extras=beside, size=1 + len(added), **changes)


COMPANION = header_routes.companions(way(), RequestRules((BETA,)), CANARY)
((TOKEN, ADDED),) = COMPANION.items()


def at(
    index: int, *plan: Written, pods: int = 1, ready: int | None = None, added: bool = True, **changes: Any
) -> World:
    """Return a canary at a step whose rules stand in the route, or do not yet."""
    weight, since = changes.pop("weight", 0), changes.pop("since", 100)
    found = changes.pop("route", way(weight, ADDED) if added else way(weight))
    leads = service(CANARY, B, {B: pods if ready is None else ready})
    remembered = known(
        weight,
        highest=max(weight, int(added)),
        managed_rules=(TOKEN,) if added else (),
        planned_rules=(TOKEN,) if added else (),
    )
    changes = {"remembered": remembered, "ways": facts(canary=leads, route=found), **changes}
    world = World().stable(10).canary(pods, ready)
    return ways.routed(world, *plan, **changes).at_step(index, since=since)


def written(decision: Decision) -> list[SetWeights]:
    """Return the writes to the route."""
    return [one for one in decision.actions if isinstance(one, SetWeights)]


# --- what it means ----------------------------------------------------------------------------------------------------


def test_the_plan() -> None:
    """A route holds until a step ends it by its name, and no longer than there are requests to tell apart."""
    plan = (header(), "pause", header("staff"), over(), 20, over("staff"), header(), 100)
    expected = (
        Step(0, headers=(BETA,), anew=True),
        Step(0, waits=True, headers=(BETA,)),
        Step(0, headers=(BETA, STAFF), anew=True),
        Step(0, headers=(STAFF,), anew=True),
        Step(20, headers=(STAFF,)),
        Step(20, anew=True),
        Step(20, headers=(BETA,), anew=True),
        Step(100),
    )
    assert expected == planning.planned(policy(*plan))


@pytest.mark.parametrize(
    ("value", "expected", "fits", "unfit"),
    [
        ({"exact": "1"}, ("x", "Exact", "1"), "", ""),
        ({"prefix": "a.b"}, ("x", "RegularExpression", "^a\\.b.*"), "a.b-c", "aXb"),
        (
            {"regex": "^(.*; ?)?beta=1(;.*)?$"},
            ("x", "RegularExpression", "^(.*; ?)?beta=1(;.*)?$"),
            "a=2; beta=1",
            "xbeta=1",
        ),
    ],
)
def test_values(value: Any, expected: Any, fits: str, unfit: str) -> None:
    """An expression means the same to Gateways that search a value and to those that hold it against all of it."""
    match = HeaderMatch.model_validate({"headerName": "x", "headerValue": value})

    ((name, kind, pattern),) = headers.united([[match, match]])
    assert expected == (name, kind, pattern)
    if kind == headers.REGEX:
        assert (True, True) == (bool(re.search(pattern, fits)), bool(re.fullmatch(pattern, fits)))
        assert (False, False) == (bool(re.search(pattern, unfit)), bool(re.fullmatch(pattern, unfit)))


def test_a_companion_is_its_rule_for_fewer_requests() -> None:
    """It has all of it but its name, and leads to the canary Service alone; each header is enough."""
    (body,) = header_routes.companions(way(), RequestRules((BETA, STAFF)), CANARY).values()

    prefix = {"path": {"type": "PathPrefix", "value": "/shop"}}
    entries = [{"type": "Exact", "name": name, "value": value} for name, _, value in (BETA, STAFF)]
    assert body == {
        "matches": [{**prefix, "headers": [entry]} for entry in entries],
        "filters": BODY["filters"],
        "backendRefs": [{"name": CANARY, "port": 80, "weight": 1}],
    }
    assert [{**header_matches.EVERYTHING[0], "headers": [entries[0]]}] == header_matches.narrowed((), (BETA,))


# --- on its way -------------------------------------------------------------------------------------------------------


def test_pods_come_first() -> None:
    """At no weight, too: somebody has to be there for who has the header."""
    world = World().stable(10).recorded(B).wants(B)
    decision = decide(ways.routed(world, header(), 20, ways=facts(route=way())).observe())

    assert ({B: 1}, []) == (answers.sizes(decision), written(decision))
    assert "0 of 1 canary pods ready" == answers.ready(decision)[1]
    assert "step 1/3: 1 of 10 pods, weight 0 %, requests with x-beta" in answers.said(decision, "StepStarted")


@pytest.mark.parametrize(
    ("changes", "comes"),
    [
        ({}, True),
        ({"ready": 0}, False),
        ({"route": way(parents=(parent(accepted=False, words="no"),))}, False),
        ({"route": way(parents=(parent(current=False, accepted=False),))}, False),
    ],
)
def test_the_rule_comes_when_it_can(changes: Any, *, comes: bool) -> None:
    """Pods behind the canary Service, and Gateways that answer; it is remembered before it is written."""
    decision = decide(at(1, header(), 20, since=None, added=False, **changes).observe())

    edits = RuleEdits((), (ADDED,))
    assert ([SetWeights("HTTPRoute", "web", None, edits=edits)] if comes else []) == [
        SetWeights(one.kind, one.name, None, edits=one.edits) for one in written(decision)
    ]
    assert decision.status.traffic is not None
    assert ((TOKEN,) if comes else ()) == decision.status.traffic.planned_rules
    assert 1 == answers.step(decision)


@pytest.mark.parametrize(
    ("leads", "stays"),
    [
        (service(CANARY, B, {B: 1}), True),
        (service(CANARY, B, {}), False),
        (service(CANARY, B, ways.UNREADABLE), True),
        (service(CANARY), False),
        (service(CANARY, "eeeeeeeeee", {B: 1}), True),
        (ways.UNREADABLE, True),
    ],
)
def test_the_rule_goes_with_its_pods(leads: Any, *, stays: bool) -> None:
    """Who has the header gets stable's answers rather than none."""
    world = at(1, header(), 20, ways=facts(canary=leads, route=way(0, ADDED)))

    assert stays is not any(one.edits.drops for one in written(decide(world.observe())))


def test_it_holds_once_it_was_accepted() -> None:
    """And the next step begins, which keeps it."""
    decision = decide(at(1, header(), 20).observe())

    assert (2, 20) == (answers.step(decision), answers.weight(decision))
    assert not [one for one in written(decision) if one.edits]


def test_a_rule_that_follows_the_users() -> None:
    """Where the rule beside it is changed, so is it."""
    stale = {**ADDED, "filters": []}
    (write,) = written(decide(at(1, header(), 20, route=way(0, stale)).observe()))

    assert RuleEdits((RequestRuleFacts(1, stale),), (ADDED,)) == write.edits


def test_it_ends_by_its_name() -> None:
    """The rule goes; its pod stays until nobody can be sent there any more."""
    world = at(2, header(), over(), 20)
    (write,) = written(decide(world.observe()))
    assert (RuleEdits((RequestRuleFacts(1, ADDED),)), None) == (write.edits, write.percent or None)

    gone = at(2, header(), over(), 20, added=False, since=None)
    status = known(0, since=int(gone.now - 5), highest=1, planned_rules=(TOKEN,))
    decision = decide(gone.with_status(traffic=status).observe())
    assert ({}, "1 canary pods, going down to 0") == (answers.sizes(decision), answers.ready(decision)[1])


def test_somebody_takes_it_away() -> None:
    """It is put back and told, and evidence begins anew."""
    taken = at(1, header(), 20, route=way(writer="gitops"), metrics=(metric(),))
    decision = decide(taken.observe())

    assert [RuleEdits((), (ADDED,))] == [one.edits for one in written(decision)]
    assert "gitops changed HTTPRoute web; put back" == answers.said(decision, "TrafficRepaired")
    assert decision.status.weight is not None
    assert decision.status.weight.since is None


def test_what_looks_like_ours_is_the_users() -> None:
    """Before anything moves it is told; and what it leads to is never touched."""
    world = World().stable(10).recorded(B).wants(B)
    decision = decide(ways.routed(world, header(), 20, ways=facts(route=way(0, ADDED))).observe())

    assert ("RouteRuleTaken", []) == (answers.ready(decision)[0], written(decision))
    assert "rule 1 of HTTPRoute web is what setHeaderRoute would add" in answers.ready(decision)[1]


@pytest.mark.parametrize(
    ("body", "size", "steps_taken", "says"),
    [
        (
            {**BODY, "matches": [{"headers": [{"name": "X-Beta", "value": "2"}]}]},
            1,
            (header(),),
            "matches the header x-beta already",
        ),
        (BODY, 16, (header(),), "has 16 rules, and would have 1 more"),
        ({**BODY, "matches": [{}] * 33}, 1, (header(), header("staff")), "would have 66 matches"),
        (
            {**BODY, "filters": [{"urlRewrite": {"path": {"type": "ReplacePrefixMatch"}}}]},
            1,
            (header(), header("staff")),
            "rewrites a prefix",
        ),
    ],
)
def test_routes_that_cannot_hold_it(body: Any, size: int, steps_taken: tuple[Any, ...], says: str) -> None:
    """It is told before anything moves, with what would help."""
    found = route(rule(body=body), size=size)
    world = World().stable(10).recorded(B).wants(B)
    reason, words = answers.ready(decide(ways.routed(world, *steps_taken, 20, ways=facts(route=found)).observe()))

    assert "RouteRulesUnfit" == reason
    assert says in words


# --- going back -------------------------------------------------------------------------------------------------------


def test_abort_takes_it_in_its_first_write() -> None:
    """Weights, rules and the mark: one patch, before anything else; pods stay for the drain."""
    decision = decide(at(2, header(), 20, pods=5, weight=20).told(abort=B).observe())
    first = decision.actions[0]

    assert isinstance(first, SetWeights)
    assert (0, (RequestRuleFacts(1, ADDED),), True) == (first.percent, first.edits.drops, bool(first.rejected))
    assert {B: 5} == answers.sizes(decision)


@pytest.mark.parametrize(("home", "goes"), [({}, False), ({"aaaaaaaaaa": 1}, False), (None, True)])
def test_without_a_stable_endpoint_it_waits(home: Any, *, goes: bool) -> None:
    """Stable's answers, or the canary's, but never none."""
    ours = service() if home is None else service(endpoints=home)
    ways_now = facts(stable=ours, canary=service(CANARY, B, {B: 1}), route=way(0, ADDED))
    decision = decide(at(1, header(), 20, ways=ways_now).leaving().observe())

    assert goes is any(one.edits.drops for one in written(decision))


@pytest.mark.parametrize(
    ("changes", "pods"),
    [({"rules": (TOKEN,)}, 5), ({"rules": (), "since": -5}, 5), ({"rules": (), "highest": 0}, 0)],
)
def test_pods_go_after_the_drain(changes: Any, pods: int) -> None:
    """However many there are, for nobody knows how many requests they get."""
    added = bool(changes["rules"])
    world = at(1, header(), 20, pods=5, added=added).leaving(since=60)
    since = int(world.now + changes["since"]) if "since" in changes else ways.LONG_AGO
    status = known(
        0, since=since, planned_rules=(TOKEN,), managed_rules=changes["rules"], highest=changes.get("highest", 1)
    )
    decision = decide(world.with_status(traffic=status).observe())

    assert {B: pods} == answers.sizes(decision)


def test_it_has_not_left_while_its_rules_stand() -> None:
    """A route that refuses the write keeps the canary."""
    world = at(1, header(), 20, pods=1).leaving(since=60).deployment(B, 0)

    assert decide(world.observe()).status.canary is not None


def test_at_rest_nothing_of_it_is_left() -> None:
    """What a lost write leaves behind goes, and is then forgotten."""
    left = known(0, managed_rules=(TOKEN,), planned_rules=(TOKEN,))
    world = ways.routed(World().stable(10), 20, ways=facts(route=way(0, ADDED)), remembered=left)
    decision = decide(world.observe())
    assert [(RequestRuleFacts(1, ADDED),)] == [one.edits.drops for one in written(decision)]

    bare = ways.routed(World().stable(10), 20, ways=facts(route=way()), remembered=known(0, planned_rules=(TOKEN,)))
    status = decide(bare.observe()).status.traffic
    assert status is not None
    assert ((), ()) == (status.managed_rules, status.planned_rules)


@pytest.mark.parametrize("unread", [True, False])
def test_what_cannot_be_read_is_not_forgotten(*, unread: bool) -> None:
    """Our rule may stand there all the same."""
    found = ways.UNREADABLE if unread else way()
    bare = ways.routed(World().stable(10), 20, ways=facts(route=found), remembered=known(0, planned_rules=(TOKEN,)))
    status = decide(bare.observe()).status.traffic

    assert status is not None
    assert ((TOKEN,) if unread else ()) == status.planned_rules


@pytest.mark.parametrize(("follows", "back"), [(False, True), (True, False)])
def test_a_gateway_that_refuses_it(follows: Any, *, back: bool) -> None:
    """What users get from such a route nobody knows: it goes back at once."""
    answer = parent(accepted=False, follows=follows, words="UnsupportedValue: no")
    decision = decide(at(1, header(), 20, route=way(0, ADDED, parents=(answer,))).observe())

    assert (api.Ending.ROLLED_BACK if back else None) is answers.ending(decision)
    assert back is bool(written(decision))


def test_of_no_pods_nobody_is_told_apart() -> None:
    """Without replicas there is nothing to lead to, and nothing to wait for."""
    world = at(1, header(), 20, pods=0, added=False).but(replicas=0)
    world = world.stable(0).with_status(min_replicas=0)
    decision = decide(world.observe())

    assert [] == [one for one in written(decision) if one.edits]
