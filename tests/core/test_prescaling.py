"""An earlier revision that is gone back to while a canary is in flight: its pods start while that one still drains."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.api.traffic import Traffic
from headgate.core import model
from headgate.core.model import traffic
from headgate.core.model.actions import CreateDeployment, RepairTemplate, SelectRevision, SetWeights
from headgate.core.revisions import identity
from headgate.core.rollout import prescaling
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from tests.core import answers, earlier, ways
from tests.core.worlds import NOON, A, B, C, World, policy, policy_of

LEFT = NOON - 5
"""When it was decided that the canary goes."""


def withdrawn(world: World, wanted: int = 2, **leaving: Any) -> World:
    """Return *world* with canary C of so many pods on its way out, and A asked for by command."""
    verdict = api.Abort(ending=api.Ending.ABORTED, reason="RolledBackTo", by="x", since=LEFT, stable_pods=10)
    canary = api.Canary(revision=3, hash=C, replicas=wanted, ready=wanted, started=NOON - 500, abort=verdict)
    canary = canary.model_copy(update=leaving)
    asked = api.Rollback(revision=1, hash=A, rejects=C, by="x", since=LEFT)
    world = (
        world.deployment(C, wanted, rejected=identity.attempt(C, NOON - 500))
        .wants(C)
        .but(finalizers=("headgate.dev/rollout",))
    )
    return world.with_status(canary=canary, rollback=asked, min_replicas=10, weight=api.Weight(desired=0))


def routed(weight: int = 0, selects: str = B, **changes: Any) -> World:
    """Return a world with a route in which everything but the drain of canary C is done, by default."""
    found = ways.facts(
        stable=ways.service(ways.STABLE, B),
        canary=ways.service(ways.CANARY, selects, {selects: 10}),
        route=ways.route(ways.rule(100 - weight, weight)),
    )
    remembered = changes.pop("remembered", ways.known(weight, since=NOON - 3, highest=20))
    by = changes.pop("by", policy(20, "pause", surge=None))
    world = earlier.second(by.model_copy(update={"traffic": ways.TRAFFIC})).with_status(traffic=remembered)
    return withdrawn(world.but(traffic=changes.pop("ways", found)), **changes)


def by_pods(surge: Any = "25%", stable: int = 10, canary: int = 2, **changes: Any) -> World:
    """Return a world without traffic in which stable is asked for in full, and the canary still has some pods."""
    world = earlier.second(policy(20, "pause", surge=surge)).deployment(B, stable)
    return withdrawn(world, canary, **changes)


def _unanswered() -> traffic.TrafficFacts:
    asked = ways.route(ways.rule(100, 0), parents=(ways.parent(current=False),))
    return ways.facts(stable=ways.service(ways.STABLE, B), canary=ways.service(ways.CANARY, B), route=asked)


def started(world: World) -> int | None:
    """Return how many pods of A are asked for in this pass; None: nothing is."""
    return answers.sizes(decide(world.observe())).get(A)


def test_its_pods_start_while_the_canary_drains() -> None:
    """All of them, for nothing is stated that bounds both versions; the canary and the ways to it stay as they are."""
    decision = decide(routed().observe())

    assert {A: 10} == answers.sizes(decision)
    assert not [action for action in decision.actions if isinstance(action, SelectRevision | SetWeights)]
    assert decision.urgent
    assert decision.status.canary is not None
    assert C == decision.status.canary.hash


def test_it_is_told() -> None:
    """With numbers, as whatever is waited for."""
    decision = decide(routed().deployment(A, 10, 4).observe())

    assert answers.ready(decision)[1].endswith("connections drain; revision 1 follows: 4 of 10 pods ready")
    assert "follows" not in answers.ready(decide(routed().with_status(rollback=None).observe()))[1]
    assert {} == answers.sizes(decision)


def test_from_its_record() -> None:
    """Where somebody deleted its Deployment."""
    world = routed()
    left = {key: facts for key, facts in world.deployments.items() if key != A}
    decision = decide(world.but(deployments=left).observe())

    assert CreateDeployment(A, 1, 10) in decision.actions


def test_a_template_put_back_does_the_same() -> None:
    """A revert in Git, of two versions at once."""
    world = routed().wants(A).with_status(rollback=None)

    assert 10 == started(world)


def test_the_canary_service_leads_to_stable_first() -> None:
    """A Gateway that still knows the canary's endpoints when all users are given to that Service would lead them there.

    It is written only once the routes give nothing to it, and no pod starts before it leads to stable pods alone.
    """
    moved, accepted = routed(20, C, remembered=ways.known(20)), routed(0, C)
    slices = ways.facts(stable=ways.service(ways.STABLE, B), canary=ways.service(ways.CANARY, B, {C: 2, B: 10}))
    after = routed(ways=slices)

    assert SelectRevision(ways.CANARY, B) not in decide(moved.observe()).actions
    assert SelectRevision(ways.CANARY, B) in decide(accepted.observe()).actions
    assert [None, None, None] == [started(world) for world in (moved, accepted, after)]


def test_a_stable_side_without_a_pod_keeps_the_canary_service() -> None:
    """Its Service is not led to nobody."""
    world = routed(0, C).deployment(B, 10, 0)

    assert SelectRevision(ways.CANARY, B) not in decide(world.observe()).actions


def test_by_the_selector_of_the_stable_service() -> None:
    """Where that gives everybody to one revision, the canary Service has no weight, and keeps what it selects."""
    services = Traffic.model_validate({"stableService": "web", "canaryService": "web-canary", "drain": "30s"})
    way = policy_of(blueGreen={}, traffic=services)
    found = traffic.TrafficFacts(ways.service(ways.STABLE, B), ways.service(ways.CANARY, C, {C: 10}), {})
    remembered = ways.known(0, since=NOON - 3, highest=100)
    world = withdrawn(earlier.second(way).but(traffic=found).with_status(traffic=remembered), 10)
    decision = decide(world.observe())

    assert {A: 10} == answers.sizes(decision)
    assert SelectRevision(ways.CANARY, B) not in decision.actions


@pytest.mark.parametrize(("surge", "canary", "size"), [("25%", 2, 1), ("100%", 2, 8), ("100%", 10, None), (9, 2, 7)])
def test_a_stated_surge_holds_for_all_pods(surge: Any, canary: int, size: int | None) -> None:
    """Those of the canary that drain count, too."""
    by_routes = routed(by=policy(20, "pause", surge=surge), wanted=canary)

    assert (size, size) == (started(by_routes), started(by_pods(surge, canary=canary)))


def test_pods_of_others_take_their_room() -> None:
    """As of an earlier one that was asked for by mistake."""
    crowded = by_pods("100%").deployment("ffffffffff", 3).recorded("ffffffffff")

    assert (8, 5) == (started(by_pods("100%")), started(crowded))


def test_by_pods_stable_is_asked_for_in_full_first() -> None:
    """Whose pods the users are to have back comes before whose they are to have then."""
    assert (5, None) == (started(by_pods("100%", 10, 5)), started(by_pods("100%", 5, 5)))


def test_what_a_quota_refuses_waits_for_the_canarys_end() -> None:
    """It is asked for in full once that one's pods have gone; until then controllers would try ever more seldom."""
    refused = routed().deployment(A, 10, 0, pods=0, refusal="exceeded quota")
    some = routed().deployment(A, 10, 2, pods=4, refusal="exceeded quota")
    less = routed().deployment(A, 1, 0, pods=0, refusal="exceeded quota")

    assert (1, 4, None) == (started(refused), started(some), started(less))


