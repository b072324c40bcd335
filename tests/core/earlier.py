"""Worlds in which there is an earlier revision to go back to.

Owns what the history and the records say there. Must not know what ought to happen.
"""

from typing import Any

from headgate.api import status as api
from headgate.core.rollout.decide import decide
from tests.core import aftermath
from tests.core.worlds import NOON, A, B, C, World, policy

NUMBERS = {A: 1, B: 2, C: 3}
PLAN = policy(20, "pause", 50)


def ended(
    revision_hash: str, outcome: api.Ending = api.Ending.PROMOTED, ago: int = 500, took: int = 60
) -> api.HistoryEntry:
    """Return how a rollout of a revision ended, so many seconds ago."""
    started = NOON - ago - took
    return api.HistoryEntry(
        revision=NUMBERS[revision_hash], hash=revision_hash, outcome=outcome, started=started, finished=NOON - ago
    )


def rejection(revision_hash: str) -> api.Rejected:
    """Return the entry of a revision that was taken back."""
    return api.Rejected(revision=NUMBERS[revision_hash], hash=revision_hash, reason="MetricFailed", at=NOON - 400)


PAST = (ended(B), ended(A, ago=5000))


def second(by: Any = PLAN) -> World:
    """Return a world at rest on revision B, after A; A's Deployment is kept without pods."""
    world = World().deployment(A, 0).deployment(B, 10).ruled(by).wants(B)
    progress = api.Progress(desired=10, ready=10, since=NOON - 400)
    side = api.Side(revision=2, hash=B, images=(f"web:{B}",), replicas=10, ready=10, progress=progress)
    return world.with_status(stable=side, history=PAST)


def going_back(by: Any = PLAN) -> World:
    """Return that world two seconds after rollback-to=1: A has no ready pods yet."""
    world = second(by).told(rollback_to="1")
    for _ in range(2):
        world = aftermath.after(world, decide(world.observe()), 1, ready=False)
    return world


def roomy() -> Any:
    """Return the usual steps with all the room for a second version that routes have."""
    return policy(20, "pause", 50, surge="100%")
