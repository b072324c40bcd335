"""Verdicts: a pure fold of settled ticks, each once, in order.

A metric is measured at its ticks: the multiples of its interval since the epoch, the same for everybody, so that equal
queries can be shared. A tick is settled, and may be read, once every sample that it looks at has been scraped.

    tick          t-60        t-50   …   t            (interval 10s, window 60s)
    its window    [t-120, t-60] …        [t-60, t]    a pass at t counts for a weight that holds since t-60 or before

Failures count from the first tick of the attempt on: errors of the new version are errors at any weight. Passes count
for the present weight only if their whole window lies at it. NoData, Ambiguous and Error neither count nor reset.
"""

import dataclasses
import math
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from headgate.api import values
from headgate.api.spec import Metric, Threshold
from headgate.api.status import MetricStatus, Outcome, RolloutStatus, Side
from headgate.core.model import MeasureRequest, Reading, Sample

TICKS_PER_READING: Final = 300
"""A longer gap is read in several passes; Prometheus refuses ranges of more than 11,000 points."""
LAG_SECONDS: Final = 15.0
"""How long a settled tick may be on its way: a slow answer, but not an operator that was away."""
_DECIDED: Final = (Outcome.PASSED, Outcome.FAILED)
_MESSAGE_LENGTH: Final = 1000


def watched(status: RolloutStatus) -> tuple[Side, Side | None] | None:
    """Return the revision that is judged and the one that stands behind it: canary and stable, or stable and warm.

    Behind the first revision of all there is none.
    """
    if status.stable is None:
        return (status.canary, None) if status.canary is not None else None
    if status.canary is not None:
        return (status.canary, status.stable) if status.canary.leaving is None else None
    return (status.stable, status.warm) if status.warm is not None else None


def interval_of(metric: Metric) -> int:
    """Return the whole seconds between two ticks of *metric*."""
    return max(1, math.ceil(metric.interval_seconds))


