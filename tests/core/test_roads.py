"""Ways through several rules at once: fixing forward, edits in flight, a Rollout of no pods, an abort that must end."""

import pytest

from headgate.api import status as api
from headgate.core.model import PodTrouble
from headgate.core.rollout.decide import decide
from tests.core import answers
from tests.core.worlds import A, B, World, metric, policy

WATCHED = policy(20, "2m", 50, "pause", 80, metrics=(metric(),))


def at_twenty(**edited: bool) -> World:
    """Return a world at 20 percent with all evidence, whose steps were edited to 60 and more."""
    world = World().stable(8).canary(2).ruled(WATCHED).at_step(1, since=300).knows(passes=3)
    return world.edited(policy(60, 80, metrics=(metric(),))).but(**edited)


def test_a_broken_stable_is_replaced_by_a_better_version() -> None:
    """A stable side without a ready pod does not stop a canary that is ready and proved."""
    world = World().stable(8).canary(2).ruled(WATCHED).at_step(3, since=None).knows(passes=0)
    broken = world.deployment(A, 5, 0).deployment(B, 5, 5)
    decision = decide(broken.observe())

    assert decision.status.weight is not None
    assert decision.status.weight.since == int(world.now)
    assert decision.rule == "pausing"

    proved = broken.at_step(5, since=300).knows(passes=3).deployment(A, 2, 0).deployment(B, 8, 8)
    assert answers.sizes(decide(proved.observe())) == {A: 0, B: 10}


def test_an_edit_raises_the_weight_only_on_evidence() -> None:
    """H16: steps edited to a higher weight are followed once the present weight has its evidence, not before."""
    assert (answers.step(decide(at_twenty().observe())), answers.weight(decide(at_twenty().observe()))) == (1, 60)

    unproved = decide(at_twenty().knows(passes=0).observe())
    assert (unproved.rule, answers.step(unproved), answers.weight(unproved)) == ("unproved", 0, 20)
    assert answers.sizes(unproved) == {}


def test_an_edit_raises_no_weight_while_paused() -> None:
    """H16: steps edited while spec.paused is true wait for its end."""
    decision = decide(at_twenty(paused=True).observe())

    assert (decision.rule, answers.step(decision), answers.weight(decision)) == ("paused", 0, 20)


def test_a_rollout_of_no_pods_needs_no_evidence() -> None:
    """With replicas: 0 nobody can be hurt and nothing measured: the new version is stable at once."""
    world = World(replicas=0).stable(0).ruled(policy(20, metrics=(metric(noData={"then": "Rollback"}),)))
    decision = decide(world.recorded(B).wants(B).observe())

    assert decision.status.stable is not None
    assert decision.status.stable.hash == B
    assert decision.status.canary is None


@pytest.mark.parametrize(("since", "kept"), [(5, 1), (29, 1), (30, 0)])
def test_a_stable_pod_that_is_away_keeps_no_bad_version(since: float, kept: int) -> None:
    """H5: canary pods stand in for missing stable pods for half a minute, and not for ever."""
    world = World().stable(10).canary(2).ruled(WATCHED).at_step(1).leaving(since=since)
    world = world.deployment(A, 10, 9).deployment(B, 1, 1)
    stable = world.status.stable
    progress = api.Progress(desired=10, ready=9, since=int(world.now - 1000))
    world = world.with_status(stable=stable and stable.model_copy(update={"progress": progress}))
    decision = decide(world.observe())

    assert answers.sizes(decision).get(B, 1) == kept
    assert decision.recheck_at is not None
    assert decision.recheck_at <= world.now + 30


def test_one_pod_that_cannot_start_is_no_verdict() -> None:
    """While some pods of the new version serve, one that crash-loops waits for the deadline and the metrics."""
    world = World().stable(8).canary(2, 1, age=100).at_step(1)
    decision = decide(world.but(trouble=PodTrouble("web-x: CrashLoopBackOff", hopeless=True)).observe())

    assert answers.ending(decision) is None
    assert decision.status.canary is not None


@pytest.mark.parametrize("first", [True, False])
def test_a_name_that_is_taken_is_told_and_not_fought_over(first: bool) -> None:  # noqa: FBT001  # a parameter of the table
    """Where somebody else's Deployment has our name, nothing is created, the message names it, and we look again."""
    taken = f"Deployment web-{A} exists and is not ours"
    world = World().first().but(deployments={}, foreign=(taken,)) if first else World().stable(10)
    world = world.but(deployments={}, foreign=(taken,))
    decision = decide(world.observe())

    assert answers.sizes(decision) == {}
    assert taken in answers.ready(decision)[1]
    assert decision.recheck_at is not None
    assert decision.recheck_at <= world.now + 60
