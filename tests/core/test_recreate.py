"""Recreate: all pods of one revision are gone before the first of the other starts, forth and back."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Phase
from headgate.core.model import PodTrouble
from headgate.core.model.actions import CreateDeployment, RecordPolicy, ScaleDeployment, SelectRevision, SetWeights
from headgate.core.replicas.pod_budget import Sizes
from headgate.core.rollout.decide import decide
from headgate.core.traffic import service_switch
from tests.core import aftermath, answers, ways
from tests.core.ways import CANARY, DRAIN, STABLE, facts, known, route, rule, service, view
from tests.core.worlds import NOON, A, B, C, World, metric, policy, policy_of

PLAIN = policy_of(recreate={})
WATCHED = policy_of((metric(),), recreate={})
ROUTED = policy_of(traffic=ways.TRAFFIC, recreate={})


def going(old: int = 0, objects: int | None = 0, age: float = 60, **changes: Any) -> World:
    """Return a world whose old revision was asked to go *age* seconds ago, and of which so many *objects* are left."""
    world = World().deployment(A, 0, 0, **{"pods": old, **changes}).stable(0, 0, **{"pods": old, **changes})
    world = world.canary(0, age=age).ruled(PLAIN).at_step(1)
    return world.but(present=None if objects is None else {A: objects} if objects else {})


def up(ready: int = 10, since: float | None = 60, **changes: Any) -> World:
    """Return a world in which the old revision is gone and the new one has so many pods of ten ready."""
    world = World().stable(0).canary(10, ready).ruled(WATCHED).at_step(1, since=since).but(present={B: 10})
    return world.but(**changes)


# --- forth ------------------------------------------------------------------------------------------------------------


def test_it_begins_with_the_old_pods() -> None:
    """The first pass asks the old pods to go, starts none, and says that downtime is meant."""
    decision = decide(World().stable().recorded(B).ruled(PLAIN).wants(B).but(present={A: 10}).observe())

    assert {A: 0} == answers.sizes(decision)
    assert Phase.PROGRESSING is decision.status.phase
    message = "downtime is meant: 10 old pods left, terminating ones included; new ones start once they are gone"
    assert ("Recreating", message) == answers.ready(decision)
    assert "revision 2: old pods go before new ones start; downtime is meant" == answers.said(decision, "StepStarted")
    assert decision.recheck_at == NOON + 2


@pytest.mark.parametrize(
    ("world", "said"),
    [
        (going(old=4), "4 old pods left, terminating ones included"),
        (going(objects=1), "1 old pods left, terminating ones included"),
        (going(objects=None), "old pods are being counted"),
        (going(settled=False), "old pods are being counted"),
        (going(age=2), "old pods are being counted"),
    ],
)
def test_nothing_starts_while_an_old_pod_may_be_there(world: World, said: str) -> None:
    """One that terminates, one that was not counted, or one that may still be created: each is waited for."""
    decision = decide(world.observe())

    assert {} == answers.sizes(decision)
    assert ("Recreating", f"downtime is meant: {said}; new ones start once they are gone") == answers.ready(decision)
    available = answers.condition(decision, "Available")
    assert available is not None
    assert ("False", "0 pods ready, at least 10 needed") == (available.status, available.message)


def test_then_all_new_pods_start() -> None:
    """All of them at once: there is nobody to keep in step with."""
    decision = decide(going().observe())

    assert CreateDeployment(B, 2, 10) in decision.actions
    assert ("Recreating", "downtime is meant: 0 of 10 new pods ready") == answers.ready(decision)


def test_new_pods_that_do_not_start_say_why() -> None:
    """The words of the pods are those of every strategy."""
    world = up(3, since=None, trouble=PodTrouble("web-x: CrashLoopBackOff", hopeless=True))
    decision = decide(world.observe())

    message = "downtime is meant: 3 of 10 new pods ready: web-x: CrashLoopBackOff"
    assert ("PodsNotStarting", message) == answers.ready(decision)


def test_the_whole_life() -> None:
    """Old pods, then new ones, then evidence of its own, and it is stable: at no moment have two revisions pods."""
    world = World().stable().recorded(B).ruled(PLAIN).wants(B).but(present={A: 10})
    world, decisions = aftermath.settled(world)

    assert (Phase.HEALTHY, B, None) == (world.status.phase, world.status.stable and world.status.stable.hash, None)
    wanted = {A: 10, B: 0}
    for decision in decisions:
        wanted |= answers.sizes(decision)
        assert 0 in (wanted[A], wanted[B])
    assert {A: 0, B: 10} == wanted


def test_evidence_promotes_it() -> None:
    """It runs in the background, once the new pods are up, until it counts as promoted."""
    waits = decide(up().knows(passes=2).observe())
    promoted = decide(up().knows(passes=3).observe())

    assert (Phase.PROMOTING, "GatheringEvidence") == (waits.status.phase, answers.ready(waits)[0])
    assert (B, None) == (promoted.status.stable and promoted.status.stable.hash, promoted.status.previous)


@pytest.mark.parametrize(("since", "reason"), [(None, ""), (60, ""), (61, "MetricFailed"), (900, "MetricFailed")])
def test_what_is_measured_while_nobody_is_served_is_not_held_against_it(since: float | None, reason: str) -> None:
    """Downtime looks like a failure to a metric of users; only what was measured wholly after it counts."""
    world = up(since=since).knows(last_tick=NOON - 20, verdict=api.Outcome.NO_DATA).reads(0.5, 0.5, first=NOON - 10)
    world = world.but(now=NOON + 20).knows(last_tick=NOON - 20, verdict=api.Outcome.NO_DATA)
    since_then = None if since is None else NOON - since
    weight = api.Weight(desired=100, since=None if since_then is None else int(since_then) - 9)
    decision = decide(world.with_status(weight=weight).observe())

    canary = decision.status.canary
    assert canary is not None
    assert reason == (canary.abort.reason if canary.abort else "")


def test_other_old_pods_go_too() -> None:
    """What is left of an even older revision stands in the way as well."""
    decision = decide(going().deployment(C, 4).observe())

    assert ScaleDeployment(C, 0, 4) in decision.actions
    assert B not in answers.sizes(decision)


def test_an_old_pod_that_comes_back_takes_no_new_one_away() -> None:
    """Somebody scaled the old Deployment: it goes again, and the new pods stay."""
    decision = decide(up().deployment(A, 2).but(present={A: 2, B: 10}).observe())

    assert {A: 0} == answers.sizes(decision)
    assert "WaitingForPods" == answers.ready(decision)[0]


def test_scaling_counts_at_once() -> None:
    """A scale-up in flight reaches the new revision, one to nothing is no harm."""
    assert {B: 14} == answers.sizes(decide(up(replicas=14).observe()))
    assert "Promoted" in answers.reasons(decide(going().but(replicas=0).with_status(min_replicas=0).observe()))


# --- what ends it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True])
def test_old_pods_that_do_not_go_end_it(*, again: bool) -> None:
    """After progressDeadlineSeconds the old revision comes back: rather that than nobody, for ever. A retry, too."""
    world = going(objects=1, age=600)
    if again:
        world = (
            world.deployment(B, 0)
            .canary(0, age=600)
            .with_status(
                canary=world.status.canary
                and world.status.canary.model_copy(update={"progress": api.Progress(desired=0, ready=0, since=NOON)})
            )
        )
    decision = decide(world.but(present={A: 1}).observe())

    assert answers.ending(decision) is api.Ending.ROLLED_BACK
    assert "revision 2 is taken back: no progress for 10m: 1 old pods are still there" == answers.said(
        decision, "RollbackStarted"
    )


def test_an_abort_before_anything_new_is_over_at_once() -> None:
    """No pod of the new revision was ever asked for: the old one comes back whatever of it still terminates."""
    world = going(objects=7).told(abort="now")
    decision = decide(world.observe())

    assert {A: 10} == answers.sizes(decision)
    assert decision.urgent


def leaving(objects: int | None, wanted: int = 0, since: float = 60, **changes: Any) -> World:
    """Return a world in which the new revision was asked to go, and of which so many *objects* are left."""
    marked = {"rejected": f"{B}/{NOON - 1000}", **changes}
    world = World().stable(0).canary(wanted).deployment(B, wanted, **marked).ruled(PLAIN)
    return world.at_step(1).leaving(since=since).but(present=None if objects is None else {B: objects})


@pytest.mark.parametrize(
    ("world", "sizes", "said"),
    [
        (leaving(10, 10), {B: 0}, "10 canary pods left, terminating ones included; the next ones start once they"),
        (leaving(2), {}, "2 canary pods left, terminating ones included; the next ones start once they are gone"),
        (leaving(None), {}, "canary pods are being counted; the next ones start once they are gone"),
        (leaving(0, since=2), {}, "canary pods are being counted; the next ones start once they are gone"),
        (leaving(0), {A: 10}, "0 of 10 stable pods ready"),
    ],
)
def test_going_back_is_the_same_the_other_way_round(world: World, sizes: dict[str, int], said: str) -> None:
    """The new pods are gone before the first old one starts."""
    decision = decide(world.observe())

    assert sizes == answers.sizes(decision)
    assert said in answers.ready(decision)[1]
    assert "downtime is meant" in answers.ready(decision)[1]
    assert decision.recheck_at is not None
    assert decision.recheck_at <= NOON + 6


def test_a_breach_brings_the_old_revision_back() -> None:
    """And rejects the new one, as with every strategy."""
    world = up().knows(failures=2, value="0.5", verdict=api.Outcome.FAILED)
    world, decisions = aftermath.settled(world)

    assert Phase.ROLLED_BACK is world.status.phase
    assert {A: 10, B: 0} == {hash_: one.replicas for hash_, one in world.deployments.items()}
    assert {B: 0} == answers.sizes(decisions[0])


def test_a_newer_version_follows_without_the_old_one_in_between() -> None:
    """Pods of stable would be started only to go again."""
    world = up().ruled(PLAIN).recorded(C).wants(C)
    _, decisions = aftermath.settled(world)

    assert [C] == [key for one in decisions for key, size in answers.sizes(one).items() if size]
    assert decisions[-1].status.stable is not None
    assert C == decisions[-1].status.stable.hash


def test_absent_replicas_are_not_lost_between_two_versions() -> None:
    """Where spec.replicas is absent the pods tell how many are meant, and for a moment there are none at all."""
    world = up().ruled(PLAIN).recorded(C).wants(C).but(replicas=None).with_status(min_replicas=10)
    world, _ = aftermath.settled(world)

    assert {A: 0, B: 0, C: 10} == {hash_: one.replicas for hash_, one in world.deployments.items()}
    assert world.status.min_replicas is None


def test_a_newer_version_that_has_to_wait_brings_the_old_one_back() -> None:
    """Nobody knows for how long spec.paused holds: users are served until then."""
    world, _ = aftermath.settled(up().recorded(C).wants(C).but(paused=True))

    assert (Phase.PAUSED, 10) == (world.status.phase, world.deployments[A].replicas)


# --- changing to it, and from it --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "to"), [(policy(50), PLAIN), (PLAIN, policy(20, 50))])
def test_another_strategy_at_rest_changes_nothing(before: Any, to: Any) -> None:
    """It is accepted and put on record, and not a pod, Service or route hears of it."""
    world = World().stable().ruled(before)
    decision = decide(world.edited(to).observe())

    assert Phase.HEALTHY is decision.status.phase
    assert [RecordPolicy] == [type(one) for one in decision.records]
    assert () == decision.actions


def test_a_change_of_strategy_in_flight_waits() -> None:
    """A rollout ends by the strategy that it began with; what follows it begins by the new one."""
    world = up().recorded(C).wants(C).edited(policy(50)).but(policy_waits=True)
    world = world.leaving(api.Ending.SUPERSEDED).deployment(B, 0).but(present={})
    decision = decide(world.observe())

    assert (None, "PolicyFollows") == (decision.status.canary, answers.ready(decision)[0])
    assert "outdated" == decision.rule
    assert decision.recheck_at == NOON


def test_a_change_of_strategy_ends_the_warm_time_for_the_next_version() -> None:
    """A new version that comes with a new strategy begins by that, and not by the one before."""
    world = ways.warm().recorded(C).wants(C).edited(PLAIN).but(policy_waits=True)
    decision = decide(world.observe())

    assert (None, None) == (decision.status.previous, decision.status.canary)
    assert "PolicyFollows" == answers.ready(decision)[0]


# --- behind Services and routes ---------------------------------------------------------------------------------------


def routed(world: World, selects: str, endpoints: dict[str, int], remembered: api.TrafficStatus) -> World:
    """Return *world* with Services and a route, of which the stable one selects a revision."""
    found = facts(stable=service(STABLE, selects, endpoints), canary=service(CANARY, A, {}))
    metrics = world.spec_policy.analysis if world.spec_policy else None
    ruled = world.ruled(ROUTED.model_copy(update={"analysis": metrics}))
    return ruled.but(traffic=found).with_status(traffic=remembered)


def test_the_stable_service_waits_with_the_pods() -> None:
    """As long as an old pod may be there it leads to that revision; routes are left alone."""
    decision = decide(routed(going(objects=2), A, {}, known()).observe())

    assert [] == [one for one in decision.actions if isinstance(one, SelectRevision | SetWeights)]


def test_the_stable_service_leads_to_the_new_pods_as_they_come() -> None:
    """It selects them before they are ready, so that each serves at once; the canary Service follows."""
    decision = decide(routed(going(), A, {}, known()).observe())

    assert SelectRevision(STABLE, B) == decision.actions[0]
    assert SelectRevision(CANARY, B) in decision.actions
    assert CreateDeployment(B, 2, 10) in decision.actions


def test_evidence_counts_from_when_the_service_leads_to_them() -> None:
    """Ready pods serve nobody before their endpoints are known."""
    late = decide(routed(up(since=None), B, {}, known(100)).observe())
    there = decide(routed(up(since=None), B, {B: 10}, known(100)).observe())

    assert "Service web does not lead to the new pods yet" == answers.ready(late)[1]
    assert (None, NOON) == tuple(one.status.weight and one.status.weight.since for one in (late, there))


def test_a_missing_service_is_told() -> None:
    """It is created as with every strategy, and what has to lead to the new pods is waited for."""
    world = routed(up(), B, {B: 10}, known(100)).but(traffic=facts(stable=None, canary=service(CANARY, A, {})))

    assert "Service of spec.traffic does not lead to the new pods yet" == answers.ready(decide(world.observe()))[1]


def test_promotion_turns_what_is_known_of_traffic() -> None:
    """The revision that had everybody is stable now: the Service leads home, nothing is kept warm, nothing moves."""
    world = routed(up().knows(passes=3), B, {B: 10}, known(100, lowest=100))
    world = world.at_step(1, since=60)
    decision = decide(world.observe())
    status = decision.status

    assert (B, None) == (status.stable and status.stable.hash, status.previous)
    assert status.traffic is not None
    assert (0, 0, 0) == (status.traffic.weight, status.traffic.lowest, status.traffic.highest)
    assert SelectRevision(CANARY, B) in decision.actions
    assert STABLE not in [one.service for one in decision.actions if isinstance(one, SelectRevision)]


def test_going_back_moves_the_service_with_the_pods() -> None:
    """The stable Service selects stable again once the new pods are gone; routes were never moved."""
    world = routed(leaving(0), B, {}, known(100))
    decision = decide(world.observe())

    assert SelectRevision(STABLE, A) == decision.actions[0]
    assert {A: 10} == answers.sizes(decision)
    assert Phase.ROLLING_BACK is decision.status.phase


def test_weight_that_somebody_gives_to_the_canary_service_is_taken_back() -> None:
    """The canary Service leads to nobody who could serve."""
    world = routed(going(), A, {}, known())
    shifted = facts(stable=service(STABLE, A, {}), canary=service(CANARY, A, {}), route=route(rule(50, 50)))

    assert SetWeights("HTTPRoute", "web", 0) in decide(world.but(traffic=shifted).observe()).actions


@pytest.mark.parametrize("broken", [{"route": None}, {"route": ways.UNREADABLE}, {"route": route(parents=())}])
def test_routes_hold_nothing_up(broken: Any) -> None:
    """No route is given any weight, so none needs to be whole."""
    world = routed(going(), A, {}, known())
    world = world.but(traffic=facts(stable=service(STABLE, A, {}), canary=service(CANARY, A, {}), **broken))

    assert "recreating" == decide(world.observe()).rule


def test_no_replicas_need_no_service() -> None:
    """Nobody is served, by whichever version."""
    seen = view(total=0, facts=facts(stable=service(STABLE, A, {})), other_hash=B, status=known(since=NOON - DRAIN))

    assert "" == service_switch.switch(seen, Sizes(0, 0), back=False, clear=False).waits
