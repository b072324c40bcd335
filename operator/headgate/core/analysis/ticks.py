"""When measurements are due, which are unread, and when to look for the next one."""

import math
from collections.abc import Container, Iterable, Mapping
from typing import Final

from headgate.api.spec import Metric
from headgate.api.status import MetricStatus, Outcome
from headgate.core.model import MeasureRequest, Reading

TICKS_PER_READING: Final = 300
"""A longer gap is read in several passes; Prometheus refuses ranges of more than 11,000 points."""
LAG_SECONDS: Final = 15.0
"""How long a settled tick may be on its way: a slow answer, but not an operator that was away."""


def interval_of(metric: Metric) -> int:
    """Return the whole seconds between two ticks of *metric*."""
    return max(1, math.ceil(metric.interval_seconds))


def next_tick(metric: Metric, last_tick: int) -> int:
    """Return the tick of *metric* that follows *last_tick*."""
    interval = interval_of(metric)
    return (last_tick // interval + 1) * interval


def unread(
    metrics: Iterable[Metric],
    states: Iterable[MetricStatus],
    queries: Mapping[str, str],
    now: float,
    settle_seconds: float,
) -> tuple[MeasureRequest, ...]:
    """Return what has to be measured: of every metric the ticks after its last one.

    Args:
        metrics: the metrics of the policy.
        states: what is known of them.
        queries: each metric's query with all variables filled in, by name.
        now: the time.
        settle_seconds: how long after a tick every sample that it looks at has been scraped.
    """
    known = {state.name: state for state in states}
    settled = math.floor(now - settle_seconds)
    requests = []
    for metric in metrics:
        if metric.name not in known or metric.name not in queries:
            continue
        interval = interval_of(metric)
        first = next_tick(metric, known[metric.name].last_tick)
        last = min(settled // interval * interval, first + (TICKS_PER_READING - 1) * interval)
        last = max(last, first - interval)
        failures = known[metric.name].failures
        requests.append(MeasureRequest(metric, queries[metric.name], first, last, interval, settle_seconds, failures))
    return tuple(requests)


def is_behind(metric: Metric, state: MetricStatus, now: float, settle_seconds: float) -> bool:
    """Return whether settled ticks are unread that should have been read by now, as after a restart."""
    return now - settle_seconds - state.last_tick > interval_of(metric) + LAG_SECONDS


def enough_at(metric: Metric, state: MetricStatus, weight_since: int) -> int:
    """Return the tick of the last pass that is missing, if all pass from here on."""
    interval = interval_of(metric)
    whole = math.ceil((weight_since + metric.window_seconds) / interval) * interval
    first = max(whole, next_tick(metric, state.last_tick))
    return first + (metric.passes_to_advance - state.passes - 1) * interval


def wakeup_scheduled(
    before: Iterable[MetricStatus], after: Iterable[MetricStatus], readings: Mapping[str, Reading]
) -> frozenset[str]:
    """Return the metrics whose next tick was asked for in this pass: whoever measures wakes us when it is read.

    Not a metric that was begun or set back only in this pass, from the states *before* to those *after* it.
    """
    asked = {state.name: state.last_tick for state in before if state.name in readings}
    return frozenset(state.name for state in after if asked.get(state.name, math.inf) <= state.last_tick)


def no_wakeup_until(
    metrics: Iterable[Metric],
    states: Iterable[MetricStatus],
    weight_since: int | None,
    written_by: float,
    settle_seconds: float,
) -> int:
    """Return the last tick for which nobody has to look, if it and all before it pass: they would change nothing.

    That is until the first of these: a pass that a metric needs to leave the weight; numbers that are to be in the
    status again. While any metric is not passing each tick counts. What is not looked at is folded later.

    Args:
        metrics: the metrics that are judged.
        states: what is known of them.
        weight_since: since when the present weight holds, if it does.
        written_by: when the status is due to be written again.
        settle_seconds: how long after a tick it has settled.
    """
    known = {state.name: state for state in states}
    last = math.ceil(written_by - settle_seconds) - 1
    for metric in metrics:
        state = known.get(metric.name)
        if state is None or state.verdict is not Outcome.PASSED:
            return 0
        if weight_since is not None and state.passes < metric.passes_to_advance:
            last = min(last, enough_at(metric, state, weight_since) - 1)
    return max(last, 0)


def next_reading(
    metrics: Iterable[Metric],
    states: Iterable[MetricStatus],
    told: Container[str],
    now: float,
    settle_seconds: float,
    quiet: int = 0,
) -> float | None:
    """Return when to look for the next tick of any metric if nobody wakes us before, or None if none is to come.

    Of a metric in *told*, we are woken with the answer: that is waited for, as long as a slow one may take, lest what
    was lost on its way be waited for in vain; nobody wakes us for those up to *quiet* (`no_wakeup_until`) that pass. Of
    any other one the tick is asked for once it has settled. Ticks that have settled already are on their way.
    """
    known = {state.name: state for state in states}
    settled = math.floor(now - settle_seconds)
    looks = []
    for metric in metrics:
        if metric.name in known:
            awaited = metric.name in told
            tick = next_tick(metric, max(known[metric.name].last_tick, settled, quiet if awaited else 0))
            looks.append(tick + settle_seconds + (LAG_SECONDS if awaited else 0.0))
    return min(looks) if looks else None
