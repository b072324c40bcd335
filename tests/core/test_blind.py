"""A status that does not say who serves: nothing is written, and users are led to stable where people ask for it."""

import pytest

from headgate.api import names
from headgate.core.model import Part, Unreadable
from headgate.core.model.actions import RemoveFinalizer, SelectRevision, SetWeights
from headgate.core.rollout.decide import decide
from headgate.core.rollout.unreadable_status import LOOK_SECONDS, RULE
from tests.core.ways import CANARY, STABLE, facts, known, route, routed, rule, service
from tests.core.worlds import NOON, A, B, C, World, policy

STRANGE = {Part.STATUS: Unreadable("status.canary.abort: not understood by this version of Headgate", since=NOON)}


def blind() -> World:
    """Return a Rollout whose stable revision is understood and whose canary, at 50 percent, is not."""
    seen = facts(canary=service(CANARY, B, {B: 5}), route=route(rule(50, 50)))
    world = World().stable(10).deployment(B, 5).recorded(B).wants(B)
    return routed(world, 50, 80, ways=seen, remembered=known(50)).but(unread=STRANGE)


def test_h31_nothing_is_written_and_an_event_says_why() -> None:
    """H31: neither to pods nor to the status; people are told what to run, and what they can still ask for."""
    decision = decide(blind().observe())
    (notice,) = decision.notices

    assert (RULE, (), (), False) == (decision.rule, decision.actions, decision.records, decision.write_status)
    assert ("StatusUnreadable", True) == (notice.reason, notice.warning)
    assert "status.canary.abort" in notice.message
    assert f"lead all users to revision {A} with headgate.dev/abort=now" in notice.message
    assert NOON + LOOK_SECONDS == decision.recheck_at


@pytest.mark.parametrize("told", [{"abort": "now"}, {"abort": B}, {"rollback_to": A}, {"rollback_to": "1"}])
def test_h31_users_are_led_to_stable_where_people_ask_for_it(told: dict[str, str]) -> None:
    """H31: the route is written for that, and nothing else; the command stays for the version that knows the rest."""
    (action,) = decide(blind().told(**told).observe()).actions

    assert isinstance(action, SetWeights)
    assert 0 == action.percent


def test_h31_so_they_are_where_the_canary_is_understood_and_another_part_is_not() -> None:
    """H31: it is not to have any users, whatever step it is at."""
    seen = facts(canary=service(CANARY, B, {B: 5}), route=route(rule(50, 50)))
    world = routed(World().ruled(policy(50, "pause")).canary(5).at_step(1), 50, ways=seen, remembered=known(50))
    (action,) = decide(world.but(unread=STRANGE).told(abort="now").observe()).actions

    assert isinstance(action, SetWeights)
    assert 0 == action.percent


def test_h31_so_is_a_stable_service_that_selects_another_revision() -> None:
    """H31: as in the middle of a switch."""
    seen = facts(stable=service(STABLE, B, {B: 5}), canary=service(CANARY, B, {B: 5}), route=route(rule(100, 0)))
    actions = decide(blind().but(traffic=seen).told(abort="now").observe()).actions

    assert (SelectRevision(STABLE, A),) == actions


@pytest.mark.parametrize("told", [{"rollback_to": C}, {"promote_full": B}, {"retry": B}, {"restart": "now"}])
def test_h31_no_other_command_is_carried_out(told: dict[str, str]) -> None:
    """H31: they stand until the status is understood."""
    assert () == decide(blind().told(**told).observe()).actions


def test_h31_without_stable_nothing_at_all_can_be_asked_for() -> None:
    """H31: where to is not known."""
    decision = decide(blind().with_status(stable=None).told(abort="now").observe())

    assert () == decision.actions
    assert "headgate.dev/abort" not in decision.notices[0].message


@pytest.mark.parametrize(("seconds", "goes"), [(599, False), (601, True)])
def test_h31_a_deletion_is_let_go_in_the_end(seconds: int, *, goes: bool) -> None:
    """H31, H19: users are led to stable at once, and after ten minutes the object may go."""
    world = blind().but(deleting=True, finalizers=(names.FINALIZER,), deleted=NOON - seconds)
    actions = decide(world.observe()).actions

    assert any(isinstance(action, SetWeights) for action in actions)
    assert goes == (RemoveFinalizer() in actions)
