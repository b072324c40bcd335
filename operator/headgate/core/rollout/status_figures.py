"""Clocks and figures of the status that change without its phase: which are written at once, and which once they stand.

Owns that choice and the memory that it takes. A pass that writes nothing leaves what it found as an `Unwritten`, which
the next one gets: so a clock that began goes on, and figures that have stood for a moment are written. All of it may be
lost at any time: a restarted operator finds the figures again, and a clock that was not written begins anew.

| what | written |
|---|---|
| a clock that began: pods asked for, or pods that were ready and are not | at once |
| a clock that began anew since one more pod is ready, and others are not | once nothing has moved for 2 s |
| figures that people read, where nothing is in flight | once nothing has moved for 2 s |
| other figures | with whatever else is written, and at least every 30 s |
"""

import math
from typing import Any, Final

from headgate.api.status import Canary, Progress, RolloutStatus, Side
from headgate.core.model import DeploymentFacts, Observation, Unwritten

STILL_SECONDS: Final = 2.0
"""How long figures have to stand before they are written for their own sake."""
_UNWRITTEN_SECONDS: Final = 45
"""How long ago an attempt may have begun whose clock is not on record: by then the status has been written.
What seems to be longer ago is a clock that has jumped, or a process that was away: that takes nobody's patience."""
_ROUNDED_SECONDS: Final = 1
"""How far ahead a start may lie because it was rounded up."""


def _sides(status: RolloutStatus) -> tuple[Side | None, ...]:
    return status.stable, status.canary, status.previous


# --- clocks -----------------------------------------------------------------------------------------------------------


def _runs(progress: Progress | None) -> bool:
    """Return whether pods are waited for, so that a deadline may end."""
    return progress is not None and progress.ready < progress.desired


def begun(before: RolloutStatus, after: RolloutStatus) -> bool:
    """Return whether a clock has begun that every pass would begin anew, were it not on record."""
    for known, side in zip(_sides(before), _sides(after), strict=True):
        if side is not None and side is not known and _runs(side.progress) and _began(known, side):
            return True
    return False


def _began(before: Side | None, after: Side) -> bool:
    if before is None or before.hash != after.hash or after.progress is None:
        return False
    if before.progress is None:
        # When an attempt's own Deployment came is on record there.
        return not isinstance(after, Canary)
    if after.progress.dropped not in (None, before.progress.dropped):
        return True
    grew = after.progress.desired == before.progress.desired and after.progress.ready > before.progress.ready
    return after.progress.since != before.progress.since and not grew


def progressed(seen: Observation, name: str, side: Side, facts: DeploymentFacts) -> Progress:
    """Return how far the pods of *side*, the status' part with that *name*, have come by now."""
    last, now = _last(seen, name, side), seen.now
    known = last.progress
    fresh = Progress(desired=facts.replicas, ready=facts.ready, since=math.floor(now))
    if known is None and isinstance(side, Canary):
        # Both are whole seconds, rounded down: nobody's patience may end a moment too soon.
        start = max(side.started, facts.created, math.floor(now) - _UNWRITTEN_SECONDS) + _ROUNDED_SECONDS
        return fresh.model_copy(update={"since": min(math.ceil(now), start)})
    future = known is not None and known.since > now + _ROUNDED_SECONDS
    if known is None or facts.replicas > known.desired or facts.ready > known.ready or future:
        return fresh
    was_complete = known.ready >= known.desired
    if was_complete and facts.ready < facts.replicas:
        return fresh
    if facts.replicas < known.desired:
        return fresh.model_copy(update={"since": known.since})
    if facts.ready < last.ready:
        # What had been ready is not any more: where never all were, nothing else tells that from a start that hangs.
        return known.model_copy(update={"dropped": math.floor(now)})
    return known


def _last(seen: Observation, name: str, side: Side) -> Side:
    """Return the *side* as the last pass found it, though it was not written, or as it is on record.

    What the last pass found belongs to another attempt where that has begun since, and is not believed where the clock
    says that it ought to have been written long ago, or has jumped since.
    """
    left = seen.unwritten
    fresh = left is not None and seen.now < left.since + _UNWRITTEN_SECONDS and not seen.jumped_seconds
    found: Side | None = getattr(left.status, name) if left is not None and fresh else None
    if found is None or found.hash != side.hash or found.progress is None:
        return side
    return found if getattr(found, "started", 0) == getattr(side, "started", 0) else side


def asked(seen: Observation, side: Side, size: int) -> Progress | None:
    """Return the progress of *side*, whose Deployment is to have *size* pods: the clock of new ones begins with that.

    Only where that was not asked for before: what cannot be written does not begin its clock again and again.
    """
    facts = seen.deployments.get(side.hash)
    if facts is None or size <= facts.replicas or (side.progress is not None and size <= side.progress.desired):
        return side.progress
    if any(known is not None and (known.hash, known.replicas) == (side.hash, size) for known in _sides(seen.status)):
        return side.progress
    return Progress(desired=size, ready=facts.ready, since=math.ceil(seen.now))


# --- figures that stand -----------------------------------------------------------------------------------------------


def _read(status: RolloutStatus) -> Any:
    """Return the figures of *status* that are written once they stand."""
    clocks = [(side.hash, side.progress) for side in _sides(status) if side is not None and _runs(side.progress)]
    if status.canary is not None or status.restart is not None:
        return clocks
    sides = [(side.hash, side.replicas, side.ready) for side in _sides(status) if side is not None]
    words = [(one.type, one.message) for one in status.conditions]
    return clocks, sides, words, status.replicas, status.ready


def unwritten(seen: Observation, after: RolloutStatus) -> Unwritten | None:
    """Return what a pass leaves to the next one that decided on *after* and does not write it."""
    if after == seen.status:
        return None
    before = seen.unwritten
    stands = before is not None and before.since <= seen.now and _read(before.status) == _read(after)
    return Unwritten(after, before.since if before is not None and stands else seen.now)


def stand_at(seen: Observation, after: RolloutStatus) -> float:
    """Return from when on figures of *after* have stood for long enough to be written; infinite if there are none."""
    left = unwritten(seen, after)
    if left is None or _read(after) == _read(seen.status):
        return math.inf
    return left.since + STILL_SECONDS
