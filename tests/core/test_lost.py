"""A stable revision whose Deployment and record are both gone: what is said, what is kept, and what leads on."""

import dataclasses
from typing import Any

import pytest

from headgate.api import status as api
from headgate.core import model
from headgate.core import model as core_model
from headgate.core.model.actions import CreateDeployment, RecordTemplate, ScaleDeployment, SelectRevision, SetWeights
from headgate.core.replicas import pod_ratio
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes
from headgate.core.rollout import lost_stable
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from tests.core import aftermath, answers, drilling, earlier, ways
from tests.core.worlds import NOON, A, B, C, World, policy_of

GONE = f"revision 1 ({A}) cannot be brought back: its Deployment and its record are both gone; "
ANEW = "apply the template of revision 1 again: it is made anew; "
COMMAND = "kubectl annotate rollouts.headgate.dev web headgate.dev/"


def without(world: World, *hashes: str) -> World:
    """Return *world* without the Deployments and records of some revisions."""
    things = {key: facts for key, facts in world.deployments.items() if key not in hashes}
    records = {key: record for key, record in world.templates.items() if key not in hashes}
    return world.but(deployments=things, templates=records)


def said(world: World) -> str:
    """Return what the Ready condition says, where its reason is that of a loss."""
    reason, message = answers.ready(decide(world.observe()))
    assert "StableLost" == reason
    return message


def sets(world: World) -> dict[str, int]:
    """Return the sizes that are set in this pass."""
    return answers.sizes(decide(world.observe()))


def test_the_spec_holds_its_template() -> None:
    """It is made anew from the spec, and put on record."""
    decision = decide(without(World().stable(), A).observe())

    assert CreateDeployment(A, 1, 10) in decision.actions
    assert RecordTemplate(A, 1) in decision.records
    assert "StableLost" not in answers.reasons(decision)


def test_the_spec_holds_it_in_other_words() -> None:
    """A template that the API server found equal does as well; it is no record of the other."""
    decision = decide(without(World().stable(), A).but(written=C).observe())

    assert CreateDeployment(A, 1, 10) in decision.actions
    assert not [record for record in decision.records if isinstance(record, RecordTemplate)]


def test_a_canary_on_its_way() -> None:
    """It is said once, with the command that gives it all users; nothing is a hopeless case while it goes on."""
    world = without(World().stable(8).canary(2).at_step(1), A)
    decision = decide(world.observe())
    stalled = answers.condition(decision, "Stalled")

    promoted = f"{COMMAND}promote-full={B} gives all users to revision 2"
    assert said(world).startswith(f"{GONE}{promoted}, or {ANEW}")
    assert (api.Phase.DEGRADED, None) == (decision.status.phase, stalled)
    assert "StableLost" in answers.reasons(decision)
    assert "StableLost" not in answers.reasons(decide(aftermath.after(world, decision).observe()))
    assert promoted not in said(world.told(promote_full=B))


def test_a_canary_on_its_way_goes_on() -> None:
    """No step waits for pods that cannot come, and none of them takes the room of those that can."""
    world = without(World().stable(8).canary(2).at_step(1), A).told(promote_full=B)
    end, _ = aftermath.settled(world)

    assert end.status.stable is not None
    assert (B, 10) == (end.status.stable.hash, end.deployments[B].replicas)


@pytest.mark.parametrize("ending", [api.Ending.ABORTED, api.Ending.WITHDRAWN])
def test_a_canary_that_leaves_keeps_its_pods(ending: api.Ending) -> None:
    """No other could serve. Where it is rejected and still wanted, it can be kept."""
    world = without(World().stable(8).canary(2).leaving(ending, since=600), A)
    keeps = f"{COMMAND}retry={B} keeps revision 2, which serves, or "
    decision = decide(world.observe())

    assert said(world).startswith(GONE + (keeps if ending is api.Ending.ABORTED else "") + ANEW)
    assert "Stalled" in {one.type for one in decision.status.conditions}
    assert not [action for action in decision.actions if isinstance(action, ScaleDeployment) and action.replicas < 2]


def test_one_that_leaves_behind_a_route_keeps_its_users() -> None:
    """The stable Service leads to nobody: no weight is given to it."""
    found = ways.facts(
        stable=ways.service(ways.STABLE, A, {}),
        canary=ways.service(ways.CANARY, B, {B: 2}),
        route=ways.route(ways.rule(80, 20)),
    )
    world = without(ways.in_flight(ways=found), A).leaving(since=600)
    decision = decide(world.observe())

    assert not [action for action in decision.actions if isinstance(action, SetWeights | SelectRevision)]
    assert 0 not in answers.sizes(decision).values()


