"""The moments of a rollout: every phase, step and wait that a play can be stopped at, and how each one is ended.

A world cannot be copied, so that each moment is played anew from its seed, which takes a tenth of a second.
"""

import functools
from collections.abc import Callable
from typing import Any, Final

from headgate.api import names
from headgate.api.status import Phase
from headgate.core.model import Json
from headgate.simulation import specs
from tests.simulation import shops, worlds

Reach = Callable[[worlds.Play], None]
STEPS: Final = (specs.weight(20), specs.pause("30s"), specs.weight(50), specs.pause(), specs.weight(80))
GATE: Final = 4
"""The step that waits for people."""
USUAL: Final[Json] = {"replicas": 4, "steps": STEPS, "measured": (shops.QUICK,), "scaleDownDelay": "1m"}
SERVICES: Final[Json] = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "10s"}
_BLUE_GREEN: Final[Json] = {"strategy": {"blueGreen": {"scaleDownDelay": "1m"}}, "steps": ()}
WAYS: Final[dict[str, Json]] = {
    "pods": {},
    "routes": {"traffic": specs.traffic()},
    "bounded routes": {"traffic": specs.traffic(), "maxSurge": 1},
    "blueGreen by Services": {**_BLUE_GREEN, "traffic": SERVICES},
    "blueGreen by routes": {**_BLUE_GREEN, "traffic": specs.traffic()},
    "rollingUpdate": {"strategy": {"rollingUpdate": {"maxSurge": 1}}, "steps": ()},
    "recreate": {"strategy": {"recreate": {}}, "steps": ()},
}


def begun(way: str, seed: int) -> worlds.Play:
    """Return a world at rest on web:1."""
    fields = {**USUAL, **WAYS[way]}
    if "strategy" in fields:
        fields = {name: value for name, value in fields.items() if name != "scaleDownDelay"}
    return shops.shop(seed, **fields) if "traffic" in fields else worlds.play(seed, **fields)


def until(play: worlds.Play, fact: Callable[[], Any], seconds: float = 900) -> None:
    """Let time pass until *fact* holds."""
    assert play.world.run_until(lambda: bool(fact()), seconds), play.world.account()


def _weight(play: worlds.Play, desired: int, *, holds: bool) -> Callable[[], bool]:
    def there() -> bool:
        status = play.world.status
        found = status.weight
        return found is not None and (found.desired, found.since is not None) == (desired, holds)

    return there


def gated(play: worlds.Play) -> bool:
    """Return whether people are waited for."""
    status = play.world.status
    return status.phase is Phase.PAUSED and status.step is not None and "promoted" in status.step.waiting_for


def promote(play: worlds.Play) -> None:
    """End that wait."""
    status = play.world.status
    assert status.canary is not None
    assert status.step is not None
    play.world.annotate(names.PROMOTE, f"{status.canary.hash}/{status.step.index}")


def first(play: worlds.Play) -> None:
    """No version is stable yet."""
    world = play.world
    world.delete()
    until(play, lambda: world.rollout is None)
    world.run(20)
    world.apply(play.spec("web:2"))
    until(play, lambda: world.status.canary)


def at_rest(play: worlds.Play) -> None:
    """It is at rest on web:1."""
    assert play.world.settled()


def starting(play: worlds.Play) -> None:
    """Its pods are to come."""
    play.ship("web:2")


def pausing(play: worlds.Play) -> None:
    """A pause for a time."""
    play.ship("web:2")
    until(play, _weight(play, 20, holds=True))


def gaining(play: worlds.Play) -> None:
    """Its weight goes up."""
    play.ship("web:2")
    until(play, _weight(play, 50, holds=False))


def gate(play: worlds.Play) -> None:
    """A pause until promoted."""
    play.ship("web:2")
    until(play, lambda: gated(play))


def held(play: worlds.Play) -> None:
    """spec.paused."""
    pausing(play)
    play.world.edit(paused=True)
    play.world.run(5)


def scaled(play: worlds.Play) -> None:
    """More pods, and then fewer than before, are asked for in the middle."""
    gate(play)
    play.world.edit(replicas=6)
    play.world.run(20)
    promote(play)
    play.world.run(3)
    play.world.edit(replicas=3)
    play.world.run(3)


def late(play: worlds.Play) -> None:
    """The last of its steps."""
    gate(play)
    promote(play)
    until(play, _weight(play, 80, holds=True))


def promoting(play: worlds.Play) -> None:
    """All users are about to have it."""
    gate(play)
    promote(play)
    until(play, lambda: (weight := play.world.status.weight) and weight.desired == 100)


def moving(play: worlds.Play) -> None:
    """It has just become stable."""
    gate(play)
    promote(play)
    before = play.stable
    until(play, lambda: play.stable != before)


def warm(play: worlds.Play) -> None:
    """It is stable, and the one before is warm."""
    moving(play)
    until(play, lambda: (left := play.world.status.previous) and left.until is not None)


def healthy(play: worlds.Play) -> None:
    """It is stable and at rest."""
    moving(play)
    assert play.settle() == "Healthy"


def leaving(play: worlds.Play) -> None:
    """It goes back."""
    gate(play)
    shops.abort(play)
    until(play, lambda: (canary := play.world.status.canary) and canary.abort)


