"""The rules that go back: what they find, what they say of it, and that nothing else makes them speak."""

import pytest

from headgate.api import names
from headgate.api import status as api
from headgate.api.spec import FailFast
from headgate.core.model import Identity, PodTrouble, Target
from headgate.core.model.actions import RemoveFinalizer, ScaleDeployment
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, C, World, metric, policy

WATCHED = policy(20, "2m", 50, metrics=(metric(),))
CRASH = PodTrouble("web-x: CrashLoopBackOff: back-off 10s", hopeless=True)
NOWHERE = PodTrouble("web-x: Unschedulable: 0/3 nodes are available", hopeless=False, unschedulable=True)
SLOW = PodTrouble("web-x: 0/3 nodes are available", hopeless=False)
SOME = PodTrouble("1 of 2 pods cannot start: web-x: ImagePullBackOff", hopeless=True, slow=1)
COMING = PodTrouble("", hopeless=False, slow=1)
BOTH = PodTrouble("web-x: ImagePullBackOff", hopeless=True, unschedulable=True)


def in_flight() -> World:
    """Return a world at 20 %, in a pause of two minutes, with the evidence to go on."""
    return World().stable(8).canary(2).ruled(WATCHED).at_step(2, since=60).knows(passes=3)


def starting(age: float, ready: int = 0, refusal: str = "") -> World:
    """Return a world in which the first two canary pods are starting for *age* seconds."""
    world = World().stable(10).canary(2, ready, age=age, refusal=refusal)
    progress = api.Progress(desired=2, ready=ready, since=int(NOON - age))
    assert world.status.canary is not None
    return world.with_status(canary=world.status.canary.model_copy(update={"progress": progress}))


def leaving_reason(world: World) -> tuple[str, str]:
    """Return reason and message by which the canary leaves, gone already or not; empty if it stays."""
    status = decide(world.observe()).status
    gone = status.canary.abort if status.canary else status.history[0]
    return (gone.reason, gone.message) if gone else ("", "")


def test_a_breach_goes_back_at_once() -> None:
    """The failure that is one too many makes stable whole in the same decision, rejects the revision and says why."""
    decision = decide(in_flight().reads(0.5, 0.25).knows(last_tick=NOON - 60, passes=3).observe())
    why = "metric errors failed 2 times in a row: 0.25, allowed is <= 0.01"

    assert decision.rule == "aborting"
    assert decision.actions[0] == ScaleDeployment(A, 10, 8)
    assert decision.actions[1] == ScaleDeployment(B, 2, 2, rejected=f"{B}/{NOON - 1000}")
    assert answers.said(decision, "RollbackStarted") == f"revision 2 is taken back: {why}"
    assert [(entry.hash, entry.reason, entry.message) for entry in decision.status.rejected] == [
        (B, "MetricFailed", why)
    ]
    assert answers.ready(decision) == ("MetricFailed", f"{why}; 8 of 10 stable pods ready, 2 canary pods left")
    assert decision.status.phase is api.Phase.ROLLING_BACK
    assert (decision.write_status, decision.urgent) == (True, True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [((0.5,), ""), ((0.5, None), ""), ((None, 0.5), ""), ((0.5, 0.001), ""), ((0.001, 0.5, 0.5), "MetricFailed")],
)
def test_less_than_a_breach_is_none(values: tuple[float | None, ...], reason: str) -> None:
    """Only so many failures in a row as the user allowed take a revision back."""
    world = in_flight().knows(last_tick=NOON - 200, passes=0).reads(*values)

    assert leaving_reason(world)[0] == reason


@pytest.mark.parametrize("weight_since", [None, 1])
def test_a_breach_counts_before_the_weight_holds(weight_since: float | None) -> None:
    """Failures count from the first tick of the attempt on, also while pods of the next weight are starting."""
    world = in_flight().at_step(3, since=weight_since).knows(last_tick=NOON - 60).reads(0.5, 0.5)

    assert leaving_reason(world)[0] == "MetricFailed"


