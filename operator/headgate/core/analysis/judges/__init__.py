"""The judges of measurements, and which of them a metric has.

Owns the list, one line per judge, sorted by field. All others ask for a judge here, and import none.
"""

from typing import Final

from headgate.api.spec import Metric
from headgate.core.analysis.judge import Judge
from headgate.core.analysis.judges import threshold

JUDGES: Final[tuple[Judge, ...]] = (
    threshold.JUDGE,
)  # fmt: skip  # one line per judge


def of(metric: Metric) -> Judge:
    """Return the judge of *metric*: the one whose field the metric has.

    Raises:
        LookupError: if there is none; the API accepts no such metric.
    """
    for judge in JUDGES:
        if getattr(metric, judge.field, None) is not None:
            return judge
    raise LookupError(f"metric {metric.name} has no field that a judge knows: one of {[one.field for one in JUDGES]}")
