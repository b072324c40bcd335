"""A judge of its own: a value passes near a number that the metric names. The example of CONTRIBUTING.md."""

import math
from typing import Any, Final

from headgate.api.spec import Metric
from headgate.api.status import Outcome
from headgate.core.model import Sample
from tests.core import worlds

NEAR: Final = 1.0
"""How far a value may be from the number."""


class NearMetric(Metric):
    """A metric with the field of this judge."""

    near: float


class NearJudge:
    """Holds a value against the number that it must be near."""

    field: Final = "near"

    def bound(self, metric: Metric) -> str:
        """Return what a value must be."""
        return f"{_number(metric):g} ± {NEAR:g}"

    def outcome(self, metric: Metric, sample: Sample) -> Outcome:
        """Return whether *sample* is near enough."""
        if sample.value is None:
            return sample.outcome or Outcome.NO_DATA
        if not math.isfinite(sample.value):
            return Outcome.AMBIGUOUS
        return Outcome.PASSED if abs(sample.value - _number(metric)) <= NEAR else Outcome.FAILED


JUDGE: Final = NearJudge()


def metric(near: float) -> Metric:
    """Return a metric that this judge judges, and no other: without a threshold."""
    fields: dict[str, Any] = worlds.metric().model_dump()
    return NearMetric.model_construct(**{**fields, "threshold": None, "near": near})


def _number(metric: Metric) -> float:
    assert isinstance(metric, NearMetric)
    return metric.near
