"""What every judge of measurements can do.

Owns the protocol alone. Must not know which judges there are: `judges` lists them.
"""

from typing import Protocol

from headgate.api.spec import Metric
from headgate.api.status import Outcome
from headgate.core.model import Sample


class Judge(Protocol):
    """Says of one measurement whether it passed. Pure, and total: any sample has an outcome.

    `fold` counts the outcomes, and decides which of them count at the present weight.
    """

    @property
    def field(self) -> str:
        """The field of a metric that says what this judge judges by. A metric has one such field."""

    def bound(self, metric: Metric) -> str:
        """Return what a value must be, for people: ``<= 0.01``. At most 128 characters, as the status holds it."""

    def outcome(self, metric: Metric, sample: Sample) -> Outcome:
        """Return how *sample* ended. One without a value neither passes nor fails."""