@pytest.mark.parametrize(
    ("then", "verdict", "reason"),
    [
        ("Hold", api.Outcome.NO_DATA, ""),
        ("Advance", api.Outcome.NO_DATA, ""),
        ("Rollback", api.Outcome.NO_DATA, "NoData"),
        ("Rollback", api.Outcome.AMBIGUOUS, "NoData"),
        ("Rollback", api.Outcome.ERROR, "NoData"),
    ],
)
def test_want_of_data_goes_back_only_where_the_user_said_so(then: str, verdict: api.Outcome, reason: str) -> None:
    """H7, H9: no verdict comes from missing data but by the user's own policy for it."""
    world = World().stable(8).canary(2, age=2000).ruled(policy(20, "pause", metrics=(metric(noData={"then": then}),)))
    known = world.at_step(2, since=1500).knows(verdict=verdict, last_judged=None, since=NOON - 1400)

    assert leaving_reason(known)[0] == reason


@pytest.mark.parametrize("weight", [0, 20])
def test_want_of_data_needs_a_weight_that_holds(weight: int) -> None:
    """A canary that nobody is sent to, or whose weight does not hold yet, is not blamed for having no data."""
    rule = policy(weight, "pause", metrics=(metric(noData={"then": "Rollback"}),))
    world = World().stable(10).canary(0, age=2000).ruled(rule).at_step(2, since=1500 if weight == 0 else None)

    assert leaving_reason(world.knows(verdict=api.Outcome.NO_DATA, last_judged=None))[0] == ""


@pytest.mark.parametrize(
    ("target", "ending", "reason"),
    [
        (Target(Identity.KNOWN, B), None, ""),
        (Target(Identity.UNKNOWN, message="timeout"), None, ""),
        (Target(Identity.REFUSED, message="no"), None, ""),
        (Target(Identity.KNOWN, A), api.Ending.WITHDRAWN, "TemplatePutBack"),
        (Target(Identity.KNOWN, C), api.Ending.SUPERSEDED, "Superseded"),
    ],
)
def test_another_template(target: Target, ending: api.Ending | None, reason: str) -> None:
    """H13, H14: a template that is put back or newer takes the canary back and rejects nothing."""
    decision = decide(in_flight().but(target=target).observe())

    assert answers.ending(decision) is ending
    assert decision.status.rejected == ()
    assert [action for action in decision.actions if isinstance(action, ScaleDeployment) and action.rejected] == []
    assert leaving_reason(in_flight().but(target=target))[0] == reason


def test_a_newer_template_starts_from_nothing() -> None:
    """H13: C starts at its first step after B is gone, and never inherits B's weight or evidence."""
    world = in_flight().wants(C)
    weights = []
    for _ in range(12):
        decision = decide(world.observe())
        canary = decision.status.canary
        weights.append((canary.hash if canary else "", answers.weight(decision), answers.sizes(decision).get(C)))
        world = aftermath.after(world, decision)
        if canary is not None and canary.hash == C:
            break
    assert weights == [(B, 0, None), (B, 0, None), (C, 20, 2)]
    assert [state.passes for state in world.status.analysis] == [0]
    assert [(entry.hash, entry.outcome) for entry in world.status.history] == [(B, api.Ending.SUPERSEDED)]


def test_a_template_put_back_ends_in_rest() -> None:
    """H14: the template put back leads to a healthy stable revision and no rollout after it."""
    world, decisions = aftermath.settled(in_flight().wants(A))

    assert world.status.phase is api.Phase.HEALTHY
    assert world.status.canary is None
    assert "RolloutStarted" not in [reason for decision in decisions for reason in answers.reasons(decision)]
    assert world.status.history[0].outcome is api.Ending.WITHDRAWN


@pytest.mark.parametrize(("mark", "ending"), [(NOON - 1000, api.Ending.ROLLED_BACK), (NOON - 9999, None)])
def test_the_mark_on_the_deployment_is_a_second_memory(mark: int, ending: api.Ending | None) -> None:
    """A rejection whose status was lost holds, by the mark of this very attempt; that of an earlier one does not."""
    decision = decide(in_flight().deployment(B, 2, rejected=f"{B}/{mark}").observe())

    assert answers.ending(decision) is ending
    assert [entry.hash for entry in decision.status.rejected] == ([B] if ending else [])


