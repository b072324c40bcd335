"""The first revision of all: what is said where it cannot start, and what its own metrics ask for."""

import dataclasses
from typing import Any

import pytest

from headgate.api import spec
from headgate.api import status as api
from headgate.core.model import Decision, PodTrouble
from headgate.core.model.actions import CreateDeployment, DeleteDeployment, ScaleDeployment
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.worlds import NOON, A, B, World, metric, policy

CRASH = PodTrouble("web-x: CrashLoopBackOff: back-off", hopeless=True)
BETWEEN = PodTrouble("web-x: Error: last exit code 1", hopeless=False)
NOWHERE = PodTrouble("web-x: Unschedulable: 0/3 nodes", hopeless=False, unschedulable=True)
FIRST = metric("boots", when=["First"])
BOTH = metric("both", when=["First", "Background"])
LATER = metric("later")
REMEDY = "apply another template: it is tried at once"


def judged(*metrics: spec.Metric, ready: int = 10, since: float | None = 100, **changes: Any) -> World:
    """Return a world whose first revision has all its pods, and is judged for *since* seconds."""
    world = World().first(10, ready, age=200).ruled(policy(20, metrics=metrics or (FIRST,), **changes))
    weight = api.Weight(desired=100, since=int(NOON - since)) if since is not None else None
    return world.with_status(weight=weight)


def stands(decision: Decision) -> tuple[str, str]:
    """Return phase and reason."""
    return str(decision.status.phase), answers.ready(decision)[0]


# --- pods that cannot start -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "ready", "trouble", "fast", "reason"),
    [
        (29, 0, CRASH, {}, "PodsNotStarting"),
        (30, 0, CRASH, {}, "PodsCannotStart"),
        (30, 1, CRASH, {}, "PodsNotStarting"),
        (700, 0, CRASH, {}, "PodsCannotStart"),
        (299, 0, NOWHERE, {}, "PodsNotStarting"),
        (300, 0, NOWHERE, {}, "PodsCannotStart"),
        (30, 0, CRASH, {"after": "31s"}, "PodsNotStarting"),
        (599, 0, CRASH, {"after": "Never"}, "PodsNotStarting"),
        (600, 0, CRASH, {"after": "Never"}, "ProgressDeadlineExceeded"),
        (600, 0, BETWEEN, {}, "ProgressDeadlineExceeded"),
    ],
)
def test_pods_that_cannot_start(age: float, ready: int, trouble: PodTrouble, fast: dict[str, str], reason: str) -> None:
    """The hopeless is told before the deadline, and no pod is taken away: there is nothing to go back to."""
    rule = policy(20, fail_fast=spec.FailFast.model_validate(fast))
    decision = decide(World().first(10, ready, age=age).ruled(rule).but(trouble=trouble).observe())

    phase = "Pending" if reason == "PodsNotStarting" else "Degraded"
    assert (phase, reason) == stands(decision)
    assert (answers.condition(decision, "Stalled") is not None) == (phase == "Degraded")
    assert answers.sizes(decision) == {}
    assert decision.status.rejected == ()


def test_what_is_said_of_pods_that_cannot_start() -> None:
    """The condition holds the pod's words and what to do, and an Event says the same once."""
    world = World().first(10, 0, age=30).but(trouble=CRASH)
    decision = decide(world.observe())
    message = (
        "the pods cannot start, and there is nothing to go back to; first revision: 0 of 10 pods ready: "
        f"web-x: CrashLoopBackOff: back-off; {REMEDY}"
    )
    assert answers.ready(decision) == ("PodsCannotStart", message)
    assert answers.said(decision, "PodsCannotStart") == message

    again = decide(aftermath.after(world, decision, ready=False).observe())
    assert answers.reasons(again) == []


def test_a_pod_between_two_crashes_takes_nothing_back() -> None:
    """What was said of a crash loop stays while the pod runs for a moment, and ends once it is ready."""
    world = World().first(10, 0, age=30).but(trouble=CRASH)
    told = aftermath.after(world, decide(world.observe()), ready=False)

    assert ("Degraded", "PodsCannotStart") == stands(decide(told.but(trouble=BETWEEN).observe()))
    assert ("Pending", "PodsNotStarting") == stands(decide(told.deployment(A, 10, 1).but(trouble=BETWEEN).observe()))
    assert ("Healthy", "Healthy") == stands(decide(told.deployment(A, 10).but(trouble=None).observe()))


