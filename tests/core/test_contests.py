"""Others who change our routes and Services back: once is repaired, twice holds the steps."""

from typing import Any

import pytest

from headgate.api.status import Phase
from headgate.core.model.actions import SelectRevision, SetWeights
from headgate.core.rollout.decide import decide
from headgate.core.traffic import drift
from tests.core.ways import CANARY, STABLE, facts, in_flight, known, route, routed, rule, service
from tests.core.worlds import NOON, A, B, World

GITOPS = "argocd-controller"
TAKEN_AWAY = route(rule(100, None), writer=GITOPS)


def flying(**changes: Any) -> World:
    """Return a canary at 20 percent whose ways somebody changed."""
    ways = {"canary": service(CANARY, B, {B: 2}), "route": route(rule(80, 20)), **changes.pop("ways", {})}
    return in_flight(ways=facts(**ways)).with_status(traffic=known(20, **changes))


@pytest.mark.parametrize(
    ("ways", "action", "words"),
    [
        ({"route": TAKEN_AWAY}, SetWeights("HTTPRoute", "web", 20), f"{GITOPS} changed HTTPRoute web"),
        (
            {"route": route(rule(50, 50), writer="kubectl-edit")},
            SetWeights("HTTPRoute", "web", 20),
            "kubectl-edit changed HTTPRoute web",
        ),
        (
            {"stable": service(STABLE, "", {A: 10, B: 2}, writer=GITOPS)},
            SelectRevision(STABLE, A),
            f"{GITOPS} changed Service web",
        ),
        (
            {"canary": service(CANARY, "", {A: 10, B: 2}, writer=GITOPS)},
            SelectRevision(CANARY, B),
            f"{GITOPS} changed Service web-canary",
        ),
    ],
)
def test_a_change_is_repaired_at_once_and_told(ways: Any, action: Any, words: str) -> None:
    """H17, H18: in the pass that sees it, with an Event that names who it was."""
    decision = decide(flying(ways=ways).observe())

    assert action in decision.actions
    assert ("TrafficRepaired", f"{words}; put back") in {(one.reason, one.message) for one in decision.notices}
    assert decision.status.traffic is not None
    assert decision.status.traffic.drift_count == 1
    assert decision.status.phase is not Phase.HOLDING


@pytest.mark.parametrize("kind", ["Route", "Service"])
def test_a_second_change_holds_the_steps_until_it_is_quiet(kind: str) -> None:
    """Two controllers that fight over a weight must not flap users to and fro; repairs go on."""
    ways = {"route": TAKEN_AWAY} if kind == "Route" else {"stable": service(STABLE, "", {A: 10}, writer=GITOPS)}
    decision = decide(flying(ways=ways, drift_count=1, drift_last_time=NOON - 10, drift_by="x").observe())
    (ready,) = [one for one in decision.status.conditions if one.type == "Ready"]

    assert (Phase.HOLDING, "RouteContested" if kind == "Route" else "SelectorContested") == (
        decision.status.phase,
        ready.reason,
    )
    assert f"{GITOPS} changed" in ready.message
    assert decision.recheck_at is not None
    assert decision.recheck_at <= NOON + drift.QUIET_SECONDS


def test_a_second_change_within_a_second_is_told_as_well() -> None:
    """Times are whole seconds, and somebody who changes two Services is heard twice."""
    ways = {"canary": service(CANARY, "", {A: 10}, writer=GITOPS)}
    world = flying(ways=ways, drift_count=1, drift_last_time=NOON, drift_by="x")
    told = {(one.reason, one.message) for one in decide(world.observe()).notices}

    assert ("TrafficRepaired", f"{GITOPS} changed Service web-canary; put back") in told


def test_a_quiet_minute_ends_the_contest() -> None:
    """What was long ago counts no more, and a change after it is a first one again."""
    quiet = decide(flying(drift_count=5, drift_last_time=NOON - 60, drift_by="x").observe())
    again = decide(flying(ways={"route": TAKEN_AWAY}, drift_count=5, drift_last_time=NOON - 60, drift_by="x").observe())

    assert quiet.status.phase is not Phase.HOLDING
    assert again.status.traffic is not None
    assert again.status.traffic.drift_count == 1


@pytest.mark.parametrize(
    "ways",
    [
        {"route": route(rule(50, 50))},
        {"canary": service(CANARY, B, {B: 2}, writer=GITOPS)},
        {"canary": service(CANARY, "", {A: 10, B: 2})},
        {"stable": service(STABLE, A, writer=GITOPS)},
        {"stable": None},
        {"stable": service(STABLE, "", {A: 10, B: 2})},
    ],
)
def test_our_own_writes_are_nobodys_changes(ways: Any) -> None:
    """Where we wrote last, or what we want still holds, nobody is accused."""
    decision = decide(flying(ways=ways).observe())

    assert decision.status.traffic is not None
    assert decision.status.traffic.drift_count == 0


def test_the_first_look_accuses_nobody() -> None:
    """What a user wrote before there was a Rollout is no change."""
    ways = facts(route=TAKEN_AWAY, stable=service(STABLE, "", writer=GITOPS))
    decision = decide(routed(World().stable(), 20, ways=ways, remembered=None).observe())

    assert decision.status.traffic is not None
    assert decision.status.traffic.drift_count == 0


def test_a_weight_that_was_away_has_to_be_held_anew() -> None:
    """Evidence counts only at a weight that holds: its clock begins again after a repair."""
    decision = decide(flying(ways={"route": TAKEN_AWAY}).observe())

    assert decision.status.weight is not None
    assert (20, None) == (decision.status.weight.desired, decision.status.weight.since)
