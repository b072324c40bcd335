"""What can become of a call on its way to the API server, as plain data, and a seeded storm of it.

Must not know how a call is passed on.
"""

import collections
import dataclasses
import enum
import http
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
    """A share of all calls fails, drawn from one seed: 409, 429 and 500 for calls; breaks and 410 for watches.

    Half of the 500 come after the call was carried out, as from a server whose answer was lost.
    """

    def __init__(self, seed: int, share: float) -> None:
        self._dice = random.Random(seed)
        self._share = share
        self.made: collections.Counter[str] = collections.Counter()
        """How many faults of which kind there were."""

    def __call__(self, call: Call) -> Fault | None:
        """Return what becomes of *call*; None: nothing bad."""
        fault = self._watched() if call.watch else self._called(call)
        if fault is not None:
            self.made[f"{fault.status}" if isinstance(fault, Answer) else type(fault).__name__] += 1
        return fault

    def _called(self, call: Call) -> Fault | None:
        if self._dice.random() >= self._share:
            return None
        # Nobody answers a read with a conflict.
        status = self._dice.choice((409, 429, 500) if call.method in WRITING else (429, 500))
        if status == http.HTTPStatus.TOO_MANY_REQUESTS:
            return Answer(status, retry_after_seconds=1)
        lost = status == http.HTTPStatus.INTERNAL_SERVER_ERROR and self._dice.random() < 0.5
        return Answer(status, carried_out=When.BEFORE if lost else When.NEVER)

    def _watched(self) -> Fault | None:
        if self._dice.random() < self._share:
            return Expire()
        return Cut(self._dice.uniform(1, 10))
