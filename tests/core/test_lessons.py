"""What the simulation taught about traffic: each case is a world in which somebody would have been hurt."""

import dataclasses
from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Phase
from headgate.core import model
from headgate.core.model.actions import DropRecord
from headgate.core.replicas import pod_budget, weighted
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes
from headgate.core.rollout import blockers
from headgate.core.rollout.decide import decide
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic import propagation
from tests.core import aftermath, answers, ways
from tests.core.ways import CANARY, DRAIN, STABLE, facts, known, parent, pods, route, rule, service, view
from tests.core.worlds import NOON, A, B, C, World, policy


def test_the_ways_are_looked_at_as_soon_as_the_first_revision_is_stable() -> None:
    """Nothing else may happen for long, and a Service that selects everything would lead to the next canary's pods."""
    world = ways.routed(World().first(10, 10))
    decision = decide(world.observe())

    assert (Phase.PROGRESSING, world.now) == (decision.status.phase, decision.recheck_at)
    assert answers.ready(decision)[0] == "MovingTraffic"


def test_a_revision_that_was_found_serving_is_led_to_before_a_new_one_comes() -> None:
    """Orphans of an older Rollout of that name: its Service selects everything, and would lead to the new pods too."""
    world = ways.routed(World().deployment(A, 10), 20, ways=facts(stable=service(STABLE, "", {A: 10}))).wants(B)
    found = decide(world.observe())

    assert (A, None) == (found.status.stable and found.status.stable.hash, found.status.canary)
    assert (world.now, {}) == (found.recheck_at, answers.sizes(found))


def test_what_the_stable_service_selects_is_found_again() -> None:
    """Orphans of a promotion are both there in full: users stay where they are."""
    both = World().deployment(A, 10).deployment(B, 10)
    assert (decide(both.observe()).status.stable or api.Side(revision=0, hash="")).hash == A

    selected = decide(ways.routed(both, 20, ways=facts(stable=service(STABLE, B))).observe())
    assert (selected.status.stable or api.Side(revision=0, hash="")).hash == B


@pytest.mark.parametrize(("waited", "expected"), [(5, {A: 18}), (29, {A: 18}), (30, {B: 4})])
def test_a_canary_waits_for_the_stable_pods_beside_it(waited: int, expected: Any) -> None:
    """Twice the replicas at 20 percent: pods of its own may be ready first, and would get a third of the traffic."""
    world = World(replicas=20).stable(16, 8).canary(2).ruled(policy(20, 50)).at_step(1)
    stable = world.status.stable
    progress = api.Progress(desired=16, ready=8, since=NOON - waited)
    world = world.with_status(stable=stable and stable.model_copy(update={"progress": progress}))
    decision = decide(world.observe())

    assert answers.sizes(decision) == expected
    assert A not in expected or decision.recheck_at == NOON - waited + 30


@pytest.mark.parametrize(
    ("changes", "gone"), [({}, True), ({"since": NOON - 5}, False), ({"stable_since": NOON - 5}, False)]
)
def test_older_pods_stay_until_connections_have_drained(changes: Any, gone: bool) -> None:  # noqa: FBT001  # of the table
    """Routes and Services may have left them a moment ago, under a Rollout whose memory is gone."""
    world = ways.routed(World().stable(10).deployment(C, 5), 20, remembered=known(**changes))
    assert answers.sizes(decide(world.observe())) == ({C: 0} if gone else {})


@pytest.mark.parametrize(
    ("asked", "refusals", "expected"), [(8, (), {A: 10, B: 2}), (8, ("quota",), {A: 10, B: 0}), (10, (), {B: 0})]
)
def test_patience_begins_when_stable_was_asked_for(asked: int, refusals: Any, expected: Any) -> None:
    """Where nothing could be written for two minutes, no canary pod goes for a stable one that nobody asked for."""
    world = World().stable(8).canary(2).at_step(1).leaving(since=120)
    world = world.deployment(A, asked, 8).but(refusals=refusals)
    since = api.Progress(desired=asked, ready=8, since=NOON - 5000)
    stable = world.status.stable
    world = world.with_status(stable=stable and stable.model_copy(update={"progress": since}))

    assert answers.sizes(decide(world.observe())) == expected


def test_orphans_whose_pods_are_away_for_a_moment_stay() -> None:
    """They may have carried everybody: a new Rollout of that name scales them down when its own revision is stable."""
    world = World().first(10, 3).deployment(B, 10, 0)
    assert answers.sizes(decide(world.observe())) == {}

    assert answers.sizes(decide(world.deployment(A, 10, 10).observe())) == {B: 0}


