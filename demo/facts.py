"""What is to be seen at one moment: the Rollout as `headgate status` shows it, and what the users got.

Pure: knows no cluster and no screen.
"""

import dataclasses

from headgate.cli.status.facts import Side, State
from tests.e2e.load import Snapshot


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """All that is shown at one moment."""

    at: float
    """Seconds since the epoch."""
    elapsed_seconds: float
    """Seconds since the demo began."""
    title: str
    state: State
    users: Snapshot
    users_before: Snapshot
    """What the users had got *before_seconds* ago."""
    before_seconds: float

    def rate(self, version: str) -> float:
        """Return how many requests *version* answered in a second, lately."""
        lately = self.users.of(version).requests - self.users_before.of(version).requests
        return lately / self.before_seconds if self.before_seconds else 0.0


def version(side: Side | None) -> str:
    """Return the tag of the first image of *side*; an empty text is none."""
    return side.images[0].rpartition(":")[2] if side is not None and side.images else ""
