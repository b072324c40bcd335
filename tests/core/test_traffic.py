"""Plans for traffic: which weight, which selectors, how many pods, and what is waited for."""

from typing import Any

import pytest

from headgate.core.replicas import weighted
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic import propagation
from tests.core.ways import (
    CANARY,
    DRAIN,
    LONG_AGO,
    STABLE,
    UNREADABLE,
    at_weight,
    facts,
    known,
    parent,
    pods,
    route,
    rule,
    service,
    view,
)
from tests.core.worlds import NOON, A, B

LATE = parent(current=False, accepted=False)
REFUSING = parent(accepted=False, words="NotAllowedByListeners: no")


@pytest.mark.parametrize(
    ("total", "percent", "expected"), [(10, 1, 1), (10, 20, 2), (10, 21, 3), (0, 50, 0), (3, 100, 3)]
)
def test_pods_carry_at_least_the_weight(total: int, percent: int, expected: int) -> None:
    """A part of a pod is a pod."""
    assert weighted.needed(total, percent) == expected
    assert weighted.carries(expected, total) >= percent


@pytest.mark.parametrize(
    ("surge", "percent", "expected"),
    [
        (10, 20, Sizes(10, 2)),
        (10, 100, Sizes(10, 10)),
        (1, 50, Sizes(6, 5)),
        (0, 10, Sizes(9, 1)),
        (3, 100, Sizes(3, 10)),
    ],
)
def test_stable_stays_as_whole_as_the_surge_allows(surge: int, percent: int, expected: Sizes) -> None:
    """What the bound leaves over is stable's: the way back is short."""
    assert weighted.goal(Budget(10, surge, 0), percent) == expected


# --- what was, and may still be, in effect ---------------------------------------------------------------------------


def brought_up(before: Any, now: float = NOON, **ways: Any) -> Any:
    """Return what is remembered after a look at *ways*."""
    return propagation.observe_weights(before, facts(**ways), A, DRAIN, now)


def test_a_new_weight_is_in_effect_once_accepted() -> None:
    """Before every Gateway that answers has, nobody knows; and the earlier weight may last for the drain time."""
    late = brought_up(known(20), route=route(rule(50, 50), parents=(LATE,)))
    taken = brought_up(late, NOON + 1, route=route(rule(50, 50)))
    later = brought_up(taken, NOON + 1 + DRAIN, route=route(rule(50, 50)))

    assert (late.weight, late.lowest, late.highest, late.since) == (50, 20, 50, None)
    assert (taken.weight, taken.lowest, taken.highest, taken.since) == (50, 20, 50, NOON + 1)
    assert (later.weight, later.lowest, later.highest, later.since) == (50, 50, 50, NOON + 1)


def test_without_a_gateway_that_answers_a_write_counts() -> None:
    """Where nobody will ever accept anything, drains run from what is written."""
    found = brought_up(known(20), route=route(rule(100, 0), parents=()))

    assert (found.weight, found.highest, found.since) == (0, 20, NOON)


def test_the_first_look_believes_what_is_there() -> None:
    """A Rollout that has just got a router remembers nothing."""
    found = brought_up(None, route=route(rule(70, 30)))

    assert (found.weight, found.lowest, found.highest, found.since) == (30, 30, 30, NOON)


def test_a_route_that_cannot_be_read_has_not_changed() -> None:
    """What is not known is not taken for nothing: the last known weight counts on."""
    assert brought_up(known(20), route=UNREADABLE) == known(20)


def test_a_route_that_is_gone_leads_nowhere() -> None:
    """H2: a deleted route gives nobody weight, from now on."""
    found = brought_up(known(20), route=None)

    assert (found.weight, found.highest, found.since) == (0, 20, NOON)


