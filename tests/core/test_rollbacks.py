"""Going back to a revision that was stable before: by command or by template, warm or cold, by every strategy."""

from typing import Any

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core import model
from headgate.core.model.actions import CreateDeployment, RemoveCommand, ScaleDeployment, SelectRevision
from headgate.core.rollout import revision_choice, transitions
from headgate.core.rollout.decide import decide
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing, planning, steps
from tests.core import aftermath, answers, earlier, ways
from tests.core.worlds import NOON, A, B, C, World, metric, policy, policy_of

BY = "annotation headgate.dev/rollback-to"


def test_a_revision_keeps_its_number() -> None:
    """By its record, or by the history where that is gone; another one gets the next."""
    world = earlier.second()
    kept = Situation(world.observe(), world.status)
    lost = Situation(world.but(templates={}).observe(), world.status)

    assert (1, 1, 3) == (
        revision_choice.number(kept, A),
        revision_choice.number(lost, A),
        revision_choice.number(kept, C),
    )


# --- warm -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1", A, f" {A} "])
def test_warm_users_are_back_by_one_write(value: str) -> None:
    """While the old pods are warm, rollback-to is what abort is, and rejects the promoted revision."""
    decision = decide(ways.warm().with_status(history=earlier.PAST).told(rollback_to=value).observe())

    assert decision.status.stable is not None
    assert A == decision.status.stable.hash
    assert (B, api.Ending.ABORTED) == (decision.status.rejected[0].hash, answers.ending(decision))
    assert SelectRevision("web", A) == decision.actions[0]
    assert answers.said(decision, "RollbackStarted") == "revision 2 is taken back: rolled back to revision 1 by command"
    assert decision.status.rollback is None


def test_warm_but_already_scaled_down_is_cold() -> None:
    """Once the old pods have been asked to go, they are scaled up first."""
    world = ways.warm(until=NOON - 5).with_status(history=earlier.PAST).deployment(A, 0)
    decision = decide(world.told(rollback_to="1").observe())

    assert answers.sizes(decision) == {A: 10}
    assert decision.status.canary is not None
    assert (A, True) == (decision.status.canary.hash, decision.status.canary.is_rollback)


def test_warm_with_another_version_that_waits() -> None:
    """A new version that has not begun is rejected with the promoted one."""
    world = ways.warm().with_status(history=earlier.PAST).wants(C).but(paused=True).told(rollback_to="1")
    decision = decide(world.observe())

    assert {B, C} == {entry.hash for entry in decision.status.rejected}


def test_a_promoted_revision_that_goes_back_again_is_rejected_no_more() -> None:
    """Abort while what was gone back from is warm makes it stable again, and what is stable is not rejected."""
    world = ways.warm().with_status(rejected=(earlier.rejection(A),), history=earlier.PAST).told(abort="now")
    decision = decide(world.observe())

    assert decision.status.stable is not None
    assert A == decision.status.stable.hash
    assert [B] == [entry.hash for entry in decision.status.rejected]


@pytest.mark.parametrize("past", [(earlier.rejection(A),), ()], ids=["rejected", "tried again"])
def test_what_was_rolled_back_does_not_come_back_at_once(past: tuple[api.Rejected, ...]) -> None:
    """The spec still holds it, and it is warm: neither that nor a retry makes it stable without its steps."""
    verdicts = (earlier.ended(B), earlier.ended(A, api.Ending.ABORTED, 600), earlier.ended(A, ago=5000))
    world = ways.warm().wants(A).with_status(rejected=past, history=verdicts)
    decision = decide(world.observe())

    assert decision.status.stable is not None
    assert B == decision.status.stable.hash
    canary = decision.status.canary
    assert canary is None if past else canary is not None and not canary.is_rollback


# --- cold -------------------------------------------------------------------------------------------------------------


def test_cold_all_pods_start_at_once() -> None:
    """The whole revision in one step, whatever the strategy's steps are; the command is gone."""
    decision = decide(earlier.second(earlier.roomy()).told(rollback_to="1").observe())

    assert (1, 100) == (answers.step(decision), answers.weight(decision))
    canary = decision.status.canary
    assert canary is not None
    assert (A, 1, True, NOON) == (canary.hash, canary.revision, canary.is_rollback, canary.analysis_from)
    assert answers.reasons(decision) == ["RollbackStarted", "RolloutStarted", "StepStarted"]
    assert "no steps and no pauses" in answers.said(decision, "RolloutStarted")
    assert decision.status.rollback is not None
    assert (B, BY) == (decision.status.rollback.rejects, decision.status.rollback.by)
    assert decision.status.rejected == ()
    assert RemoveCommand(names.ROLLBACK_TO, "1") in decision.actions