def test_recreate_does_not_take_the_last_pods() -> None:
    """Where the stable ones cannot come, those of the version that was taken back stay."""
    base = World().ruled(policy_of(recreate={})).stable(0).canary(10).leaving(since=600).but(present={B: 10})

    assert {B: 0} == sets(base)
    assert 0 not in sets(without(base, A)).values()


def test_a_canary_that_leaves_is_kept() -> None:
    """As another attempt, which no mark of the one before takes back again; what was said against it is lifted."""
    world = without(World().stable(8).canary(2, rejected=f"{B}/{NOON - 1000}").at_step(1).leaving(since=600), A)
    world = world.with_status(step=api.StepStatus(index=1, of=6, text="1/6"))
    decision = decide(world.told(retry=B).observe())
    canary, weight = decision.status.canary, decision.status.weight

    assert canary is not None
    assert (None, NOON, NOON) == (canary.abort, canary.started, canary.analysis_from)
    assert weight is not None
    assert (20, ()) == (weight.desired, decision.status.rejected)
    past = decision.status.history[0]
    assert (api.Ending.ROLLED_BACK, True, B) == (past.outcome, past.retried, past.hash)
    assert "it alone can serve" in answers.said(decision, "Retrying")


@pytest.mark.parametrize(
    "world",
    [
        World().stable(8).canary(2).leaving(since=600),
        without(World().stable(8).canary(2).at_step(1), A),
        without(World().stable(8).canary(2).leaving(since=600), A).wants(C).recorded(C),
        without(World().stable(8).canary(2).leaving(api.Ending.WITHDRAWN, since=600), A),
    ],
    ids=["nothing is lost", "it does not leave", "another one is wanted", "it is not rejected"],
)
def test_nothing_else_is_kept_by_retry(world: World) -> None:
    """What leaves goes on to leave, and a verdict is lifted as ever."""
    assert lost_stable.kept(Situation(world.observe(), world.status), B) is None
    assert lost_stable.kept(Situation(world.observe(), world.status), C) is None


def test_at_rest_after_a_version_was_taken_back() -> None:
    """That can be tried again, and an earlier one be gone back to."""
    world = earlier.second().wants(C).with_status(rejected=(earlier.rejection(C),)).recorded(C)
    message = said(without(world, B))

    again = f"{COMMAND}retry={C} tries revision 3 again, or {COMMAND}rollback-to=1, or apply the template of revision 2"
    assert again in message
    assert "revision 3 was taken back" in message


def test_while_the_one_before_is_warm() -> None:
    """Abort leads to it."""
    world = ways.warm().wants(C).recorded(C).but(paused=True)
    found = dataclasses.replace(ways.facts(), stable=ways.service(ways.STABLE, B, {}))

    assert f"{COMMAND}abort=now leads to the revision that is warm" in said(without(world, B).but(traffic=found))


def test_a_warm_one_that_is_lost_is_not_gone_back_to() -> None:
    """Users would be led to nobody."""
    world = without(ways.warm(), A).told(abort="now")

    assert ["CommandMismatch"] == answers.reasons(decide(world.observe()))


def _drill() -> World:
    return without(drilling.leaving(), A).but(target=model.Target(model.Identity.UNKNOWN), written=C)


def test_a_drill_is_not_promoted() -> None:
    """Of what is a rehearsal only the template leads on."""
    message = said(_drill())

    assert message.startswith(GONE + ANEW)


UNREAD: Any = core_model.Unreadable("429")


@pytest.mark.parametrize(
    "world",
    [
        without(World().stable(8).canary(2).at_step(1), A).but(unread={core_model.Part.RECORDS: UNREAD}),
        without(World().stable(8).canary(2).at_step(1), A).but(unread={core_model.Part.DEPLOYMENTS: UNREAD}),
        without(World().stable(0).canary(0), A).but(replicas=0).with_status(min_replicas=0),
        without(World().stable(8).canary(2).at_step(1), A).but(deleting=True),
    ],
    ids=["records unread", "Deployments unread", "no pods are wanted", "the Rollout is being deleted"],
)
def test_nothing_is_told_as_lost(world: World) -> None:
    """What cannot be read may be there; what is not wanted is not missing."""
    assert "StableLost" not in answers.ready(decide(world.observe()))


def test_the_arithmetic_leaves_them_out() -> None:
    """They take no room, hold up no share, and are not waited for."""
    gone, there, aim = Pods(lost=True), Pods(2, 2, 2), Sizes(5, 5)

    assert aim == pod_ratio.in_step(Budget(10, 3, 0), aim, gone, there)
    assert Sizes(0, 5) == pod_ratio.approach(Budget(10, 3, 0), aim, gone, there)
    assert pod_ratio.reached(aim, gone, Pods(5, 5, 5))
    assert not pod_ratio.reached(aim, Pods(), Pods(5, 5, 5))
