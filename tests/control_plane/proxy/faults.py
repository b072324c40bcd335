"""What can become of a call on its way to the API server, as plain data, and a seeded storm of it.

Must not know how a call is passed on.
"""

import collections
import dataclasses
import enum
import http
import itertools
import json
import random
import threading
from collections.abc import Mapping
from typing import Any, Final

WRITING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One request of a client."""

    method: str
    path: str
    query: Mapping[str, str]

    @property
    def watch(self) -> bool:
        """Whether it is a stream of events."""
        return self.query.get("watch", "") in ("true", "1")

    @property
    def write(self) -> bool:
        """Whether it changes something that somebody may depend on: no dry run and no Event."""
        said_only = "dryRun" in self.query or "/events" in self.path
        return self.method in WRITING and not said_only

    def __str__(self) -> str:
        """What it does and to what, for people."""
        return f"{self.method} {self.path.rpartition('/namespaces/')[2]}"


class When(enum.Enum):
    """Whether a call that is answered with an error was carried out all the same."""

    NEVER = "never"
    BEFORE = "before"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An error in the API server's own form, before or after the call was carried out."""

    status: int
    retry_after_seconds: int = 0
    carried_out: When = When.NEVER

    @property
    def body(self) -> bytes:
        """A Status object."""
        phrase = http.HTTPStatus(self.status).phrase
        words = {409: "Operation cannot be fulfilled: the object has been modified", 429: "too many requests"}
        status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": words.get(self.status, "etcdserver: request timed out"),
            "reason": {409: "Conflict", 429: "TooManyRequests"}.get(self.status, phrase.replace(" ", "")),
            "code": self.status,
        }
        if self.retry_after_seconds:
            status["details"] = {"retryAfterSeconds": self.retry_after_seconds}
        return json.dumps(status).encode()


@dataclasses.dataclass(frozen=True, slots=True)
class Hang:
    """No answer until the client gives up; the server never hears of the call."""


@dataclasses.dataclass(frozen=True, slots=True)
class Hold:
    """The call reaches the server only once *released* is set, whether the client still waits or not."""

    released: threading.Event


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """A watch whose connection breaks after a while, in the middle of whatever it says."""

    after_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Expire:
    """A watch that is told 410 Gone as its only event."""

    EVENT = {  # noqa: RUF012 - a constant of the API, never changed
        "type": "ERROR",
        "object": {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": "too old resource version: 1 (2)",
            "reason": "Expired",
            "code": 410,
        },
    }

    @property
    def line(self) -> bytes:
        """The event as it is sent."""
        return json.dumps(self.EVENT).encode() + b"\n"


Fault = Answer | Hang | Hold | Cut | Expire


class Storm:
    """A share of all calls fails, dealt from one seed: 409, 429 and 500 for calls; breaks and 410 for watches.

    As from packs of cards: of so many reads, writes or watches in a row exactly one fails, which one is chance, and the
    kinds take turns. So even a short storm has all of them. Every other 500 comes after the call was carried out, as
    from a server whose answer was lost. A watch that does not expire breaks.
    """

    def __init__(self, seed: int, share: float) -> None:
        self._dice = random.Random(seed)
        self._pack = round(1 / share)
        self._packs: dict[str, list[bool]] = {"read": [], "write": [], "watch": []}
        # Nobody answers a read with a conflict.
        self._reads = itertools.cycle((429, 500))
        self._writes = itertools.cycle((409, 429, 500))
        self._lost = itertools.cycle((When.BEFORE, When.NEVER))
        self.made: collections.Counter[str] = collections.Counter()
        """How many faults of which kind there were."""
        self.calls = 0
        """How many calls there were, watches apart."""

    def __call__(self, call: Call) -> Fault | None:
        """Return what becomes of *call*; None: nothing bad."""
        fault = self._watched() if call.watch else self._called(call)
        if fault is not None:
            self.made[f"{fault.status}" if isinstance(fault, Answer) else type(fault).__name__] += 1
        return fault

    def _called(self, call: Call) -> Fault | None:
        self.calls += 1
        writes = call.method in WRITING
        if not self._dealt("write" if writes else "read"):
            return None
        status = next(self._writes if writes else self._reads)
        if status == http.HTTPStatus.TOO_MANY_REQUESTS:
            return Answer(status, retry_after_seconds=1)
        lost = writes and status == http.HTTPStatus.INTERNAL_SERVER_ERROR
        return Answer(status, carried_out=next(self._lost) if lost else When.NEVER)

    def _watched(self) -> Fault | None:
        if self._dealt("watch"):
            return Expire()
        return Cut(self._dice.uniform(1, 10))

    def _dealt(self, kind: str) -> bool:
        """Return whether the next card is the bad one of its pack."""
        pack = self._packs[kind]
        if not pack:
            pack += [True] + [False] * (self._pack - 1)
            self._dice.shuffle(pack)
        return pack.pop()
