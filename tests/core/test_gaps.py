"""From what could not be read nothing follows that takes anything away, and every way back stays open."""

from collections.abc import Callable, Mapping

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core import model
from headgate.core.model import Part, Unreadable
from headgate.core.model.actions import (
    Action,
    AddFinalizer,
    CreateDeployment,
    CreateService,
    RemoveCommand,
    RemoveFinalizer,
    ScaleDeployment,
    SelectRevision,
    SetWeights,
)
from headgate.core.model.traffic import TrafficFacts
from headgate.core.rollout import missing_reads
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from tests.core import answers, ways
from tests.core.ways import CANARY, STABLE, facts, known, route, routed, rule, service
from tests.core.worlds import NOON, A, B, C, World, metric, policy, policy_of

FORBIDDEN = Unreadable("forbidden", since=NOON - 100)
BUSY = Unreadable("429", passing=True, since=NOON - 1)
HOLDING = tuple(part for part in Part if part not in (Part.STATUS, Part.PODS))
PASSES = 3


def by_pods() -> World:
    """Return a canary whose step is over and proved."""
    world = World().ruled(policy(20, 50, metrics=(metric(),))).stable(8).canary(2)
    return world.at_step(1, since=1000).knows(passes=PASSES)


def by_routes() -> World:
    """Return the same by routes, the last step: what follows is the promotion."""
    seen = facts(canary=service(CANARY, B, {B: 10}), route=route(rule(0, 100)))
    world = routed(World().stable(10).canary(10), 50, 100, ways=seen, remembered=known(100), metrics=(metric(),))
    return world.at_step(2, since=1000).knows(passes=PASSES)


def recreated() -> World:
    """Return a recreate of which no pod of the old version is left."""
    world = World().ruled(policy_of(recreate={})).stable(0).canary(0).deployment(B, 0)
    return world.at_step(1).but(present={})


def cooled() -> World:
    """Return a promoted revision whose old one has been warm for long enough."""
    return ways.warm(until=NOON - 2)


WORLDS: Mapping[str, Callable[[], World]] = {
    "a canary by pods": by_pods,
    "a canary by routes": by_routes,
    "recreate": recreated,
    "warm": cooled,
    "a new version": lambda: World().stable().wants(B),
    "another policy": lambda: World().stable().wants(B).edited(policy(70)),
    "the first": lambda: World().first(ready=10),
    "nothing yet": World,
    "found serving": lambda: World().deployment(A, 10),
    "a drill": lambda: by_pods().told(drill="now"),
    "surplus": lambda: _crowded(World().stable()),
    "a leftover": lambda: World().stable().deployment(C, 3),
    "old Services": lambda: World().stable().but(traffic=TrafficFacts(None, None, {}, (service(STABLE, A),))),
    "an orphan": lambda: World().stable().deployment(C, 0, owner="", references=0),
    "a restart": lambda: World().stable().told(restart="now"),
    "spec.replicas halved": lambda: World().stable().but(replicas=5),
}


def _crowded(world: World) -> World:
    for hash_ in ("ffffffffff", "gggggggggg", "hhhhhhhhhh", "jjjjjjjjjj"):
        world = world.deployment(hash_, 0)
    return world


def taking(action: Action) -> bool:
    """Return whether an action takes anything away, or gives the canary more."""
    if isinstance(action, ScaleDeployment):
        return action.replicas < action.was or action.hash == B
    if isinstance(action, SetWeights):
        return bool(action.percent)
    return not isinstance(action, RemoveCommand | SelectRevision)


@pytest.mark.parametrize("part", HOLDING)
@pytest.mark.parametrize("name", WORLDS)
def test_h30_nothing_follows_from_what_is_unread(name: str, part: Part) -> None:
    """H30: nothing shrinks, starts, is released, accepted, forgotten or promoted, and the Rollout says why."""
    world = WORLDS[name]()
    before = world.status
    decision = decide(world.but(unread={part: FORBIDDEN}).observe())
    after = decision.status

    assert [] == [action for action in decision.actions if taking(action)]
    assert all(isinstance(record, AddFinalizer) for record in decision.records)
    assert (before.policy, before.rejected, before.history) == (after.policy, after.rejected, after.history)
    assert (_hash(before.stable), _hash(before.canary), _hash(before.previous)) == (
        _hash(after.stable),
        _hash(after.canary),
        _hash(after.previous),
    )
    assert answers.weight(decision) == (before.weight.desired if before.weight else None)
    assert api.Phase.HOLDING is after.phase
    ready = next(one for one in after.conditions if one.type == "Ready")
    assert f"{part} cannot be read since 2027-01-15T07:58:20Z: forbidden" in ready.message
    assert decision.recheck_at is not None
    assert NOON < decision.recheck_at <= NOON + missing_reads.ASK_SECONDS_MAX