def test_cold_its_deployment_is_made_from_its_record() -> None:
    """Where somebody deleted it."""
    world = earlier.second(earlier.roomy())
    left = {key: facts for key, facts in world.deployments.items() if key != A}
    decision = decide(world.but(deployments=left).told(rollback_to=A).observe())

    assert CreateDeployment(A, 1, 10) in decision.actions


def test_cold_in_the_end() -> None:
    """What the spec holds is rejected, in the list and in the history, and nothing is written any more."""
    end, decisions = aftermath.settled(earlier.second(earlier.roomy()).told(rollback_to="1"))
    status = end.status
    assert status.stable is not None
    assert (A, None, None) == (status.stable.hash, status.canary, status.rollback)
    assert [(B, "RolledBackTo")] == [(entry.hash, entry.reason) for entry in status.rejected]
    assert [(B, "Aborted", BY), (A, "Promoted", BY)] == [
        (entry.hash, entry.outcome, entry.by) for entry in status.history[:2]
    ]
    assert ("RolledBack", "in place of revision 2") == (status.history[1].reason, status.history[1].message)
    said = [notice.message for decision in decisions for notice in decision.notices if notice.reason == "RolledBack"]
    assert len(said) == 1
    assert said[0].startswith("revision 1 is stable again after ")
    last = decide(end.observe())
    why = "revision 2 was taken back: rolled back to revision 1 by command; revision 1 serves" + answers.retried(B)
    assert ("RolledBackTo", why) == answers.ready(last)
    assert api.Phase.ROLLED_BACK is last.status.phase


def test_retry_brings_it_back_by_its_steps() -> None:
    """What was rolled back from was promoted once, and still has to earn its way."""
    end, _ = aftermath.settled(earlier.second().told(rollback_to="1"))
    decision = decide(end.told(retry=B).observe())

    canary = decision.status.canary
    assert canary is not None
    assert (B, False, 20) == (canary.hash, canary.is_rollback, answers.weight(decision))


def test_another_template_leads_out_as_well() -> None:
    """The spec is never written; whoever changes it ships a new version."""
    end, _ = aftermath.settled(earlier.second().told(rollback_to="1"))
    decision = decide(end.wants(C).observe())

    assert decision.status.canary is not None
    assert (C, 20) == (decision.status.canary.hash, answers.weight(decision))


WAYS: tuple[tuple[str, Any], ...] = (
    ("canary", policy(20, "pause", 50)),
    ("rollingUpdate", policy_of(rolling_update={"max_surge": 2})),
    ("recreate", policy_of(recreate={})),
)


@pytest.mark.parametrize("by", [row[1] for row in WAYS], ids=[row[0] for row in WAYS])
@pytest.mark.parametrize("how", ["command", "template"])
def test_every_strategy_goes_back(how: str, by: Any) -> None:
    """Without a pause, within the bounds that it has for pods, to the end."""
    start = earlier.second(by).but(present={B: 10} if by.strategy.recreate else None)
    start = start.told(rollback_to="1") if how == "command" else start.wants(A)
    end, decisions = aftermath.settled(start)
    phases = {decision.status.phase for decision in decisions if decision.status.canary}
    assert end.status.stable is not None
    assert A == end.status.stable.hash
    assert {api.Phase.ROLLING_BACK} == phases
    assert [B] * (how == "command") == [entry.hash for entry in end.status.rejected]
    assert (how == "template") == (decide(end.observe()).status.phase is api.Phase.HEALTHY)


def test_a_rolling_one_keeps_its_surge() -> None:
    """A bound that users set for pods holds on the way back too."""
    decision = decide(earlier.second(policy_of(rolling_update={"max_surge": 2})).told(rollback_to="1").observe())

    assert {A: 2} == answers.sizes(decision)


def test_blue_green_has_no_preview_to_wait_in() -> None:
    """It is whole in preview, and then switched without anybody's word."""
    by = policy_of(blue_green={"preview_replicas": 1}, traffic=ways.TRAFFIC)

    assert (steps.Step(100),) == planning.planned(by, is_rollback=True)


# --- watched, and abortable -------------------------------------------------------------------------------------------

