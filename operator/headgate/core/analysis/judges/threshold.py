"""The judge of thresholds: a value passes within its bounds."""

import math
from collections.abc import Iterable

from headgate.api.spec import Threshold
from headgate.api.status import Outcome
from headgate.core.model import MeasureRequest, Sample


def bound_text(threshold: Threshold) -> str:
    """Return what a value must be, for people: ``<= 0.01``."""
    parts = []
    if threshold.min is not None:
        parts.append(f">= {threshold.min:g}")
    if threshold.max is not None:
        parts.append(f"<= {threshold.max:g}")
    return " and ".join(parts)


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
