"""Worlds with drills in them, to decide on."""

from typing import Any, Final

from headgate.api import spec
from headgate.api import status as api
from headgate.api.drill import Drill
from headgate.core.revisions import identity
from headgate.core.rollout.decide import decide
from tests.core import aftermath, ways
from tests.core.worlds import PLAN, A, World, metric, policy

DRILL: Final = identity.drill_hash(A)
EVERY_MINUTE: Final = Drill.model_validate({"schedule": "* * * * *", "within": "30s"})
SCHEDULED: Final = PLAN.model_copy(update={"drill": EVERY_MINUTE})
WATCHED: Final = policy(20, "pause", 50, metrics=(metric(),))


def resting(by: spec.Policy = PLAN) -> World:
    """Return a world at rest."""
    world, _ = aftermath.settled(World().stable().ruled(by))
    return world


def told(world: World | None = None, value: str = "now") -> World:
    """Return a world in which somebody asked for a drill."""
    return (world or resting()).told(drill=value)


def drilling(by: spec.Policy = PLAN, **pods: Any) -> World:
    """Return a world in which a drill is on its way, its two pods ready unless said otherwise."""
    world = told(resting(by))
    world = aftermath.after(world, decide(world.observe()))
    world = world.deployment(A, 8).deployment(DRILL, 2, **{"drill": True, **pods})
    return world.but(now=world.now + 10)


def holding(by: spec.Policy = PLAN) -> World:
    """Return a world in which a drill's weight holds since this very second."""
    world = drilling(by)
    return world.with_status(weight=api.Weight(desired=20, since=int(world.now)))


def leaving(by: spec.Policy = PLAN) -> World:
    """Return a world in which the breach was put into the verdict five seconds ago."""
    world = holding(by)
    return aftermath.after(world, decide(world.observe()))


def routed() -> World:
    """Return the same with a router: the weight is 20 % and in effect, and the breach is to come."""
    world = drilling().deployment(A, 10)
    world = ways.routed(world, 20, 50, ways=ways.at_weight(20, 2).facts, remembered=ways.known(20))
    seen = ways.facts(canary=ways.service(ways.CANARY, DRILL, {DRILL: 2}), route=ways.route(ways.rule(80, 20)))
    return world.but(traffic=seen).with_status(weight=api.Weight(desired=20, since=int(world.now)))
