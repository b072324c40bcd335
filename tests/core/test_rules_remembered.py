"""What is remembered of rules in routes stays within what a status can hold, and nothing is added without it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.api.status import RULES_MAX, RULES_PUT_MAX, Abort, Ending, RolloutStatus
from headgate.core.model import Decision
from headgate.core.model.traffic import RequestRuleFacts, RouteFacts
from headgate.core.revisions import identity
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from headgate.core.traffic.routers.gateway_api import header_routes, mirrors
from tests.core import answers, ways
from tests.core.test_header_route import ADDED, BODY, TOKEN, at, header, way, written
from tests.core.test_mirror_route import copies
from tests.core.ways import CANARY, known, route, rule, service
from tests.core.worlds import B

OLD = tuple(identity.digest(f"old {number}") for number in range(RULES_PUT_MAX))
"""Of rules that a long rollout put into routes, and that stand nowhere any more."""


def put(decision: Decision) -> tuple[str, ...]:
    """Return which rules are remembered, as the API server would store them."""
    stored = RolloutStatus.model_validate(decision.status.written())
    assert stored.traffic is not None
    return stored.traffic.planned_rules


def ours(number: int) -> Mapping[str, Any]:
    """Return one of many rules that an earlier step may have added."""
    return {**ADDED, "matches": [{"path": {"value": f"/{number}"}}]}


def test_what_stands_nowhere_makes_room() -> None:
    """The oldest is forgotten for a new one, and only as many as that takes."""
    world = at(1, header(), 20, added=False, remembered=known(0, planned_rules=OLD))
    decision = decide(world.observe())

    assert put(decision) == (*OLD[1:], TOKEN)
    assert [(ADDED,)] == [one.edits.adds for one in written(decision)]


def test_what_stands_is_never_forgotten_for_it() -> None:
    """Rules of ours in a route have to be taken away one day, however old they are."""
    standing = way(0, ours(1), ours(2))
    (one, two) = (header_routes.token(standing, extra.body) for extra in standing.extras)
    remembered = known(0, managed_rules=(one, two), highest=1, planned_rules=(one, *OLD[:997], two, OLD[998]))
    world = at(1, header(), 20, added=False, route=standing, remembered=remembered)
    decision = decide(world.observe())

    assert put(decision) == (one, *OLD[1:997], two, OLD[998], TOKEN)
    assert [(ADDED,)] == [write.edits.adds for write in written(decision)]


@pytest.mark.parametrize("leaving", [False, True], ids=["forward", "back"])
def test_what_cannot_be_remembered_is_not_added(*, leaving: bool) -> None:
    """With no room the step waits and says why; going back takes all of them away all the same."""
    standing = way(0, *(ours(number) for number in range(RULES_PUT_MAX)))
    tokens = tuple(header_routes.token(standing, extra.body) for extra in standing.extras)
    remembered = known(0, managed_rules=header_routes.held([standing], tokens), highest=1, planned_rules=tokens)
    world = at(1, header(), 20, added=False, route=standing, remembered=remembered)
    if leaving:
        canary = world.status.canary
        assert canary is not None
        why = Abort(reason="Aborted", message="", ending=Ending.ABORTED, since=int(world.now))
        world = world.with_status(canary=canary.model_copy(update={"abort": why}))
    decision = decide(world.observe())

    assert put(decision) == tokens
    assert [] == [added for one in written(decision) for added in one.edits.adds]
    if leaving:
        assert [len(tokens)] == [len(one.edits.drops) for one in written(decision)]
    else:
        reason, words = answers.ready(decision)
        assert reason == "RouteRulesUnfit"
        assert "the routes hold 1000 rules and filters of earlier steps, and 1001 would be more than the 1000" in words
        assert f"take out of the routes what leads to {CANARY}" in words


def test_what_cannot_be_read_is_not_forgotten_for_it() -> None:
    """Where one route cannot be read, rules of ours may stand in it: nothing makes room for new ones."""
    leads = ways.facts(canary=service(CANARY, B, {B: 1}), route=way(0))
    facts = dataclasses.replace(leads, routes={**leads.routes, ("HTTPRoute", "api"): ways.UNREADABLE})
    decision = decide(at(1, header(), 20, added=False, ways=facts, remembered=known(0, planned_rules=OLD)).observe())

    assert put(decision) == OLD
    assert [] == [added for one in written(decision) for added in one.edits.adds]


def test_no_room_is_made_beside_a_route_that_cannot_be_read() -> None:
    """Whatever is decided otherwise: which of the remembered rules stand in that route is not known."""
    leads = ways.facts(canary=service(CANARY, B, {B: 1}), route=way(0))
    facts = dataclasses.replace(leads, routes={**leads.routes, ("HTTPRoute", "api"): ways.UNREADABLE})
    seen = at(1, header(), 20, added=False, ways=facts, remembered=known(0, planned_rules=OLD)).observe()
    situation = Situation(seen, seen.status)
    assert situation.view is not None
    assert situation.routing is not None

    plan = dataclasses.replace(situation.routing, extras=header_routes.asked(situation.flight, situation.step))

    assert header_routes.remembered(situation.view, plan, in_flight=True) == OLD


def test_edits_of_a_route_without_end() -> None:
    """However often a person edits the rule that ours goes with, the status can be stored and knows what stands."""
    remembered, standing = known(0, planned_rules=OLD[:-20]), list[Mapping[str, Any]]()
    for number in range(60):
        body = {**BODY, "matches": [{"path": {"type": "PathPrefix", "value": f"/{number}"}}]}
        beside = tuple(RequestRuleFacts(1 + index, one) for index, one in enumerate(standing))
        found = route(rule(body=body), extras=beside, size=1 + len(beside))
        decision = decide(at(1, header(), 20, added=False, route=found, remembered=remembered).observe())
        for one in written(decision):
            standing = [body for body in standing if body not in [drop.body for drop in one.edits.drops]]
            standing += one.edits.adds
        assert {header_routes.token(found, one) for one in standing} <= set(put(decision))
        assert decision.status.traffic is not None
        remembered = decision.status.traffic

    assert len(remembered.planned_rules) == RULES_PUT_MAX
    assert [one["matches"][0]["path"]["value"] for one in standing] == ["/59"]


# --- what stands ------------------------------------------------------------------------------------------------------


def mirroring(*percents: int) -> RouteFacts:
    """Return a route whose rule copies requests so often to the canary, for other people have copied our filter."""
    filters = tuple(copies(percent) for percent in percents)
    return route(rule(), mirrors={0: (filters, tuple(range(len(filters))))})


def test_copies_of_our_filter_take_no_room() -> None:
    """Of one filter in a thousand forms the least and the most are kept."""
    found = mirroring(*range(1, 101))
    token = mirrors.token(found, copies())

    assert header_routes.held([found], (token,)) == (f"{token}:1", f"{token}:100")
    assert header_routes.held([mirroring(5, 5)], (token,)) == (f"{token}:5",)


def test_what_stands_fits_into_a_status() -> None:
    """Of more rules than that, the rest is one mark, which tells that one of them is another."""
    many = [way(0, *(ours(number) for number in numbers)) for numbers in (range(400), range(1, 401))]
    known_ = [header_routes.token(many[0], ours(number)) for number in range(401)]
    held = [header_routes.held([one], known_) for one in many]

    assert [RULES_MAX, RULES_MAX] == [len(names) for names in held]
    assert held[0][-1] != held[1][-1]
    assert len(header_routes.held([way(0, *(ours(number) for number in range(RULES_MAX)))], known_)) == RULES_MAX
