"""Measurements of metrics: what is asked for and what was read. All plain data."""

import dataclasses

from headgate.api.spec import Metric
from headgate.api.status import Outcome


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """One settled tick of a metric, not yet held against its threshold."""

    at: int
    """The tick: the point in time that the value was evaluated at."""
    value: float | None
    """None where there is no single finite value."""
    outcome: Outcome | None = None
    """NO_DATA or AMBIGUOUS where value is None."""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What can be said now of a metric's unread ticks."""

    samples: tuple[Sample, ...] = ()
    """Settled ticks without a gap, oldest first, starting with the first unread one."""
    problem: str = ""
    """Why the following ticks cannot be read at present; empty when they are on their way or there are none."""


@dataclasses.dataclass(frozen=True, slots=True)
class MeasureRequest:
    """The unread ticks of one metric: first, first + interval, … up to last; and those after it as they settle."""

    metric: Metric
    query: str
    """With all variables filled in."""
    first: int
    last: int
    """The newest that has settled, or that is to be read at once; before first while there is none."""
    interval_seconds: int
    settle_seconds: float
    """How long after a tick it has settled."""
    failures: int = 0
    """How many ticks before the first failed in a row."""
