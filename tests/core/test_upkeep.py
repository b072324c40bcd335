"""Sizes become writes, ours is kept in order, and what nothing needs any more goes."""

import dataclasses

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.core.model import PolicyRecord
from headgate.core.model.actions import (
    AddFinalizer,
    AdoptDeployment,
    AdoptRecord,
    DeleteDeployment,
    DropRecord,
    RecordPolicy,
    RecordTemplate,
    RemoveFinalizer,
    RepairTemplate,
    RestoreLabels,
    ScaleDeployment,
    SetMinReady,
)
from headgate.core.rollout import refresh, workload_actions
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, PLAN, A, B, C, World, policy, policy_hash


def in_flight() -> World:
    """Return a world at 20 % in a pause."""
    return World().stable(8).canary(2).at_step(2, since=60)


def old(world: World, count: int) -> World:
    """Return *world* with so many old Deployments without pods, the newest first."""
    for number in range(count):
        hash_ = f"old-{number}"
        world = world.deployment(hash_, 0)
        facts = dataclasses.replace(world.deployments[hash_], revision=20 - number)
        world = world.but(deployments={**world.deployments, hash_: facts})
    return world


@pytest.mark.parametrize(("finalizers", "expected"), [((), (AddFinalizer(),)), ((names.FINALIZER,), ())])
def test_a_flight_has_a_finalizer(finalizers: tuple[str, ...], expected: tuple[AddFinalizer, ...]) -> None:
    """While a canary is in flight a deletion waits for us; the finalizer is put there before anything else."""
    assert decide(in_flight().but(finalizers=finalizers).observe()).records == expected


def test_at_rest_there_is_no_finalizer() -> None:
    """At rest nothing of ours holds a deletion, so that an uninstalled operator holds none for ever."""
    world = World().stable().but(finalizers=("other", names.FINALIZER))
    assert RemoveFinalizer() in decide(world.observe()).actions
    assert RemoveFinalizer() not in decide(in_flight().observe()).actions
    assert AddFinalizer() not in decide(World().first().observe()).records


def test_a_deleted_object_gets_no_finalizer() -> None:
    """The API server refuses new finalizers on an object that is being deleted: we ask for none."""
    decision = decide(in_flight().but(deleting=True, finalizers=("foregroundDeletion",)).observe())

    assert decision.records == ()


def test_what_must_be_on_record() -> None:
    """A template and a policy are recorded before the status speaks of them; only the spec's own can be."""
    world = in_flight()
    unrecorded = world.but(templates={}, policies={})
    assert decide(unrecorded.observe()).records == (RecordTemplate(B, 2), RecordPolicy(policy_hash(PLAN)))
    meant = world.but(templates={}, written="equal")
    assert decide(meant.observe()).records == ()
    invalid = unrecorded.but(invalid="wrong", templates=world.templates)
    assert decide(invalid.observe()).records == ()


def test_stable_is_written_first() -> None:
    """Whatever is scaled, stable's write comes before the canary's."""
    decision = decide(in_flight().leaving().deployment(A, 8).deployment(B, 2, 1).observe())

    assert [action.hash for action in decision.actions if isinstance(action, ScaleDeployment)] == [A, B]


def test_a_write_says_what_it_was_decided_on() -> None:
    """A scale write carries the size that it was decided on, so that it fails where somebody was faster."""
    (action,) = decide(World().stable().but(replicas=12).observe()).actions

    assert action == ScaleDeployment(A, 12, was=10)


@pytest.mark.parametrize(
    ("changes", "action", "reason", "message"),
    [
        ({"owner": ""}, AdoptDeployment(A), None, ""),
        ({"min_ready_seconds": 7}, SetMinReady(A, 0), None, ""),
        (
            {"tampered": "kubectl-edit"},
            RepairTemplate(A),
            "TemplateRepaired",
            f"kubectl-edit changed the template of web-{A}; put back to revision 1",
        ),
        (
            {"replicas": 4, "pods": 4, "ready": 4, "scaled_by": "kubectl"},
            ScaleDeployment(A, 10, was=4),
            "ReplicasRepaired",
            f"kubectl set Deployment web-{A} to 4 replicas; put back to 10",
        ),
    ],
)
def test_drift_is_repaired(changes: dict[str, object], action: object, reason: str | None, message: str) -> None:
    """H18: what somebody changed of ours is put back at once, and told where it was not an accident of upgrading."""
    world = World().stable().policed()
    facts = dataclasses.replace(world.deployments[A], **changes)  # type: ignore[arg-type]  # a table of any fields
    decision = decide(world.but(deployments={A: facts}).observe())

    assert decision.actions == (action,)
    assert answers.reasons(decision) == ([reason] if reason else [])
    if reason:
        assert answers.said(decision, reason) == message
        assert all(notice.warning for notice in decision.notices)