def _hash(side: api.Side | None) -> str:
    return side.hash if side else ""


def test_without_gaps_each_of_these_worlds_goes_on() -> None:
    """None of them would hold anyway: what is shown above is the gaps' doing."""
    still = {name for name, world in WORLDS.items() if decide(world().observe()).rule == "unread"}

    assert not still


@pytest.mark.parametrize("part", HOLDING)
@pytest.mark.parametrize("why", ["abort", "breach", "deadline", "template"])
def test_h30_the_way_back_needs_nothing_that_is_unread(part: Part, why: str) -> None:
    """H30: whatever cannot be read, an abort and a verdict lead users to stable in the same pass, before all else."""
    world = by_routes()
    late = api.Progress(desired=10, ready=9, since=NOON - 700)
    canary = world.status.canary
    triggered = {
        "abort": lambda: world.told(abort="now"),
        "breach": lambda: world.knows(failures=2, value="0.5", verdict=api.Outcome.FAILED),
        "deadline": lambda: world.with_status(
            canary=canary and canary.model_copy(update={"progress": late})
        ).deployment(B, 10, 9),
        "template": lambda: world.wants(A),
    }
    decision = decide(triggered[why]().but(unread={part: FORBIDDEN}).observe())
    first = decision.actions[0]

    assert answers.ending(decision) is not None
    assert decision.urgent
    assert isinstance(first, SetWeights)
    assert 0 == first.percent


def test_h30_by_pods_stable_grows_and_the_canary_goes_where_both_are_known() -> None:
    """H30: only a Deployment that cannot be read keeps the canary's pods: what is known of it is old."""
    world = by_pods().stable(10).deployment(B, 2).told(abort="now")
    sizes = {}
    for part in HOLDING:
        decision = decide(world.but(unread={part: FORBIDDEN}).observe())
        scaled = [action for action in decision.actions if isinstance(action, ScaleDeployment)]
        sizes[part] = [(action.hash, action.replicas) for action in scaled]

    assert {part for part, asked in sizes.items() if (B, 0) in asked} == {*HOLDING} - {Part.SIDES, Part.TRAFFIC}


def test_h30_a_stale_deployment_is_grown_by_what_was_read_of_it() -> None:
    """H30: what was read before has a uid, which guards the write; what the status says alone has none."""
    world = by_pods().told(abort="now")
    grown = {}
    for uid in ("uid-of-stable", ""):
        seen = world.deployment(A, 8, uid=uid, stale=True, settled=False).but(unread={Part.SIDES: FORBIDDEN})
        grown[uid] = [action for action in decide(seen.observe()).actions if isinstance(action, ScaleDeployment)]

    assert [(A, 10)] == [(action.hash, action.replicas) for action in grown["uid-of-stable"]]
    assert [] == grown[""]


@pytest.mark.parametrize("part", [Part.SIDES, Part.TRAFFIC])
def test_h30_a_canary_is_not_gone_while_its_users_cannot_be_seen(part: Part) -> None:
    """H30: no pod is counted, and still it is not said to be gone."""
    world = by_pods().stable(10).leaving(since=100).deployment(B, 0)
    gone, unseen = decide(world.observe()), decide(world.but(unread={part: FORBIDDEN}).observe())

    assert (None, B) == (gone.status.canary, _hash(unseen.status.canary))


def test_h30_nor_while_a_route_cannot_be_read() -> None:
    """H30: a route may hold what the status does not know, as when the answer to our last write was lost."""
    ways_now = facts(route=Unreadable("forbidden"))
    world = routed(World().stable(10).canary(0).leaving(since=100), 20, ways=ways_now, remembered=known(0))
    decision = decide(world.observe())

    assert (api.Phase.ROLLING_BACK, B) == (decision.status.phase, _hash(decision.status.canary))


def test_h30_a_moment_is_not_told() -> None:
    """H30: one call in ten may fail: for 5 s nothing is written for it, and it is asked again at once."""
    decision = decide(by_pods().but(unread={Part.RECORDS: BUSY}).observe())

    assert ((), (), (), False) == (decision.actions, decision.records, decision.notices, decision.write_status)
    assert by_pods().status == decision.status
    assert NOON + 1 == decision.recheck_at