def test_fewer_are_kept_when_fewer_are_wanted() -> None:
    """As when replicas go down meanwhile."""
    world = routed().deployment(A, 12, 12)

    assert 10 == started(world)


def test_its_template_is_put_right_before_any_pod_starts() -> None:
    """Somebody changed it while it had none."""
    decision = decide(routed().deployment(A, 0, tampered="kubectl").observe())

    assert RepairTemplate(A) in decision.actions
    assert {} == answers.sizes(decision)


@pytest.mark.parametrize(
    "world",
    [
        routed(drill=api.Drill(of=B, within_seconds=5), hash="eeeeeeeeee"),
        routed(abort=None).at_step(1),
        routed().with_status(rollback=None),
        routed().with_status(rollback=None).wants(B),
        routed().with_status(rejected=(earlier.rejection(A),)),
        routed().but(policy_waits=True),
        routed().but(deleting=True),
        routed().but(refusals=("Deployment web: no",)),
        routed().but(unread={model.Part.RECORDS: model.Unreadable("forbidden")}),
        routed(ways=ways.facts(route=None, stable=ways.service("web", B), canary=ways.service(ways.CANARY, B))),
        routed(ways=_unanswered(), remembered=ways.known(0, since=None)),
        withdrawn(earlier.second(policy_of(recreate={})).deployment(B, 10)).but(present={B: 10, C: 2}),
    ],
    ids=[
        "a drill",
        "it does not leave",
        "another version follows",
        "the stable one follows",
        "it is rejected",
        "the policy follows first",
        "the Rollout is being deleted",
        "something is refused",
        "something is unread",
        "a route is missing",
        "no Gateway has answered",
        "recreate",
    ],
)
def test_nothing_starts_early(world: World) -> None:
    """Where nothing earlier follows, where it could not begin, and while users are not all back on stable."""
    assert prescaling.target(Situation(world.observe(), world.status)) is None
    assert prescaling.vacated(Situation(world.observe(), world.status)) == ""


def test_an_invalid_spec_holds_a_revert_and_not_the_command() -> None:
    """What the spec holds cannot be read from one that is invalid."""
    reverted = routed().wants(A).with_status(rollback=None).but(invalid="spec.replicas: no")

    assert (10, None) == (started(routed().but(invalid="spec.replicas: no")), started(reverted))


def test_what_it_has_is_kept_while_something_is_refused() -> None:
    """Its pods are not taken away for a moment in which it could not begin, and are when it is not wanted any more."""
    starting = routed().deployment(A, 10, 0)
    refused, cancelled = starting.but(refusals=("Deployment web: no",)), starting.with_status(rollback=None)

    assert (None, 0) == (started(refused), started(cancelled))


def test_pods_that_another_one_left_are_not_counted_for_it() -> None:
    """A name that is taken by a stranger's Deployment can be given to none of ours."""
    world = routed()
    left = {key: facts for key, facts in world.deployments.items() if key != A}
    gone = {key: record for key, record in world.templates.items() if key != A}

    assert prescaling.target(Situation(world.but(deployments=left, templates=gone).observe(), world.status)) is None


def test_asked_again() -> None:
    """Twice is once."""
    again = decide(routed().deployment(A, 10, 0).told(rollback_to="1").observe())

    assert {} == answers.sizes(again)
    assert again.status.rollback is not None


def test_when_the_canary_has_gone_it_begins_with_the_pods_that_it_has() -> None:
    """No pod of it starts a second time."""
    world = routed().deployment(C, 0, rejected=identity.attempt(C, NOON - 500)).deployment(A, 10).but(now=NOON + 40)
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert (A, True) == (decision.status.canary.hash, decision.status.canary.is_rollback)
    assert {} == answers.sizes(decision)
    assert SelectRevision(ways.CANARY, A) in decision.actions
