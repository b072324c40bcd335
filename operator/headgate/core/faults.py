"""The ways in which a call to the cluster can fail, as far as a caller may act on them.

```
Fault
├── Unreachable   nobody answered, or asked to come back later: try again with backoff
├── Refused       the server said no, in words a user can read: report, retry slowly
└── Conflict      somebody else was faster: look again at once
```
That an object does not exist is a fact, not a fault. Anything else that is raised is a bug of ours.
"""


class Fault(Exception):
    """Base of all faults; never raised itself."""


class Unreachable(Fault):
    """The server could not be asked, or did not answer in time or in earnest (transport errors, 429, 5xx)."""

    retry_after_seconds: float = 0.0
    """For how long the server asked to be left alone."""


class Refused(Fault):
    """The server understood and said no (403, or 422 and 400 that are not about our own patch test)."""


class Conflict(Fault):
    """A lost race: 409, or 422 from our own patch's test operation."""
