"""Whether measurements that were read are news for a Rollout, and how urgent.

Owns what a pass need not be told at once. Judges by the same judges as `fold`, so that who is woken and what is decided
cannot differ. Must not know who measures, or who is woken.
"""

import enum
from collections.abc import Iterable, Sequence

from headgate.api.status import Outcome
from headgate.core.analysis import judges
from headgate.core.model import MeasureRequest, Sample


class News(enum.Enum):
    """What new measurements are to the Rollout that waits for them."""

    PASSED = "Passed"
    """All passed: it may sleep on as long as it said that a pass changes nothing."""
    CHANGED = "Changed"
    """At least one did not pass, or there is none."""
    BREACH = "Breach"
    """They may be the last that a breach needs: its pass comes before others."""


def news(requests: Iterable[MeasureRequest], new: Sequence[Sample], kept: Iterable[Sample]) -> News:
    """Return what the samples in *new* are to the Rollout that made *requests* for one query.

    Args:
        requests: the requests; they may be of several metrics.
        new: what was read just now.
        kept: all that is known of the query by now, in order, with what is new; it can be iterated again.
    """
    requests = tuple(requests)
    outcomes = {judges.of(one.metric).outcome(one.metric, sample) for one in requests for sample in new}
    if outcomes == {Outcome.PASSED}:
        return News.PASSED
    if Outcome.FAILED in outcomes and any(completes_breach(request, kept) for request in requests):
        return News.BREACH
    return News.CHANGED


def completes_breach(request: MeasureRequest, samples: Iterable[Sample]) -> bool:
    """Return whether *samples*, in order, may be the last that a breach needs; those before the request do not count.

    Not where there has been a breach already, as of a first version that fails for ever: nothing waits for another one.
    """
    failures, enough = request.failures, request.metric.failures_to_rollback
    if failures >= enough:
        return False
    judge = judges.of(request.metric)
    for sample in samples:
        if sample.at < request.first:
            continue
        outcome = judge.outcome(request.metric, sample)
        failures = 0 if outcome is Outcome.PASSED else failures + (outcome is Outcome.FAILED)
        if failures >= enough:
            return True
    return False
