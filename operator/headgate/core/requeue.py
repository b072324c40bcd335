"""When a Rollout is looked at again after a pass, and how urgently: the one policy of retries. Pure.

Owns what is kept for it between passes. The operator (`reconciler`) and the simulation (`operator_process`)
carry out the same answers. Knows no queue and no clock: the time and the jitter come in as data.

| how the pass ended | looked at again |
|---|---|
| well | when the decision says |
| another client wrote first | at once; from the sixth time in a row after 50 ms, 100 ms, … 5 s |
| the API server cannot be reached | after 1 s, 2 s, … 60 s, and not before the server asks for (Retry-After) |
| the API server refused something | as decided, but within a minute |
| it refused a step back to stable | as decided, but after 1 s, 2 s, … 60 s at the latest |
| a command came, and the pass did not go back | at once, half a second after it began |
| a dry run is not answered yet | with its answer, or when it is time to say that there is none |
| a bug in Headgate | as if unreachable, and logged with the Observation |

A step back to stable that failed goes before Rollouts that are not urgent when its time has come. It does not wait for
a Retry-After: it is tried again after 1 s, 2 s, … 60 s whatever that says.
"""

import dataclasses
import enum
from typing import Final, Protocol

from headgate.core.faults import Conflict, Refused, Unreachable
from headgate.core.model import Decision

BACKOFF_FIRST_SECONDS: Final = 1.0
BACKOFF_LAST_SECONDS: Final = 60.0
REFUSED_SECONDS: Final = 60.0
FAILURES_TOLD: Final = 3
CONFLICTS_AT_ONCE: Final = 5
CONFLICT_SECONDS: Final = 0.05
CONFLICT_SECONDS_MAX: Final = 5.0
OVERTAKEN_SECONDS: Final = 0.5
"""How long a pass may run on when something urgent comes: admission may hold up a new Deployment, but no abort of it.
To be ended between two writes, or in one, is what a restart does to a pass, and as safe. Each that is ended gives the
next one twice the time, so that commands without end, to a server that is slow, end no pass for ever."""
_DOUBLINGS_MAX: Final = 8
"""After so many each delay has reached its most: a count need not grow further."""
_COUNT_MAX: Final = CONFLICTS_AT_ONCE + 1 + _DOUBLINGS_MAX
_REFUSALS_MAX: Final = 64
"""Many times what one pass writes."""
_REFUSAL_CHARACTERS_MAX: Final = 2048
"""The cluster adapter keeps 1024 of the server's; the rest names the object."""


class Result(Protocol):
    """What became of a Decision."""

    @property
    def status_written(self) -> bool:
        """Whether the status was written."""

    @property
    def conflict(self) -> bool:
        """Whether another client wrote something first."""

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the API server refused, in its words."""

    @property
    def unreachable(self) -> str:
        """Why something could not be written, or empty."""

    @property
    def retry_after_seconds(self) -> float:
        """For how long the server asked to be left alone; 0 if it did not."""


@dataclasses.dataclass(frozen=True, slots=True)
class Retries:
    """What is kept of a Rollout's retries between passes. All of it may be lost at any time."""

    refusals: tuple[str, ...] = ()
    """What the API server refused in the last pass, in its words: the next Observation holds it."""
    failures: int = 0
    """How many delays in a row were backed off."""
    conflicts: int = 0
    """In a row."""
    overtaken: int = 0
    """How many passes in a row were ended for something urgent."""

    @property
    def patience_seconds(self) -> float:
        """How long a pass runs, from its beginning, before it is ended for something urgent."""
        return OVERTAKEN_SECONDS * 2.0 ** min(self.overtaken, _DOUBLINGS_MAX)


@dataclasses.dataclass(frozen=True, slots=True)
class Acted:
    """A pass came to a decision, which was carried out."""

    decision: Decision
    result: Result


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """A pass did nothing because a dry run is not answered yet."""

    seconds: float
    """After how many more it is said that there is no answer."""


class Early(enum.Enum):
    """A pass was ended before it was done."""

    OVERTAKEN = "something urgent came"
    BUG = "a bug in Headgate"


Ending = Acted | Asked | Conflict | Unreachable | Refused | Early
"""How a pass ended; a fault where it was raised before anything was decided."""


class Level(enum.IntEnum):
    """How important a line of the log is; numbered as in `logging`."""

    DEBUG = 10
    WARNING = 30
    ERROR = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Requeue:
    """What follows from how a pass ended."""

    retries: Retries
    """What is kept for the next time."""
    result: str
    """What the pass is counted as."""
    at_once: bool = False
    """Whether to look again as soon as a worker is free."""
    at: float | None = None
    """Else when to look again, in seconds since the epoch; None: when something happens."""
    urgent: bool = False
    """Whether the next look goes before those that are not urgent."""
    quiet_until: int = 0
    """Up to this tick of its metrics the Rollout need not be woken for those that pass."""
    level: Level = Level.DEBUG
    message: str = ""
    """For the log; empty: nothing."""


