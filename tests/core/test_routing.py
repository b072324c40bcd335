"""Decisions about traffic: what is written, in which order, and what stands in no way of an abort."""

from collections.abc import Callable
from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.status import Phase
from headgate.core.model import Identity, Target
from headgate.core.model.actions import ReleaseService, ScaleDeployment, SelectRevision, SetWeights, WatchRoute
from headgate.core.rollout.decide import decide
from tests.core.ways import (
    CANARY,
    STABLE,
    UNREADABLE,
    facts,
    in_flight,
    known,
    parent,
    route,
    routed,
    rule,
    service,
    warm,
)
from tests.core.worlds import NOON, A, B, World, metric, policy

BACK = SetWeights("HTTPRoute", "web", 0, f"{B}/{NOON - 1000}")


def at_20(**changes: Any) -> Any:
    """Return the ways of a canary at 20 percent."""
    return facts(**{"canary": service(CANARY, B, {B: 2}), "route": route(rule(80, 20)), **changes})


def breached(world: World) -> World:
    """Return *world* with a metric that has failed twice."""
    return world.knows(failures=2, value="0.5", verdict=api.Outcome.FAILED)


HINDRANCES: dict[str, Callable[[World], World]] = {
    "nothing": lambda world: world,
    "H3: the spec is invalid": lambda world: world.but(invalid="spec.strategy: wrong"),
    "the template is refused": lambda world: world.but(target=Target(Identity.REFUSED, message="no")),
    "H1: writes are refused": lambda world: world.but(refusals=("HTTPRoute web: denied",)),
    "H4: it is paused": lambda world: world.but(paused=True),
    "H5: a stable pod is away": lambda world: world.deployment(A, 10, 9),
    "H21: it is being scaled": lambda world: world.but(replicas=14),
    "H6: promote-full was given": lambda world: world.told(promote_full=B),
    "a Gateway refuses": lambda world: world.but(
        traffic=at_20(route=route(rule(80, 20), parents=(parent(accepted=False),)))
    ),
    "no Gateway answers": lambda world: world.but(traffic=at_20(route=route(rule(80, 20), parents=()))),
    "the stable Service cannot be read": lambda world: world.but(traffic=at_20(stable=UNREADABLE)),
    "the canary Service is gone": lambda world: world.but(traffic=at_20(canary=None)),
    "another route is gone": lambda world: world.but(
        traffic=at_20(routes={("HTTPRoute", "web"): route(rule(80, 20)), ("GRPCRoute", "api"): None})
    ),
    "somebody contests the route": lambda world: world.with_status(
        traffic=known(20, drift_count=7, drift_last_time=NOON - 1, drift_by="x")
    ),
}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_abort_is_never_blocked(hindrance: str) -> None:
    """In one pass the verdict is in the status and the route is the first thing that is written after it."""
    world = HINDRANCES[hindrance](breached(in_flight(metrics=(metric(),))))
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None
    assert (True, True) == (decision.urgent, decision.write_status)
    weights = [action for action in decision.actions if isinstance(action, SetWeights)]
    assert [BACK] == weights
    before = decision.actions[: decision.actions.index(BACK)]
    assert set(before) <= {SelectRevision(STABLE, A)}


def test_only_an_empty_stable_side_makes_an_abort_wait() -> None:
    """Users keep the bad version while there is nobody else, and stable is scaled up meanwhile."""
    world = breached(in_flight(metrics=(metric(),), ways=at_20(stable=service(endpoints={})))).deployment(A, 10, 0)
    decision = decide(world.observe())

    assert Phase.ROLLING_BACK is decision.status.phase
    assert not [action for action in decision.actions if isinstance(action, SetWeights)]
    assert "no endpoint of Service web is ready" in decision.status.conditions[1].message


def test_the_mark_on_a_route_is_a_second_memory() -> None:
    """A crash after the route's write and before the status': the mark is read as the verdict."""
    world = in_flight(ways=at_20(route=route(rule(100, 0), rejected=f"{B}/{NOON - 1000}")))
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None
    assert "as HTTPRoute web records" in decision.status.canary.abort.message


