"""A whole rollout from v1 to v2 as it is played on a stage, undisturbed or with the operator killed on the way.

Owns the plot and what became of it. Must not know what of that is right.
"""

import concurrent.futures
import dataclasses
import functools
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from tests.control_plane.hazards import judges
from tests.control_plane.hazards.moments import Moment, marked, moments, version_of
from tests.control_plane.hazards.stages import BAD, REPLICAS, WEIGHTS, House, Stage, staged
from tests.control_plane.life import operators
from tests.control_plane.proxy import Write

Json = dict[str, Any]
T = TypeVar("T")

QUIET_SECONDS = 1.0
DEADLINE_SECONDS = 240.0
AT_ONCE = 12
THOROUGH = os.environ.get("HEADGATE_ALL_KILL_POINTS") == "1"
"""Whether to take every point there is, and the whole time, however long that takes."""
SEED = int(os.environ.get("HEADGATE_TEST_SEED") or random.randrange(10**6))
"""By which the points are drawn; whoever reads of a failure needs it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plot:
    """What is played."""

    name: str
    routed: bool
    good: bool
    """Whether the new version keeps to its bounds; a bad one goes beyond them at its second step."""
    writes: int
    """How many writes it takes, more or less: where the points are drawn at which the operator is killed."""

    @property
    def ending(self) -> str:
        """The phase in which it ends."""
        return "Healthy" if self.good else "RolledBack"


PLOTS = (
    Plot("ratio-promotion", routed=False, good=True, writes=19),
    Plot("ratio-rollback", routed=False, good=False, writes=18),
    Plot("traffic-promotion", routed=True, good=True, writes=29),
    Plot("traffic-rollback", routed=True, good=False, writes=22),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a rollout."""

    namespace: str
    moments: tuple[Moment, ...]
    end: Json
    writes: tuple[str, ...]
    seconds: float
    killed_after: str = ""


def tell(figures: str) -> None:
    """Say the figures that were asked for, and what is needed to see them again."""
    sys.stdout.write(f"seed {SEED}: {figures}\n")


def ended(stage: Stage) -> Json:
    """Return what is left when all is over, in words that are the same in every namespace and at every time."""
    status, now = stage.status, stage.house.recorder.now
    route = stage.house.recorder.get(stage.namespace, "httproutes", "web")
    references = route["spec"]["rules"][0]["backendRefs"] if route else []
    hash_of = {one["metadata"]["name"]: one for one in now(stage.namespace, "deployments").values()}
    return {
        "phase": status["phase"],
        "stable": (status["stable"]["revision"], status["stable"]["images"]),
        "rejected": [(one["revision"], one["reason"]) for one in status.get("rejected", [])],
        "history": [(one["revision"], one["outcome"], one["reason"], one["by"]) for one in status["history"]],
        "sizes": sorted(
            (version_of(one["spec"]["template"]["spec"]), one["spec"]["replicas"]) for one in hash_of.values()
        ),
        "names": sorted(hash_of),
        "weights": {one["name"]: one.get("weight", 1) for one in references},
        "selectors": {name: one["spec"]["selector"] for name, one in now(stage.namespace, "services").items()},
        "finalizers": stage.rollout["metadata"].get("finalizers", []),
        # On the route, the Deployment or both: what could not be written first is not written once the verdict is.
        "marked": any(map(marked, (*([route] if route else []), *hash_of.values()))),
    }


def played(stage: Stage, plot: Plot, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Ship v2 on *stage* and follow it to its end, doing what is to be done *meanwhile*."""
    # Held, if it is bad: an operator that has just started again may be faster than this test beside 20 others.
    stage.ship("v2", routed=plot.routed, held=not plot.good)
    turned = False

    def over() -> bool:
        nonlocal turned
        meanwhile()
        # Once that weight holds: or how far a bad version comes would depend on which of the two was faster.
        holds = stage.status.get("step", {}).get("index", 0) >= 2 and "since" in stage.status.get("weight", {})
        if holds and not (plot.good or turned):
            turned = True
            stage.measure(BAD)
        done = len(stage.status.get("history", [])) > 1 and stage.status.get("phase") == plot.ending
        return done and stage.at_rest()

    stage.wait(over, f"the end of {plot.name}", DEADLINE_SECONDS)


def wrongs(plot: Plot, undisturbed: Outcome, outcome: Outcome) -> Iterator[str]:
    """Yield what is wrong with *outcome*."""
    unavailable = 0 if plot.routed else 1  # by pod ratio a quarter of the pods may be missing on the way
    if outcome.end != undisturbed.end:
        yield f"ended as {outcome.end}, undisturbed as {undisturbed.end}"
    yield from judges.further(undisturbed.moments, outcome.moments)
    yield from judges.lacking(outcome.moments, REPLICAS, unavailable)
    yield from judges.flapping(outcome.moments)
    if plot.good:
        yield from judges.skipped(outcome.moments, WEIGHTS)
    yield from judges.doubled(outcome.moments)


def finished(stage: Stage, started: float, killed_after: str = "") -> Outcome:
    """Wait until *stage* has come to rest for good, and return what became of the rollout that began at *started*."""
    seconds = time.monotonic() - started
    operators.settle(QUIET_SECONDS)
    stage.wait(stage.at_rest, "at rest again")
    return Outcome(
        namespace=stage.namespace,
        moments=tuple(moments(stage.house.recorder.told(stage.namespace))),
        end=ended(stage),
        writes=tuple(str(write.call) for actor in stage.actors for write in actor.proxy.writes),
        seconds=seconds,
        killed_after=killed_after,
    )


def play(house: House, plot: Plot, kill_after: int = 0) -> Outcome:
    """Play *plot*, and kill the operator right after its write number *kill_after* (0: never) and start it again."""
    with staged(house) as stage:
        actor, killed = stage.actors[0], threading.Event()
        stage.open(routed=plot.routed)
        fatal: list[Write] = []

        def kill(write: Write) -> None:
            if write.number == kill_after and not fatal:
                fatal.append(write)
                os.kill(actor.pid, signal.SIGKILL)
                killed.set()

        def revive() -> None:
            if killed.is_set():
                killed.clear()
                actor.start_again()

        actor.proxy.count_from_here()
        actor.proxy.on_write = kill
        started = time.monotonic()
        played(stage, plot, revive)
        revive()  # the last write of all may have been the fatal one
        return finished(stage, started, str(fatal[0].call) if fatal else "")


Playing = concurrent.futures.Future[Outcome]


class Company:
    """Plays several at a time: most of a play is waiting for measurements. Nothing is played twice undisturbed.

    What a module of tests has played, its function `begun` starts, once. Those of all modules that were selected start
    together, so that nobody waits for a play that could have run beside another.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self._pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self._undisturbed: dict[Plot, Playing] = {}

    def start(self, job: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Start *job* as soon as there is room."""
        return self._pool.submit(job)

    def undisturbed(self, plot: Plot) -> Playing:
        """Return *plot* as it is played when nothing goes wrong."""
        if plot not in self._undisturbed:
            self._undisturbed[plot] = self.start(functools.partial(play, self.house, plot))
        return self._undisturbed[plot]

    def close(self) -> None:
        """Wait for what is being played, and start nothing more."""
        self._pool.shutdown(cancel_futures=True)