@pytest.mark.parametrize(("age", "look"), [(0, 5), (5, 30), (31, 60)])
def test_pods_are_asked_again(age: float, look: float) -> None:
    """Nothing tells of a pod's words: they are looked for as those of any new version."""
    decision = decide(World().first(10, 0, age=age).but(trouble=BETWEEN).observe())

    assert decision.recheck_at == NOON - age + look


def test_the_next_template_is_tried_at_once() -> None:
    """A first revision that cannot start does not hold up the one that can."""
    world = World().first(10, 0, age=700).but(trouble=CRASH).wants(B)
    decision = decide(world.observe())
    assert ("Pending", "PodsNotStarting") == stands(decision)
    assert CreateDeployment(B, 2, 10) in decision.actions
    assert ScaleDeployment(A, 0, 10) in decision.actions

    end, _ = aftermath.settled(world.but(trouble=None))
    assert end.status.stable is not None
    assert (B, "Healthy") == (end.status.stable.hash, str(end.status.phase))


def test_what_stands_in_the_way_is_looked_at_again() -> None:
    """A Deployment of somebody else's that has the name of ours is no end: it may be gone the next minute."""
    world = World().first(10, 0, age=700).but(trouble=CRASH, foreign=("Deployment web-x is not ours",))

    assert decide(world.observe()).recheck_at == NOON + 60


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_without_metrics_of_first_readiness_is_enough() -> None:
    """Metrics that do not say First are not judged: nobody may use the service yet."""
    world = World().first(10, 10).ruled(policy(20, metrics=(LATER,)))

    assert ("Healthy", "Healthy") == stands(decide(world.observe()))


def test_only_metrics_of_first_are_begun() -> None:
    """At the start, and where the template is replaced, nothing is known of them."""
    new = World(accepted=None, status=api.RolloutStatus(), spec_policy=policy(20, metrics=(FIRST, BOTH, LATER)))
    begun = decide(new.observe()).status.analysis
    assert [("boots", "not measured yet"), ("both", "not measured yet")] == [(one.name, one.message) for one in begun]

    replaced = decide(judged(FIRST, LATER).knows("boots", failures=2, value="1").wants(B).observe()).status
    assert [("boots", 0)] == [(one.name, one.failures) for one in replaced.analysis]
    assert replaced.weight is None


def test_judging_begins_when_all_pods_are_ready() -> None:
    """The time of the weight, which is all there is, starts then; pods that fall later do not start it anew."""
    world = judged(since=None).knows("boots", verdict=api.Outcome.NO_DATA, passes=0, last_judged=None)
    decision = decide(world.observe())
    assert decision.status.weight == api.Weight(desired=100, achieved=100, since=NOON)
    message = "first revision: boots passed 0 of 3 times"
    assert ("GatheringEvidence", message) == answers.ready(decision)
    assert "Pending" == decision.status.phase
    assert decide(world.deployment(A, 10, 9).observe()).status.weight is None

    fallen = decide(judged(ready=9).knows("boots").observe())
    assert ("Pending", "FirstRevision") == stands(fallen)
    assert fallen.status.weight is not None
    assert NOON - 100 == fallen.status.weight.since


def test_nothing_counts_from_before_all_pods_were_ready() -> None:
    """A window that reaches back to when pods were starting neither passes nor fails."""
    early = (
        judged(since=70).knows("boots", passes=0, last_tick=NOON - 60, last_judged=None).reads(0.5, 0.5, name="boots")
    )
    state = decide(early.observe()).status.analysis[0]
    assert (0, 0, "NoData") == (state.passes, state.failures, state.verdict)

    before = judged(since=None).knows("boots", last_tick=NOON - 60, passes=0).reads(0.0, name="boots")
    assert 0 == decide(before.observe()).status.analysis[0].passes


def test_enough_passes_make_it_stable() -> None:
    """Only what passed makes it stable, and the status is left without a weight."""
    two = judged(FIRST, BOTH).knows("boots", passes=3).knows("both", passes=2)
    assert ("Pending", "GatheringEvidence") == stands(decide(two.observe()))

    decision = decide(two.knows("both", passes=3).observe())
    assert ("Healthy", "Healthy") == stands(decision)
    assert decision.status.weight is None
    assert ("headgate", "") == (decision.status.history[0].by, decision.status.history[0].message)


