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
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from headgate.api.spec import Metric
from headgate.api.status import MetricStatus, Outcome, RolloutStatus, Side
from headgate.core.analysis import judges
from headgate.core.analysis.judge import Judge
from headgate.core.model import Reading, Sample

DECIDED: Final = (Outcome.PASSED, Outcome.FAILED)
_MESSAGE_LENGTH: Final = 1000


def watched(status: RolloutStatus) -> tuple[Side, Side | None] | None:
    """Return the revision that is judged and the one that stands behind it: canary and stable, or stable and warm.

    Behind the first revision of all there is none.
    """
    if status.stable is None:
        return (status.canary, None) if status.canary is not None else None
    if status.canary is not None:
        return (status.canary, status.stable) if status.canary.abort is None else None
    return (status.stable, status.previous) if status.previous is not None else None


def begin(metrics: Iterable[Metric], now: float) -> tuple[MetricStatus, ...]:
    """Return the state in which an attempt's analysis begins: nothing known, the first tick still to come."""
    return tuple(
        MetricStatus(
            name=metric.name,
            verdict=Outcome.NO_DATA,
            bound=judges.of(metric).bound(metric),
            since=math.floor(now),
            watched_since=math.floor(now),
            last_tick=math.floor(now),
            message="not measured yet",
        )
        for metric in metrics
    )


def keep_unchanged(
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


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """From when on a measurement's window counts."""

    analysis_from: int
    """For failures: what lies before this is not this attempt's. 0: nothing does."""
    weight_since: int | None
    """For passes: since when the present weight holds. None: not yet."""
    late: frozenset[str] = frozenset()
    """The metrics by which nothing counts, not even a failure, that they look back on before there were pods for it."""
    pods_since: int | None = None
    """Since when there are."""
    endless: bool = False
    """Whether a breach is not the end: where there is nothing to go back to, what fails may yet pass."""


def _folded_tick(judge: Judge, metric: Metric, state: MetricStatus, sample: Sample, span: Span) -> MetricStatus:
    outcome = judge.outcome(metric, sample)
    window_start = sample.at - metric.window_seconds
    message = sample.message[:_MESSAGE_LENGTH]
    early = span.weight_since is None or window_start < span.weight_since
    bare = span.pods_since is None or window_start < span.pods_since
    if outcome in DECIDED and window_start < span.analysis_from:
        outcome, message = Outcome.NO_DATA, "its window reaches back into an earlier attempt"
    elif outcome in DECIDED and bare and metric.name in span.late:
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
            "last_judged": sample.at if outcome in DECIDED else state.last_judged,
        }
    )


def _folded(metric: Metric, state: MetricStatus, reading: Reading, span: Span, now: float) -> MetricStatus:
    judge = judges.of(metric)
    for sample in reading.samples:
        if state.failures >= metric.failures_to_rollback and not span.endless:
            return state
        if sample.at > state.last_tick:
            state = _folded_tick(judge, metric, state, sample, span)
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
    after = []
    for metric in metrics:
        state = known.get(metric.name)
        if state is not None:
            after.append(_folded(metric, state, readings.get(metric.name, Reading()), span, now))
    return tuple(after)