@pytest.mark.parametrize(
    ("before", "stable", "expected"),
    [
        (LONG_AGO, service(), LONG_AGO),
        (None, service(), NOON),
        (None, service(endpoints={A: 9, B: 1}), None),
        (None, service(endpoints=UNREADABLE), None),
        (LONG_AGO, service(endpoints={}), LONG_AGO),
        (LONG_AGO, service(selects=B), None),
        (LONG_AGO, None, None),
        (LONG_AGO, UNREADABLE, None),
    ],
)
def test_the_stable_service_is_home_when_it_leads_to_stable_alone(before: Any, stable: Any, expected: Any) -> None:
    """Its selector and its endpoints must say so; later only its selector: pods come and go."""
    assert brought_up(known(stable_since=before), stable=stable).stable_since == expected


# --- up ---------------------------------------------------------------------------------------------------------------


def waiting(**changes: Any) -> traffic_plan.Plan:
    """Return the plan for a canary of two pods that has no weight yet and is to get 20 percent."""
    ways = {"canary": service(CANARY, B, {B: 2}), **changes.pop("ways", {})}
    fields = {"facts": facts(**ways), "other_hash": B, "other": pods(2), "weight": 20, **changes}
    return traffic_plan.forward(view(**fields))


@pytest.mark.parametrize(
    ("changes", "percent", "words"),
    [
        ({}, 20, "HTTPRoute web is at weight 0 %, going to 20 %"),
        ({"other": pods(2, 1)}, 0, "1 of 2 canary pods ready"),
        ({"other": pods(2, 1), "surge": 1}, 10, "1 of 2 canary pods ready"),
        ({"other": pods(0)}, 0, "0 of 2 canary pods ready"),
        ({"ways": {"canary": service(CANARY, B, {B: 1})}}, 0, "1 of 2 endpoints of Service web-canary ready"),
        (
            {"ways": {"canary": service(CANARY, B, {B: 2, A: 1})}},
            None,
            "Service web-canary does not lead to the canary's",
        ),
        ({"ways": {"canary": service(CANARY, B, {})}}, 0, "Service web-canary does not lead to the canary's"),
        ({"ways": {"canary": service(CANARY, B, UNREADABLE)}}, None, "Service web-canary does not lead"),
        ({"ways": {"canary": service(CANARY, A)}}, 0, "Service web-canary does not lead to the canary's"),
        ({"ways": {"canary": service(CANARY, "", {A: 9, B: 2})}}, None, "Service web-canary does not lead"),
        ({"ways": {"canary": None}}, None, "the canary Service is missing, and is being created"),
        ({"ways": {"route": route(parents=(LATE,))}}, None, "waiting for Gateway eg/public to accept HTTPRoute web at"),
        ({"ways": {"route": route(parents=(REFUSING,))}}, None, "HTTPRoute web is at weight 0 %, going to 20 %"),
        ({"ways": {"route": route(parents=())}}, None, "HTTPRoute web is at weight 0 %, going to 20 %"),
        ({"ways": {"routes": {("HTTPRoute", "web"): route(), ("GRPCRoute", "b"): None}}}, None, "HTTPRoute web is at"),
    ],
)
def test_weight_rises_only_where_everything_is_ready(changes: Any, percent: int | None, words: str) -> None:
    """Pods, endpoints of these pods alone, and a Gateway that answers: no traffic without capacity.

    Without a bound the step's weight is written once; with one it rises by what the pods carry that there is room for.
    """
    plan = waiting(**changes)

    assert (plan.percent, plan.waits[: len(words)]) == (percent, words)


@pytest.mark.parametrize(
    ("seen", "words", "settled"),
    [
        (at_weight(20, 2), "", LONG_AGO + 2),
        (at_weight(20, 2, status=known(20, since=NOON - 1)), "", NOON + 1),
        (at_weight(20, 2, status=known(20, since=None)), "weight 20 % was accepted and settles", None),
        (at_weight(20, 2, stable=pods(9)), "9 stable pods, going to 10", None),
        (at_weight(20, 3), "3 canary pods, going down to 2", None),
        (at_weight(0, 0), "", LONG_AGO + 2),
        (at_weight(0, 0, total=0, surge=0, stable=pods(0)), "", None),
    ],
)
def test_weight_holds_when_nothing_is_waited_for(seen: traffic_plan.View, words: str, settled: int | None) -> None:
    """Accepted is not programmed: a weight settles before it counts."""
    plan = traffic_plan.forward(seen)

    assert (plan.waits, plan.settled_at) == (words, settled)


