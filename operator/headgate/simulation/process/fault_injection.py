"""What goes wrong between an operator and the API server, and when. Owns the choice; the calls obey."""

import dataclasses
import enum
import random
from collections.abc import Callable, Collection
from typing import Any, Final

from headgate.core import faults
from headgate.core.model import Json, Kind


class Crash(BaseException):
    """The process is gone, as after SIGKILL: nothing of ours may catch this."""


class Trouble(enum.StrEnum):
    """What happens to a call."""

    CRASH_BEFORE = "the process dies before the call arrives"
    CRASH_AFTER = "the process dies when the call has taken effect"
    CONFLICT = "409"
    REFUSED = "403"
    UNREACHABLE = "503"
    LOST_ANSWER = "the call takes effect and its answer is lost"
    HANGS = "no answer for as long as the client waits"
    GARBAGE = "200, and objects that are none of their kind"


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request of an operator."""

    verb: str
    """get, select, try_create, create, patch, apply_status, delete or evict."""
    kind: Kind
    name: str
    at: float
    ordinal: int
    """Which write, or which read, of all processes' it is, counted from 1."""

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.verb in WRITES


WRITES: Final = ("create", "patch", "apply_status", "delete", "evict")
READS_ONLY: Final = (Trouble.HANGS, Trouble.GARBAGE)
HANG_SECONDS: Final = 10.0
Plan = Callable[[Call], Trouble | None]
"""Says what happens to a call; None: nothing bad."""


def at_write(ordinal: int, trouble: Trouble) -> Plan:
    """Let *trouble* happen to the write with *ordinal*."""
    return lambda call: trouble if call.writes and call.ordinal == ordinal else None


def while_(condition: Callable[[Call], bool], trouble: Trouble) -> Plan:
    """Let *trouble* happen to all calls for which *condition* holds."""
    return lambda call: trouble if condition(call) else None


def between(first: float, last: float, trouble: Trouble, *, writes_only: bool = False) -> Plan:
    """Let *trouble* happen to all calls from *first* to *last*."""
    return lambda call: trouble if first <= call.at < last and (call.writes or not writes_only) else None


def reads_of(kind: Kind, verbs: Collection[str], trouble: Trouble, until: float) -> Plan:
    """Let *trouble* happen to all reads of one *kind* by one of *verbs*, until some time or for ever."""
    return lambda call: trouble if call.kind is kind and call.verb in verbs and call.at < until else None


def garbled(call: Call, answer: Any) -> Any:
    """Return in place of *answer* what no object of its kind looks like: one of three, by the call's number."""
    things = answer if isinstance(answer, list) else [answer or {}]
    nameless: Json = {"metadata": {"name": "x"}, "spec": None}
    spoilt: list[Any] = []
    for thing in things or [{}]:
        # A record has no spec that could be spoilt.
        shapeless = {**thing, "spec": "text", "status": ["text"]} if "spec" in thing else {"metadata": "text"}
        spoilt.append(({}, shapeless, nameless)[call.ordinal % 3])
    return spoilt if isinstance(answer, list) else spoilt[0]


def at_random(dice: random.Random, chance: float, *troubles: Trouble) -> Plan:
    """Let one of *troubles* happen to each call by *chance*."""

    def plan(_: Call) -> Trouble | None:
        if dice.random() >= chance:
            return None
        return dice.choice(troubles)

    return plan


def possible(trouble: Trouble | None, call: Call) -> Trouble | None:
    """Return *trouble* if it can happen to *call*: a read changes nothing that could be lost or raced for."""
    if call.writes:
        return None if trouble in READS_ONLY else trouble
    return trouble if trouble in (*READS_ONLY, Trouble.UNREACHABLE, Trouble.REFUSED) else None


def before(trouble: Trouble, call: Call) -> None:
    """Raise what keeps *call* from taking effect.

    Raises:
        Crash, Conflict, Refused, Unreachable: as *trouble* says.
    """
    words = f"{trouble.value} ({call.verb} {call.kind} {call.name})"
    match trouble:
        case Trouble.CRASH_BEFORE:
            raise Crash(words)
        case Trouble.CONFLICT:
            raise faults.Conflict(words)
        case Trouble.REFUSED:
            raise faults.Refused(words)
        case Trouble.UNREACHABLE | Trouble.HANGS:
            raise faults.Unreachable(words)
        case Trouble.CRASH_AFTER | Trouble.LOST_ANSWER | Trouble.GARBAGE:
            return


def after(trouble: Trouble, call: Call) -> None:
    """Raise what becomes of *call* once it has taken effect.

    Raises:
        Crash, Unreachable: as *trouble* says.
    """
    words = f"{trouble.value} ({call.verb} {call.kind} {call.name})"
    if trouble is Trouble.CRASH_AFTER:
        raise Crash(words)
    if trouble is Trouble.LOST_ANSWER:
        raise faults.Unreachable(words)