@pytest.mark.parametrize("ending", list(api.Ending))
def test_only_verdicts_leave_a_mark(ending: api.Ending) -> None:
    """A revision that is only out of date is not marked: if its status is lost, it must not count as rejected."""
    decision = decide(in_flight().leaving(ending).observe())
    marks = [action.rejected for action in decision.actions if isinstance(action, ScaleDeployment) and action.rejected]

    verdict = ending in (api.Ending.ROLLED_BACK, api.Ending.ABORTED)
    assert marks == ([f"{B}/{NOON - 1000}"] if verdict else [])


def test_a_marked_deployment_is_not_marked_again() -> None:
    """The mark is written once."""
    world = in_flight().leaving().deployment(B, 2, rejected=f"{B}/{NOON - 1000}").deployment(A, 10, 8)

    assert decide(world.observe()).actions == ()


@pytest.mark.parametrize(
    ("age", "ready", "trouble", "refusal", "reason"),
    [
        (29, 0, CRASH, "", ""),
        (30, 0, CRASH, "", "PodsCannotStart"),
        (30, 1, CRASH, "", ""),
        (600, 1, CRASH, "", "ProgressDeadlineExceeded"),
        (30, 2, CRASH, "", ""),
        (599, 0, SLOW, "", ""),
        (30, 0, None, "exceeded quota", "PodsCannotStart"),
        (29, 0, None, "exceeded quota", ""),
        (299, 0, NOWHERE, "", ""),
        (300, 0, NOWHERE, "", "PodsCannotStart"),
        (300, 1, NOWHERE, "", ""),
        (299, 0, NOWHERE, "exceeded quota", ""),
        (300, 0, NOWHERE, "exceeded quota", "PodsCannotStart"),
        (30, 0, SOME, "", ""),
        (599, 0, SOME, "", ""),
        (600, 0, SOME, "", "ProgressDeadlineExceeded"),
        (30, 0, COMING, "exceeded quota", ""),
        (299, 0, BOTH, "", ""),
        (300, 0, BOTH, "", "PodsCannotStart"),
        (599, 0, None, "", ""),
        (600, 0, None, "", "ProgressDeadlineExceeded"),
        (600, 0, SLOW, "", "ProgressDeadlineExceeded"),
        (600, 2, SLOW, "", ""),
    ],
)
def test_pods_that_do_not_start(age: float, ready: int, trouble: PodTrouble | None, refusal: str, reason: str) -> None:
    """H11: where no pod can start it goes back after half a minute; where one is only slow, at the deadline."""
    assert leaving_reason(starting(age, ready, refusal).but(trouble=trouble))[0] == reason


@pytest.mark.parametrize(
    ("fast", "trouble", "early", "late"),
    [
        ({"after": "90s"}, CRASH, 89, 90),
        ({"after": "0s"}, CRASH, None, 0),
        ({"after": "Never"}, CRASH, 599, 600),
        ({"after": "1h"}, CRASH, 599, 600),
        ({"after": "90s"}, NOWHERE, 299, 300),
        ({"unschedulableAfter": "20s"}, NOWHERE, 19, 20),
        ({"unschedulableAfter": "Never"}, NOWHERE, 599, 600),
        ({"unschedulableAfter": "20s"}, CRASH, 29, 30),
    ],
)
def test_the_users_patience_counts(fast: dict[str, str], trouble: PodTrouble, early: float | None, late: float) -> None:
    """H11: failFast says how long each kind is waited for; the progress deadline ends what it lets wait."""
    rule = policy(20, "2m", fail_fast=FailFast.model_validate(fast))
    waits = [starting(age).but(trouble=trouble).ruled(rule).at_step(1) for age in (early, late) if age is not None]

    assert [bool(leaving_reason(world)[0]) for world in waits] == [False, True][-len(waits) :]
    if early is not None:
        assert decide(waits[0].observe()).recheck_at == NOON + 1