def test_no_new_pod_stands_behind_the_stable_service() -> None:
    """While the stable Service does not tell new pods from old ones, there are none; unless nobody serves there."""
    seen = view(other_hash=B, weight=20, facts=facts(stable=service(STABLE, "")))
    assert traffic_plan.forward(seen).sizes == Sizes(10, 0)

    nobody = view(other_hash=B, weight=20, facts=facts(stable=service(STABLE, "")), stable=pods(10, 0))
    assert traffic_plan.forward(nobody).sizes == Sizes(10, 2)


def test_pods_of_an_older_revision_count() -> None:
    """Three versions together stay within the bound: the newest waits until the oldest is gone."""
    assert traffic_plan.forward(view(other_hash=B, weight=20, leftover=9)).sizes == Sizes(10, 1)
    assert traffic_plan.forward(view(other_hash=B, weight=20, leftover=10)).sizes == Sizes(10, 0)


@pytest.mark.parametrize(("ready", "expected"), [(4, 4), (2, 5)])
def test_stable_grows_into_the_room_of_an_older_revision_when_that_is_gone(ready: int, expected: int) -> None:
    """Without surge the warm revision's pod and the promoted one's last are not there at once, unless too few serve."""
    seen = view(0, 5, 2, other_hash=B, other=pods(0), stable=pods(4, ready), leftover=1)
    assert traffic_plan.forward(seen).sizes == Sizes(expected, 0)


def test_without_surge_it_arrives_and_stable_is_never_empty() -> None:
    """One stable pod stays for callers inside the cluster, and the canary that the bound allows carries everything."""
    assert weighted.goal(Budget(4, 0, 1), 100) == Sizes(1, 3)
    ways_now = facts(canary=service(CANARY, B, {B: 3}), route=route(rule(25, 75)))
    seen = view(
        0, 4, 1, weight=100, other_hash=B, other=pods(3), stable=pods(1), status=known(75, lowest=75), facts=ways_now
    )

    plan = traffic_plan.forward(seen)
    assert (plan.percent, plan.sizes) == (100, Sizes(1, 3))


def test_stable_goes_only_as_far_as_the_pods_of_both_allow() -> None:
    """After a scale-up the canary's share of the pods is late: stable does not shrink before it is there."""
    ways_now = facts(canary=service(CANARY, B, {B: 5}), route=route(rule(50, 50)))
    seen = view(2, 15, weight=50, other_hash=B, other=pods(5), stable=pods(10), status=known(50), facts=ways_now)

    assert traffic_plan.forward(seen).sizes == Sizes(10, 7)


def test_no_replicas_no_wait() -> None:
    """Nobody is served by whichever version: no pod, endpoint or weight is waited for, and Services follow."""
    nobody = facts(stable=service(STABLE, A, {}), canary=service(CANARY, A, {}))
    seen = view(0, 0, weight=20, other_hash=B, other=pods(0), facts=nobody)
    assert (traffic_plan.forward(seen).waits, traffic_plan.forward(seen).percent) == ("", 0)

    rest = traffic_plan.at_rest(view(0, 0, stable_hash=B, other_hash=A, other=pods(0), facts=nobody))
    assert (rest.stable_selects, rest.canary_selects, rest.waits) == (B, B, "")


@pytest.mark.parametrize(("since", "chosen"), [(NOON - DRAIN + 1, ""), (NOON - DRAIN, B)])
def test_the_stable_service_moves_once_its_weight_has_drained(since: int, chosen: str) -> None:
    """A Gateway that is late with 100 percent still sends users to the stable Service when B is stable."""
    ways_now = facts(canary=service(CANARY, B), route=route(rule(0, 100)))
    seen = view(facts=ways_now, status=known(100, since=since), stable_hash=B, other_hash=A, other=pods(10))

    assert traffic_plan.at_rest(seen).stable_selects == chosen


def test_both_stay_within_the_bound_while_the_old_one_is_warm() -> None:
    """Without surge the promoted revision grows to its full size when the warm one goes."""
    ways_now = facts(stable=service(STABLE, B), canary=service(CANARY, B))
    seen = view(0, 4, 1, facts=ways_now, stable_hash=B, stable=pods(3), other_hash=A, other=pods(1))
    assert traffic_plan.at_rest(seen).sizes == Sizes(3, 1)

    alone = view(0, 4, 1, facts=ways_now, stable_hash=B, stable=pods(3))
    assert traffic_plan.at_rest(alone).sizes == Sizes(4, 0)


