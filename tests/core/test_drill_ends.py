"""Drills: what ends one before it was measured, and how little is left of it."""

from collections.abc import Callable
from typing import Final

import pytest

from headgate.api import status as api
from headgate.core import model
from headgate.core.model import actions
from headgate.core.rollout.blockers import UNTOLD_SECONDS
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers, ways
from tests.core.drilling import DRILL, WATCHED, drilling, leaving, resting, routed, told
from tests.core.worlds import NOON, A, B, C, World, policy


def crashing() -> World:
    """Return a world in which the pods of a drill have not come up for a while."""
    world = told()
    world = aftermath.after(world, decide(world.observe()), ready=False)
    world = aftermath.after(world, decide(world.observe()), 40, ready=False)
    return world.but(trouble=model.PodTrouble("web-x: CrashLoopBackOff", hopeless=True))


def _with_metric(world: World) -> World:
    return world.knows(failures=2, verdict=api.Outcome.FAILED, value="1")


ENDS: Final[tuple[tuple[str, Callable[[], World], api.Ending, str, str], ...]] = (
    ("newer", lambda: drilling().wants(B), api.Ending.WITHDRAWN, "Superseded", "the template was changed"),
    (
        "unknown",
        lambda: drilling().but(target=model.Target(model.Identity.UNKNOWN, message="timeout"), written=B),
        api.Ending.WITHDRAWN,
        "TemplateUnknown",
        "whether the template is new is not known: timeout",
    ),
    (
        "not answered",
        lambda: drilling().but(target=model.Target(model.Identity.UNKNOWN, asked_seconds=UNTOLD_SECONDS), written=B),
        api.Ending.WITHDRAWN,
        "TemplateUnknown",
        "whether the template is new is not known",
    ),
    ("paused", lambda: drilling().but(paused=True), api.Ending.WITHDRAWN, "Paused", "spec.paused is true"),
    ("invalid", lambda: drilling().but(invalid="wrong"), api.Ending.WITHDRAWN, "SpecChanged", "the spec was changed"),
    (
        "another way",
        lambda: drilling().but(policy_waits=True),
        api.Ending.WITHDRAWN,
        "SpecChanged",
        "the spec was changed",
    ),
    (
        "no replicas",
        lambda: drilling().but(replicas=0).with_status(min_replicas=0),
        api.Ending.WITHDRAWN,
        "NoReplicas",
        "there are no pods any more: replicas is 0",
    ),
    ("refused", lambda: drilling().but(refusals=("quota",)), api.Ending.WITHDRAWN, "WriteRefused", "quota"),
    (
        "route gone",
        lambda: routed().but(traffic=ways.facts(route=None)),
        api.Ending.WITHDRAWN,
        "RouteMissing",
        "",
    ),
    (
        "stable pods fail",
        lambda: drilling().deployment(A, 8, 5),
        api.Ending.WITHDRAWN,
        "PodsNotReady",
        "7 pods ready, at least 10 needed",
    ),
    (
        "no weight for long",
        lambda: drilling(ready=2, settled=True).but(now=NOON + 2000).deployment(A, 9),
        api.Ending.WITHDRAWN,
        "DrillTimedOut",
        "it has not had its weight for 10m: ",
    ),
    (
        "crash",
        crashing,
        api.Ending.ROLLED_BACK,
        "PodsCannotStart",
        "the new pods cannot start: 0 of 2 pods ready: web-x: CrashLoopBackOff",
    ),
    (
        "breach",
        lambda: _with_metric(drilling(WATCHED)),
        api.Ending.ROLLED_BACK,
        "MetricFailed",
        "metric errors failed 2 times in a row: 1, allowed is <= 0.01",
    ),
    (
        "deleted",
        lambda: drilling().but(deleting=True),
        api.Ending.DELETED,
        "Deleted",
        "the Rollout is being deleted",
    ),
)


def test_a_question_that_was_just_asked_ends_none() -> None:
    """Whether the template is new is known in a moment: then the drill ends for that, if it is."""
    asked = model.Target(model.Identity.UNKNOWN, asked_seconds=UNTOLD_SECONDS - 0.1)
    decision = decide(drilling(ready=1).deployment(A, 9).but(target=asked, written=B).observe())
    canary = decision.status.canary

    assert canary is not None
    assert (canary.abort, decision.urgent) == (None, False)


@pytest.mark.parametrize(
    ("world", "ending", "reason", "message"), [row[1:] for row in ENDS], ids=[row[0] for row in ENDS]
)
def test_what_ends_it(world: Callable[[], World], ending: api.Ending, reason: str, message: str) -> None:
    """Whatever else there is to do or to see to ends a drill at once, and is never held against the stable version."""
    decision = decide(world().observe())
    canary = decision.status.canary
    assert canary is not None
    assert canary.abort is not None
    assert canary.drill is not None

    assert (canary.abort.ending, canary.abort.reason) == (ending, reason)
    assert canary.abort.message.startswith(message)
    assert canary.drill.injected_at is None
    assert (decision.status.rejected, decision.urgent or world().deleting) == ((), True)


def test_users_called_it_off_or_something_is_wrong() -> None:
    """A drill that ends for what somebody wants is no news; one that ends by itself is a Warning."""
    alarming = {
        name: any(notice.warning for notice in decide(world().observe()).notices if notice.reason == "DrillEnds")
        for name, world, *_ in ENDS
    }
    wanted = {"newer", "unknown", "not answered", "paused", "invalid", "another way", "no replicas", "deleted"}
    assert {name for name, warns in alarming.items() if not warns} == wanted


