"""How often a key may be looked at: many times at once, as in any rollout, but not for long.

What one Rollout's own objects do can wake it without end: a Service whose labels some other tool puts back ten times a
second, a writer with whom each write is a lost race. Each pass costs some ten milliseconds of a processor that all
Rollouts share. The rule is a token bucket (client-go's BucketRateLimiter), kept as one time for each key.
"""

import collections
from typing import Final

from headgate.core.model import Key

BURST: Final = 20
"""Passes that may follow each other at once: a rollout's liveliest moments take about ten."""
PERIOD_SECONDS: Final = 0.5
"""What each further one has to wait for: two passes a second, for as long as it is woken more often."""


class RateLimit:
    """When each key has used up what it may use. Forgets a key that has not."""

    def __init__(self) -> None:
        self._full_at: collections.OrderedDict[Key, float] = collections.OrderedDict()
        """By key: when its bucket will be full again. Those that are full do not stand here for long."""

    def delay_seconds(self, key: Key, now: float) -> float:
        """Return how long *key* has to wait; 0 or less: it need not."""
        return self._full_at.get(key, now) - now - (BURST - 1) * PERIOD_SECONDS

    def used(self, key: Key, now: float) -> None:
        """Take in that a pass over *key* begins.

        An empty bucket owes nothing: passes that were urgent or due take what is there and never more. A Rollout that
        was scaled a hundred times in ten seconds would otherwise be looked at half a minute late from then on.
        """
        full_at = max(self._full_at.get(key, now), now) + PERIOD_SECONDS
        self._full_at[key] = min(full_at, now + BURST * PERIOD_SECONDS)
        self._full_at.move_to_end(key)
        for _ in range(2):  # one more than comes in, so that what is over goes
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now:
                break
            del self._full_at[oldest]

    def forget(self, key: Key) -> None:
        """Drop what is kept of *key*."""
        self._full_at.pop(key, None)
