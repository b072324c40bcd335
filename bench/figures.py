"""What was measured. Pure: knows no cluster, no clock and no screen."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from typing import Final, Literal

Statistic = Literal["min", "median", "p99"]
HUNDRED: Final = 100


def p99(samples: Sequence[float]) -> float:
    """Return the 99th percentile; of fewer than a hundred samples it lies between the two largest."""
    if len(samples) == 1:
        return samples[0]
    return statistics.quantiles(samples, n=HUNDRED, method="inclusive")[HUNDRED - 2]


@dataclasses.dataclass(frozen=True, slots=True)
class Budget:
    """What a statistic of a figure may be at most (design.md section 6)."""

    limit: float
    of: Statistic = "p99"


@dataclasses.dataclass(frozen=True, slots=True)
class Beside:
    """What a figure is measured against, in the same run on the same cluster."""

    words: str
    samples: tuple[float, ...]
    unit: str = ""
    """The figure's own if empty."""

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    section: str
    name: str
    unit: str
    samples: tuple[float, ...]
    budget: Budget | None = None
    beside: tuple[Beside, ...] = ()
    note: str = ""
    detail: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """What the figure is made of; kept, not shown."""

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError(f"{self.section}, {self.name}: nothing was measured")

    def value(self, statistic: Statistic) -> float:
        """Return a statistic of the samples."""
        if statistic == "p99":
            return p99(self.samples)
        return min(self.samples) if statistic == "min" else statistics.median(self.samples)

    @property
    def within(self) -> bool | None:
        """Whether the budget is kept; None without one."""
        return None if self.budget is None else self.value(self.budget.of) <= self.budget.limit

    def document(self) -> dict[str, object]:
        """Return the figure as plain data."""
        return {
            "section": self.section,
            "name": self.name,
            "unit": self.unit,
            "n": len(self.samples),
            "min": self.value("min"),
            "median": self.value("median"),
            "p99": self.value("p99"),
            "budget": dataclasses.asdict(self.budget) if self.budget else None,
            "within": self.within,
            "beside": [{**dataclasses.asdict(one), "median": one.median} for one in self.beside],
            "note": self.note,
            "detail": dict(self.detail),
            "samples": list(self.samples),
        }
