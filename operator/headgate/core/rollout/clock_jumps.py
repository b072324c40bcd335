"""The clocks in the status, brought in line with the operator's: what lies in the future, and jumps ahead.

All waits are differences of times of one wall clock. Set back, it leaves starts in the future, and waits would never
end: they begin anew. Set ahead, as by NTP or where a machine wakes up, it would end all of them at once: a retreat
would give up the pods that users are served by, a drain would be over, a version would be late. So an hour that the
clock jumped is no hour that was waited: every start moves along with it.

What is not moved: measurements, which are told by the clock of the metrics and are read up to now, and moments that
tell attempts apart or are compared with the API server's clock.
"""

import math
from typing import Final, TypeVar

from headgate.api.status import Canary, Progress, RolloutStatus, Side, StatusModel
from headgate.core.model import Observation
from headgate.core.traffic import plan as traffic_plan

_ROUNDED_SECONDS: Final = 1
"""How far ahead a start may lie because it was rounded up."""
_LEAVING: Final = ("since", "uncounted_since", "unserved_since", "rescued_since")


def _past(moment: int | None, latest: float, now: float) -> int | None:
    return math.floor(now) if moment is not None and moment > latest else moment


_Timed = TypeVar("_Timed", bound=StatusModel)
_AnySide = TypeVar("_AnySide", bound=Side)


def _timed(part: _Timed, now: float, *fields: str, ahead_seconds: int = 0) -> _Timed:
    latest = now + _ROUNDED_SECONDS + ahead_seconds
    return part.model_copy(update={field: _past(getattr(part, field), latest, now) for field in fields})


def without_future(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Return *status* with every start that lies in the future as a start of now."""
    changes: dict[str, object] = {}
    settling = traffic_plan.SETTLE_SECONDS  # by this much both are written down ahead
    if status.step:
        changes["step"] = _timed(status.step, seen.now, "since", ahead_seconds=settling)
    if status.weight:
        changes["weight"] = _timed(status.weight, seen.now, "since", ahead_seconds=settling)
    if status.canary:
        # When it started tells this attempt from others, and is not rewritten.
        canary = _timed(status.canary, seen.now, "analysis_from")
        if canary.abort:
            canary = canary.model_copy(update={"abort": _timed(canary.abort, seen.now, *_LEAVING)})
        changes["canary"] = canary
    if status.previous:
        changes["previous"] = _timed(status.previous, seen.now, "analysis_from", "promoted")
    if status.traffic:
        changes["traffic"] = _timed(status.traffic, seen.now, "since", "stable_since", "drift_last_time")
    if status.restart:
        changes["restart"] = _timed(status.restart, seen.now, "since")
    ticks = ("since", "watched_since", "last_tick", "last_judged")
    changes["analysis"] = tuple(_timed(state, seen.now, *ticks) for state in status.analysis)
    return status.model_copy(update=changes)


# --- jumps ahead ------------------------------------------------------------------------------------------------------


def _moved(part: _Timed, seconds: int, *fields: str) -> _Timed:
    moments = {field: getattr(part, field) for field in fields}
    return part.model_copy(update={field: at + seconds for field, at in moments.items() if at})


def _with_progress(side: _AnySide, seconds: int) -> _AnySide:
    """Return *side* with the clock of its pods moved; where all are ready none runs."""
    known: Progress | None = side.progress
    if known is None or known.ready >= known.desired:
        return side
    return side.model_copy(update={"progress": _moved(known, seconds, "since", "dropped")})


def _with_canary(canary: Canary, seconds: int) -> Canary:
    moved = _moved(_with_progress(canary, seconds), seconds, "analysis_from")
    changes: dict[str, object] = {"jumped_seconds": canary.jumped_seconds + seconds}
    if moved.abort is not None:
        changes["abort"] = _moved(moved.abort, seconds, *_LEAVING)
    if moved.drill is not None:
        changes["drill"] = _moved(moved.drill, seconds, "injected_at")
    return moved.model_copy(update=changes)


def without_jump(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Return *status* as if all that runs in it had begun later, by as much as the clock has jumped ahead since."""
    seconds = round(seen.jumped_seconds)
    if not seconds:
        return status
    changes: dict[str, object] = {}
    if status.step:
        changes["step"] = _moved(status.step, seconds, "since")
    if status.weight:
        changes["weight"] = _moved(status.weight, seconds, "since")
    if status.stable:
        changes["stable"] = _with_progress(status.stable, seconds)
    if status.canary:
        changes["canary"] = _with_canary(status.canary, seconds)
    if status.previous:
        warm = _with_progress(status.previous, seconds)
        changes["previous"] = _moved(warm, seconds, "analysis_from", "promoted", "until")
    if status.traffic and (status.canary or status.previous):
        changes["traffic"] = _moved(status.traffic, seconds, "since", "stable_since", "drift_last_time")
    # For how long there is nothing to judge counts from the last measurement that was judged: the next are yet to come.
    states = (_moved(state, seconds, "since", "watched_since", "last_judged") for state in status.analysis)
    changes["analysis"] = tuple(states)
    return status.model_copy(update=changes)
