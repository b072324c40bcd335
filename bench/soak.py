"""Whether memory comes to a plateau under continuous canaries."""

import itertools
import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench import crowd, usage
from bench.crowd import Member
from bench.figures import Beside, Budget, Figure
from bench.scope import Scope
from bench.stage import Say, Stage, running

SECTION: Final = "soak"
WEIGHTS: Final = (20, 40, 60, 80, 90)
PARTS: Final = 4
"""The first is for warming up; the second is held against the last."""
GROWTH_BUDGET: Final = Budget(3)
"""MiB between the medians of these two: more would be a leak, or not yet a plateau."""
LOOK_SECONDS: Final = 2.0


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Ship version after version to each Rollout, as soon as it is at rest."""
    if not scope.soak_seconds:
        say("not in this scope: FULL=1, or --set soak_seconds=1800")
        return
    with running("soak", say) as stage:
        members = crowd.members("soak", scope.soak_rollouts, scope.per_namespace)
        strategy = crowd.steps(*WEIGHTS, pause={"duration": "1s"})
        crowd.create(stage.client, {member: {"replicas": 5, "strategy": strategy} for member in members})
        stage.operator.start()
        crowd.wait(stage, members, crowd.at_rest, "at rest", 300)
        say(f"canaries without end on {len(members)} Rollouts for {scope.soak_seconds} s")
        held, shipped = _soaked(stage, members, scope.soak_seconds)
        yield from _figures(held, shipped, scope.soak_seconds)


def _soaked(stage: Stage, members: Sequence[Member], seconds: int) -> tuple[list[float], int]:
    """Return how much memory was held at every look, and how many canaries there were."""
    held, shipped, versions = [], 0, itertools.count(2)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = crowd.everything(stage.client)
        ready = [member for member in members if crowd.at_rest(found[member])]
        if ready:
            crowd.ship(stage.client, ready, f"v{next(versions)}")
            shipped += len(ready)
        held.append(usage.resident_mib(stage.pid))
        stage.rest(LOOK_SECONDS)
    return held, shipped


def _figures(held: list[float], canaries: int, seconds: int) -> Iterator[Figure]:
    size = len(held) // PARTS
    early, late = held[size : 2 * size], held[-size:]
    note = f"{canaries} canaries in {seconds} s"
    yield Figure(SECTION, "RSS under continuous canaries, last quarter", "MiB", tuple(late), note=note)
    growth = Beside("", tuple(late)).median - Beside("", tuple(early)).median
    beside = Beside("second quarter", tuple(early))
    yield Figure(SECTION, "RSS: last quarter − second quarter", "MiB", (growth,), GROWTH_BUDGET, (beside,))
