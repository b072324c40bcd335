"""Blue/green: the new version in full beside the old one, a preview, one switch for all, and the way back."""

from typing import Any

import pytest

from headgate.api import spec
from headgate.api import status as api
from headgate.api.status import Ending, Phase
from headgate.api.traffic import Traffic
from headgate.core.model import Decision, PodTrouble
from headgate.core.model.actions import ScaleDeployment, SelectRevision, SetWeights
from headgate.core.replicas.pod_budget import Budget
from headgate.core.rollout.decide import decide
from headgate.core.strategies import metric_timing, planning, traits
from headgate.core.strategies.steps import Step
from tests.core import answers, ways
from tests.core.ways import CANARY, LONG_AGO, STABLE, facts, known, route, rule, service
from tests.core.worlds import NOON, A, B, World, metric, policy_of

BY_HAND: Any = {}
AT_ONCE: Any = {"autoPromotion": {}}
IN_TIME: Any = {"autoPromotion": {"after": "5m"}, "previewReplicas": 2}
SERVICES = Traffic.model_validate({"stableService": STABLE, "canaryService": CANARY, "drain": f"{ways.DRAIN}s"})
PRE, POST = metric("smoke", when=["PrePromotion"]), metric("users", when=["PostPromotion"])
ALWAYS, BOTH = metric("errors"), metric("both", when=["PrePromotion", "PostPromotion"])
CRASH = PodTrouble("web-x: CrashLoopBackOff", hopeless=True)


def by(written: Any, *metrics: spec.Metric, routes: bool = False) -> spec.Policy:
    """Return a policy of a blue/green as written, with routes or Services only."""
    return policy_of(metrics, traffic=ways.TRAFFIC if routes else SERVICES, blueGreen=written)


def at(step: int, ruled: spec.Policy, new: int = 10, ready: int | None = None, *, since: float | None = 100) -> World:
    """Return a world at a step: users on stable in preview, and on the canary once they are switched and *since*."""
    world = World().stable(10).canary(new, ready).ruled(ruled).at_step(step, since=since)
    switched = world.status.weight is not None and world.status.weight.desired == 100 and since is not None
    routes = ruled.traffic is not None and ruled.traffic.gateway_api is not None
    serving = new if ready is None else ready
    led = service(STABLE, B, {B: serving}) if switched and not routes else service()
    way: Any = {"routes": {}} if not routes else {"route": route(rule(0, 100) if switched else rule())}
    found = facts(stable=led, canary=service(CANARY, B, {B: serving}), **way)
    home = None if switched and not routes else LONG_AGO
    return world.but(traffic=found).with_status(traffic=known(100 if switched else 0, stable_since=home))


def moved(decision: Decision) -> list[Any]:
    """Return the writes that move users."""
    return [one for one in decision.actions if isinstance(one, SetWeights | SelectRevision)]


# --- what it means to the engine --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (BY_HAND, (Step(0, pods="100%"), Step(0, waits=True, pods="100%"), Step(100))),
        (AT_ONCE, (Step(0, pods="100%"), Step(100))),
        ({"autoPromotion": {}, "previewReplicas": 1}, (Step(0, pods=1), Step(0, pods="100%"), Step(100))),
        (
            IN_TIME,
            (Step(0, pods=2), Step(0, waits=True, pause_seconds=300, pods=2), Step(0, pods="100%"), Step(100)),
        ),
    ],
)
def test_the_plan(written: Any, expected: tuple[Step, ...]) -> None:
    """A preview, a pause if one is asked for, all pods, the switch."""
    assert expected == planning.planned(by(written))


@pytest.mark.parametrize("routes", [False, True])
def test_both_versions_are_there_in_full(*, routes: bool) -> None:
    """Twice the pods for a time is the price of going back at once."""
    assert Budget(10, 10, 0) == traits.budget(by(BY_HAND, routes=routes), 10, routed=True)


@pytest.mark.parametrize(
    ("weight", "judged", "proving", "late"),
    [
        (0, {"smoke", "errors", "both"}, {"smoke", "both"}, {"smoke", "both"}),
        (100, {"users", "errors", "both"}, {"users", "errors", "both"}, set()),
    ],
)
def test_metrics_by_where_users_are(weight: int, judged: set[str], proving: set[str], late: set[str]) -> None:
    """Before the switch those of the preview have to pass, after it those of users; errors of pods count always."""
    ruled = by(BY_HAND, PRE, POST, ALWAYS, BOTH)

    assert judged == {one.name for one in metric_timing.judged(ruled, weight)}
    assert proving == {one.name for one in metric_timing.proving(ruled, weight)}
    assert late == metric_timing.late(ruled, weight)