def test_a_canary_without_endpoints_loses_its_weight() -> None:
    """Nobody is sent to where nobody answers."""
    dead = at_weight(20, 2, facts=facts(canary=service(CANARY, B, {}), route=route(rule(80, 20))))

    assert traffic_plan.forward(dead).percent == 0


def test_weight_is_kept_while_some_endpoints_are_left() -> None:
    """A pod that restarts is the others' load, and no reason to shift traffic to and fro."""
    fewer = at_weight(20, 2, facts=facts(canary=service(CANARY, B, {B: 1}), route=route(rule(80, 20))))

    assert traffic_plan.forward(fewer).percent == 20


@pytest.mark.parametrize(
    ("changes", "stable_selects", "canary_selects"),
    [
        ({"ways": {"canary": service(CANARY, A)}}, "", B),
        ({"ways": {"canary": service(CANARY, A)}, "status": known(0, highest=20)}, "", ""),
        ({"ways": {"canary": service(CANARY, A)}, "other": pods(2, 0)}, "", ""),
        ({"ways": {"canary": service(CANARY, "")}, "status": known(20)}, "", B),
        ({"ways": {"canary": UNREADABLE}}, "", ""),
        ({"ways": {"stable": service(STABLE, "")}}, A, ""),
    ],
)
def test_no_selector_moves_under_traffic(changes: Any, stable_selects: str, canary_selects: str) -> None:
    """The canary Service gets the canary's pods once they are ready and nobody comes by it; strangers are corrected."""
    plan = waiting(**changes)

    assert (plan.stable_selects, plan.canary_selects) == (stable_selects, canary_selects)


# --- pods -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (view(other_hash=B, weight=20), Sizes(10, 2)),
        (view(surge=1, other_hash=B, weight=50), Sizes(10, 1)),
        (at_weight(10, 1, surge=1, asked=50), Sizes(9, 1)),
        (at_weight(10, 1, surge=1, asked=50, status=known(10, lowest=0)), Sizes(10, 1)),
        (at_weight(10, 1, surge=1, asked=50, stable=pods(9)), Sizes(9, 2)),
        (at_weight(10, 1, surge=1, asked=50, stable=pods(9, existing=10)), Sizes(9, 1)),
        (view(surge=0, unavailable=1, other_hash=B, weight=10), Sizes(9, 0)),
        (view(surge=0, unavailable=1, other_hash=B, weight=10, stable=pods(9)), Sizes(9, 1)),
        (at_weight(100, 10, surge=3, stable=pods(3)), Sizes(3, 10)),
        (at_weight(100, 10), Sizes(10, 10)),
        (at_weight(20, 3), Sizes(10, 2)),
        (at_weight(20, 3, other=pods(3, settled=False)), Sizes(10, 3)),
        (at_weight(20, 3, status=known(20, highest=30)), Sizes(10, 3)),
        (at_weight(20, 2, total=14, surge=14, stable=pods(10)), Sizes(14, 3)),
        (at_weight(20, 2, total=14, surge=1, stable=pods(10)), Sizes(12, 3)),
        (at_weight(20, 2, total=5, surge=5, stable=pods(10)), Sizes(5, 1)),
        (at_weight(50, 0, total=0, surge=0, stable=pods(0)), Sizes(0, 0)),
        (at_weight(0, 0, surge=2, asked=100, stable=pods(10, 0)), Sizes(10, 2)),
        (at_weight(0, 0, surge=2, asked=100, stable=pods(10, 0), flees_at=NOON), Sizes(2, 2)),
        (at_weight(0, 0, surge=2, asked=100, stable=Pods(10, 10, 0, answering=9), flees_at=NOON), Sizes(9, 2)),
    ],
)
def test_sizes_on_the_way_up(seen: traffic_plan.View, expected: Sizes) -> None:
    """Within the surge, stable first; fewer only once the weight that they carried has drained."""
    assert traffic_plan.forward(seen).sizes == expected