def test_the_reason_outlives_a_status_that_could_not_be_written() -> None:
    """H24: the mark landed and the status did not: the same measurements still say why."""
    world = in_flight(metrics=(metric(),), ways=at_20(route=route(rule(100, 0), rejected=f"{B}/{NOON - 1000}")))
    decision = decide(breached(world).observe())

    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None
    assert ("MetricFailed", "analysis") == (decision.status.canary.abort.reason, decision.status.canary.abort.by)


def test_a_marked_route_is_not_marked_again() -> None:
    """Somebody put the weight back on a rejected attempt: it is taken away, the mark is there."""
    world = in_flight(ways=at_20(route=route(rule(80, 20), rejected=f"{B}/{NOON - 1000}"))).leaving()
    decision = decide(world.observe())

    assert SetWeights("HTTPRoute", "web", 0) in decision.actions


@pytest.mark.parametrize("ending", [api.Ending.WITHDRAWN, api.Ending.SUPERSEDED])
def test_what_is_no_verdict_leaves_no_mark(ending: api.Ending) -> None:
    """A template that was put back may be tried again."""
    decision = decide(in_flight().leaving(ending).observe())

    assert SetWeights("HTTPRoute", "web", 0) in decision.actions


@pytest.mark.parametrize(
    ("ago", "reason", "again"),
    [(None, "WaitingForTraffic", None), (2, "WaitingForTraffic", NOON + 3), (5, "WaitingForGateway", None)],
)
def test_a_gateway_that_does_not_answer_is_told_of(ago: int | None, reason: str, again: float | None) -> None:
    """H20: people read which Gateway is waited for once it takes long, and one that is quick costs no write."""
    late = route(rule(80, 20), parents=(parent(current=False),), written=None if ago is None else NOON - ago)
    decision = decide(in_flight(ways=at_20(route=late)).at_step(1).observe())
    ready = next(condition for condition in decision.status.conditions if condition.type == "Ready")

    assert (ready.reason, ready.message[:26]) == (reason, "waiting for Gateway eg/pub")
    assert again is None or decision.recheck_at == again


def leaving(ways: Any, remembered: Any, wanted: int = 2) -> World:
    """Return a canary on its way out."""
    return in_flight(0, wanted, ways=ways).leaving(since=60).with_status(traffic=remembered)


def test_pods_go_after_the_drain_and_the_rollout_ends_after_the_pods() -> None:
    """Weight first, then accepted, then drained, then pods, then it is over."""
    late = route(parents=(parent(current=False),))
    asked = decide(leaving(at_20(route=late), known(0, highest=20, since=None)).observe())
    drains = decide(leaving(at_20(route=route()), known(0, highest=20, since=NOON - 5)).observe())
    drained = decide(leaving(at_20(route=route()), known(0, highest=20, since=NOON - 30)).observe())
    gone = leaving(at_20(route=route()), known(0), wanted=0)
    over = decide(gone.deployment(B, 0).observe())

    for decision in (asked, drains):
        assert not [one for one in decision.actions if isinstance(one, ScaleDeployment) and one.replicas < one.was]
        assert Phase.ROLLING_BACK is decision.status.phase
    assert "waiting for Gateway eg/public" in asked.status.conditions[1].message
    assert drains.recheck_at == NOON + 25
    assert ScaleDeployment(B, 0, 2, f"{B}/{NOON - 1000}") in drained.actions
    assert over.status.canary is None


def test_a_rollout_is_not_over_while_a_route_still_has_its_weight() -> None:
    """Its pods may be gone by a stranger's hand: the weight goes first all the same."""
    world = leaving(at_20(), known(20), wanted=0).deployment(B, 0)
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert BACK in decision.actions


def test_a_route_that_is_gone_holds_nothing_up() -> None:
    """H2: the canary leaves after its drain, and the rollout ends."""
    world = leaving(at_20(route=None), known(0), wanted=0).deployment(B, 0)

    assert decide(world.observe()).status.canary is None