def rolled_back(play: worlds.Play) -> None:
    """It was taken back."""
    leaving(play)
    assert play.settle() == "RolledBack"


def superseded(play: worlds.Play) -> None:
    """A newer one waits for its end."""
    gate(play)
    play.world.apply(play.spec("web:3"))
    until(play, lambda: (canary := play.world.status.canary) and canary.abort)


def waiting_policy(play: worlds.Play) -> None:
    """Another strategy waits for its end."""
    gate(play)
    play.world.apply(play.spec("web:2", strategy={"recreate": {}}, steps=()))
    play.world.run(3)


def waiting_template(play: worlds.Play) -> None:
    """The next version waits while the last one is warm."""
    moving(play)
    play.world.apply(play.spec("web:3"))
    play.world.run(2)


def rollback(play: worlds.Play) -> None:
    """An earlier version is made stable again."""
    healthy(play)
    play.world.annotate(names.ROLLBACK_TO, "1")
    until(play, lambda: (canary := play.world.status.canary) and canary.is_rollback)


def waiting_rollback(play: worlds.Play) -> None:
    """An earlier version is to be made stable again, after another one has gone."""
    healthy(play)
    play.ship("web:3")
    until(play, lambda: gated(play))
    play.world.annotate(names.ROLLBACK_TO, "1")
    until(play, lambda: play.world.status.rollback)


def drill(play: worlds.Play) -> None:
    """Going back is rehearsed."""
    play.world.annotate(names.DRILL, play.stable)
    until(play, lambda: play.world.phase is Phase.DRILLING)
    play.world.run(4)


def restart(play: worlds.Play) -> None:
    """All pods are replaced by others of the same version."""
    play.world.run(2)
    play.world.annotate(names.RESTART, "now")
    until(play, lambda: play.world.status.restart)


def previewed(play: worlds.Play) -> None:
    """Nobody has it yet, and it waits to be promoted."""
    play.ship("web:2")
    until(play, lambda: gated(play))


def switched(play: worlds.Play) -> None:
    """All users have it, and it is not promoted yet."""
    previewed(play)
    promote(play)
    until(play, _weight(play, 100, holds=True))


def switched_warm(play: worlds.Play) -> None:
    """It is stable, and the one before is warm."""
    previewed(play)
    promote(play)
    until(play, lambda: (left := play.world.status.previous) and left.until is not None)


def coming(play: worlds.Play) -> None:
    """Some of its pods are there."""
    play.ship("web:2")
    until(play, lambda: (canary := play.world.status.canary) and play.world.pods_of(canary.hash)[0] > 0)


def taken_back(reach: Reach, play: worlds.Play) -> None:
    """It goes back."""
    reach(play)
    shops.abort(play)
    until(play, lambda: (canary := play.world.status.canary) and canary.abort)


_CANARY: Final[tuple[Reach, ...]] = (
    first,
    at_rest,
    starting,
    pausing,
    gaining,
    gate,
    held,
    scaled,
    late,
    promoting,
    moving,
    healthy,
    leaving,
    rolled_back,
    superseded,
    waiting_policy,
    rollback,
    waiting_rollback,
    drill,
    restart,
)
_ROUTED: Final[tuple[Reach, ...]] = (warm, waiting_template)
_SWITCHED: Final[tuple[Reach, ...]] = (previewed, switched, switched_warm)


def _named(reaches: tuple[Reach, ...]) -> dict[str, Reach]:
    return {reach.__name__: reach for reach in reaches}


MOMENTS: Final[dict[str, dict[str, Reach]]] = {
    "pods": _named(_CANARY),
    "routes": _named((*_CANARY, *_ROUTED)),
    "bounded routes": _named((gaining, leaving, warm)),
    "blueGreen by Services": {**_named(_SWITCHED), "leaving": functools.partial(taken_back, switched)},
    "blueGreen by routes": {**_named(_SWITCHED), "leaving": functools.partial(taken_back, switched)},
    "rollingUpdate": {**_named((coming,)), "leaving": functools.partial(taken_back, coming)},
    "recreate": {**_named((coming,)), "leaving": functools.partial(taken_back, coming)},
}
EVERY: Final = [(way, moment) for way, moments in MOMENTS.items() for moment in moments]
_FLIES: Final = ("starting", "pausing", "gaining", "gate", "held", "scaled", "late", "coming", "previewed", "switched")
IN_FLIGHT: Final = [(way, moment) for way, moment in EVERY if moment in _FLIES]
"""Where a new version can be aborted."""


def reached(way: str, moment: str, seed: int = 7) -> worlds.Play:
    """Return a world at that moment."""
    play = begun(way, seed)
    MOMENTS[way][moment](play)
    return play


def ended(play: worlds.Play) -> None:
    """Let it come to its end: whatever waits for people is promoted."""
    world = play.world
    if (world.rollout or {})["spec"].get("paused"):
        world.edit(paused=False)
    for _ in range(4):
        until(play, lambda: world.settled() or gated(play), 1800)
        if world.settled():
            break
        promote(play)
        world.run(30)
    play.settle()