def test_where_no_policy_is_known_nothing_is_judged() -> None:
    """Nor is there a switch, or a preview."""
    assert ((), False, False) == (metric_timing.judged(None, 100), traits.switches(None), traits.previews(None))


# --- the preview ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("written", "pods"), [(BY_HAND, 10), (IN_TIME, 2), ({"previewReplicas": "1%"}, 1)])
@pytest.mark.parametrize("routes", [False, True])
def test_it_begins_with_a_preview(written: Any, pods: int, *, routes: bool) -> None:
    """The new pods start beside the old ones, and no user is moved."""
    ruled = by(written, PRE, POST, ALWAYS, routes=routes)
    world = World().stable().recorded(B).ruled(ruled).wants(B)
    ways_now = facts() if routes else facts(routes={})
    decision = decide(world.but(traffic=ways_now).with_status(traffic=known()).observe())

    assert {B: pods} == answers.sizes(decision)
    assert [] == moved(decision)
    assert f"{pods} of 10 pods in preview, behind Service web-canary" in answers.said(decision, "StepStarted")
    assert ["smoke", "errors"] == [state.name for state in decision.status.analysis]


def test_the_canary_service_leads_to_the_preview() -> None:
    """As soon as there is a pod to lead to."""
    world = at(1, by(BY_HAND), 10, 3, since=None)
    found = facts(routes={}, canary=service(CANARY, A, {A: 10}))

    assert [SelectRevision(CANARY, B)] == moved(decide(world.but(traffic=found).observe()))


def test_it_is_promoted_by_hand() -> None:
    """Nothing but a command ends the preview, and the message has it."""
    decision = decide(at(2, by(BY_HAND)).observe())
    promoted = decide(at(2, by(BY_HAND)).told(promote=f"{B}/2").observe())

    assert Phase.PAUSED is decision.status.phase
    said = "revision 2 is in preview, behind Service web-canary; until promoted: "
    command = f"kubectl annotate rollouts.headgate.dev web headgate.dev/promote={B}/2"
    assert answers.ready(decision)[1].startswith(f"{said}{command}")
    assert 3 == answers.step(promoted)


def test_it_is_promoted_in_time() -> None:
    """The time runs from when the preview is ready."""
    waits, over = at(2, by(IN_TIME), 2, since=299), at(2, by(IN_TIME), 2, since=300)

    assert "for 5m, until 2027-01-15T08:00:01Z" in answers.ready(decide(waits.observe()))[1]
    assert (3, {B: 10}) == (answers.step(decide(over.observe())), answers.sizes(decide(over.observe())))
    assert "step 3/4: 10 of 10 pods in preview" in answers.said(decide(over.observe()), "StepStarted")


@pytest.mark.parametrize(("passes", "step"), [(2, 1), (3, 2)])
def test_the_preview_has_to_pass(passes: int, step: int) -> None:
    """Metrics of users and of pods have nothing to say before the switch; those of the preview have."""
    world = at(1, by(AT_ONCE, PRE, POST, ALWAYS)).knows("smoke", passes=passes).knows("errors", passes=0)
    decision = decide(world.observe())

    assert step == answers.step(decision)
    if step == 1:
        assert "smoke passed 2 of 3 times, at step 1/2, weight 0 %" == answers.ready(decision)[1]


@pytest.mark.parametrize(
    ("name", "since", "reason"),
    [("smoke", 100, "MetricFailed"), ("smoke", 70, ""), ("smoke", None, ""), ("errors", None, "MetricFailed")],
)
def test_what_fails_in_preview(name: str, since: float | None, reason: str) -> None:
    """A test of the preview counts from when that is up; an error of the new pods counts at any time."""
    world = at(1, by(BY_HAND, PRE, ALWAYS), since=since).knows("smoke").knows("errors")
    world = world.knows(name, last_tick=NOON - 40, passes=0).reads(0.5, 0.5, name=name, first=NOON - 30)
    canary = decide(world.observe()).status.canary

    assert canary is not None
    assert reason == (canary.abort.reason if canary.abort else "")


def test_a_preview_that_nobody_tests_can_be_given_up() -> None:
    """NoData works for the preview as it does for users."""
    smoke = metric("smoke", when=["PrePromotion"], noData={"after": "1m", "then": "Rollback"})
    world = at(1, by(BY_HAND, smoke), since=200)
    world = world.knows("smoke", verdict=api.Outcome.NO_DATA, last_judged=NOON - 200, since=NOON - 200)

    assert Ending.ROLLED_BACK is answers.ending(decide(world.observe()))


def test_an_edit_in_preview_never_jumps_past_the_pause() -> None:
    """It goes on at the preview, and has to be promoted anew; metrics that are not due are not begun."""
    world = at(3, by(IN_TIME, PRE), 10).knows("smoke", passes=3).edited(by(BY_HAND, PRE, POST, ALWAYS))
    decision = decide(world.observe())

    assert (2, Phase.PAUSED) == (answers.step(decision), decision.status.phase)
    assert ["smoke", "errors"] == [state.name for state in decision.status.analysis]