def test_h30_what_lasts_is_asked_for_more_and_more_seldom() -> None:
    """H30: half the time that it has lasted, 30 s at most."""
    asked = []
    for since in (NOON - 6, NOON - 20, NOON - 1000, None):
        why = Unreadable("429", passing=True, since=since)
        world = World().stable().but(unread={Part.RECORDS: why})
        asked.append((decide(world.observe()).recheck_at or 0) - NOON)

    assert [3.0, 10.0, 30.0, 1.0] == asked


def test_h30_pods_that_cannot_be_read_hold_nothing_up() -> None:
    """H30: what restarts needs of them waits by itself."""
    decision = decide(by_pods().but(unread={Part.PODS: FORBIDDEN}).observe())

    assert "unread" != decision.rule


def test_h30_a_command_that_finds_nothing_stands_until_all_is_read() -> None:
    """H30: a revision that is not on record now may be on it: the command is neither carried out nor used up."""
    world = World().stable().told(rollback_to="7").but(unread={Part.RECORDS: FORBIDDEN})
    decision = decide(world.observe())

    assert ((), ()) == (decision.actions, decision.status.handled_commands)
    assert "CommandMismatch" not in [notice.reason for notice in decision.notices]


def test_h30_stable_is_created_again_where_nothing_of_it_is_in_doubt() -> None:
    """H30: its Deployment was deleted while the autoscalers cannot be read: the list that was read shows that."""
    world = by_pods().but(templates={}).recorded(A).recorded(B)
    world = world.but(deployments={B: world.deployments[B]})
    made = {part: decide(world.but(unread={part: FORBIDDEN}).observe()).actions for part in HOLDING}

    assert {Part.AUTOSCALERS, Part.RECORDS, Part.POLICY, Part.TRAFFIC} == {
        part for part, actions in made.items() if any(isinstance(one, CreateDeployment) for one in actions)
    }


def test_h30_a_stable_service_that_is_gone_is_created_on_the_way_back() -> None:
    """H30: that it is gone was said by the server; what it is called by the policy."""
    world = by_routes().told(abort="now").but(traffic=facts(stable=None, route=route(rule(0, 100))))
    made = {}
    for part in (Part.RECORDS, Part.POLICY, Part.TRAFFIC):
        actions = decide(world.but(unread={part: FORBIDDEN}).observe()).actions
        made[part] = any(isinstance(one, CreateService) for one in actions)

    assert {Part.RECORDS: True, Part.POLICY: True, Part.TRAFFIC: False} == made


def test_h30_a_service_that_was_turned_away_is_led_home() -> None:
    """H30: a stranger changed its selector; that is put back though the autoscalers cannot be read."""
    turned = facts(stable=service(STABLE, C, {A: 10}), canary=service(CANARY, B, {B: 2}), route=route(rule(80, 20)))
    world = routed(World().stable(10).canary(2), 20, 50, ways=turned, remembered=known(20)).at_step(1, since=100)
    found = {
        part: SelectRevision(STABLE, A) in decide(world.but(unread={part: FORBIDDEN}).observe()).actions
        for part in (Part.AUTOSCALERS, Part.TRAFFIC)
    }

    assert {Part.AUTOSCALERS: True, Part.TRAFFIC: False} == found


def test_h30_weights_only_fall_meanwhile() -> None:
    """H30: a stranger gave the canary more, or its Service lost its pods: both lead to less."""
    ways_now = facts(canary=service(CANARY, B, {}), route=route(rule(50, 50)))
    world = routed(World().stable(10).canary(5, 0), 50, 80, ways=ways_now, remembered=known(50)).at_step(1, since=100)
    falls = decide(world.but(unread={Part.AUTOSCALERS: FORBIDDEN}).observe()).actions
    blind = decide(world.but(unread={Part.STATUS_PART: FORBIDDEN}).observe()).actions

    assert [0] == [action.percent for action in falls if isinstance(action, SetWeights)]
    assert not blind


def test_h30_the_floor_and_the_analysis_are_kept() -> None:
    """H30: half a policy may lack a metric, and autoscalers may have been why the floor is there."""
    world = by_pods().knows("latency", failures=1).with_status(min_replicas=14)
    kept = decide(world.but(unread={Part.POLICY: FORBIDDEN}).observe()).status
    resting = World().stable(14).with_status(min_replicas=14).but(unread={Part.AUTOSCALERS: FORBIDDEN})

    assert {"errors", "latency"} == {state.name for state in kept.analysis}
    assert (14, 14) == (kept.min_replicas, decide(resting.observe()).status.min_replicas)


