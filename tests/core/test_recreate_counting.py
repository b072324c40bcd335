"""Recreate: pods are counted before anything starts, and nobody is asked to go whose end nobody could see."""

from collections.abc import Mapping

import pytest

from headgate.api.status import Phase
from headgate.core.model import Unreadable
from headgate.core.replicas import recreate
from headgate.core.replicas.pod_budget import Pods, Sizes
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.test_recreate import PLAIN, going, up
from tests.core.ways import pods
from tests.core.worlds import NOON, A, B, C, World

FORBIDDEN = Unreadable("no right")


@pytest.mark.parametrize(
    ("world", "expected"),
    [
        (going(), 0),
        (going(objects=None), None),
        (going(objects=3), 3),
        (going(old=2), 2),
        (going(settled=False), None),
        (going().deployment(C, 4, 0, pods=0), 4),
        (going().deployment(B, 9), 0),
        (going().but(present={C: 1}), 1),
    ],
)
def test_every_pod_of_another_revision_counts(world: World, expected: int | None) -> None:
    """Those that terminate, those that are asked for, and those whose Deployment is gone; unknown is not none."""
    seen = world.observe()

    assert expected == recreate.Turnover(seen.deployments, seen.present, B, NOON, seen.now).left


@pytest.mark.parametrize(("waited", "again"), [(0, 2), (15, 2), (40, 4), (3600, 10)])
def test_the_longer_it_takes_the_seldomer_it_is_counted(waited: int, again: int) -> None:
    """Nothing tells of an object's end; a volume that hangs for an hour is not asked for every second."""
    assert NOON + waited + again == recreate.looks_at(NOON, NOON + waited)


@pytest.mark.parametrize(
    ("back", "present", "expected"),
    [
        (False, {C: 1}, Sizes(0, 4)),
        (False, {}, Sizes(0, 10)),
        (False, None, Sizes(0, 4)),
        (False, FORBIDDEN, Sizes(0, 4)),
        (True, {C: 1}, Sizes(7, 0)),
        (True, {}, Sizes(10, 0)),
        (True, None, Sizes(7, 0)),
        (True, FORBIDDEN, Sizes(7, 0)),
    ],
)
def test_sizes(present: Mapping[str, int] | Unreadable | None, expected: Sizes, *, back: bool) -> None:
    """Nothing grows before the other side is clear; what is there is not taken away for it."""
    turnover = recreate.Turnover({}, present, A if back else B, 0, NOON)

    assert expected == recreate.sizes(10, pods(7), pods(4), turnover, back=back, kept=False)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("present", [None, FORBIDDEN])
@pytest.mark.parametrize("stable", [pods(0), pods(3), pods(12)])
def test_whoever_was_not_asked_to_go_is_kept_whole(stable: Pods, present: Unreadable | None, *, back: bool) -> None:
    """Nothing stands beside it yet, so that it is scaled, and made again, as without any other version."""
    turnover = recreate.Turnover({}, present, A if back else B, 0, NOON)

    assert Sizes(10, 0) == recreate.sizes(10, stable, pods(0), turnover, back=back, kept=True)


def uncounted(age: float = 60) -> World:
    """Return a world whose pods cannot be listed, with the old revision as it was."""
    return World().stable(10).canary(0, age=age).ruled(PLAIN).at_step(1).but(present=FORBIDDEN)


def test_pods_that_could_not_be_counted_are_counted_again() -> None:
    """Growth of the new version waits to know that it is alone; nothing but the clock tells when to ask again."""
    decision = decide(up(10).but(replicas=20, present=Unreadable("503", passing=True)).observe())

    assert {} == answers.sizes(decision)
    assert decision.recheck_at == NOON + 10


@pytest.mark.parametrize("meddled", [0, 3, 12])
def test_pods_that_nobody_can_count_are_put_back(meddled: int) -> None:
    """While they stay they are as many as the Rollout says, whoever scales their Deployment; and it is told truly."""
    world = uncounted().deployment(A, meddled, scaled_by="kubectl")
    decision = decide(world.observe())

    assert {A: 10} == answers.sizes(decision)
    said = f"kubectl set Deployment web-{A} to {meddled} replicas; put back to 10"
    assert said == answers.said(decision, "ReplicasRepaired")


@pytest.mark.parametrize(("present", "why"), [(FORBIDDEN, "cannot be counted: no right"), (None, "are being counted")])
def test_pods_that_nobody_can_count_stay(present: Unreadable | None, why: str) -> None:
    """Without the right to list pods they would be asked to go, and nothing could come in their place."""
    decision = decide(uncounted().but(present=present).observe())

    assert {} == answers.sizes(decision)
    assert Phase.HOLDING is decision.status.phase
    message = f"old pods {why}; they stay until pods can be counted again"
    assert ("PodsNotCounted", message) == answers.ready(decision)
    assert decision.recheck_at == NOON + 6
    assert "True" == getattr(answers.condition(decision, "Available"), "status", "")


def test_pods_that_nobody_can_count_do_not_wait_for_ever() -> None:
    """By the deadline the version goes, with what stood in the way; the old one never did."""
    world, decisions = aftermath.settled(uncounted(age=600))

    assert {} == dict(pair for decision in decisions for pair in answers.sizes(decision).items())
    assert Phase.ROLLED_BACK is world.status.phase
    message = "no progress for 10m: old pods cannot be counted: no right"
    assert message in next(iter(world.status.history)).message


def test_going_back_does_not_wait_to_be_able_to_count() -> None:
    """An abort takes the new pods away at once; the old ones still come only once it is known that these are gone."""
    decision = decide(up().leaving().but(present=FORBIDDEN).observe())

    assert {B: 0} == answers.sizes(decision)
    assert "canary pods cannot be counted: no right" in answers.ready(decision)[1]
