"""When a drill is due by its schedule. The firings themselves are observed: cron and time zones are not pure."""

import math
from typing import Final

from headgate.api.status import DrillSchedule, RolloutStatus
from headgate.core.model import Observation, Part

_AHEAD_SECONDS: Final = 1
"""How far ahead of now the next drill is due at least."""
LATE_SECONDS: Final = 600
"""How late a drill may start that was due while something else went on, or while nobody was there."""


def noted(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Return *status* with when the next drill is due: from now on where the schedule is a new one."""
    if Part.POLICY in seen.unread:
        return status
    wanted = seen.policy.drill if seen.policy else None
    if wanted is None or wanted.schedule is None or seen.next_drill is None:
        return status.model_copy(update={"drill": None}) if status.drill else status
    text = f"{wanted.schedule} {wanted.time_zone}"
    known = status.drill if status.drill and status.drill.schedule == text else None
    # A clock that was set back: what is stored lies further ahead than the schedule says.
    following = min(known.next, seen.next_drill) if known else seen.next_drill
    return status.model_copy(update={"drill": DrillSchedule(schedule=text, next=following)})


def due(seen: Observation, status: RolloutStatus) -> int | None:
    """Return since when a drill is due; None: none is."""
    return status.drill.next if status.drill and seen.now >= status.drill.next else None


def too_late(seen: Observation, status: RolloutStatus) -> bool:
    """Return whether the drill that is due may not start any more."""
    return status.drill is not None and seen.now > status.drill.next + LATE_SECONDS


def passed(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Return *status* once whatever was due is seen to: nothing is made up for."""
    if due(seen, status) is None or status.drill is None or seen.next_drill is None:
        return status
    # Whatever a calendar says: what is due again at once would be due for ever.
    following = max(seen.next_drill, math.floor(seen.now) + _AHEAD_SECONDS)
    return status.model_copy(update={"drill": status.drill.model_copy(update={"next": following})})


def looks(seen: Observation, status: RolloutStatus) -> tuple[float, ...]:
    """Return when to look again: once a drill is due, and once it may not start any more."""
    if status.drill is None or status.canary is not None:
        return ()
    ends = (float(status.drill.next), math.floor(status.drill.next + LATE_SECONDS) + 1.0)
    return tuple(end for end in ends if end > seen.now)[:1]
