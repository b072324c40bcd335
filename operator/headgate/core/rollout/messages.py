"""Sentences for people that more than one rule says."""

from headgate.api import values
from headgate.api.status import Drill
from headgate.core.rollout import transitions
from headgate.core.rollout.state import Situation


def drill_words(drill: Drill) -> str:
    """Return what a drill has found, for people."""
    if drill.rollback_seconds is None:
        return "it ended before it was measured"
    allowed = values.format_duration(drill.within_seconds)
    return f"all traffic was back {drill.rollback_seconds:g} s after the breach, allowed is {allowed}"


def warm_words(situation: Situation) -> str:
    """Return what is said about the warm revision, with a leading separator; or nothing."""
    warm = situation.status.previous
    if warm is None or warm.until is None:
        return ""
    if transitions.scale_down_delay_elapsed(situation):
        return f"; revision {warm.revision} is asked to go, and its last pods end"
    return f"; revision {warm.revision} stays warm until {values.format_time(warm.until)}"
