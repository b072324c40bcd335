"""What became of each version and of the users, and whether that was right.

Owns the claims that the demo makes. Pure: knows no cluster and no screen.
"""

import dataclasses

from headgate.cli.status.facts import State
from tests.e2e import podinfo
from tests.e2e.load import NOBODY, Snapshot


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What became of one version."""

    version: str
    outcome: str
    right: bool
    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Rollback:
    """How fast the bad version went, in seconds since the first measurement that failed, and since its first error."""

    reason: str
    decided_seconds: float | None
    last_answer_seconds: float | None
    hurt_seconds: float | None
    """From the first error of the bad version that a user saw to the last one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Check:
    """One claim, and whether it held."""

    words: str
    holds: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """The end of the story."""

    lines: tuple[Line, ...]
    users: Snapshot
    rollback: Rollback
    quiet: bool

    @property
    def checks(self) -> tuple[Check, ...]:
        """Return every claim: the outcome was right if all hold."""
        right = {line.version for line in self.lines if line.right}
        good = (podinfo.GOOD, podinfo.BETTER)
        lost = sum(self.users.of(version).errors for version in (*good, NOBODY))
        served = all(self.users.of(version).requests for version in good)
        return (
            Check(f"{podinfo.GOOD} became stable", podinfo.GOOD in right),
            Check(f"{podinfo.BETTER} was promoted, step by step", podinfo.BETTER in right),
            Check(f"{podinfo.BAD} was rolled back, for its error rate", self._went_back),
            Check(f"afterwards users met {podinfo.BETTER} alone", self.quiet),
            Check(f"no other request failed: {lost} errors that are not of {podinfo.BAD}", served and lost == 0),
        )

    @property
    def right(self) -> bool:
        """Return whether all was as it should be."""
        return all(check.holds for check in self.checks)

    @property
    def failed_percent(self) -> float:
        """Return the share of all requests that failed."""
        return 100 * self.users.errors / self.users.requests if self.users.requests else 0.0

    @property
    def _went_back(self) -> bool:
        right = any(line.version == podinfo.BAD and line.right for line in self.lines)
        return right and "error-rate" in self.rollback.reason


def rollback(end: State, turning: State | None, users: Snapshot) -> Rollback:
    """Return how the newest rollout went back, from the states at the *end* and at the *turning* point."""
    entry = end.ended[0] if end.ended else {}
    if entry.get("outcome") != "RolledBack":
        return Rollback("", None, None, None)
    bad = users.of(podinfo.BAD)
    metrics = turning.metrics if turning else ()
    failing = [metric.since for metric in metrics if metric.verdict == "Failed" and metric.since is not None]
    failed_at = min(failing, default=None)
    return Rollback(
        reason=entry.get("message", ""),
        decided_seconds=_between(failed_at, turning.left_at if turning else None),
        last_answer_seconds=_between(failed_at, bad.last_at or None),
        hurt_seconds=_between(bad.first_error_at, bad.last_error_at),
    )


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else end - start
