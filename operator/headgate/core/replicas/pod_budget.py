"""How many pods both versions together may have, and how many of them have to be ready. Integers in, integers out."""

import dataclasses
import fractions
import math

from headgate.api.strategy import Canary, RollingUpdate
from headgate.core.model.percent import WHOLE


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """How many pods are wanted, and how far both versions together may stray from that."""

    total: int
    surge: int
    unavailable: int

    @property
    def most_pods(self) -> int:
        """The most pods that may exist while both versions run."""
        return self.total + self.surge

    @property
    def least_ready(self) -> int:
        """The fewest pods that may be available."""
        return max(0, self.total - self.unavailable)


@dataclasses.dataclass(frozen=True, slots=True)
class Pods:
    """One version's pods."""

    wanted: int = 0
    """What its Deployment asks for."""
    existing: int = 0
    ready: int = 0
    settled: bool = True
    """Whether the numbers are those of what was last asked for. Until they are, nothing is taken away because of them:
    pods that were asked to go a moment ago still look ready."""
    answering: int = 0
    """How many are endpoints; of those that have not been ready for minReadySeconds, more than are *ready*."""
    lost: bool = False
    """Whether there are none, and there can be none: there is no Deployment, and no template to make one from."""

    @property
    def counted(self) -> int:
        """How many there are or will be at once."""
        return max(self.wanted, self.existing)

    @property
    def unready(self) -> int:
        """How many of those wanted are not available: a ReplicaSet removes these first."""
        return max(0, self.wanted - self.ready)


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """How many pods each version is to have."""

    stable: int
    canary: int

    def at_most(self, pods: int) -> "Sizes":
        """Return the sizes with no more than so many *pods* of either version."""
        return Sizes(min(self.stable, pods), min(self.canary, pods))


def _resolve(count: int | str, total: int, *, up: bool) -> int:
    if isinstance(count, int):
        return count
    exact = fractions.Fraction(int(count.removesuffix("%")) * total, WHOLE)
    return math.ceil(exact) if up else math.floor(exact)


def portion(count: int | str, total: int) -> int:
    """Return how many of *total* pods *count* is, rounded up."""
    return min(total, _resolve(count, total, up=True))


def budget(way: Canary | RollingUpdate | None, total: int, *, routed: bool = False) -> Budget:
    """Return the budget of *total* replicas: surge rounded up, unavailable rounded down, as a Deployment does.

    Where nothing is said, surge is 25 percent; all of them if the traffic is *routed*: then both versions can be there
    in full, and going back is a matter of routes alone.

    Both rounding to 0 would never let a pod be exchanged, so one pod may be unavailable then. A single replica may
    always surge by one: two versions cannot share one pod.
    """
    given: int | str = "100%" if routed else "25%"
    if way is not None and way.max_surge is not None:
        given = way.max_surge
    surge = _resolve(given, total, up=True)
    unavailable = _resolve(way.max_unavailable if way else 0, total, up=False)
    if total == 1:
        return Budget(total, max(1, surge), min(unavailable, 1))
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Budget(total, surge, min(unavailable, total))
