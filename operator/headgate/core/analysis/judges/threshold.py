"""The judge of thresholds: a value passes within its bounds."""

import math
from typing import Final

from headgate.api.spec import Metric
from headgate.api.status import Outcome
from headgate.core.model import Sample


class ThresholdJudge:
    """Holds a value against the least and the greatest that are allowed."""

    field: Final = "threshold"

    def bound(self, metric: Metric) -> str:
        """Return what a value must be, for people: ``<= 0.01``."""
        parts = []
        if metric.threshold.min is not None:
            parts.append(f">= {metric.threshold.min:g}")
        if metric.threshold.max is not None:
            parts.append(f"<= {metric.threshold.max:g}")
        return " and ".join(parts)

    def outcome(self, metric: Metric, sample: Sample) -> Outcome:
        """Return how *sample* stands to the threshold of *metric*; the bounds themselves pass."""
        if sample.value is None:
            return sample.outcome or Outcome.NO_DATA
        if not math.isfinite(sample.value):
            return Outcome.AMBIGUOUS
        threshold = metric.threshold
        below = threshold.min is not None and sample.value < threshold.min
        above = threshold.max is not None and sample.value > threshold.max
        return Outcome.FAILED if below or above else Outcome.PASSED


JUDGE: Final = ThresholdJudge()