def test_objects_that_we_do_not_watch_yet_get_our_label() -> None:
    """Once, at rest; then nothing is written."""
    ways = facts(route=route(labelled=False), canary=service(CANARY, labelled=False))
    decision = decide(routed(World().stable(), 20, ways=ways).observe())

    assert WatchRoute("HTTPRoute", "web") in decision.actions
    assert SelectRevision(CANARY, A) in decision.actions
    assert not decide(routed(World().stable(), 20).observe()).actions


def test_a_service_that_is_no_longer_named_is_released() -> None:
    """What was the user's is as it was."""
    old = facts(former=(service("old"),))

    assert ReleaseService("old") in decide(routed(World().stable(), 20, ways=old).observe()).actions


def test_without_a_router_any_more_its_services_are_released() -> None:
    """spec.traffic was taken out at rest: pod ratio needs a Service that selects all revisions."""
    left = facts(stable=None, canary=None, routes={}, former=(service(), service(CANARY)))
    world = World().stable().but(traffic=left).with_status(traffic=known())
    decision, later = decide(world.observe()), decide(world.but(traffic=None).observe())

    assert [ReleaseService(STABLE), ReleaseService(CANARY)] == list(decision.actions)
    assert decision.status.traffic is not None
    assert later.status.traffic is None


def test_another_router_waits_for_the_end_of_the_rollout() -> None:
    """spec.traffic may change at rest only; an edit in flight says that it waits, and nothing stops."""
    decision = decide(in_flight(policy_waits=True, spec_policy=policy(80)).observe())

    assert decision.status.policy != ""
    assert decision.status.conditions[1].message.endswith(
        "spec.traffic was changed: that spec counts once this rollout has ended"
    )


def test_the_status_says_what_the_routes_hold() -> None:
    """What was achieved is what users get, not what pods there are."""
    decision = decide(in_flight(20, 4).observe())

    assert decision.status.weight is not None
    assert (20, 20) == (decision.status.weight.desired, decision.status.weight.achieved)


def test_pods_that_do_not_start_say_why() -> None:
    """With a router as without."""
    world = in_flight(0, 2, ways=at_20(canary=service(CANARY, A), route=route()))
    world = world.deployment(B, 2, 0, refusal="quota exceeded").at_step(1).with_status(weight=api.Weight(desired=20))
    decision = decide(world.observe())

    assert decision.status.conditions[1].message.startswith("0 of 2 canary pods ready: quota exceeded")


def test_before_there_is_a_stable_revision_nothing_is_selected() -> None:
    """The first revision serves behind whatever the user's Service selects, until all its pods are ready."""
    decision = decide(routed(World().first(ready=4), 20, remembered=None).observe())

    assert not [action for action in decision.actions if isinstance(action, SelectRevision | SetWeights)]
    assert decision.status.traffic is None


def test_a_fall_below_every_known_weight_is_written_down() -> None:
    """Stable must be whole for a weight that was withdrawn, even if the process that saw it is gone."""
    dead = at_20(canary=service(CANARY, B, {}), route=route(rule(100, 0)))
    decision = decide(in_flight(ways=dead, written_at=NOON).observe())

    assert decision.status.traffic is not None
    assert (0, 20) == (decision.status.traffic.lowest, decision.status.traffic.highest)
    assert decision.write_status


def test_warm_pods_are_left_as_they_are() -> None:
    """Neither scaled nor emptied while they are the way back."""
    decision = decide(warm().but(replicas=14).observe())

    assert [ScaleDeployment(B, 14, 10)] == list(decision.actions)


def test_a_spec_that_waited_has_its_turn_at_once() -> None:
    """When the rollout that it waited for is over, a look follows at once: nothing else would wake us for it."""
    world = routed(World().stable(), 20).but(policy_waits=True, spec_policy=policy(80))
    decision = decide(world.observe())

    assert decision.recheck_at is not None
    assert decision.recheck_at <= world.now + 1
    assert "counts once" not in decision.status.conditions[1].message