@pytest.mark.parametrize(("age", "look"), [(0, 5), (5, 30), (29, 30), (30, 60), (59, 60), (60, 90), (580, 600)])
def test_pods_that_do_not_start_are_looked_at_again(age: float, look: float) -> None:
    """H11: a pod between two crashes does not say that it is in a loop; it is asked every half a minute."""
    decision = decide(starting(age, 0).but(trouble=SLOW).observe())

    assert decision.recheck_at == NOON - age + look


def test_the_pods_own_words_are_told() -> None:
    """H11: a revision that cannot start is taken back with the words of the kubelet and the server."""
    words = "web-x: CrashLoopBackOff: back-off 10s"
    message = f"the new pods cannot start: 0 of 2 pods ready: {words}; exceeded quota"
    assert leaving_reason(starting(30, 0, "exceeded quota").but(trouble=CRASH)) == ("PodsCannotStart", message)
    late = starting(600).but(trouble=SLOW)
    slow = "no progress for 10m: 0 of 2 pods ready: web-x: 0/3 nodes are available"
    assert leaving_reason(late) == ("ProgressDeadlineExceeded", slow)
    assert leaving_reason(starting(600))[1] == "no progress for 10m: 0 of 2 pods ready"


def test_the_users_deadline_counts() -> None:
    """The deadline is that of the spec, or 10 minutes where no policy is known."""
    short = starting(60).ruled(policy(20, "2m", progress_deadline_seconds=60)).at_step(1)
    assert leaving_reason(short)[1] == "no progress for 1m: 0 of 2 pods ready"
    lost = starting(599).but(invalid="wrong", accepted=None)
    assert leaving_reason(lost)[0] == ""
    assert leaving_reason(lost.but(now=NOON + 1))[0] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize(
    ("refusals", "foreign", "age", "reason"),
    [
        ((), (), 7200, ""),
        (("forbidden",), (), 599, ""),
        (("forbidden",), (), 600, "ProgressDeadlineExceeded"),
        ((), ("web-b is not ours",), 600, "ProgressDeadlineExceeded"),
    ],
)
def test_a_deployment_that_is_not_there(
    refusals: tuple[str, ...], foreign: tuple[str, ...], age: float, reason: str
) -> None:
    """A canary whose Deployment we did not get to create, as when killed before it, is late only if it is refused."""
    world = World().stable(10).canary(0, age=age).but(refusals=refusals, foreign=foreign)

    assert leaving_reason(world)[0] == reason


@pytest.mark.parametrize("refusals", [(), ("something else",)])
def test_a_first_weight_of_nothing_may_wait_for_ever(refusals: tuple[str, ...]) -> None:
    """At a weight of 0 there are no pods that could be late."""
    world = World().stable(10).canary(0, age=99_999).ruled(policy(0, "pause", 50)).at_step(2, since=99_000)
    decision = decide(world.but(refusals=refusals).observe())

    assert answers.ending(decision) is None
    assert answers.sizes(decision) == {}


def test_aborting_step_by_step() -> None:
    """Stable is whole at once, canary pods go as stable pods become ready, and the end is told in the history."""
    world = in_flight().told(abort=B)
    first = decide(world.observe())
    half = aftermath.after(world, first).deployment(A, 10, 9)
    second = decide(half.observe())
    third = decide(aftermath.after(half, second).deployment(A, 10).observe())
    assert [answers.sizes(decision) for decision in (first, second, third)] == [{A: 10, B: 2}, {B: 1}, {B: 0}]

    gone = aftermath.after(half, second).deployment(A, 10).deployment(B, 0)
    last = decide(gone.observe())
    assert last.status.canary is None
    assert last.status.phase is api.Phase.ROLLED_BACK
    assert answers.said(last, "RolledBack") == "revision 2 is gone after 10s; 10 of 10 stable pods ready"
    (entry,) = last.status.history
    assert (entry.hash, entry.outcome, entry.by) == (B, api.Ending.ABORTED, "annotation headgate.dev/abort")
    assert (entry.started, entry.finished) == (NOON - 1000, NOON + 10)
    assert (last.status.step, last.status.weight, last.status.min_replicas) == (None, None, None)
    assert RemoveFinalizer() in last.actions
    assert not last.urgent


