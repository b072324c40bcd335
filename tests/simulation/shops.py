"""Worlds with a router to begin a test in: the user's Service and route, and the usual Rollout behind them."""

from collections.abc import Callable
from typing import Any

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.core.traffic.routers.gateway_api import mirrors
from headgate.simulation import specs
from headgate.simulation.invariants.suite import Invariants
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace, World
from tests.simulation import worlds

Trigger = Callable[[worlds.Play], None]
QUICK = specs.metric(interval="5s", window="5s", passesToAdvance=1, failuresToRollback=1)
STEPS = (specs.weight(20), specs.weight(50))
USUAL: Json = {"steps": STEPS, "measured": (QUICK,), "scaleDownDelay": "1m"}


def shop(
    seed: int = 0,
    *,
    pace: Pace | None = None,
    route: Json | None = None,
    services: int = 1,
    others: tuple[str, ...] = (),
    **usual: Any,
) -> worlds.Play:
    """Return a world at rest on web:1 behind a Gateway; *usual* are fields of its spec, *route* is the user's."""
    print(f"seed {seed}")  # noqa: T201 - pytest shows it where a test fails
    world = World(seed, pace)
    for name in (*(specs.STABLE_SERVICE, specs.CANARY_SERVICE)[:services], *others):
        world.put(Kind.SERVICE, specs.service(name))
    world.put(Kind.HTTP_ROUTE, route or specs.route())
    world.put(Kind.GATEWAY, specs.gateway())
    world.server.create(Kind.GATEWAY_CLASS, "", specs.gateway_class(mirrors.FEATURE), "installer")
    fields = {"traffic": specs.traffic(), **USUAL, **usual}
    begun = worlds.Play(world, Invariants(world), fields)
    world.apply(begun.spec("web:1"))
    assert begun.settle() == "Healthy"
    return begun


def share(play: worlds.Play) -> int:
    """Return what the route gives to the canary, in percent, as written."""
    thing = play.world.store.get(Kind.HTTP_ROUTE, "shop", specs.ROUTE)
    weights = {one["name"]: one["weight"] for one in thing["spec"]["rules"][0]["backendRefs"]} if thing else {}
    ours = [weights.get(name, 0) for name in (specs.STABLE_SERVICE, specs.CANARY_SERVICE)]
    return 100 * ours[1] // sum(ours) if sum(ours) else 0


def rested(play: worlds.Play) -> None:
    """Hold that all weight is on stable, both Services select it, and nothing is written any more."""
    world = play.world
    assert 0 == share(play), world.account()
    for name in (specs.STABLE_SERVICE, specs.CANARY_SERVICE):
        service = world.store.get(Kind.SERVICE, "shop", name)
        assert service is not None, world.account()
        assert play.stable in service["spec"]["selector"].values(), world.account()
    writes = len(world.journal.writes)
    world.run(1300)
    assert writes == len(world.journal.writes), world.account()


def refusing(kind: Kind) -> fault_injection.Plan:
    """Let an admission policy refuse all writes to objects of *kind*."""
    return fault_injection.while_(lambda call: call.writes and call.kind is kind, fault_injection.Trouble.REFUSED)


def breach(play: worlds.Play) -> None:
    """Let the errors of every revision rise."""
    play.world.script.say(0.5, play.world.now)


def abort(play: worlds.Play) -> None:
    """Give the command."""
    play.world.annotate(names.ABORT, names.ABORT_NOW)


def at(play: worlds.Play, percent: int) -> str:
    """Ship web:2 and let it hold *percent*; return its hash."""
    canary = play.ship("web:2")
    play.reach(percent)
    return canary


def home(play: worlds.Play, seconds: float = 60) -> None:
    """Hold that the canary gets nothing any more, within *seconds*."""
    assert play.world.run_until(lambda: share(play) == 0, seconds), play.world.account()
