"""Worlds to begin a test in. Owns the usual Rollout; the simulation owns everything else."""

import dataclasses
from typing import Any

from headgate.api import names
from headgate.core.model import Json
from headgate.simulation import specs
from headgate.simulation.invariants.suite import Invariants
from headgate.simulation.world import Pace, World

STEPS = (specs.weight(20), specs.weight(50), specs.weight(80))
LONG_SECONDS = 3 * 3600.0


@dataclasses.dataclass
class Play:
    """A world with its judges, at rest on web:1."""

    world: World
    judges: Invariants
    usual: Json
    """The fields of the spec that every version of it has, for `spec`."""

    def spec(self, image: str, **fields: Any) -> Json:
        """Return the usual spec with *image* and other *fields*."""
        return specs.rollout(image, **{**self.usual, **fields})

    def ship(self, image: str, **fields: Any) -> str:
        """Apply *image* and let the canary begin; return its hash."""
        self.world.apply(self.spec(image, **fields))
        assert self.world.run_until(lambda: self.world.status.canary is not None, 60), self.world.account()
        canary = self.world.status.canary
        assert canary is not None
        return canary.hash

    def reach(self, percent: int) -> None:
        """Let time pass until the canary holds *percent*."""

        def there() -> bool:
            weight = self.world.status.weight
            return weight is not None and weight.desired == percent and weight.since is not None

        assert self.world.run_until(there, LONG_SECONDS), self.world.account()
        weight = self.world.status.weight
        # It is written down ahead from when on a weight counts.
        self.world.run(max(0.0, (weight.since or 0) - self.world.now) if weight else 0.0)

    def settle(self, seconds: float = LONG_SECONDS) -> str:
        """Let time pass until only users can change anything; return the phase."""
        assert self.world.run_until(self.world.settled, seconds), self.world.account()
        self.world.run(120)
        assert self.world.settled(), self.world.account()
        return str(self.world.phase)

    @property
    def replicas(self) -> int:
        """The replicas that stable's Deployment asks for."""
        thing = self.world.deployment(self.stable)
        assert thing is not None
        return int(thing["spec"]["replicas"])

    @property
    def stable(self) -> str:
        """The hash of the stable revision."""
        stable = self.world.status.stable
        assert stable is not None
        return stable.hash


def play(seed: int = 0, *, pace: Pace | None = None, **usual: Any) -> Play:
    """Return a world at rest on web:1; *usual* are fields of its spec."""
    print(f"seed {seed}")  # noqa: T201 - pytest shows it where a test fails
    world = World(seed, pace)
    fields = {"steps": STEPS, "measured": (specs.metric(),), **usual}
    begun = Play(world, Invariants(world), fields)
    world.apply(begun.spec("web:1"))
    assert begun.settle() == "Healthy"
    return begun


def promoted(play: Play, canary: str) -> bool:
    """Return whether a canary is stable; until it is it is told to skip what it waits for."""
    status = play.world.status
    if status.canary is not None and not status.canary.promote_full:
        play.world.annotate(names.PROMOTE_FULL, canary)
    return status.stable is not None and status.stable.hash == canary and status.previous is None
