"""What must never be, whatever happens to the operator: rules over the moments of a rollout from v1 to v2.

Each returns what it found, in words; nothing is fine.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from tests.control_plane.hazards.moments import Moment


@dataclasses.dataclass(frozen=True, slots=True)
class Reached:
    """How far the undisturbed run had gone up to a stage."""

    share_most: float
    new_most: int
    old_least: int
    old_ready_least: int
    ready_least: int


def reached(undisturbed: Sequence[Moment], rank: int) -> Reached:
    """Return how far *undisturbed* had gone by the end of the stage of *rank*."""
    until = [moment for moment in undisturbed if moment.rank <= rank]
    return Reached(
        share_most=max(moment.share for moment in until),
        new_most=max(moment.wanted[1] for moment in until),
        old_least=min(moment.wanted[0] for moment in until),
        old_ready_least=min(moment.ready[0] for moment in until),
        ready_least=min(sum(moment.ready) for moment in until),
    )


def further(undisturbed: Sequence[Moment], disturbed: Sequence[Moment]) -> Iterator[str]:
    """Yield where *disturbed* had more of the new version, or less of the old one, than *undisturbed* at that stage."""
    limits = {moment.rank: reached(undisturbed, moment.rank) for moment in disturbed}
    for moment in disturbed:
        limit = limits[moment.rank]
        if moment.share > limit.share_most:
            yield f"{moment.share:.0f} % of the users at {moment}, undisturbed at most {limit.share_most:.0f} %"
        if moment.wanted[1] > limit.new_most:
            yield f"{moment.wanted[1]} new pods wanted at {moment}, undisturbed at most {limit.new_most}"
        if moment.wanted[0] < limit.old_least:
            yield f"{moment.wanted[0]} old pods wanted at {moment}, undisturbed at least {limit.old_least}"
        if moment.ready[0] < limit.old_ready_least:
            yield f"{moment.ready[0]} old pods ready at {moment}, undisturbed at least {limit.old_ready_least}"


def lacking(moments: Sequence[Moment], replicas: int, unavailable: int) -> Iterator[str]:
    """Yield where users were not served: too few ready pods, or a version with users and without pods for them."""
    for moment in moments:
        if sum(moment.ready) < replicas - unavailable:
            yield f"{sum(moment.ready)} of {replicas} pods ready at {moment}, {unavailable} may be missing"
        if moment.routed is not None:
            for share, ready in zip((100 - moment.routed, moment.routed), moment.ready, strict=True):
                if ready * 100 < share * (replicas - unavailable):
                    yield f"{share:.0f} % of the users for {ready} of {replicas} pods at {moment}"


def flapping(moments: Sequence[Moment]) -> Iterator[str]:
    """Yield where a number went back and forth: up before the verdict and down after it, and neither the other way.

    Going back does not wait for the status: it may begin in the last step before the verdict stands there.
    """
    stages = list(dict.fromkeys(moment.stage for moment in moments))
    last_step = stages[stages.index("leaving") - 1] if "leaving" in stages[1:] else ""
    back = False
    for before, after in itertools.pairwise(moments):
        if after.rank < before.rank:
            yield f"back from {before.stage} to {after.stage}"
        changes = {
            "replicas of the new version": after.wanted[1] - before.wanted[1],
            "replicas of the old version": before.wanted[0] - after.wanted[0],
            "the weight": (after.routed or 0) - (before.routed or 0),
        }
        back = back or after.stage in ("leaving", "over") or (after.stage == last_step and min(changes.values()) < 0)
        towards = -1 if back else 1
        wrong = [what for what, by in changes.items() if by * towards < 0]
        yield from (f"{what} went the wrong way: {before}, then {after}" for what in wrong)


def skipped(moments: Sequence[Moment], weights: Sequence[int]) -> Iterator[str]:
    """Yield which of the *weights* of a plan the routes never gave; what lies between two of them is on the way."""
    given = {moment.routed for moment in moments}
    if None not in given:
        yield from (f"{weight} % was never given" for weight in weights if weight not in given)


def doubled(moments: Sequence[Moment]) -> Iterator[str]:
    """Yield where there were more Deployments than versions."""
    yield from {f"{moment.deployments} Deployments" for moment in moments if moment.deployments > 2}