def _next_tick(metric: Metric, last_tick: int) -> int:
    interval = interval_of(metric)
    return (last_tick // interval + 1) * interval


def bound_text(threshold: Threshold) -> str:
    """Return what a value must be, for people: ``<= 0.01``."""
    parts = []
    if threshold.min is not None:
        parts.append(f">= {threshold.min:g}")
    if threshold.max is not None:
        parts.append(f"<= {threshold.max:g}")
    return " and ".join(parts)


def begin(metrics: Iterable[Metric], now: float) -> tuple[MetricStatus, ...]:
    """Return the state in which an attempt's analysis begins: nothing known, the first tick still to come."""
    return tuple(
        MetricStatus(
            name=metric.name,
            verdict=Outcome.NO_DATA,
            bound=bound_text(metric.threshold),
            since=math.floor(now),
            watched_since=math.floor(now),
            last_tick=math.floor(now),
            message="not measured yet",
        )
        for metric in metrics
    )


def carried(
    old: Sequence[Metric], new: Sequence[Metric], states: Sequence[MetricStatus], now: float
) -> tuple[MetricStatus, ...]:
    """Return *states* after an edit of the metrics: those left as they were go on, the others begin anew."""
    unchanged = {metric.name for metric in new if metric in old}
    known = {state.name: state for state in states}
    return tuple(
        known[fresh.name] if fresh.name in unchanged and fresh.name in known else fresh for fresh in begin(new, now)
    )


def at_new_weight(states: Iterable[MetricStatus]) -> tuple[MetricStatus, ...]:
    """Return *states* when the weight changes: passes are of one weight, failures are of the revision."""
    return tuple(state.model_copy(update={"passes": 0}) for state in states)


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
        first = _next_tick(metric, known[metric.name].last_tick)
        last = min(settled // interval * interval, first + (TICKS_PER_READING - 1) * interval)
        last = max(last, first - interval)
        failures = known[metric.name].failures
        requests.append(MeasureRequest(metric, queries[metric.name], first, last, interval, settle_seconds, failures))
    return tuple(requests)


def judge(threshold: Threshold, sample: Sample) -> Outcome:
    """Return how *sample* stands to *threshold*; the bounds themselves pass."""
    if sample.value is None:
        return sample.outcome or Outcome.NO_DATA
    if not math.isfinite(sample.value):
        return Outcome.AMBIGUOUS
    below = threshold.min is not None and sample.value < threshold.min
    above = threshold.max is not None and sample.value > threshold.max
    return Outcome.FAILED if below or above else Outcome.PASSED


def completes_breach(request: MeasureRequest, samples: Iterable[Sample]) -> bool:
    """Return whether *samples*, in order from the request's first tick on, may be the last that a breach needs.

    Not where there has been a breach already, as of a first version that fails for ever: nothing waits for another one.
    """
    failures, enough = request.failures, request.metric.failures_to_rollback
    if failures >= enough:
        return False
    for sample in samples:
        outcome = judge(request.metric.threshold, sample)
        failures = 0 if outcome is Outcome.PASSED else failures + (outcome is Outcome.FAILED)
        if failures >= enough:
            return True
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """From when on a measurement's window counts."""

    judged_from: int
    """For failures: what lies before this is not this attempt's. 0: nothing does."""
    weight_since: int | None
    """For passes: since when the present weight holds. None: not yet."""
    late: frozenset[str] = frozenset()
    """The metrics by which nothing counts, not even a failure, that they look back on before there were pods for it."""
    pods_since: int | None = None
    """Since when there are."""
    endless: bool = False
    """Whether a breach is not the end: where there is nothing to go back to, what fails may yet pass."""


def _folded_tick(metric: Metric, state: MetricStatus, sample: Sample, span: Span) -> MetricStatus:
    outcome = judge(metric.threshold, sample)
    window_start = sample.at - metric.window_seconds
    message = sample.message[:_MESSAGE_LENGTH]
    early = span.weight_since is None or window_start < span.weight_since
    bare = span.pods_since is None or window_start < span.pods_since
    if outcome in _DECIDED and window_start < span.judged_from:
        outcome, message = Outcome.NO_DATA, "its window reaches back into an earlier attempt"
    elif outcome in _DECIDED and bare and metric.name in span.late:
        outcome, message = Outcome.NO_DATA, "its window reaches back too far: its pods or its weight were not there yet"
    passes, failures = state.passes, state.failures
    if outcome is Outcome.PASSED:
        failures = 0
        passes += not early
    elif outcome is Outcome.FAILED:
        passes, failures = 0, failures + 1
    return state.model_copy(
        update={
            "verdict": outcome,
            "value": "" if sample.value is None else f"{sample.value:.6g}",
            "passes": passes,
            "failures": failures,
            "message": message[:_MESSAGE_LENGTH],
            "since": state.since if outcome is state.verdict else sample.at,
            "last_tick": sample.at,
            "last_judged": sample.at if outcome in _DECIDED else state.last_judged,
        }
    )


def _folded(metric: Metric, state: MetricStatus, reading: Reading, span: Span, now: float) -> MetricStatus:
    for sample in reading.samples:
        if state.failures >= metric.failures_to_rollback and not span.endless:
            return state
        if sample.at > state.last_tick:
            state = _folded_tick(metric, state, sample, span)
    if reading.problem and (span.endless or state.failures < metric.failures_to_rollback):
        since = state.since if state.verdict is Outcome.ERROR else math.floor(now)
        return state.model_copy(
            update={"verdict": Outcome.ERROR, "message": reading.problem[:_MESSAGE_LENGTH], "since": since}
        )
    return state


def fold(
    metrics: Iterable[Metric],
    states: Iterable[MetricStatus],
    readings: Mapping[str, Reading],
    span: Span,
    now: float,
) -> tuple[MetricStatus, ...]:
    """Return *states* after the ticks in *readings*, of every metric in order.

    A tick that was folded before is passed over; a breach stays: nothing is folded after it, unless *span* is endless.
    """
    known = {state.name: state for state in states}
    return tuple(
        _folded(metric, known[metric.name], readings.get(metric.name, Reading()), span, now)
        for metric in metrics
        if metric.name in known
    )


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


def _is_behind(metric: Metric, state: MetricStatus, now: float, settle_seconds: float) -> bool:
    """Return whether settled ticks are unread that should have been read by now, as after a restart."""
    return now - settle_seconds - state.last_tick > interval_of(metric) + LAG_SECONDS


@dataclasses.dataclass(frozen=True, slots=True)
class Evidence:
    """What the metrics say about leaving the present weight."""

    missing: tuple[str, ...] = ()
    """What is not proved yet, a phrase per metric; empty: the weight may be left."""
    blind: tuple[str, ...] = ()
    """Metrics that should have had a value by now and have none, each with its state."""
    doomed: str = ""
    """Why the revision must go back for want of data, where the user asked for that."""


def _enough_at(metric: Metric, state: MetricStatus, weight_since: int) -> int:
    """Return the tick of the last pass that is missing, if all pass from here on."""
    interval = interval_of(metric)
    whole = math.ceil((weight_since + metric.window_seconds) / interval) * interval
    first = max(whole, _next_tick(metric, state.last_tick))
    return first + (metric.passes_to_advance - state.passes - 1) * interval


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
        sightless = state.verdict not in _DECIDED and deprived > metric.window_seconds
        why = f"{state.verdict} for {values.format_duration(deprived)}: {state.message}".removesuffix(": ")
        overdue = deprived > metric.no_data.after_seconds
        if overdue and metric.no_data.then == "Rollback":
            doomed = f"metric {metric.name} was {why}"
        if overdue and metric.no_data.then == "Advance" and state.failures == 0:
            continue
        if sightless:
            blind.append(f"{metric.name} is {why}")
        if state.passes < metric.passes_to_advance:
            soonest = values.format_time(math.ceil(_enough_at(metric, state, weight_since) + settle_seconds))
            passed = f"{metric.name} passed {state.passes} of {metric.passes_to_advance} times"
            missing.append(f"{passed} (enough by {soonest} at the earliest)")
        elif sightless or _is_behind(metric, state, now, settle_seconds):
            missing.append(f"{metric.name} has measurements that are not read yet")
    return Evidence(tuple(missing), tuple(blind), doomed)


def announced(
    before: Iterable[MetricStatus], after: Iterable[MetricStatus], readings: Mapping[str, Reading]
) -> frozenset[str]:
    """Return the metrics whose next tick was asked for in this pass: whoever measures wakes us when it is read.

    Not a metric that was begun or set back only in this pass, from the states *before* to those *after* it.
    """
    asked = {state.name: state.last_tick for state in before if state.name in readings}
    return frozenset(state.name for state in after if asked.get(state.name, math.inf) <= state.last_tick)


def quiet_until(
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
            last = min(last, _enough_at(metric, state, weight_since) - 1)
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
    was lost on its way be waited for in vain; nobody wakes us for those up to *quiet* (`quiet_until`) that pass. Of any
    other one the tick is asked for once it has settled. Ticks that have settled already are on their way.
    """
    known = {state.name: state for state in states}
    settled = math.floor(now - settle_seconds)
    looks = []
    for metric in metrics:
        if metric.name in known:
            awaited = metric.name in told
            tick = _next_tick(metric, max(known[metric.name].last_tick, settled, quiet if awaited else 0))
            looks.append(tick + settle_seconds + (LAG_SECONDS if awaited else 0.0))
    return min(looks) if looks else None


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