@pytest.mark.parametrize(("answering", "selects"), [(3, A), (0, "")])
def test_going_home_waits_for_no_min_ready_seconds(answering: int, selects: str) -> None:
    """Stable's pods have just been started anew: they are endpoints, and not available for two minutes yet."""
    ways_now = facts(stable=service(STABLE, B), canary=service(CANARY, B))
    stable = dataclasses.replace(pods(10, 0), answering=answering)
    seen = view(facts=ways_now, stable=stable, other_hash=B, other=pods(10), switches=True)

    assert traffic_plan.backward(seen).stable_selects == selects


def test_old_pods_from_before_a_scale_down_take_nobodys_place() -> None:
    """Ten were promoted, three were wanted then and four are now: seven of the ten warm ones do not count."""
    ways_now = facts(stable=service(STABLE, B), canary=service(CANARY, B))
    seen = view(4, 4, facts=ways_now, stable_hash=B, stable=pods(3), other_hash=A, other=pods(10))

    assert traffic_plan.at_rest(seen).sizes == Sizes(4, 10)


def test_a_leaving_canary_keeps_its_pods_while_any_weight_of_it_may_be_in_effect() -> None:
    """What was highest may have been lost with a status that could not be written: nothing goes before the drain."""
    ways_now = facts(canary=service(CANARY, B, {B: 5}))
    seen = view(facts=ways_now, status=known(0, since=NOON - 1, highest=20), other_hash=B, other=Pods(5, 5, 5))

    assert traffic_plan.backward(seen).sizes == Sizes(10, 5)


@pytest.mark.parametrize(
    ("follows", "expected"),
    [(False, (None, Sizes(10, 2))), (True, (NOON, Sizes(10, 2)))],
)
def test_a_gateway_that_refuses_the_way_back_may_still_send_users(*, follows: bool, expected: Any) -> None:
    """It may go on with the weight that it had: until it accepts the route no drain begins, and pods stay."""
    refusing = parent(accepted=False, follows=follows, words="UnsupportedValue: too many rules")
    ways_now = facts(canary=service(CANARY, B, {B: 2}), route=route(parents=(refusing,)))
    found = propagation.observe_weights(known(20), ways_now, A, DRAIN, NOON)
    leaves = view(facts=ways_now, status=found, other_hash=B, other=pods(2))

    assert (found.since, traffic_plan.backward(leaves).sizes) == expected
    words = "Gateway eg/public does not accept HTTPRoute web and may go on as before: UnsupportedValue: too many rules"
    assert traffic_plan.backward(leaves).waits == ("connections drain" if follows else words)


def test_the_canary_service_leads_to_somebody_before_it_leads_to_new_pods() -> None:
    """Left on a revision without pods it goes to stable's first: a Gateway may hear of the weight before the pods."""
    left = facts(canary=service(CANARY, "older", {}))
    assert traffic_plan.forward(view(other_hash=B, other=pods(2, 0), weight=20, facts=left)).canary_selects == A


def test_what_was_undrained_at_rest_is_looked_at_again() -> None:
    """A weight that a stranger set and we put back is forgotten once it has drained, not at the next resync."""
    seen = view(status=known(0, since=NOON - 1, highest=70))
    assert traffic_plan.at_rest(seen).recheck_at == (NOON - 1 + DRAIN,)


@pytest.mark.parametrize("until", [None, NOON + 3600])
def test_the_record_of_a_warm_revision_stays(until: int | None) -> None:
    """Its Deployment may be deleted by hand at any moment, and is made anew from the record as long as it is warm."""
    world = ways.warm(until=until).recorded(A).recorded(B)
    world = world.but(deployments={B: world.deployments[B]})

    assert [] == [action for action in decide(world.observe()).actions if isinstance(action, DropRecord)]


def test_a_route_that_is_gone_is_looked_for_after_a_rollback_too() -> None:
    """One that comes back may hold any weight and bears no label of ours, so that no watch shows it."""
    taken_back = api.Rejected(revision=2, hash=B, reason="MetricFailed", message="why", at=NOON - 500)
    world = ways.routed(World().stable(), 20, ways=facts(route=None)).wants(B).with_status(rejected=(taken_back,))
    waits = world.but(status=decide(world.observe()).status)
    decision = decide(waits.observe())

    assert Phase.ROLLED_BACK is decision.status.phase
    assert decision.recheck_at == NOON + blockers.TRAFFIC_ASK_AGAIN_SECONDS