def test_a_canary_is_repaired_too() -> None:
    """H18: the canary's Deployment is held to what was decided, as stable's is."""
    decision = decide(in_flight().deployment(B, 6, scaled_by="kubectl", tampered="helm").observe())

    assert decision.actions == (ScaleDeployment(B, 2, was=6),), "alone: the repair is guarded by the version"
    assert answers.reasons(decision) == ["ReplicasRepaired", "TemplateRepaired"]


def test_orphans_of_an_earlier_rollout_are_adopted() -> None:
    """What an orphaning deletion left, kept Deployments and records, belongs to the new Rollout of that name."""
    world = World().stable(10).deployment(B, 0, owner="", references=0)
    orphaned = {
        hash_: dataclasses.replace(record, references=0) if hash_ == B else record
        for hash_, record in world.templates.items()
    }
    decision = decide(world.but(templates=orphaned).observe())

    assert decision.actions == (AdoptDeployment(B), AdoptRecord(orphaned[B].name))


@pytest.mark.parametrize("kept", [True, False])
def test_orphans_of_which_is_not_known_what_they_are_wait(*, kept: bool) -> None:
    """One whose template the API server has not compared yet is neither adopted nor repaired, in use or kept."""
    asked = World().stable(10, owner="", verified=False)
    world = World().stable(10).deployment(B, 0, owner="", verified=False) if kept else asked

    assert not decide(world.observe()).actions


def test_repairs_that_cannot_be_made_are_not_told() -> None:
    """Where the recorded template is gone, nobody is told of a repair that does not happen."""
    world = World().stable(10, tampered="helm").but(templates={}, written="other")
    decision = decide(world.observe())

    assert (decision.actions, decision.notices) == ((), ())


def test_our_own_scaling_is_no_drift() -> None:
    """A size that somebody else set and that is about to change anyway is not told as a repair."""
    world = World().stable(10, scaled_by="kubectl").but(replicas=12)

    assert "ReplicasRepaired" not in answers.reasons(decide(world.observe()))


@pytest.mark.parametrize("known", [True, False])
def test_a_deployment_that_is_gone(*, known: bool) -> None:
    """A Deployment that was deleted is made again where its template is known, and never from another one.

    Nobody is told that it was made again where it was not.
    """
    world = in_flight()
    world = world.but(deployments={B: world.deployments[B]}, templates=world.templates if known else {})
    decision = decide(world.observe())

    assert answers.sizes(decision) == ({A: 8} if known else {})
    assert answers.reasons(decision) == (["DeploymentRecreated"] if known else ["StableLost"])


def test_a_deployment_that_is_going_is_left_alone() -> None:
    """Nothing is written to a Deployment that is being deleted: it is made again once it is gone."""
    assert decide(World().stable(10, deleting=True, owner="").but(replicas=12).observe()).actions == ()


@pytest.mark.parametrize(
    ("stable", "others", "expected"),
    [
        ((10, 10), (3, 3), {C: 0}),
        ((10, 9), (3, 3), {}),
        ((10, 9), (3, 0), {C: 0}),
    ],
)
def test_old_pods(stable: tuple[int, int], others: tuple[int, int], expected: dict[str, int]) -> None:
    """Pods of old revisions go once users do not need them, and at once where they serve nobody."""
    assert answers.sizes(decide(World().stable(*stable).deployment(C, *others).observe())) == expected


def test_old_pods_go_while_a_rollout_is_in_flight() -> None:
    """H18: pods that somebody gave an old revision take traffic from both: they go as soon as both carry everybody."""
    assert answers.sizes(decide(in_flight().deployment(C, 3).observe())) == {C: 0}
    assert answers.sizes(decide(in_flight().deployment(B, 2, 1).deployment(C, 3).observe())) == {}


def test_old_pods_that_are_going_are_left_alone() -> None:
    """An old Deployment that is being deleted needs no help."""
    assert decide(World().stable().deployment(C, 3, deleting=True).observe()).actions == ()


@pytest.mark.parametrize(("limit", "gone"), [(0, [0, 1, 2]), (2, [2]), (3, [])])
def test_history_is_kept_to_its_limit(limit: int, gone: list[int]) -> None:
    """So many old Deployments are kept as the user wants, the newest ones; their records go with the others."""
    world = old(World().stable(), 3).ruled(policy(20, revision_history_limit=limit))
    actions = decide(world.observe()).actions

    assert actions == (
        *(DeleteDeployment(f"old-{number}") for number in gone),
        *(DropRecord(f"web-old-{number}") for number in gone),
    )


def test_what_history_does_not_touch() -> None:
    """Only empty Deployments of ours are history, and nothing is tidied before a rollout is over."""
    none = policy(20, "2m", revision_history_limit=0)
    world = World().stable().ruled(none)
    assert decide(world.deployment(C, 0, owner="").observe()).actions == (AdoptDeployment(C),)
    assert decide(world.deployment(C, 0, pods=1).observe()).actions == ()
    assert decide(world.deployment(C, 0, settled=False).observe()).actions == ()
    assert decide(in_flight().ruled(none).at_step(2, since=60).deployment(C, 0).observe()).actions == ()
    assert decide(World().first().ruled(none).deployment(C, 0).observe()).actions == ()
    assert decide(World().stable(10, 9).ruled(none).deployment(C, 0).observe()).actions == ()


