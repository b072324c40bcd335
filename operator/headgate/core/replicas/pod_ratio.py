"""The pods of both versions where the share of the pods is the share of the traffic. Integers in, integers out.

With 10 replicas, maxSurge 3 and a weight of 25 percent:

    pods of both versions   10       11       12       13
    nearest canary share    30 %     27 %     25 %     23 %
                            (7+3)    (8+3)    (9+3)    (10+3)    → 9 stable and 3 canary pods
"""

import fractions
import math

from headgate.core.model.percent import WHOLE
from headgate.core.replicas.pod_budget import Budget, Pods, Sizes


def split(bounds: Budget, weight_percent: int) -> Sizes:
    """Return the sizes whose canary share is nearest to *weight_percent*.

    From 1 to 99 percent both sides have a pod at least. Stable never grows beyond the total for the sake of a ratio.
    Among equally near ones: the fewest pods in all, then the smaller canary. More than 100 extra pods need not be
    tried: any percentage is exact at a multiple of 100 pods.
    """
    if weight_percent == 0 or bounds.total == 0:
        return Sizes(bounds.total, 0)
    if weight_percent == WHOLE:
        return Sizes(0, bounds.total)
    weight = fractions.Fraction(weight_percent, WHOLE)
    candidates = []
    for pods in range(bounds.total, bounds.total + min(bounds.surge, WHOLE) + 1):
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
    return (canary.ready * 2 * WHOLE + ready) // (2 * ready) if ready else 0