def test_the_bound_is_told() -> None:
    """Whoever set a small maxSurge reads that it is what takes the time."""
    plan = traffic_plan.forward(at_weight(10, 1, surge=1, asked=50, status=known(10, since=NOON - 20)))

    assert (
        plan.waits
        == "1 of 5 canary pods ready; maxSurge allows 11 pods in all: more follow as stable pods drain and go"
    )
    assert plan.percent == 10
    assert plan.recheck_at == (NOON + 10,)


# --- back -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "percent", "words"),
    [
        ({}, 0, "HTTPRoute web is at weight 20 %, going to 0 %"),
        ({"stable": pods(10, 1), "ways": {"stable": service(endpoints={A: 1})}}, 0, "HTTPRoute web is at weight 20 %"),
        ({"ways": {"stable": service(endpoints={})}}, None, "no endpoint of Service web is ready: the canary keeps"),
        ({"ways": {"stable": service(endpoints=UNREADABLE)}}, 0, "HTTPRoute web is at weight 20 %"),
        ({"ways": {"stable": UNREADABLE}}, 0, "HTTPRoute web is at weight 20 %"),
        ({"ways": {"stable": None}}, None, "the stable Service is missing"),
        ({"ways": {"stable": service(selects=B)}}, 0, "HTTPRoute web is at weight 20 %"),
        ({"total": 0, "stable": pods(0), "ways": {"stable": service(endpoints={})}}, 0, "HTTPRoute web is at weight"),
    ],
)
def test_nothing_but_an_empty_stable_side_delays_an_abort(changes: Any, percent: int | None, words: str) -> None:
    """H5: one ready endpoint is enough, and what cannot be read is no excuse."""
    plan = traffic_plan.backward(at_weight(20, 2, **changes))

    assert (plan.percent, plan.waits[: len(words)]) == (percent, words)


@pytest.mark.parametrize(
    ("ready", "weight", "waits", "percent", "words"),
    [
        (5, 60, 0, 50, "5 of 10 stable endpoints ready: they carry 50 %"),
        (5, 50, 0, None, "5 of 10 stable endpoints ready: more traffic follows as more are"),
        (10, 50, 0, 0, "HTTPRoute web is at weight 50 %, going to 0 %"),
        (5, 50, 1, 0, "HTTPRoute web is at weight 50 %, going to 0 %"),
    ],
)
def test_a_shrunken_stable_side_gets_what_it_carries(
    ready: int, weight: int, waits: int, percent: int | None, words: str
) -> None:
    """With a bounded surge stable is smaller than everybody: it grows back first; but not for ever."""
    ways = {"stable": service(endpoints={A: ready})}
    seen = at_weight(weight, 5, surge=1, stable=pods(10, ready), ways=ways, waits_without_progress=waits)
    plan = traffic_plan.backward(seen)

    assert (plan.percent, plan.waits) == (percent, words)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (at_weight(20, 2), Sizes(10, 2)),
        (at_weight(0, 2, status=known(0, highest=20)), Sizes(10, 2)),
        (at_weight(0, 2, status=known(0)), Sizes(10, 0)),
        (at_weight(0, 2, status=known(0, stable_since=NOON - 29)), Sizes(10, 2)),
        (at_weight(0, 2, status=known(0, stable_since=None)), Sizes(10, 2)),
        (at_weight(0, 2, stable=pods(10, 0)), Sizes(10, 2)),
        (at_weight(0, 2, total=0, stable=pods(0)), Sizes(0, 0)),
        (at_weight(30, 5, surge=1, stable=pods(6), status=known(30)), Sizes(10, 3)),
    ],
)
def test_canary_pods_stay_until_drained(seen: traffic_plan.View, expected: Sizes) -> None:
    """Stable grows at once, whatever the surge; canary pods go when neither routes nor the stable Service need them."""
    assert traffic_plan.backward(seen).sizes == expected