def test_a_drill_that_was_called_off_is_no_result() -> None:
    """It stands in the history by how it ended, and says nothing of how long going back takes."""
    world = drilling().wants(B)
    world = aftermath.after(world, decide(world.observe())).deployment(A, 10).deployment(DRILL, 0, drill=True)
    decision = decide(world.observe())
    entry = decision.status.history[0]
    assert (entry.outcome, entry.message, entry.hash) == (api.Ending.WITHDRAWN, "the template was changed", A)
    assert entry.drill is not None
    assert entry.drill.within_target is None
    assert answers.condition(decision, "DrillSucceeded") is None
    assert decision.status.canary is not None
    assert decision.status.canary.hash == B


def test_a_drill_leaves_room_in_the_history() -> None:
    """However many drills there are, three of them are kept at most, and no rollout goes for their sake."""
    promoted = api.HistoryEntry(revision=1, hash=A, outcome=api.Ending.PROMOTED, started=NOON, finished=NOON)
    drill = api.Drill(of=A, within_seconds=60)
    earlier = tuple(
        promoted.model_copy(update={"drill": drill, "started": NOON - at, "outcome": api.Ending.DRILLED})
        for at in range(4)
    )
    world = leaving().deployment(A, 10).deployment(DRILL, 0, drill=True)
    world = world.with_status(history=(*earlier, *(promoted,) * 6))
    outcomes = [entry.outcome for entry in decide(world.observe()).status.history]
    assert [outcomes.count(one) for one in (api.Ending.DRILLED, api.Ending.PROMOTED)] == [3, 6]


def test_its_deployment_goes_afterwards() -> None:
    """Nothing of a drill is kept as a revision to go back to, nor taken for one where the status is lost."""
    world = resting().deployment(DRILL, 0, drill=True)
    assert actions.DeleteDeployment(DRILL) in decide(world.observe()).actions
    lost = World().deployment(A, 10).deployment(DRILL, 10, drill=True).but(status=api.RolloutStatus())
    found = decide(lost.observe()).status.stable
    assert found is not None
    assert found.hash == A


def test_an_edit_of_the_steps_leaves_a_drill_where_it_is() -> None:
    """A drill is at no step of the strategy, so that other steps are nothing to it."""
    decision = decide(drilling(ready=1).deployment(A, 10).edited(policy(5, 50)).observe())
    assert decision.status.step is not None
    assert (decision.status.step.text, answers.weight(decision)) == ("drill", 20)


def draining() -> World:
    """Return a world with a route in which nobody is led to a drill any more, and its connections drain."""
    world = routed().wants(B).recorded(B)
    world = world.but(status=decide(world.observe()).status, now=world.now + 1)
    seen = ways.facts(canary=ways.service(ways.CANARY, DRILL, {DRILL: 2}), route=ways.route())
    return world.but(traffic=seen)


def test_a_new_version_does_not_wait_for_connections_that_drain() -> None:
    """It starts once the Gateways agree; the drill's pods stay, and the canary Service leads to them until then."""
    decision = decide(draining().observe())
    assert decision.status.canary is not None
    assert (decision.status.canary.hash, decision.status.history[0].outcome) == (B, api.Ending.WITHDRAWN)
    assert answers.sizes(decision) == {B: 2}
    assert not [one for one in decision.actions if isinstance(one, actions.SelectRevision)]

    later = draining().but(status=decision.status).deployment(B, 2)
    waits = decide(later.observe())
    assert answers.sizes(waits) == {}
    assert not [one for one in waits.actions if isinstance(one, actions.SelectRevision | actions.SetWeights)]
    drained = decide(later.but(now=later.now + 40).observe())
    assert actions.SelectRevision(ways.CANARY, B) in drained.actions
    assert answers.sizes(drained) == {DRILL: 0}


def test_nor_does_an_earlier_one() -> None:
    """Going back by command is as urgent as anything new."""
    asked = api.Rollback(revision=3, hash=C, rejects=A, since=NOON)
    decision = decide(draining().wants(A).recorded(C).with_status(rollback=asked).observe())
    assert decision.status.canary is not None
    assert (decision.status.canary.hash, decision.status.canary.is_rollback) == (C, True)


@pytest.mark.parametrize(
    "world",
    [
        draining().wants(A),
        draining().but(policy_waits=True),
        draining().but(deleting=True),
        draining().but(traffic=ways.facts(route=ways.route(parents=(ways.parent(current=False),)))),
    ],
)
def test_it_goes_in_peace_where_nobody_waits(world: World) -> None:
    """Without a new version, or while a Gateway has not answered, a drill drains before it is over."""
    canary = decide(world.observe()).status.canary
    assert canary is not None
    assert canary.hash == DRILL


def test_at_rest_the_canary_service_waits_for_the_drain() -> None:
    """So it does where the new version may not start: it is paused."""
    world = draining().but(paused=True)
    first = decide(world.observe())
    assert (first.status.canary, first.status.phase) == (None, api.Phase.PAUSED)
    assert not [one for one in first.actions if isinstance(one, actions.SelectRevision)]
    later = decide(world.but(status=first.status, now=world.now + 40).observe())
    assert actions.SelectRevision(ways.CANARY, A) in later.actions
