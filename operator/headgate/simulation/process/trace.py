"""What happened, for judges and people: every pass, every write, every notice."""

import dataclasses
from collections.abc import Callable
from typing import Any

from headgate.act import Result
from headgate.core.model import Decision, Json, Kind, Notice, Observation


@dataclasses.dataclass(slots=True)
class Write:
    """One write that took effect, or was refused by the server itself."""

    at: float
    verb: str
    kind: Kind
    name: str
    body: Json
    before: Json | None
    """The object as it was."""
    pass_number: int

    def __str__(self) -> str:
        """Return the write in a line."""
        what = ""
        if self.verb == "patch":
            changes = [one for one in self.body["operations"] if one["op"] != "test"]
            what = ", ".join(f"{one['op']} {one['path']}={one.get('value')}" for one in changes)
        elif self.verb == "apply_status":
            ready = next(one for one in self.body["conditions"] if one["type"] == "Ready")
            what = f"{self.body['phase']}: {ready['message']}"
        return f"{self.verb} {self.kind} {self.name} {what}".rstrip()

    def replicas(self) -> int | None:
        """Return the replicas that it asks for, if it is about a Deployment's."""
        if self.kind is not Kind.DEPLOYMENT:
            return None
        if self.verb == "create":
            return int(self.body["spec"]["replicas"])
        found: list[Any] = [
            one["value"]
            for one in self.body.get("operations", ())
            if one["op"] != "test" and one["path"] == "/spec/replicas"
        ]
        return int(found[0]) if found else None


@dataclasses.dataclass(slots=True)
class Pass:
    """One pass of an operator over a Rollout."""

    number: int
    started: float
    observation: Observation
    decision: Decision
    writes: list[Write] = dataclasses.field(default_factory=list)
    attempts: list[Kind] = dataclasses.field(default_factory=list)
    """The kinds of object that it tried to write, whatever became of it."""
    result: Result | None = None
    """None while it runs, and for ever if the process died in it."""


@dataclasses.dataclass(slots=True)
class Trace:
    """All of it, in order."""

    passes: list[Pass] = dataclasses.field(default_factory=list)
    writes: list[Write] = dataclasses.field(default_factory=list)
    notices: list[tuple[float, Notice]] = dataclasses.field(default_factory=list)
    decided: list[Callable[[Pass], None]] = dataclasses.field(default_factory=list)
    """Who hears of every decision before it is carried out."""
    wrote: list[Callable[[Write], None]] = dataclasses.field(default_factory=list)
    """Who hears of every write before it takes effect."""
    reads: int = 0
    failed_reads: list[tuple[str, Kind]] = dataclasses.field(default_factory=list)
    """Verb and kind of each read that got no answer in earnest, since the last pass began."""
    crashes: int = 0

    def reasons(self) -> list[str]:
        """Return the reasons of all notices."""
        return [notice.reason for _, notice in self.notices]