@pytest.mark.parametrize(
    ("status", "parents", "words", "again"),
    [
        (known(0, since=None), (LATE,), "waiting for Gateway eg/public to accept HTTPRoute web at generation 7", ()),
        (known(0, since=NOON - 10), None, "connections drain", (NOON + 20,)),
        (known(0, stable_since=NOON - 10), None, "connections drain", (NOON + 20,)),
        (known(0), None, "", ()),
    ],
)
def test_a_drain_is_told(status: Any, parents: Any, words: str, again: tuple[float, ...]) -> None:
    """What still keeps canary pods has a name."""
    ways = facts(canary=service(CANARY, B), route=route(parents=parents))
    plan = traffic_plan.backward(at_weight(0, 2, facts=ways, status=status))

    assert (plan.waits, plan.recheck_at) == (words, again)


@pytest.mark.parametrize(
    ("surge", "ready", "waits", "expected"), [(10, 1, 0, A), (10, 0, 0, ""), (1, 3, 0, ""), (1, 10, 0, A), (1, 3, 1, A)]
)
def test_the_stable_service_is_taken_back_once_it_can_carry(surge: int, ready: int, waits: int, expected: str) -> None:
    """After a promotion the way back is its selector: to warm pods at once, to fewer of them once they suffice."""
    ways = facts(stable=service(STABLE, B), canary=service(CANARY, B))
    seen = view(
        surge=surge, facts=ways, stable=pods(10, ready), other_hash=B, other=pods(10), waits_without_progress=waits
    )

    assert traffic_plan.backward(seen).stable_selects == expected


# --- at rest ----------------------------------------------------------------------------------------------------------


def test_at_rest_nothing_is_written() -> None:
    """All weight on stable, both Services select stable, whatever sum the route's weights have."""
    plan = traffic_plan.at_rest(view(facts=facts(route=route(rule(1, None)))))

    assert plan == traffic_plan.Plan(Sizes(10, 0), percent=0)


@pytest.mark.parametrize(
    ("ways", "status", "percent", "selects", "words"),
    [
        ({"stable": service(STABLE, "")}, known(), None, (A, ""), "Service web does not lead to the stable pods alone"),
        ({"canary": service(CANARY, B)}, known(), 0, ("", A), ""),
        ({"canary": service(CANARY, "")}, known(30), 0, ("", ""), ""),
        ({"canary": service(CANARY, B)}, known(30), 0, ("", A), ""),
        ({"route": route(rule(70, 30))}, known(30), 0, ("", ""), "HTTPRoute web is at weight 30 %, going to 0 %"),
        ({"route": route(parents=(LATE,))}, known(), 0, ("", ""), "waiting for Gateway eg/public to accept"),
        ({"stable": None}, known(), None, ("", ""), ""),
    ],
)
def test_at_rest_everything_leads_to_stable(
    ways: Any, status: Any, percent: int | None, selects: tuple[str, str], words: str
) -> None:
    """What strangers changed is put back; a Service that selects nobody's pods any more leads to stable."""
    plan = traffic_plan.at_rest(view(facts=facts(**ways), status=status))

    assert (plan.percent, (plan.stable_selects, plan.canary_selects)) == (percent, selects)
    assert plan.waits.startswith(words) if words else plan.waits == ""


@pytest.mark.parametrize(
    ("stable", "percent", "selects", "words"),
    [
        (service(STABLE, A), None, B, "Service web does not lead to the stable pods alone yet"),
        (service(STABLE, B, {A: 1, B: 9}), None, "", "Service web does not lead to the stable pods alone yet"),
        (service(STABLE, B), 0, "", "HTTPRoute web is at weight 100 %, going to 0 %"),
    ],
)
def test_after_a_promotion_the_selector_moves_before_the_weight(
    stable: Any, percent: int | None, selects: str, words: str
) -> None:
    """Users come by the canary Service until the stable one leads to the new pods, and to these alone."""
    ways = facts(stable=stable, canary=service(CANARY, B), route=route(rule(0, 100)))
    plan = traffic_plan.at_rest(view(facts=ways, status=known(100), stable_hash=B, other_hash=A, other=pods(10)))

    assert (plan.percent, plan.stable_selects, plan.canary_selects, plan.waits) == (percent, selects, "", words)
    assert plan.sizes == Sizes(10, 10)