def test_h30_services_to_release_are_remembered_until_they_can_be_listed() -> None:
    """H30: a list that fails does not say that there are none."""
    lost = TrafficFacts(None, None, {}, former_unread=FORBIDDEN)
    plain = World().stable().with_status(traffic=known(0))

    assert decide(plain.but(traffic=lost).observe()).status.traffic is not None
    assert decide(plain.observe()).status.traffic is None


def test_h30_what_is_known_of_traffic_outlasts_a_policy_that_is_not() -> None:
    """H30: without Services and routes to read, what was known of them stays."""
    world = World().stable(10).canary(2).with_status(traffic=known(20)).but(unread={Part.POLICY: FORBIDDEN})

    assert known(20) == decide(world.observe()).status.traffic


def test_h30_a_scheduled_drill_is_neither_forgotten_nor_started() -> None:
    """H30: a policy that cannot be read may have the schedule, so that its next time stays."""
    due = api.DrillSchedule(schedule="0 3 * * * UTC", next=NOON + 100)
    world = World().stable().with_status(drill=due).but(unread={Part.POLICY: FORBIDDEN})

    assert due == decide(world.observe()).status.drill


def test_h30_a_claim_that_cannot_be_read_keeps_a_version_from_starting() -> None:
    """H30: the rule may belong to another Rollout; that was taken for nobody's before."""
    busy = Unreadable("429", passing=True)
    ways_now = facts(route=route(rule(100, 0, claimed_by=busy)))
    decision = decide(routed(World().stable(10), 20, ways=ways_now).wants(B).observe())

    assert (None, "RuleClaimUnreadable") == (decision.status.canary, _reason(decision))


def _reason(decision: model.Decision) -> str:
    return next(one.reason for one in decision.status.conditions if one.type == "Ready")


# --- deletions ------------------------------------------------------------------------------------------------------


def deleted(world: World, seconds: int) -> World:
    """Return *world* being deleted since *seconds*."""
    return world.but(deleting=True, finalizers=(names.FINALIZER,), deleted=NOON - seconds)


@pytest.mark.parametrize(
    ("refusal", "seconds", "goes"),
    [
        ("HTTPRoute web: forbidden", 61, True),
        (f"Service {STABLE}: forbidden", 61, True),
        (f"Deployment web-{A}: forbidden", 61, True),
        ("status of Rollout web: forbidden", 61, True),
        ("Rollout web: forbidden", 61, True),
        ("HTTPRoute web: forbidden", 30, False),
        ("Service other: forbidden", 3600, False),
        (f"Service {CANARY}: forbidden", 3600, False),
        (f"Deployment web-{C}: quota exceeded", 3600, False),
        ("Pod web-1: budget", 3600, False),
        ("ControllerRevision web-x: quota exceeded", 3600, False),
    ],
)
def test_h19_only_what_bars_the_way_back_lets_a_deletion_go(refusal: str, seconds: int, *, goes: bool) -> None:
    """H19: a refusal of something else leaves no user behind; the way back is tried for a minute, then it goes."""
    world = deleted(by_routes().but(refusals=(refusal,)), seconds)
    decision = decide(world.observe())

    assert isinstance(decision.actions[0], SetWeights)
    assert (0, goes) == (decision.actions[0].percent, RemoveFinalizer() in decision.actions)


@pytest.mark.parametrize(("seconds", "goes"), [(599, False), (601, True)])
def test_h19_a_deletion_waits_ten_minutes_for_what_cannot_be_read(seconds: int, *, goes: bool) -> None:
    """H19: users may be at a canary that nobody can see; but an object that goes on being there helps them no more."""
    unseen = by_routes().but(traffic=facts(route=Unreadable("forbidden")))
    found = decide(deleted(unseen, seconds).observe())

    assert goes == (RemoveFinalizer() in found.actions)


@pytest.mark.parametrize("part", [Part.RECORDS, Part.DEPLOYMENTS])
def test_h19_a_namespace_is_not_taken_for_dying_where_nothing_can_be_listed(part: Part) -> None:
    """H19: that stable and its record are gone is known only where both were asked for and answered."""
    world = deleted(by_routes(), 10).leaving(api.Ending.DELETED, 10).but(deployments={}, templates={}, written="other")

    assert RemoveFinalizer() in decide(world.observe()).actions
    assert RemoveFinalizer() not in decide(world.but(unread={part: FORBIDDEN}).observe()).actions


def test_a_command_that_was_carried_out_is_removed_all_the_same() -> None:
    """Its annotation is no object that could not be read, and would be heard again."""
    seen = by_pods().but(unread={Part.SIDES: FORBIDDEN}).observe()
    removal = RemoveCommand(names.ABORT, B)

    assert missing_reads.permitted(Situation(seen, seen.status), [removal]) == [removal]
