"""After a promotion with a router: traffic comes home, the old revision stays warm, and going back is one write."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Ending, Phase
from headgate.core.model import Decision
from headgate.core.model.actions import ScaleDeployment, SelectRevision, SetWeights
from headgate.core.rollout.decide import decide
from tests.core.ways import CANARY, STABLE, facts, known, parent, route, routed, rule, service, warm
from tests.core.worlds import NOON, A, B, C, World, metric

LATE = parent(current=False, accepted=False)


def traffic_of(decision: Decision) -> list[Any]:
    """Return what a decision writes to routes and Services."""
    return [action for action in decision.actions if isinstance(action, SelectRevision | SetWeights)]


def at_the_whole(**changes: Any) -> World:
    """Return a canary that has everything for 100 s, and nothing to prove."""
    ways = facts(canary=service(CANARY, B, {B: 10}), route=route(rule(0, 100)))
    world = routed(World().stable(10).canary(10), 20, ways=ways, remembered=known(100), **changes)
    return world.at_step(2, since=100)


def test_promotion_is_one_status_write_before_any_selector_moves() -> None:
    """Stable is the new revision from one write on; users still come by the canary Service."""
    decision = decide(at_the_whole().observe())
    status = decision.status

    assert (Phase.PROMOTING, None) == (status.phase, status.canary)
    assert status.stable is not None
    assert status.previous is not None
    assert (B, A, NOON, None) == (
        status.stable.hash,
        status.previous.hash,
        status.previous.promoted,
        status.previous.until,
    )
    assert [SelectRevision(STABLE, B)] == traffic_of(decision)
    assert status.traffic is not None
    assert status.traffic.stable_since is None, "its Service leads to it only from when its endpoints say so"
    assert decision.write_status
    assert "revision 2 is stable; Service web does not lead to the stable pods alone yet" == message(decision)
    assert not any(isinstance(action, ScaleDeployment) for action in decision.actions)


def message(decision: Decision) -> str:
    """Return what the Ready condition says."""
    return next(one.message for one in decision.status.conditions if one.type == "Ready")


@pytest.mark.parametrize(
    ("ways", "remembered", "phase", "until"),
    [
        ({"route": route(rule(0, 100))}, known(100), Phase.PROMOTING, None),
        ({"route": route(parents=(LATE,))}, known(0, highest=100), Phase.PROMOTING, None),
        ({}, known(0, highest=100, since=NOON - 5, stable_since=NOON - 9), Phase.HEALTHY, NOON + 200),
        ({}, known(0, since=NOON + 300, stable_since=NOON - 9), Phase.HEALTHY, NOON + 200),
    ],
)
def test_the_old_pods_time_runs_once_traffic_is_home(ways: Any, remembered: Any, phase: Phase, until: Any) -> None:
    """It counts from the promotion, and is never shorter than a drain after the last move."""
    found = facts(**{"stable": service(STABLE, B), "canary": service(CANARY, B), **ways})
    world = warm(until=None, ways=found, remembered=remembered)
    decision = decide(world.observe())

    assert (phase, until) == (decision.status.phase, decision.status.previous and decision.status.previous.until)


def test_the_drain_is_never_cut_short() -> None:
    """A scaleDownDelay of nothing still leaves connections their time."""
    world = warm(until=None, remembered=known(0, since=NOON - 5, stable_since=NOON - 9))
    assert world.spec_policy is not None
    canary = world.spec_policy.strategy.way.model_copy(update={"scale_down_delay_seconds": 0.0})
    strategy = world.spec_policy.strategy.model_copy(update={"canary": canary})
    decision = decide(world.ruled(world.spec_policy.model_copy(update={"strategy": strategy})).observe())

    assert decision.status.previous is not None
    assert decision.status.previous.until == NOON + 25


def test_while_warm_it_says_until_when() -> None:
    """Users are served by the new revision; the way back is told."""
    decision = decide(warm().observe())

    assert Phase.HEALTHY is decision.status.phase
    assert message(decision).endswith("; revision 1 stays warm until 2027-01-15T08:03:20Z")
    assert decision.recheck_at == NOON + 200
    assert not decision.actions


def test_when_its_time_is_over_the_old_revision_is_scaled_down() -> None:
    """And not a second before. The status has said when that is, so it is written once, when the pods have gone."""
    asked, gone = decide(warm(until=NOON).observe()), decide(warm(until=NOON).deployment(A, 0).observe())

    assert not decide(warm(until=NOON + 1).observe()).actions
    assert ScaleDeployment(A, 0, 10) in asked.actions
    assert asked.status.previous is not None
    assert asked.recheck_at == NOON + 2
    assert (gone.status.previous, gone.status.replicas, gone.write_status) == (None, 10, True)
    assert ["OldRevisionReleased"] == [one.reason for one in (*asked.notices, *gone.notices)]


@pytest.mark.parametrize(("late", "told"), [(1, False), (2, True)])
def test_old_pods_that_do_not_go_are_told_of_all_the_same(late: int, *, told: bool) -> None:
    """Nobody reads for longer than two seconds that they are kept."""
    world = warm(until=NOON - late).deployment(A, 0, pods=10)

    assert told == (decide(world.observe()).status.previous is None)


def breached(world: World) -> World:
    """Return *world* with a metric that has failed twice."""
    return world.knows(failures=2, value="0.5", verdict=api.Outcome.FAILED)


BACK: dict[str, tuple[World, Ending, str]] = {
    "a metric fails": (breached(warm(metrics=(metric(),))), Ending.ROLLED_BACK, "MetricFailed"),
    "somebody says abort now": (warm().told(abort="now"), Ending.ABORTED, "Aborted"),
    "somebody says abort": (warm().told(abort=B), Ending.ABORTED, "Aborted"),
    "the template is put back": (warm().wants(A), Ending.WITHDRAWN, "TemplatePutBack"),
}


@pytest.mark.parametrize("name", BACK)
def test_while_warm_going_back_is_one_write(name: str) -> None:
    """The stable Service selects the old pods again, before anything else, whatever becomes of the status."""
    world, ending, reason = BACK[name]
    decision = decide(world.observe())
    canary, stable = decision.status.canary, decision.status.stable

    assert canary is not None
    assert canary.abort is not None
    assert stable is not None
    assert (B, A, None) == (canary.hash, stable.hash, decision.status.previous)
    assert (ending, reason, NOON - 900) == (canary.abort.ending, canary.abort.reason, canary.started)
    assert decision.urgent
    assert SelectRevision(STABLE, A) == decision.actions[0]
    assert [SelectRevision(STABLE, A)] == traffic_of(decision)


@pytest.mark.parametrize("name", BACK)
def test_pods_that_have_been_asked_to_go_are_no_way_back(name: str) -> None:
    """The time of the old pods is over with the write that lets them go, whatever the status says a moment longer."""
    world, _, _ = BACK[name]
    status = world.status.previous
    over = world.with_status(previous=status and status.model_copy(update={"until": NOON - 1}))
    late, gone = decide(over.observe()), decide(over.deployment(A, 0, pods=10).observe())

    assert late.status.canary is not None, "as long as they are there they are the way back"
    assert late.status.canary.hash == B
    assert gone.status.stable is not None
    assert gone.status.stable.hash == B


def test_abort_of_what_is_not_there_is_told() -> None:
    """A command for another revision has no effect on a promotion."""
    decision = decide(warm().told(abort=A).observe())

    assert decision.status.canary is None
    assert "CommandMismatch" in {one.reason for one in decision.notices}


def test_a_promotion_that_is_half_done_goes_back_by_selector_and_route() -> None:
    """Users may come by both Services then; both lead back in the same pass."""
    ways = facts(stable=service(STABLE, B), canary=service(CANARY, B), route=route(rule(0, 100)))
    decision = decide(warm(until=None, ways=ways, remembered=known(100)).told(abort="now").observe())

    assert [SelectRevision(STABLE, A), SetWeights("HTTPRoute", "web", 0, f"{B}/{NOON - 900}")] == traffic_of(decision)


def test_a_promoted_revision_is_watched() -> None:
    """What fails after the promotion counts, tick by tick, for as long as the way back is warm."""
    world = warm(metrics=(metric(),)).knows(failures=1, last_tick=NOON - 40).reads(0.5)
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None


@pytest.mark.parametrize(
    ("remembered", "phase", "started"),
    [(known(), Phase.PROGRESSING, True), (known(stable_since=NOON - 5), Phase.PROGRESSING, False)],
)
def test_a_newer_version_waits_for_the_drain(remembered: Any, phase: Phase, *, started: bool) -> None:
    """Then the warm revision goes, and the rollout begins."""
    decision = decide(warm(remembered=remembered).recorded(C).wants(C).observe())

    assert phase is decision.status.phase
    assert started == (decision.status.canary is not None) == (decision.status.previous is None)


def test_a_newer_version_waits_until_traffic_is_home() -> None:
    """After the commit a newer template waits for the completion."""
    ways = facts(stable=service(STABLE, B), canary=service(CANARY, B), route=route(rule(0, 100)))
    decision = decide(warm(until=None, ways=ways, remembered=known(100)).recorded(C).wants(C).observe())

    assert (Phase.PROMOTING, None) == (decision.status.phase, decision.status.canary)


def test_a_clock_that_was_set_back_ends_no_warmth_and_prolongs_none() -> None:
    """Times of the future become now; waits begin anew."""
    world = warm(until=None, remembered=known(since=NOON + 500, stable_since=NOON + 500)).but(clock_set_back=True)
    decision = decide(world.observe())

    assert decision.status.traffic is not None
    assert (NOON, NOON) == (decision.status.traffic.since, decision.status.traffic.stable_since)
