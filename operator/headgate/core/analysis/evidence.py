"""Whether the verdicts are enough: to go back, to leave a weight, or to give up for want of data."""

import dataclasses
import math
from collections.abc import Iterable

from headgate.api import values
from headgate.api.spec import Metric
from headgate.api.status import MetricStatus, Outcome
from headgate.core.analysis import ticks
from headgate.core.analysis.fold import DECIDED


def breach(metrics: Iterable[Metric], states: Iterable[MetricStatus]) -> str:
    """Return why the revision must go back, if a metric failed often enough in a row; else an empty text."""
    known = {state.name: state for state in states}
    for metric in metrics:
        state = known.get(metric.name)
        if state is not None and state.failures >= metric.failures_to_rollback:
            times = "once" if state.failures == 1 else f"{state.failures} times in a row"
            return f"metric {metric.name} failed {times}: {state.value}, allowed is {state.bound}"
    return ""


def _deprived_seconds(state: MetricStatus, weight_since: int, now: float) -> float:
    """Return for how long there has been nothing to judge at this weight, though somebody looked.

    From the last judged tick to the last one that was read, and from there on for as long as reading fails. Time in
    which nobody looked, because no operator ran, is not counted: those ticks are yet to be read.
    """
    read = max(0, state.last_tick - max(weight_since, state.last_judged or 0))
    failing = max(0.0, now - max(weight_since, state.since)) if state.verdict is Outcome.ERROR else 0.0
    return read + failing


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """What the metrics say about leaving the present weight."""

    missing: tuple[str, ...] = ()
    """What is not proved yet, a phrase per metric; empty: the weight may be left."""
    blind: tuple[str, ...] = ()
    """Metrics that should have had a value by now and have none, each with its state."""
    doomed: str = ""
    """Why the revision must go back for want of data, where the user asked for that."""


def evidence(
    metrics: Iterable[Metric], states: Iterable[MetricStatus], weight_since: int, now: float, settle_seconds: float
) -> Evidence:
    """Return whether every metric has passed often enough at the weight that holds since *weight_since*."""
    known = {state.name: state for state in states}
    missing, blind, doomed = [], [], ""
    for metric in metrics:
        state = known.get(metric.name)
        if state is None:
            missing.append(f"{metric.name} has not been measured")
            continue
        deprived = _deprived_seconds(state, max(weight_since, state.watched_since or 0), now)
        sightless = state.verdict not in DECIDED and deprived > metric.window_seconds
        why = f"{state.verdict} for {values.format_duration(deprived)}: {state.message}".removesuffix(": ")
        overdue = deprived > metric.no_data.after_seconds
        if overdue and metric.no_data.then == "Rollback":
            doomed = f"metric {metric.name} was {why}"
        if overdue and metric.no_data.then == "Advance" and state.failures == 0:
            continue
        if sightless:
            blind.append(f"{metric.name} is {why}")
        if state.passes < metric.passes_to_advance:
            soonest = values.format_time(math.ceil(ticks.enough_at(metric, state, weight_since) + settle_seconds))
            passed = f"{metric.name} passed {state.passes} of {metric.passes_to_advance} times"
            missing.append(f"{passed} (enough by {soonest} at the earliest)")
        elif sightless or ticks.is_behind(metric, state, now, settle_seconds):
            missing.append(f"{metric.name} has measurements that are not read yet")
    return Evidence(tuple(missing), tuple(blind), doomed)


def patience_ends(
    metrics: Iterable[Metric], states: Iterable[MetricStatus], weight_since: int, now: float
) -> tuple[float, ...]:
    """Return when metrics that cannot be read will have been without data for too long, if that goes on.

    No answer may come that wakes us then. Where queries are answered, their ticks count and not the time.
    """
    known = {state.name: state for state in states}
    ends = []
    for metric in metrics:
        state = known.get(metric.name)
        if state is None or state.verdict is not Outcome.ERROR:
            continue
        deprived = _deprived_seconds(state, max(weight_since, state.watched_since or 0), now)
        limits = (metric.window_seconds, metric.no_data.after_seconds)
        # The first whole second after: an end is exceeded, not reached.
        ends += [math.floor(now + limit - deprived) + 1.0 for limit in limits if limit >= deprived]
    return tuple(ends)