def test_a_failure_is_told_and_nothing_is_taken_away() -> None:
    """There is nothing to go back to: the condition says so, and what to do; all pods stay."""
    world = judged().knows("boots", failures=2, passes=0, value="0.5", verdict=api.Outcome.FAILED)
    decision = decide(world.observe())

    command = f"kubectl annotate rollouts.headgate.dev web headgate.dev/promote-full={A}"
    message = (
        "metric boots failed 2 times in a row: 0.5, allowed is <= 0.01, and there is nothing to go back to: "
        f"revision 1 keeps its pods and is measured on; {REMEDY}, or take it as it is: {command}"
    )
    assert ("MetricFailed", message) == answers.ready(decision)
    assert "Degraded" == decision.status.phase
    assert answers.condition(decision, "Stalled") is not None
    assert not [one for one in decision.actions if isinstance(one, ScaleDeployment | DeleteDeployment)]
    assert decision.status.rejected == ()
    unready = decide(world.deployment(A, 10, 9).observe())
    assert "MetricFailed" == answers.ready(unready)[0]


def test_what_failed_may_yet_pass() -> None:
    """Measuring goes on: passes after failures make it stable, as nothing else could happen to it."""
    world = judged(since=400).knows("boots", failures=5, passes=0, last_tick=NOON - 60, verdict=api.Outcome.FAILED)
    recovering = decide(world.reads(0.0, name="boots").observe())
    assert ("Pending", "GatheringEvidence") == stands(recovering)
    assert ("Healthy", "Healthy") == stands(decide(world.reads(0.0, 0.0, 0.0, name="boots").observe()))

    blind = decide(world.reads(name="boots", problem="connection refused").observe()).status.analysis[0]
    assert (api.Outcome.ERROR, "connection refused") == (blind.verdict, blind.message)


@pytest.mark.parametrize(
    ("then", "phase", "reason"),
    [("Hold", "Holding", "NoData"), ("Rollback", "Degraded", "NoData"), ("Advance", "Healthy", "Healthy")],
)
def test_want_of_data(then: str, phase: str, reason: str) -> None:
    """H7, H9: the user's own policy for want of data holds, as far as it can where there is nothing to go back to."""
    one = metric("boots", when=["First"], noData={"after": "5m", "then": then})
    world = judged(one, since=1000).knows("boots", verdict=api.Outcome.NO_DATA, passes=0, last_judged=None)
    world = world.but(now=NOON)
    assert world.status.canary is not None
    old = world.status.canary.model_copy(update={"started": NOON - 1100})

    assert (phase, reason) == stands(decide(world.with_status(canary=old).observe()))


@pytest.mark.parametrize("ready", [10, 4])
def test_promote_full_takes_it_as_it_is(ready: int) -> None:
    """A person may say that it is good enough; its pods have to be ready all the same."""
    world = judged(ready=ready).knows("boots", failures=2, passes=0).told(promote_full=A)
    decision = decide(world.observe())

    if ready < 10:
        assert ("Pending", "FirstRevision") == stands(decision)
        assert decision.status.canary is not None
        assert decision.status.canary.promote_full
    else:
        assert ("Healthy", "Healthy") == stands(decision)
        assert ("promote-full", "by command, without all evidence") == (
            decision.status.history[0].by,
            decision.status.history[0].message,
        )


def test_promote_full_without_metrics_fits_nothing() -> None:
    """Where readiness alone counts there is nothing to skip."""
    decision = decide(World().first(10, 4).told(promote_full=A).observe())

    assert "CommandMismatch" in answers.reasons(decision)


def test_no_pods_need_no_proof() -> None:
    """A first revision of no replicas has nothing to measure."""
    world = judged(since=None).but(replicas=0).deployment(A, 0)

    assert ("Healthy", "Healthy") == stands(decide(world.observe()))


def test_an_edit_of_its_metrics_counts_at_once() -> None:
    """An edited metric begins anew; one that says First no longer is not waited for."""
    world = judged().knows("boots", failures=2, passes=0)
    looser = metric("boots", when=["First"], threshold={"max": 0.9})
    edited = decide(world.edited(policy(20, metrics=(looser,))).observe())
    assert ("Pending", "GatheringEvidence") == stands(edited)
    assert [0] == [one.failures for one in edited.status.analysis]

    assert ("Healthy", "Healthy") == stands(decide(world.edited(policy(20, metrics=(LATER,))).observe()))
    bare = dataclasses.replace(world, accepted=None).with_status(policy="other")
    assert [2] == [one.failures for one in decide(bare.observe()).status.analysis]


def test_metrics_of_first_are_not_judged_later() -> None:
    """A metric that says only First keeps no later version from anything."""
    rule = policy(20, metrics=(FIRST, LATER))
    world = World().stable(8).canary(2).ruled(rule).at_step(1, since=100).knows("later", passes=3)

    assert 2 == answers.step(decide(world.observe()))