def after(retries: Retries, ending: Ending, now: float, jitter: float) -> Requeue:
    """Return what follows.

    Args:
        retries: what was kept.
        ending: how the pass ended.
        now: seconds since the epoch.
        jitter: from 0 to 1, by chance: Rollouts that fail together do not come back together.
    """
    if ending is Early.OVERTAKEN:
        more = dataclasses.replace(retries, overtaken=_counted(retries.overtaken))
        return Requeue(more, "overtaken", at_once=True, urgent=True)
    kept = dataclasses.replace(retries, overtaken=0)
    match ending:
        case Acted():
            return _acted(kept, ending, now, jitter)
        case Asked():
            return Requeue(kept, "asked", at=now + max(ending.seconds, 0.0))
        case Conflict():
            return _conflict(kept, now, jitter, urgent=False)
        case Unreachable():
            return _unreachable(kept, str(ending), now, _backoff_seconds(kept, jitter, ending.retry_after_seconds))
        case Refused():
            return _refused(_recovered(kept, (str(ending),)), None, now, jitter)
        case _:
            return _bug(kept, now, _backoff_seconds(kept, jitter))


def _acted(kept: Retries, ending: Acted, now: float, jitter: float) -> Requeue:
    decision, result = ending.decision, ending.result
    kept = dataclasses.replace(kept, refusals=_bounded(result.refusals))
    if result.conflict:
        return _conflict(kept, now, jitter, urgent=decision.urgent)
    kept = dataclasses.replace(kept, conflicts=0)
    if result.unreachable:
        asked_seconds = 0.0 if decision.urgent else result.retry_after_seconds
        delay_seconds = _backoff_seconds(kept, jitter, asked_seconds)
        return _unreachable(kept, result.unreachable, now, delay_seconds, urgent=decision.urgent)
    decided_at = None if decision.recheck_at is None else max(decision.recheck_at, now)
    if result.refusals and decision.urgent:
        return _refused_urgently(kept, decided_at, now, _backoff_seconds(kept, jitter))
    kept = _recovered(kept, kept.refusals)
    if result.refusals:
        return _refused(kept, decided_at, now, jitter)
    return Requeue(kept, "ok", at=decided_at, quiet_until=decision.quiet_until)


def _conflict(kept: Retries, now: float, jitter: float, *, urgent: bool) -> Requeue:
    kept = dataclasses.replace(kept, conflicts=_counted(kept.conflicts))
    storm = kept.conflicts - CONFLICTS_AT_ONCE
    if storm <= 0:
        return Requeue(kept, "conflict", at_once=True, urgent=urgent)
    delay_seconds = min(CONFLICT_SECONDS * 2.0 ** min(storm - 1, _DOUBLINGS_MAX), CONFLICT_SECONDS_MAX)
    return Requeue(kept, "conflict", at=now + delay_seconds * (0.9 + 0.2 * jitter), urgent=urgent)


def _unreachable(kept: Retries, why: str, now: float, delay_seconds: float, *, urgent: bool = False) -> Requeue:
    kept = _failed(kept)
    # Of an outage the log hears once (outage.py); one call that keeps failing is a Rollout's own trouble.
    level = Level.WARNING if kept.failures == FAILURES_TOLD else Level.DEBUG
    message = f"no answer, trying again in {delay_seconds:.0f} s: {why}"
    return Requeue(kept, "unreachable", at=now + delay_seconds, urgent=urgent, level=level, message=message)


def _refused(kept: Retries, decided_at: float | None, now: float, jitter: float) -> Requeue:
    at = now + REFUSED_SECONDS * (0.9 + 0.1 * jitter)
    message = f"the API server refused: {'; '.join(kept.refusals)}"
    return Requeue(kept, "refused", at=_earlier(at, decided_at), level=Level.WARNING, message=message)


def _refused_urgently(kept: Retries, decided_at: float | None, now: float, delay_seconds: float) -> Requeue:
    words = "; ".join(kept.refusals)
    message = f"the API server refused a step back, trying again in {delay_seconds:.0f} s: {words}"
    at = _earlier(now + delay_seconds, decided_at)
    return Requeue(_failed(kept), "refused", at=at, urgent=True, level=Level.WARNING, message=message)


def _bug(kept: Retries, now: float, delay_seconds: float) -> Requeue:
    message = f"a bug in Headgate stopped this pass; please report it. Trying again in {delay_seconds:.0f} s"
    return Requeue(_failed(kept), "bug", at=now + delay_seconds, level=Level.ERROR, message=message)


def _backoff_seconds(kept: Retries, jitter: float, least_seconds: float = 0.0) -> float:
    """Return after how long to look again after one more failure, as in client-go; at least *least_seconds*."""
    delay_seconds = min(BACKOFF_FIRST_SECONDS * 2.0 ** min(kept.failures, _DOUBLINGS_MAX), BACKOFF_LAST_SECONDS)
    return max(delay_seconds * (0.5 + 0.5 * jitter), least_seconds)


def _failed(kept: Retries) -> Retries:
    return dataclasses.replace(kept, failures=_counted(kept.failures))


def _recovered(kept: Retries, refusals: tuple[str, ...]) -> Retries:
    """Return *kept* when the server has answered in earnest; *refusals* are what it said no to."""
    return dataclasses.replace(kept, failures=0, refusals=_bounded(refusals))


def _counted(count: int) -> int:
    return min(count + 1, _COUNT_MAX)


def _bounded(refusals: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(words[:_REFUSAL_CHARACTERS_MAX] for words in refusals[:_REFUSALS_MAX])


def _earlier(at: float, decided_at: float | None) -> float:
    return at if decided_at is None else min(at, decided_at)