OWN, ALL = metric("own", prometheus={"query": 'errors{pod=~"$(canary.pods)"}'}), metric("all")


def test_what_it_is_to_mend_is_not_held_against_it() -> None:
    """A metric of the whole service counts once all users are back; one of its own pods counts at once."""
    by = policy(20, metrics=(OWN, ALL))

    assert {"all"} == metric_timing.late(by, 100, is_rollback=True)
    assert set() == metric_timing.late(by, 100)


def test_it_is_watched() -> None:
    """A breach takes it back as any other version, and what is stable stays."""
    world = earlier.going_back(policy(20, metrics=(OWN,))).knows(
        "own", failures=2, verdict=api.Outcome.FAILED, value="1"
    )
    decision = decide(world.observe())

    assert api.Ending.ROLLED_BACK is answers.ending(decision)
    assert ([A], None) == ([entry.hash for entry in decision.status.rejected], decision.status.rollback)


def test_it_waits_for_evidence_once_users_are_back() -> None:
    """Before it counts as stable; until then one write undoes it."""
    world = earlier.going_back(policy(20, metrics=(OWN,), surge="100%")).deployment(A, 10).deployment(B, 0)
    decision = decide(world.observe())

    message = "all users are back on revision 1; own passed 0 of 3 times, at step 1/1, weight 100 %"
    assert ("GatheringEvidence", message) == answers.ready(decision)


@pytest.mark.parametrize(("is_rollback", "analysis_from"), [(True, NOON - 100), (False, NOON - 300)])
def test_what_was_left_is_warm(analysis_from: int, *, is_rollback: bool) -> None:
    """What it did to users is not held against the one that was gone back to, not even while it is warm."""
    stable = api.Side(revision=2, hash=B)
    canary = api.Canary(revision=1, hash=A, started=NOON - 300, analysis_from=NOON - 300, is_rollback=is_rollback)

    assert analysis_from == transitions.retain_previous(stable, canary, NOON - 100, NOON).analysis_from


@pytest.mark.parametrize("value", ["now", A])
def test_it_can_be_aborted(value: str) -> None:
    """Then it is rejected, what was stable stays stable, and is what the spec wants."""
    world = earlier.going_back().told(abort=value)
    decision = decide(world.observe())
    assert api.Ending.ABORTED is answers.ending(decision)
    assert decision.status.rollback is None
    end, _ = aftermath.settled(aftermath.after(world, decision))
    assert end.status.stable is not None
    assert (B, [A]) == (end.status.stable.hash, [entry.hash for entry in end.status.rejected])
    assert api.Phase.HEALTHY is decide(end.observe()).status.phase


def test_pods_that_do_not_come_end_it() -> None:
    """The deadline counts as for any other version."""
    world = earlier.going_back().but(now=NOON + 700)
    decision = decide(world.observe())

    assert api.Ending.ROLLED_BACK is answers.ending(decision)
    assert answers.ready(decision)[0] == "ProgressDeadlineExceeded"


def test_it_says_where_it_goes() -> None:
    """While pods start."""
    assert (
        "going back to revision 1: 0 of 10 canary pods ready"
        == answers.ready(decide(earlier.going_back().observe()))[1]
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"paused": True},
        {"invalid": "spec.strategy: two"},
        {"target": model.Target(model.Identity.REFUSED), "written": C},
    ],
)
def test_neither_a_pause_nor_a_broken_spec_is_in_the_way(changes: dict[str, Any]) -> None:
    """What is wanted is on record, and a pause is about new versions: it begins, and goes on."""
    start = earlier.second(earlier.roomy()).but(**changes).told(rollback_to="1")
    decision = decide(start.observe())
    assert {A: 10} == answers.sizes(decision)
    end, _ = aftermath.settled(aftermath.after(start, decision))
    assert end.status.stable is not None
    assert (A, None) == (end.status.stable.hash, end.status.rollback)
    assert [B] == [entry.hash for entry in end.status.rejected]


def test_a_template_put_back_is_not_paused_either() -> None:
    """As it is not where the old pods are warm."""
    decision = decide(earlier.second(earlier.roomy()).wants(A).but(paused=True).observe())

    assert {A: 10} == answers.sizes(decision)


# --- by template ------------------------------------------------------------------------------------------------------