def test_records_that_are_needed_stay() -> None:
    """The templates of stable, of kept Deployments, of the spec and of rejected revisions are kept, others go."""
    entry = api.Rejected(revision=2, hash=B, reason="x", at=NOON - 500)
    world = World().stable().with_status(rejected=(entry,)).wants(B).recorded(B).recorded("left").deployment(C, 0)

    assert decide(world.observe()).actions == (DropRecord("web-left"),)


@pytest.mark.parametrize("written", [True, False])
def test_old_policies_go_once_the_new_one_is_in_the_status(*, written: bool) -> None:
    """The record of an old policy is dropped only when the status no longer speaks of it."""
    new = policy(30)
    world = World().stable().edited(new)
    record = PolicyRecord("web-policy-new", policy_hash(new), new, NOON)
    world = world.but(policies={**world.policies, record.hash: record})
    if written:
        world = world.with_status(policy=record.hash)
    dropped = [action.name for action in decide(world.observe()).actions if isinstance(action, DropRecord)]

    assert dropped == ([f"web-policy-{policy_hash(PLAN)}"] if written else [])


def test_nothing_is_tidied_without_a_policy() -> None:
    """Where no policy can be read, nobody knows how much history is wanted."""
    world = old(World().stable(), 5).but(invalid="wrong", accepted=None)

    assert workload_actions.actions(refresh.opened(world.observe()), api.Phase.HEALTHY) == ()


def test_min_ready_seconds_follow_the_policy() -> None:
    """The field minReadySeconds is written to both sides, and left alone where no policy is known."""
    rule = policy(20, "2m", 50, "pause", 80, min_ready_seconds=5)
    world = in_flight().ruled(rule).at_step(2, since=60)
    assert decide(world.observe()).actions == (SetMinReady(A, 5), SetMinReady(B, 5))
    assert (
        decide(in_flight().deployment(A, 8, min_ready_seconds=9).but(invalid="x", accepted=None).observe()).actions
        == ()
    )


def test_two_rollouts_leave_no_litter() -> None:
    """After many rollouts only the wanted history is left: Deployments, records and rejections are bounded."""
    world = World().stable().policed()
    for number in range(5):
        world, _ = aftermath.settled(world.wants(f"r{number}").ruled(policy(50)), 5)
    assert set(world.deployments) == {"r4", "r3", "r2"}
    assert set(world.templates) == {"r4", "r3", "r2"}
    assert len(world.policies) == 1
    assert [entry.hash for entry in world.status.history] == ["r4", "r3", "r2", "r1", "r0"]


def test_lost_labels_are_put_back() -> None:
    """A Deployment without our labels is not watched any more: they are put back, and it is told."""
    decision = decide(World().stable(10, labelled=False).observe())

    assert decision.actions == (RestoreLabels(A),)
    assert answers.reasons(decision) == ["LabelsRepaired"]


def test_replicas_that_somebody_sets_in_flight_are_told() -> None:
    """H18: whoever scales stable in the middle of a rollout is named, though the way back takes several passes."""
    decision = decide(in_flight().deployment(A, 3, scaled_by="kubectl").observe())

    assert "ReplicasRepaired" in answers.reasons(decision)


def test_replicas_that_somebody_sets_are_told_at_first_sight() -> None:
    """H18: pods of the canary that nobody asked for go once the numbers have settled; who brought them is told before.

    By then the status has them as the size that is asked for, and it is told once.
    """
    world = in_flight()
    first = decide(world.deployment(B, 6, scaled_by="kubectl", settled=False).observe())
    second = decide(world.deployment(B, 6, scaled_by="kubectl").but(status=first.status).observe())

    assert answers.said(first, "ReplicasRepaired") == f"kubectl set Deployment web-{B} to 6 replicas; put back to 2"
    assert first.actions == ()
    assert second.actions == (ScaleDeployment(B, 2, was=6),)
    assert "ReplicasRepaired" not in answers.reasons(second)


def test_replicas_that_are_wanted_anyway_are_no_drift() -> None:
    """Where somebody scales the Deployment to what the Rollout is scaled to at the same time, nothing is put back."""
    world = World().stable(10).deployment(A, 12, scaled_by="kubectl").but(replicas=12)

    assert "ReplicasRepaired" not in answers.reasons(decide(world.observe()))


@pytest.mark.parametrize("replicas", [None, 5])
def test_replicas_of_a_first_revision_that_stay_are_not_told(replicas: int | None) -> None:
    """Before anything is stable there is no weight, and no size but the one that the spec or the pods tell."""
    world = World().first(3).deployment(A, 5, 3, scaled_by="kubectl").but(replicas=replicas)

    assert "ReplicasRepaired" not in answers.reasons(decide(world.observe()))
