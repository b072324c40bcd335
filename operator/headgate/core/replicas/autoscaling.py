"""What an autoscaler asks for while extra pods run: which of it counts at once, and what waits.

An autoscaler reads the pods of all revisions (`status.selector`), and asks for

    ceil(average use of a pod / target of a pod  x  pods of all revisions)

CPU and requests are shared among the pods. Twice the pods use half of it each, and the product is what users need:

    10 pods at 60 % of a target of 60 %     10 x 1.0 = 10
    20 pods at 30 %                         20 x 0.5 = 10

Memory is not: an extra pod needs as much as any other. Then the product grows with the extra pods, and a rollout whose
canary grows with it would feed it again:

    10 pods at 51 % of a target of 60 %     10 x 0.85 =  9
    20 pods at 51 %                         20 x 0.85 = 17    → 34 pods → 29    → 58 pods → 50    … maxReplicas

So growth that an autoscaler derives from memory waits while there are extra pods. The loop is cut where it closes: the
number of pods stays, and so does what the autoscaler makes of it. What its other targets ask for is not lost in that:
it follows from the same measurements, and counts at once.

When the extra pods have gone, what they made an autoscaler ask for is still there: it asks for the most of the last
five minutes. As long as memory then is beneath its target, the pods that there are do, and it goes on waiting.
"""

import dataclasses
import math
from collections.abc import Iterable
from typing import Final

from headgate.api import names
from headgate.api.status import RolloutStatus
from headgate.core.model import AutoscalerFacts, RolloutFacts

TOLD_WITHIN_SECONDS: Final = 20
"""How long after it has set the replicas an autoscaler may not have said why yet. It says so right after, if nobody is
in its way; else when it looks again, every 15 s."""


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """Growth that waits."""

    autoscaler: str
    wanted: int
    """The replicas that are asked for."""
    counts: int
    """The replicas that count meanwhile."""
    told: bool
    """Whether the autoscaler has said that this is for memory; else it is yet to say why."""


def held(rollout: RolloutFacts, status: RolloutStatus, found: Iterable[AutoscalerFacts], now: float) -> Held | None:
    """Return the growth that waits; None if what is wanted counts."""
    counts, wanted = status.min_replicas, rollout.replicas
    if status.stable is None or counts is None or wanted is None or wanted <= counts:
        return None
    extra = status.canary is not None or _beside(status)
    for one in of_rollout(rollout, found):
        told = one.asks == wanted
        if told and not extra and one.memory_load > 1:
            continue
        if one.by_memory if told else now < rollout.scaled + TOLD_WITHIN_SECONDS:
            enough = max(counts, _by_others(one, wanted, status.replicas) if told else 0)
            return Held(one.name, wanted, enough, told) if enough < wanted else None
    return None


def _beside(status: RolloutStatus) -> bool:
    """Return whether there are extra pods beside no canary: of an old revision, or the first ones of a restart."""
    return status.previous is not None or status.restart is not None


def _by_others(one: AutoscalerFacts, wanted: int, pods: int) -> int:
    """Return what an autoscaler would ask for if memory were not among its targets.

    It does not say how many pods it saw, and there may be more by now. What it made of memory tells, if it asked for
    all of that.
    """
    seen = pods if one.limited or not one.memory_load else min(pods, math.ceil(wanted / one.memory_load))
    return math.ceil(one.other_load * seen)


def of_rollout(rollout: RolloutFacts, found: Iterable[AutoscalerFacts]) -> list[AutoscalerFacts]:
    """Return the autoscalers of the Rollout that have memory among their targets."""
    return [one for one in found if (one.kind, one.target) == (names.KIND, rollout.name) and one.memory]


def left(rollout: RolloutFacts, pods: int, counts: int, held: Held | None) -> int | None:
    """Return the replicas that have to be remembered when a rollout ends; None: the spec or the pods tell.

    Args:
        rollout: the Rollout.
        pods: how many its stable Deployment asks for, which is all that tells where spec.replicas is absent.
        counts: the replicas that count.
        held: the growth that waits, if any.
    """
    return counts if held or (rollout.replicas is None and pods < counts) else None


def kept(rollout: RolloutFacts, status: RolloutStatus, found: Iterable[AutoscalerFacts]) -> int | None:
    """Return the replicas beyond which memory is not followed while there are extra pods; None: it is followed.

    Args:
        rollout: the Rollout, none of whose growth waits now.
        status: its status, without a canary.
        found: the autoscalers there.
    """
    return rollout.replicas if _beside(status) and of_rollout(rollout, found) else None
