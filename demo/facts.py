"""What is to be seen at one moment: the Rollout, its pods, what was decided, and what the users got.

Owns how that is read out of what the API server says. Pure: knows no cluster and no screen.
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from tests.e2e.load import Snapshot

Json = Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the analysis and how far it has come."""

    name: str
    value: str
    bound: str
    verdict: str
    since: float
    passes: int
    passes_needed: int
    failures: int
    failures_allowed: int


@dataclasses.dataclass(frozen=True, slots=True)
class Pods:
    """One version's pods."""

    ready: int = 0
    starting: int = 0
    leaving: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """Something that Headgate decided, as its Event says."""

    at: float
    reason: str
    message: str
    warning: bool


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """The Rollout as its own status tells it. Versions are those of the images; "" is none."""

    fresh: bool = False
    """Whether the status is about the spec as it is now."""
    phase: str = "Pending"
    message: str = ""
    stable: str = ""
    canary: str = ""
    step: str = ""
    weights: tuple[int, ...] = ()
    weight_wanted: int | None = None
    weight_achieved: int = 0
    reason_to_leave: str = ""
    left_at: float | None = None
    metrics: tuple[Metric, ...] = ()
    ended: tuple[Json, ...] = ()
    """The history: rollouts that have ended, newest first."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """All that is shown at one moment."""

    at: float
    """Seconds since the epoch."""
    elapsed_seconds: float
    """Seconds since the demo began."""
    title: str
    state: State
    pods: Mapping[str, Pods]
    decisions: tuple[Decision, ...]
    users: Snapshot
    users_before: Snapshot
    """What the users had got *before_seconds* ago."""
    before_seconds: float

    def elapsed_at(self, at: float) -> float:
        """Return how long the demo had lasted at a moment given in seconds since the epoch."""
        return max(0.0, self.elapsed_seconds - (self.at - at))

    def rate(self, version: str) -> float:
        """Return how many requests *version* answered in a second, lately."""
        lately = self.users.of(version).requests - self.users_before.of(version).requests
        return lately / self.before_seconds if self.before_seconds else 0.0


def state(rollout: Json) -> State:
    """Return what *rollout* says of itself."""
    status, spec = rollout.get("status", {}), rollout["spec"]
    canary, weight = status.get("canary", {}), status.get("weight", {})
    leaving = canary.get("leaving", {})
    ready: Json = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), {})
    steps = [step["setWeight"] for step in spec["strategy"]["canary"].get("steps", ()) if "setWeight" in step]
    return State(
        fresh=status.get("observedGeneration") == rollout["metadata"]["generation"],
        phase=status.get("phase", "Pending"),
        message=ready.get("message", ""),
        stable=_version(status.get("stable", {}).get("images", ())),
        canary=_version(canary.get("images", ())),
        step=status.get("step", {}).get("text", ""),
        weights=(*steps, 100),
        weight_wanted=weight.get("desired"),
        weight_achieved=weight.get("achieved", 0),
        reason_to_leave=leaving.get("message", ""),
        left_at=moment(leaving["since"]) if leaving else None,
        metrics=_metrics(spec, status),
        ended=tuple(status.get("history", ())),
    )


def pods(items: Sequence[Json]) -> dict[str, Pods]:
    """Return the pods of each version."""
    found: dict[str, Pods] = {}
    for pod in items:
        version = _version([pod["spec"]["containers"][0]["image"]])
        known = found.get(version, Pods())
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        if "deletionTimestamp" in pod["metadata"]:
            found[version] = dataclasses.replace(known, leaving=known.leaving + 1)
        elif ready:
            found[version] = dataclasses.replace(known, ready=known.ready + 1)
        else:
            found[version] = dataclasses.replace(known, starting=known.starting + 1)
    return found


def decisions(events: Sequence[Json]) -> tuple[Decision, ...]:
    """Return what was decided about the Rollout, oldest first."""
    found = [
        Decision(moment(one["eventTime"]), one["reason"], one.get("note", ""), one.get("type") == "Warning")
        for one in events
        if one["regarding"]["kind"] == "Rollout"
    ]
    return tuple(sorted(found, key=lambda decision: decision.at))


def moment(text: str) -> float:
    """Return the seconds since the epoch of a time as the API server writes it."""
    return datetime.datetime.fromisoformat(text).timestamp()


def _metrics(spec: Json, status: Json) -> tuple[Metric, ...]:
    wanted = {metric["name"]: metric for metric in spec.get("analysis", {}).get("metrics", ())}
    return tuple(
        Metric(
            name=one["name"],
            value=one.get("value", ""),
            bound=one.get("bound", ""),
            verdict=one["verdict"],
            since=moment(one["since"]),
            passes=one.get("passes", 0),
            passes_needed=wanted[one["name"]]["passesToAdvance"],
            failures=one.get("failures", 0),
            failures_allowed=wanted[one["name"]]["failuresToRollback"],
        )
        for one in status.get("analysis", ())
        if one["name"] in wanted
    )


def _version(images: Sequence[str]) -> str:
    return images[0].rpartition(":")[2] if images else ""