# --- the switch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routes", "expected"), [(False, SelectRevision(STABLE, B)), (True, SetWeights("HTTPRoute", "web", 100))]
)
def test_one_write_switches_all_users(expected: Any, *, routes: bool) -> None:
    """The selector of the stable Service, or the weight of the route; and from then on other metrics count."""
    world = at(1, by(AT_ONCE, PRE, POST, BOTH, routes=routes)).knows("smoke", passes=3).knows("both", passes=3)
    decision = decide(world.observe())

    assert [expected] == moved(decision)
    assert (2, 100) == (answers.step(decision), answers.weight(decision))
    assert {"users": 0, "both": 0} == {state.name: state.passes for state in decision.status.analysis}
    assert "revision 2: step 2/2: all users are switched to it" == answers.said(decision, "StepStarted")


@pytest.mark.parametrize("routes", [False, True])
def test_nobody_is_switched_before_all_pods_are_ready(*, routes: bool) -> None:
    """promote-full skips the pause and the evidence, not the capacity."""
    world = at(2, by(IN_TIME, PRE, routes=routes), 2).knows("smoke").told(promote_full=B)
    decision = decide(world.observe())

    assert (4, {B: 10}) == (answers.step(decision), answers.sizes(decision))
    assert [] == moved(decision)


@pytest.mark.parametrize(
    ("stable", "words"),
    [
        (service(STABLE, A), f"the stable Service does not lead to revision {B} alone yet"),
        (service(STABLE, B, {A: 1, B: 9}), f"the stable Service does not lead to revision {B} alone yet"),
    ],
)
def test_the_switch_takes_effect_with_the_endpoints(stable: Any, words: str) -> None:
    """Until no slice names an old pod users may still meet one: evidence does not begin."""
    world = at(3, by(BY_HAND), since=None)
    world = world.but(traffic=facts(routes={}, stable=stable, canary=service(CANARY, B, {B: 10})))
    decision = decide(world.observe())

    assert words == answers.ready(decision)[1]
    assert decision.status.weight is not None
    assert decision.status.weight.since is None


def test_a_stranger_who_switches_back_is_told_and_put_right() -> None:
    """The selector is ours in flight; evidence begins anew."""
    world = at(3, by(BY_HAND, ALWAYS)).knows(passes=3)
    found = facts(routes={}, stable=service(STABLE, A, writer="argocd"), canary=service(CANARY, B, {B: 10}))
    decision = decide(world.but(traffic=found).observe())

    assert SelectRevision(STABLE, B) in moved(decision)
    assert "argocd changed Service web; put back" == answers.said(decision, "TrafficRepaired")
    assert decision.status.weight is not None
    assert decision.status.weight.since is None


def test_a_canary_service_that_was_changed_moves_nobody() -> None:
    """Users stay where they are while who leads to the new pods is put right."""
    world = at(3, by(BY_HAND))
    found = facts(routes={}, stable=service(STABLE, B, {B: 10}), canary=service(CANARY, "", {A: 10, B: 10}))

    assert [SelectRevision(CANARY, B)] == moved(decide(world.but(traffic=found).observe()))


def test_scaling_after_the_switch_reaches_both() -> None:
    """The stable Service leads to the new revision on purpose: it does not hold new pods back."""
    assert {A: 12, B: 12} == answers.sizes(decide(at(3, by(BY_HAND)).but(replicas=12).observe()))


@pytest.mark.parametrize("routes", [False, True])
def test_a_new_side_without_a_ready_pod_loses_all_users_at_once(*, routes: bool) -> None:
    """Nobody waits for a verdict: the old side is there in full."""
    decision = decide(at(3, by(BY_HAND, routes=routes), 10, 0).observe())

    assert [SetWeights("HTTPRoute", "web", 0) if routes else SelectRevision(STABLE, A)] == moved(decision)
    assert decision.recheck_at is not None
    assert decision.recheck_at <= NOON + 3


@pytest.mark.parametrize(("step", "reason"), [(3, "PodsCannotStart"), (2, "")])
def test_a_new_side_that_crashes_after_the_switch_is_given_up_at_once(step: int, reason: str) -> None:
    """In preview it has the patience that every new version has."""
    canary = decide(at(step, by(BY_HAND), 10, 0).but(trouble=CRASH).observe()).status.canary

    assert canary is not None
    assert reason == (canary.abort.reason if canary.abort else "")


