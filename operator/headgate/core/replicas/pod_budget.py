"""The arithmetic of weights, surge and budgets by pod ratio. Integers in, integers out.

By pod ratio the share of the traffic is the share of the pods. With 10 replicas, maxSurge 3 and a weight of 25 percent:

    pods of both versions   10       11       12       13
    nearest canary share    30 %     27 %     25 %     23 %
                            (7+3)    (8+3)    (9+3)    (10+3)    → 9 stable and 3 canary pods
"""

import dataclasses
import fractions
import math
from typing import Final

from headgate.api.strategy import Canary, RollingUpdate

_WHOLE: Final = 100


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
    exact = fractions.Fraction(int(count.removesuffix("%")) * total, _WHOLE)
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


def split(bounds: Budget, weight_percent: int) -> Sizes:
    """Return the sizes whose canary share is nearest to *weight_percent*.

    From 1 to 99 percent both sides have a pod at least. Stable never grows beyond the total for the sake of a ratio.
    Among equally near ones: the fewest pods in all, then the smaller canary. More than 100 extra pods need not be
    tried: any percentage is exact at a multiple of 100 pods.
    """
    if weight_percent == 0 or bounds.total == 0:
        return Sizes(bounds.total, 0)
    if weight_percent == _WHOLE:
        return Sizes(0, bounds.total)
    weight = fractions.Fraction(weight_percent, _WHOLE)
    candidates = []
    for pods in range(bounds.total, bounds.total + min(bounds.surge, _WHOLE) + 1):
        least, most = max(1, pods - bounds.total), pods - 1
        for canary in {math.floor(weight * pods), math.ceil(weight * pods)}:
            bounded = min(max(canary, least), most)
            if bounded >= least:
                error = abs(fractions.Fraction(bounded, pods) - weight)
                candidates.append((error, pods, bounded))
    _, pods, canary = min(candidates)
    return Sizes(pods - canary, canary)


def in_step(bounds: Budget, goal: Sizes, stable: Pods, canary: Pods) -> Sizes:
    """Return *goal* with no more canary pods than have their share beside the stable pods that are available.

    Both may grow at once, as when more replicas are asked for, and the canary's pods may be ready first. Stable has the
    others meanwhile: from 5 + 5 to 20 replicas at 50 percent it is 15 + 5 first, so that nobody waits for capacity.
    """
    if stable.lost:
        return goal
    most = goal.canary * stable.ready // goal.stable if goal.stable else goal.canary
    kept = min(goal.canary, max(most, canary.wanted))
    return Sizes(max(goal.stable, min(bounds.total, goal.stable + goal.canary - kept)), kept)


def approach(bounds: Budget, goal: Sizes, stable: Pods, canary: Pods) -> Sizes:
    """Return the sizes to ask for now on the way to *goal*, within the budget at every moment.

    Grows into the room that the surge leaves, stable first; shrinks by the pods that are not available and by as many
    available ones as the budget can spare, canary first: stable's when the canary has no more than it is to have.
    Nothing shrinks before the numbers have settled.
    """
    room = max(0, bounds.most_pods - stable.counted - canary.counted)
    spare = max(0, stable.ready + canary.ready - bounds.least_ready)
    next_stable, next_canary = stable.wanted, canary.wanted
    if goal.stable > stable.wanted and not stable.lost:
        next_stable = min(goal.stable, stable.wanted + room)
        room -= next_stable - stable.wanted
    settled = stable.settled and canary.settled
    if goal.canary > canary.wanted:
        next_canary = min(goal.canary, canary.wanted + room)
    elif goal.canary < canary.wanted and settled:
        next_canary = max(goal.canary, canary.wanted - canary.unready - spare)
        spare -= max(0, canary.wanted - next_canary - canary.unready)
    if goal.stable < stable.wanted and settled:
        next_stable = max(goal.stable, stable.wanted - stable.unready - (spare if canary.counted <= goal.canary else 0))
    return Sizes(next_stable, next_canary)


def retreat(bounds: Budget, stable: Pods, canary: Pods, waits: int) -> Sizes:
    """Return the sizes of an abort: stable whole at once, whatever the surge; of the canary what it must carry yet.

    Canary pods that are not available carry nobody and go at once; the others as stable pods become ready. After each
    of *waits* in which no stable pod did, as many as the surge go all the same: a pod that is away for good must not
    keep the new version, and canary pods may stand where stable ones would. While stable carries nobody, they stay.
    """
    patience = waits * max(1, bounds.surge) if stable.ready else 0
    relied_on = stable.ready if stable.settled else 0
    carried = max(0, bounds.least_ready - relied_on - patience)
    carrying = canary.ready if canary.settled else canary.wanted
    return Sizes(bounds.total, min(canary.wanted, carrying, carried))


def reached(goal: Sizes, stable: Pods, canary: Pods) -> bool:
    """Return whether the pods are as *goal* says: canary pods available, surplus stable ones gone.

    Stable pods that are not available do not count against it: a better version must be able to replace a broken one,
    and `approach` takes no capacity away from those that are.
    """
    return (
        canary.wanted == goal.canary
        and canary.ready >= goal.canary
        and stable.counted <= goal.stable
        and (stable.wanted == goal.stable or stable.lost)
    )


def share_percent(stable: Pods, canary: Pods) -> int:
    """Return the canary's share of the available pods, in percent, rounded half up."""
    ready = stable.ready + canary.ready
    return (canary.ready * 2 * _WHOLE + ready) // (2 * ready) if ready else 0