@pytest.mark.parametrize("total", [*range(1, 60), 100, 101, 199, 250])
def test_what_both_sides_carry_is_the_whole(total: int) -> None:
    """However all pods are shared out, so is all of the traffic, and no side gets a hundredth more than it carries."""
    for ready in range(total + 1):
        carried = weighted.carries(ready, total)
        assert carried + weighted.carries(total - ready, total) == 100
        assert abs(carried - 100 * ready / total) < 1
        assert weighted.carriers(total, carried) <= ready
    for percent in range(101):
        enough = [ready for ready in range(total + 1) if weighted.carries(ready, total) >= percent]
        assert weighted.carriers(total, percent) == enough[0]


@pytest.mark.parametrize("total", [*range(1, 20), 99, 250])
@pytest.mark.parametrize("percent", [1, 37, 60, 100])
@pytest.mark.parametrize(("surge", "unavailable"), [(1, 0), (3, 0), (0, 1), (1, 1)])
def test_no_bound_stops_a_canary(total: int, percent: int, surge: int, unavailable: int) -> None:
    """Weight by weight and pod by pod it arrives, whatever the numbers: 7 % of 14 pods leave 93 % to 13, not to 14."""
    limits = pod_budget.budget(policy(surge=surge, unavailable=unavailable).strategy.canary, total, routed=True)
    now, weight = Sizes(total, 0), 0
    for _ in range(4 * total + 4):
        seen = view(
            limits.surge,
            total,
            limits.unavailable,
            stable=pods(now.stable),
            other=pods(now.canary),
            other_hash=B,
            weight=percent,
            status=known(weight),
            facts=facts(canary=service(CANARY, B, {B: now.canary}), route=route(rule(100 - weight, weight))),
        )
        plan = traffic_plan.forward(seen)
        assert plan.sizes.stable + plan.sizes.canary <= max(limits.most_pods, total)
        assert min(now.stable, plan.sizes.stable) >= weighted.carriers(total, 100 - weight) - limits.unavailable
        now, weight = plan.sizes, weight if plan.percent is None else plan.percent

    assert (weight, now) == (percent, weighted.goal(limits, percent))


@pytest.mark.parametrize(("available", "percent"), [(2, 20), (5, 50)])
def test_a_pod_carries_when_it_has_been_ready_for_min_ready_seconds(available: int, percent: int) -> None:
    """Five endpoints are ready, and so long as only two of their pods count as available the weight is theirs."""
    ways_now = facts(canary=service(CANARY, B, {B: 5}), route=route(rule(80, 20)))
    seen = view(weight=50, other_hash=B, other=pods(5, available), status=known(20), facts=ways_now)

    assert traffic_plan.forward(seen).percent == percent


def test_a_route_that_cannot_be_read_has_not_drained() -> None:
    """H24: 50 % was written, the answer was lost, and the status knows of 20 %: five pods carry whom nobody sees."""
    seen = view(other_hash=B, other=pods(5), status=known(20), facts=facts(route=ways.UNREADABLE))

    assert traffic_plan.backward(seen).sizes == Sizes(10, 5)


SOON, LATER = blockers.TRAFFIC_ASK_SOON_SECONDS, blockers.TRAFFIC_ASK_AGAIN_SECONDS


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"route": model.Unreadable("429", passing=True)}, SOON),
        ({"stable": model.Unreadable("500", passing=True)}, SOON),
        ({"canary": service(CANARY, endpoints=model.Unreadable("500", passing=True))}, SOON),
        ({"canary": service(CANARY, endpoints=model.Unreadable("forbidden"))}, LATER),
        ({"route": model.Unreadable("forbidden")}, LATER),
    ],
)
def test_what_could_not_be_read_is_looked_at_again(changes: Any, after: float) -> None:
    """H24: no watch tells of the answer that another look would get; a refusal is no reason to ask all the time."""
    decision = decide(ways.routed(World().stable(), 20, ways=facts(**changes)).wants(B).observe())

    assert decision.recheck_at == NOON + after


@pytest.mark.parametrize("since", [5, 40, 90, 4000])
def test_what_cannot_go_on_is_not_looked_at_all_the_time(since: float) -> None:
    """A way back that waits for what never comes, such as a Deployment under a taken name, costs a look in a while."""
    world = World().stable(10).canary(2).ruled(policy(20, 50)).at_step(1).leaving(since=since)
    world = world.but(deployments={B: world.deployments[B]}, foreign=(f"Deployment web-{A} exists and is not ours",))
    world, _ = aftermath.settled(world)
    for _ in range(20):
        decision = decide(world.observe())
        assert decision.recheck_at is not None
        assert decision.recheck_at >= world.now + 1
        world = aftermath.after(world, decision, decision.recheck_at - world.now)