def later(revision: str, **changes: Any) -> World:
    """Return the world at rest on B, whose spec now holds another revision that was stable."""
    past = (earlier.ended(C, ago=300), *earlier.PAST) if revision == C else earlier.PAST
    return (
        earlier.second(earlier.roomy())
        .deployment(revision, 0)
        .with_status(**{"history": past, **changes})
        .wants(revision)
    )


def test_an_earlier_template_goes_back() -> None:
    """A revert in Git has the same fast path, and rejects nothing."""
    decision = decide(later(A).observe())

    assert decision.status.canary is not None
    assert (True, 100) == (decision.status.canary.is_rollback, answers.weight(decision))
    assert {A: 10} == answers.sizes(decision)


@pytest.mark.parametrize(
    ("world", "why"),
    [
        (later(C), "a later one"),
        (later(A, history=earlier.PAST[:1]), "nobody knows that it was stable"),
        (later(A, history=(earlier.ended(A, api.Ending.ABORTED, 100), *earlier.PAST)), "taken back since"),
        (earlier.second().wants(C), "a new one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_other_template_has_its_steps(world: World, why: str) -> None:
    """The fast path is for an earlier revision that was stable, and that nothing has spoken against since."""
    canary = decide(world.observe()).status.canary

    assert canary is not None, why
    assert not canary.is_rollback, why


def test_a_rejected_template_is_not_tried() -> None:
    """That it was stable once does not help it."""
    assert decide(later(A, rejected=(earlier.rejection(A),)).observe()).status.canary is None


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_what_can_be_gone_back_to_is_kept_first() -> None:
    """Deployments of versions that were taken back go before those that served."""
    by = earlier.PLAN.model_copy(update={"revision_history_limit": 1})
    world = earlier.second(by).deployment(C, 0).with_status(rejected=(earlier.rejection(C),))
    end, _ = aftermath.settled(world)

    assert {A, B} == set(end.deployments)
    assert {A, B, C} == set(end.templates)


@pytest.mark.parametrize(("limit", "kept"), [(2, True), (0, False)])
def test_a_record_outlives_its_deployment(limit: int, *, kept: bool) -> None:
    """Somebody deleted the Deployment: as many records as revisionHistoryLimit says stay to go back to."""
    by = earlier.PLAN.model_copy(update={"revision_history_limit": limit})
    world = earlier.second(by)
    end, _ = aftermath.settled(world.but(deployments={B: world.deployments[B]}))

    assert kept == (A in end.templates)


def test_stable_is_scaled_down_only_after_users_left_it() -> None:
    """Promise 2: the revision that is left keeps its pods until the other one has all of its own."""
    decision = decide(earlier.second(earlier.roomy()).told(rollback_to="1").observe())

    assert B not in {action.hash for action in decision.actions if isinstance(action, ScaleDeployment)}


@pytest.mark.parametrize("kept", ["record", "deployment", ""])
def test_beyond_the_history_limit_it_takes_its_steps(kept: str) -> None:
    """What is not on record any more is not gone back to without steps, by the spec no more than by command."""
    world = World().stable().ruled(policy(20, "pause")).wants(B)
    assert world.status.stable is not None
    entry = api.HistoryEntry(revision=2, hash=B, outcome=api.Ending.PROMOTED, started=NOON - 90, finished=NOON - 60)
    later = world.status.stable.model_copy(update={"revision": 3})
    world = world.with_status(history=(entry,), stable=later)
    world = world.recorded(B) if kept == "record" else world.deployment(B, 0) if kept else world
    world = world.but(templates={A: world.templates[A]}) if kept == "deployment" else world
    decision = decide(world.observe())

    assert decision.status.canary is not None
    assert decision.status.canary.is_rollback == bool(kept)
    assert ("is not on record any more" in answers.said(decision, "RolloutStarted")) == (not kept)


@pytest.mark.parametrize("changes", [{"tampered": "kubectl"}, {"verified": False}], ids=["edited", "not known"])
def test_h34_a_deployment_alone_proves_nothing(changes: Any) -> None:
    """H34: without its record an earlier version takes its steps, unless its Deployment runs what the spec holds."""
    world = earlier.second().deployment(A, 0, **changes)
    world = world.but(templates={B: world.templates[B]})
    by_command = answers.said(decide(world.told(rollback_to="1").observe()), "CommandMismatch")
    canary = decide(world.wants(A).observe()).status.canary

    assert "not on record any more, and its Deployment alone does not prove what was stable" in by_command
    assert canary is not None
    assert not canary.is_rollback