def test_evidence_after_the_switch_promotes() -> None:
    """Metrics of users and of pods; the one write that commits finds the Service at home already."""
    world = at(3, by(BY_HAND, PRE, POST, ALWAYS)).knows("users", passes=3)
    waits = decide(world.knows(passes=2).observe())
    done = decide(world.knows(passes=3).observe()).status

    assert "errors passed 2 of 3 times, at step 3/3, weight 100 %" == answers.plain(answers.ready(waits)[1])
    assert (B, A) == (done.stable and done.stable.hash, done.previous and done.previous.hash)
    assert done.traffic is not None
    assert (0, 0, LONG_AGO) == (done.traffic.weight, done.traffic.highest, done.traffic.stable_since)
    assert done.previous is not None
    assert (Phase.HEALTHY, NOON + 300) == (done.phase, done.previous.until)


# --- the way back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ready", [10, 0])
@pytest.mark.parametrize(
    ("routes", "expected"),
    [(False, SelectRevision(STABLE, A)), (True, SetWeights("HTTPRoute", "web", 0, f"{B}/{NOON - 1000}"))],
)
def test_going_back_is_one_write_whatever_the_new_side_does(expected: Any, ready: int, *, routes: bool) -> None:
    """The first one, in the pass of the verdict; the new pods stay until the old ones have everybody, and drained."""
    decision = decide(at(3, by(BY_HAND, routes=routes), 10, ready).told(abort="now").observe())

    assert expected == decision.actions[0]
    assert [expected] == moved(decision)
    assert {A: 10} | answers.sizes(decision) == {A: 10, B: 10}


def warm(ready: int = 10, **changes: Any) -> World:
    """Return a world with Services only in which the new revision was promoted, and has so many pods ready."""
    ruled = by(BY_HAND)
    world = ways.warm(until=changes.pop("until", NOON + 200)).ruled(ruled).deployment(B, 10, ready)
    found = facts(routes={}, stable=service(STABLE, B, {B: ready}), canary=service(CANARY, B, {B: ready}))
    return world.but(traffic=found, **changes)


def test_while_warm_going_back_is_one_write() -> None:
    """Also when the new side is broken; what the switch has given to whom is turned with the two revisions."""
    decision = decide(warm(0).told(abort="now").observe())
    status = decision.status

    assert SelectRevision(STABLE, A) == decision.actions[0]
    assert (A, B) == (status.stable and status.stable.hash, status.canary and status.canary.hash)
    assert status.traffic is not None
    assert (100, 100, None) == (status.traffic.weight, status.traffic.highest, status.traffic.stable_since)


REFUSED: Any = {"refusal": "exceeded quota"}


@pytest.mark.parametrize(
    ("world", "back"),
    [
        (warm(0, trouble=CRASH), True),
        (warm(0).deployment(B, 10, 0, **REFUSED), True),
        (warm(0, trouble=PodTrouble("web-x: ContainerCreating", hopeless=False)), False),
        (warm(0), False),
        (warm(1, trouble=CRASH), False),
        (warm(0, trouble=CRASH).deployment(A, 10, 0), False),
        (warm(0, trouble=CRASH, replicas=0), False),
    ],
)
def test_a_promoted_version_of_which_nothing_runs_is_taken_back(world: World, *, back: bool) -> None:
    """Only where waiting cannot help, all of it is down, and the old one could serve: a drained node is no verdict."""
    decision = decide(world.observe())

    assert back == (decision.status.canary is not None)
    if back:
        assert ["PodsCannotStart"] == [entry.reason for entry in decision.status.rejected]
        assert SelectRevision(STABLE, A) == decision.actions[0]


def test_while_nothing_runs_it_is_asked_often_why() -> None:
    """Nothing tells of what a container says."""
    assert NOON + 3 == decide(warm(0).observe()).recheck_at
    assert NOON + 3 == decide(warm(0, until=None).observe()).recheck_at


def test_when_its_time_is_over_the_old_side_goes() -> None:
    """And with Services only nothing else moves."""
    decision = decide(warm(until=NOON).observe())

    assert ScaleDeployment(A, 0, 10) in decision.actions
    assert [] == moved(decision)


def test_without_replicas_the_switch_is_made_with_the_promotion() -> None:
    """Nobody is served by whichever version, so nothing is waited for."""
    world = at(3, by(BY_HAND), 0, since=None).but(replicas=0).with_status(min_replicas=0)
    decision = decide(world.but(traffic=facts(routes={}, stable=service(endpoints={}))).observe())

    assert B == (decision.status.stable and decision.status.stable.hash)
    assert SelectRevision(STABLE, B) in moved(decision)


def test_without_routes_nobody_can_tell_which_ports_a_service_has() -> None:
    """The remedy names no route where there is none."""
    world = at(1, by(BY_HAND)).but(traffic=facts(routes={}, stable=None, canary=None))

    assert answers.ready(decide(world.observe()))[1].endswith("which ports it should have: create it")
