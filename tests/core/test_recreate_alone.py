"""Recreate where one revision stands alone: nothing starts beside what was replaced by other means."""

from typing import Any

import pytest

from headgate.core.model.actions import CreateDeployment
from headgate.core.rollout.decide import decide
from tests.core import aftermath, answers
from tests.core.test_recreate import PLAIN, going, leaving
from tests.core.worlds import NOON, A, B, C, World


def alone(present: dict[str, int] | None, replicas: int = 12) -> World:
    """Return a world at rest whose stable revision is to grow."""
    return World().ruled(PLAIN).stable(10).deployment(C, 0).but(replicas=replicas, present=present)


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ({A: 10, C: 2}, ": 2 old pods left, terminating ones included; the others start once they are gone"),
        (None, ": old pods are being counted; the others start once they are gone"),
        ({A: 10}, ""),
    ],
)
def test_stable_grows_once_it_is_alone(present: dict[str, int] | None, said: str) -> None:
    """Recreate may come into force while pods of what it did not replace still terminate."""
    decision = decide(alone(present).observe())

    assert ({} if said else {A: 12}) == answers.sizes(decision)
    assert ("Scaling", f"10 of 12 stable pods ready{said}") == answers.ready(decision)
    assert not said or decision.recheck_at == NOON + 10


def test_stable_shrinks_whoever_is_there() -> None:
    """Only what starts has to be alone."""
    assert {A: 8} == answers.sizes(decide(alone({A: 10, C: 2}, replicas=8).observe()))


@pytest.mark.parametrize(
    ("age", "left", "sizes"),
    [(2, 0, {}), (60, 1, {}), (60, 0, {A: 10})],
)
def test_the_first_revision_starts_once_the_one_it_replaced_is_gone(age: float, left: int, sizes: Any) -> None:
    """It never was stable, and its pods hold what those of the next one need."""
    world = World().ruled(PLAIN).first(0, age=age).deployment(C, 0).but(replicas=10, present={C: left})

    assert sizes == answers.sizes(decide(world.observe()))


def test_an_operator_that_was_away_starts_the_new_pods() -> None:
    """The old ones have gone long ago, and nobody was there to start others: that is no pod's fault."""
    decision = decide(going(age=2000).observe())

    assert decision.status.canary is not None
    assert decision.status.canary.abort is None
    assert CreateDeployment(B, 2, 10) in decision.actions


def test_a_clock_that_was_set_back_holds_nobody_up() -> None:
    """What was decided an hour ahead was decided: nobody is served until the others start."""
    world = leaving(0, since=-3600)
    later = aftermath.after(world, decide(world.observe()), 5)

    assert {A: 10} == answers.sizes(decide(later.observe()))
