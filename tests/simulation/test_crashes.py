"""H12: the operator is killed before and after every single write. The end is the same, and nobody is worse served."""

import dataclasses
import fractions
import random
from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.core.model import Kind
from headgate.simulation import specs
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import samples, shops, worlds

PACE = Pace(call=0.0, lag=0.0)
QUICK = specs.metric(interval="5s", window="5s", passesToAdvance=1, failuresToRollback=1)


Story = Callable[[worlds.Play], None]


def promotion(play: worlds.Play) -> None:
    """Ship a good version."""
    play.ship("web:2")


def rollback(play: worlds.Play) -> None:
    """Ship a version whose errors rise at 50 percent."""
    play.ship("web:2")
    play.reach(50)
    play.world.script.say(0.5, play.world.now)


def abort(play: worlds.Play) -> None:
    """Abort at 50 percent."""
    play.ship("web:2")
    play.reach(50)
    play.world.annotate(names.ABORT, names.ABORT_NOW)


def regret(play: worlds.Play) -> None:
    """Abort after the promotion, while the old version is warm and traffic moves."""
    play.ship("web:2")
    assert play.world.run_until(lambda: play.world.status.previous is not None, 600), play.world.account()
    play.world.annotate(names.ABORT, names.ABORT_NOW)


def drill(play: worlds.Play) -> None:
    """Rehearse going back."""
    play.world.annotate(names.DRILL, names.DRILL_NOW)
    assert play.world.run_until(lambda: bool(play.world.status.canary), 60), play.world.account()


def drill_overtaken(play: worlds.Play) -> None:
    """Ship a good version while a drill has its weight."""
    drill(play)
    play.world.apply(play.spec("web:2"))
    assert play.world.run_until(
        lambda: (
            play.world.status.stable is not None
            and play.world.status.history[0].outcome == "Promoted"
            and len(play.world.status.history) > 1
        ),
        3600,
    )


@dataclasses.dataclass(frozen=True)
class Ending:
    """What is left at the end, without times."""

    phase: str
    stable: str
    outcomes: tuple[tuple[str, str], ...]
    rejected: tuple[str, ...]
    replicas: tuple[tuple[str, int, int], ...]
    records: tuple[str, ...]
    annotations: tuple[str, ...]
    finalizers: tuple[str, ...]
    ways: tuple[str, ...]
    """The rules of routes and the selectors of Services."""


@dataclasses.dataclass(frozen=True)
class Run:
    """How it ended and how bad it was meanwhile."""

    ending: Ending
    writes: int
    least_serving: float
    least_stable: float
    most_canary: int
    most_share: fractions.Fraction
    most_given: int
    """By routes, in percent."""


def begin(*, routed: bool) -> worlds.Play:
    """Return a world at rest in which nothing takes any time but pods, metrics and Gateways."""
    steps = (specs.weight(20), specs.weight(50))
    if routed:
        return shops.shop(0, pace=PACE, steps=steps, measured=(QUICK,), replicas=5, scaleDownDelay="20s")
    return worlds.play(0, pace=PACE, steps=steps, measured=(QUICK,))


def run(story: Story, trouble: fault_injection.Trouble | None = None, ordinal: int = 0, *, routed: bool = False) -> Run:
    """Return how *story* goes, with *trouble* at the write with *ordinal* after the beginning."""
    play = begin(routed=routed)
    world = play.world
    before = len(world.journal.writes)
    if trouble is not None:
        world.plan = fault_injection.at_write(before + ordinal, trouble)
    story(play)
    play.settle()
    assert world.journal.crashes == (trouble is not None)
    seen = play.judges.capacity
    return Run(
        ending(play),
        len(world.journal.writes) - before,
        seen.least_serving,
        seen.least_stable,
        seen.most_canary,
        seen.most_share,
        play.judges.serving.most_given,
    )


def ending(play: worlds.Play) -> Ending:
    """Return what is left."""
    world = play.world
    status, rollout = world.status, world.rollout
    assert rollout is not None
    services, routes = world.store.peek(Kind.SERVICE), world.store.peek(Kind.HTTP_ROUTE)
    return Ending(
        phase=str(status.phase),
        stable=play.stable,
        outcomes=tuple((entry.hash, str(entry.outcome)) for entry in status.history),
        rejected=tuple(entry.hash for entry in status.rejected),
        replicas=tuple(
            (thing["metadata"]["name"], thing["spec"]["replicas"], len(world.deployments.of(thing)))
            for thing in world.store.peek(Kind.DEPLOYMENT)
        ),
        records=tuple(thing["metadata"]["name"] for thing in world.store.peek(Kind.CONTROLLER_REVISION)),
        annotations=tuple(rollout["metadata"].get("annotations", ())),
        finalizers=tuple(rollout["metadata"].get("finalizers", ())),
        ways=tuple(str(one["spec"].get("rules") or one["spec"]["selector"]) for one in (*services, *routes)),
    )


def points(writes: int, trouble: fault_injection.Trouble) -> list[int]:
    """Return around which writes the operator dies.

    After each of them. What it leaves when it dies before one is what it leaves after the one before, but for the time:
    eight will do, unless there is more of that.
    """
    every = range(1, writes + 1)
    if trouble is fault_injection.Trouble.CRASH_AFTER or samples.WHOLE:
        return list(every)
    return sorted(random.Random(writes).sample(every, min(8, writes)))


@pytest.mark.parametrize("trouble", [fault_injection.Trouble.CRASH_BEFORE, fault_injection.Trouble.CRASH_AFTER])
@pytest.mark.parametrize(
    ("story", "routed"),
    [
        (promotion, False),
        (rollback, False),
        (abort, False),
        (promotion, True),
        (rollback, True),
        (abort, True),
        (regret, True),
        (drill, False),
        (drill, True),
        (drill_overtaken, False),
        (drill_overtaken, True),
    ],
)
def test_h12_killed_around_every_write(story: Story, trouble: fault_injection.Trouble, *, routed: bool) -> None:
    """Wherever the operator dies, it ends where it would have ended, with no fewer pods serving and no more canary."""
    calm = run(story, routed=routed)
    assert calm.writes > 5
    for ordinal in points(calm.writes, trouble):
        stormy = run(story, trouble, ordinal, routed=routed)

        assert calm.ending == stormy.ending, ordinal
        assert calm.least_serving <= stormy.least_serving, ordinal
        assert calm.least_stable <= stormy.least_stable, ordinal
        assert calm.most_canary >= stormy.most_canary, ordinal
        assert calm.most_share >= stormy.most_share, ordinal
        assert calm.most_given >= stormy.most_given, ordinal
