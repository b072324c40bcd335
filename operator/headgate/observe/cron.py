"""Cron and time zones: when a schedule is due next, and what is wrong with one. The one place that knows cronsim."""

import datetime
import functools
import itertools
import math
import zoneinfo
from typing import Final

import cronsim

from headgate.api.drill import Drill

_MINUTE_SECONDS: Final = 60
_MOST_PASSED: Final = 200
"""More than a schedule has in the hours that come twice: 60 each, and no place sets its clocks back by three."""


def problem(schedule: str, zone: str) -> str:
    """Return what is wrong with a schedule of five fields, with its path in the spec; an empty text if nothing is."""
    try:
        place = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return f"spec.drill.timeZone: {zone!r} is not known: write for example Europe/Berlin, or leave it out for UTC"
    try:
        cronsim.CronSim(schedule.upper(), datetime.datetime(2000, 1, 1, tzinfo=place))
    except cronsim.CronSimError as error:
        words = str(error).removeprefix("Bad ")
        example = "write for example 0 4 * * 1 for Mondays at 4"
        return f"spec.drill.schedule: {schedule!r} makes no sense, look at its {words}: {example}"
    return ""


def following(drill: Drill | None, now: float) -> int | None:
    """Return when *drill*'s schedule is due next after *now*; None if it has none, or none that is valid."""
    if drill is None or drill.schedule is None:
        return None
    return _following(drill.schedule, drill.time_zone, math.floor(now) // _MINUTE_SECONDS * _MINUTE_SECONDS)


@functools.lru_cache(maxsize=1024)
def _following(schedule: str, zone: str, minute: int) -> int | None:
    if problem(schedule, zone):
        return None
    # From the whole minute on, which is itself not after it: no schedule is finer than that.
    start = datetime.datetime.fromtimestamp(minute, zoneinfo.ZoneInfo(zone))
    firings = itertools.islice(cronsim.CronSim(schedule.upper(), start), _MOST_PASSED)
    # Where clocks are set back an hour comes twice, and what is found there may be its first time, which has passed.
    return next((at for at in (int(found.timestamp()) for found in firings) if at > minute), None)