def test_an_abort_waits_until_stable_is_asked_for() -> None:
    """A canary without pods is not done with before stable is asked to be whole."""
    world = in_flight().leaving().deployment(B, 0)
    decision = decide(world.observe())
    assert decision.status.canary is not None
    assert answers.sizes(decision) == {A: 10, B: 0} or answers.sizes(decision) == {A: 10}
    assert decide(aftermath.after(world, decision).observe()).status.canary is None


def test_a_missing_stable_deployment_is_made_again_first() -> None:
    """An abort that finds stable's Deployment gone creates it whole, and keeps the canary pods that carry users."""
    world = in_flight().leaving()
    world = world.but(deployments={B: world.deployments[B]})

    assert answers.sizes(decide(world.observe())) == {A: 10, B: 2}


def test_a_deletion_takes_the_canary_back_first() -> None:
    """H19: a deleted Rollout sends everybody to stable, and only then lets go; it rejects nothing."""
    world = in_flight().but(deleting=True)
    first = decide(world.observe())
    assert answers.ending(first) is api.Ending.DELETED
    assert answers.sizes(first) == {A: 10}
    assert RemoveFinalizer() not in first.actions
    assert first.status.rejected == ()

    gone = aftermath.after(world, first).deployment(B, 0)
    last = decide(gone.observe())
    assert last.actions == (RemoveFinalizer(),)
    assert last.rule == "released"
    assert last.urgent
    assert last.recheck_at is None
    assert last.status.history[0].outcome is api.Ending.DELETED


@pytest.mark.parametrize("way", ["at rest", "first", "refused", "dying", "lost"])
def test_a_deletion_is_never_held_up(way: str) -> None:
    """Where there is nothing to take back, or no way to do it, a deletion is let go at once."""
    worlds = {
        "at rest": World().stable(),
        "first": World().first(),
        "refused": in_flight().but(refusals=("status of Rollout web: forbidden",)),
        "dying": in_flight().deployment(A, 8, deleting=True),
        # As when its whole namespace is deleted: nobody can bring back what is gone together with its record.
        "lost": in_flight().leaving(api.Ending.DELETED, 40).but(deployments={}, templates={}, written="other"),
    }
    world = worlds[way].but(deleting=True, finalizers=(names.FINALIZER,))
    decision = decide(world.observe())

    assert decision.actions == (RemoveFinalizer(),)
    assert decision.urgent
    assert answers.ready(decision)[0] == "Deleting"


def test_a_deletion_that_others_hold_is_not_ours() -> None:
    """Where our finalizer is gone there is nothing to do for a deletion."""
    world = World().stable().but(deleting=True, finalizers=("foregroundDeletion",))

    assert decide(world.observe()).actions == ()


def test_rejections_are_bounded_and_never_doubled() -> None:
    """At most ten rejections are kept, the newest first, one for each revision."""
    older = tuple(api.Rejected(revision=9, hash=f"h{at}", reason="x", at=NOON) for at in range(9))
    again = api.Rejected(revision=2, hash=B, reason="x", at=NOON - 5000)
    decision = decide(in_flight().with_status(rejected=(*older, again)).told(abort="now").observe())
    assert [entry.hash for entry in decision.status.rejected] == [B, *(f"h{at}" for at in range(9))]
    full = in_flight().with_status(rejected=(*older, older[0].model_copy(update={"hash": "h9"}))).told(abort="now")
    assert len(decide(full.observe()).status.rejected) == 10


def test_long_reasons_are_cut() -> None:
    """The words of the API server are kept as far as the status has room."""
    decision = decide(starting(30, 0, "q" * 9000).observe())
    assert decision.status.canary is not None
    assert decision.status.canary.abort is not None
    assert len(decision.status.canary.abort.message) == 4000
    assert all(len(known.message) <= 4000 for known in decision.status.conditions)
