"""What is to be seen of a Rollout at one moment: how it stands, its pods, its metrics, and what was decided.

Owns how that is read out of objects as the API server gives them, by an older or a newer Headgate too: a field that is
missing, or has another form, is not shown. Every text is one that a terminal can show. Pure.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from headgate.api import names, nesting, values
from headgate.api.spec import Metric as MetricSpec
from headgate.api.status import Phase
from headgate.cli import printing

Json = Mapping[str, Any]
TOLD_CONDITIONS: Final = ("Disputed", "ScalingHeld")
"""Conditions that say something besides the Ready condition's message."""


@dataclasses.dataclass(frozen=True, slots=True)
class Objects:
    """The objects that a view is made of, as they were read."""

    rollout: Json
    deployments: Sequence[Json] = ()
    events: Sequence[Json] = ()
    unread: tuple[str, ...] = ()
    """What could not be read, and why: a line for each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the analysis and how far it has come."""

    name: str
    value: str
    bound: str
    verdict: str
    since: float | None
    passes: int
    passes_needed: int
    failures: int
    failures_allowed: int
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Side:
    """One revision that has pods: stable, canary or previous."""

    role: str
    revision: int
    hash: str
    images: tuple[str, ...]
    wanted: int
    ready: int
    existing: int


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """Something that Headgate decided, as its Event says."""

    at: float
    reason: str
    message: str
    warning: bool


@dataclasses.dataclass(frozen=True, slots=True)
class State:
    """The Rollout as its own status tells it; an empty text is none."""

    name: str = ""
    namespace: str = ""
    fresh: bool = False
    """Whether the status is about the spec as it is now."""
    phase: str = Phase.PENDING
    message: str = ""
    stalled: bool = False
    """Whether only a change of the spec, or a command, leads further."""
    strategy: str = ""
    step_index: int = 0
    step_count: int = 0
    steps: tuple[str, ...] = ()
    """Each step of the spec in a word or two; empty where the rollout in flight has others."""
    weight_desired: int | None = None
    weight_achieved: int = 0
    sides: tuple[Side, ...] = ()
    reason_to_leave: str = ""
    """Why the canary is being taken back."""
    left_at: float | None = None
    metrics: tuple[Metric, ...] = ()
    notes: tuple[str, ...] = ()
    """What there is to say besides."""
    ended: tuple[Json, ...] = ()
    """The history: rollouts that have ended, newest first."""
    decisions: tuple[Decision, ...] = ()
    """Oldest first."""

    @property
    def stable(self) -> Side | None:
        """The revision that users get."""
        return self.side("stable")

    @property
    def canary(self) -> Side | None:
        """The revision that is on its way in or out."""
        return self.side("canary")

    def side(self, role: str) -> Side | None:
        """Return the revision that has that *role*."""
        return next((side for side in self.sides if side.role == role), None)


def state(objects: Objects) -> State:
    """Return what *objects* say."""
    rollout = objects.rollout
    metadata, spec = nesting.mapping(rollout.get("metadata")), nesting.mapping(rollout.get("spec"))
    status = nesting.mapping(rollout.get("status"))
    canary, weight = nesting.mapping(status.get("canary")), nesting.mapping(status.get("weight"))
    leaving, step = nesting.mapping(canary.get("abort")), nesting.mapping(status.get("step"))
    conditions = {_text(one.get("type")): one for one in _objects(status.get("conditions"))}
    strategy = nesting.mapping(spec.get("strategy"))
    count = _number(step.get("of"))
    return State(
        name=_text(metadata.get("name")),
        namespace=_text(metadata.get("namespace")),
        fresh="generation" in metadata and status.get("observedGeneration") == metadata["generation"],
        phase=_text(status.get("phase")) or Phase.PENDING,
        message=_text(conditions.get("Ready", {}).get("message")),
        stalled="Stalled" in conditions and conditions["Stalled"].get("status") == "True",
        strategy=_text(next(iter(strategy), "")),
        step_index=_number(step.get("index")),
        step_count=count,
        steps=_steps(nesting.mapping(strategy["canary"]), count) if "canary" in strategy else (),
        weight_desired=_number(weight["desired"]) if "desired" in weight else None,
        weight_achieved=_number(weight.get("achieved")),
        sides=tuple(_sides(status, objects.deployments)),
        reason_to_leave=_text(leaving.get("message")),
        left_at=_time(leaving.get("since")),
        metrics=tuple(_metrics(spec, status)),
        notes=tuple(_notes(conditions, objects.unread)),
        ended=tuple(_objects(status.get("history"))),
        decisions=_decisions(objects.events, metadata.get("uid")),
    )


def _sides(status: Json, deployments: Sequence[Json]) -> Iterable[Side]:
    by_hash = {_label(deployment, names.POD_HASH): deployment for deployment in deployments}
    for role, field in (("stable", "stable"), ("canary", "canary"), ("previous", "previous")):
        side = nesting.mapping(status.get(field))
        if not side:
            continue
        name = _text(side.get("hash"))
        deployment = by_hash.get(name, {})
        live, asked = nesting.mapping(deployment.get("status")), nesting.mapping(deployment.get("spec"))
        ready, wanted = _number(side.get("ready")), _number(side.get("replicas"))
        if live:  # newer than a status, whose numbers alone are written every half minute
            ready, wanted = _number(live.get("readyReplicas")), _number(asked.get("replicas", wanted))
        yield Side(
            role=role,
            revision=_number(side.get("revision")),
            hash=name,
            images=tuple(_text(image) for image in _listed(side.get("images"))),
            wanted=wanted,
            ready=ready,
            existing=_number(live.get("replicas")) if live else max(ready, wanted),
        )


def _label(thing: Json, name: str) -> str:
    labels = nesting.mapping(nesting.mapping(thing.get("metadata")).get("labels"))
    return _text(labels.get(name))


def _steps(canary: Json, count: int) -> tuple[str, ...]:
    """Return the steps of a strategy, the implied last one included; none where the rollout in flight has others."""
    texts = [_step_text(step) for step in _objects(canary.get("steps"))]
    if texts[-1:] != ["100 %"]:
        texts.append("100 %")
    return tuple(texts) if count in (0, len(texts)) else ()


def _step_text(step: Json) -> str:
    if "setWeight" in step:
        return f"{_number(step['setWeight'])} %"
    if "pause" in step:
        return f"pause {_text(nesting.mapping(step['pause']).get('duration'))}".strip()
    return {
        "setCanaryScale": "scale",
        "analysis": "analysis",
        "setHeaderRoute": "headers",
        "setMirrorRoute": "mirror",
    }.get(next(iter(step), ""), "?")


def _metrics(spec: Json, status: Json) -> Iterable[Metric]:
    listed = _objects(nesting.mapping(spec.get("analysis")).get("metrics"))
    wanted = {_text(metric.get("name")): metric for metric in listed}
    for one in _objects(status.get("analysis")):
        name = _text(one.get("name"))
        asked = wanted.get(name, {})
        yield Metric(
            name=name,
            value=_text(one.get("value")),
            bound=_text(one.get("bound")),
            verdict=_text(one.get("verdict")),
            since=_time(one.get("since")),
            passes=_number(one.get("passes")),
            passes_needed=_number(asked.get("passesToAdvance", _default("passes_to_advance"))),
            failures=_number(one.get("failures")),
            failures_allowed=_number(asked.get("failuresToRollback", _default("failures_to_rollback"))),
            message=_text(one.get("message")),
        )


def _default(field: str) -> object:
    return MetricSpec.model_fields[field].default


def _notes(conditions: Mapping[str, Json], unread: Iterable[str]) -> Iterable[str]:
    for name in TOLD_CONDITIONS:
        if conditions.get(name, {}).get("status") == "True":
            yield f"{name}: {_text(conditions[name].get('message'))}"
    yield from map(printing.one_line, unread)


def _decisions(events: Iterable[Json], uid: object) -> tuple[Decision, ...]:
    found = []
    for event in events:
        about, series = nesting.mapping(event.get("regarding")), nesting.mapping(event.get("series"))
        at = _time(series.get("lastObservedTime")) or _time(event.get("eventTime"))
        # By the uid: an earlier Rollout of the same name may have left some.
        if at is not None and about.get("kind") == names.KIND and about.get("uid") in (None, uid):
            warning = event.get("type") == "Warning"
            found.append(Decision(at, _text(event.get("reason")), _text(event.get("note")), warning))
    return tuple(sorted(found, key=lambda decision: decision.at))


def _objects(value: object) -> list[Json]:
    return [one for one in _listed(value) if isinstance(one, dict)]


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return printing.one_line(value) if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _time(value: object) -> float | None:
    try:
        return values.parse_moment(value) if isinstance(value, str) else None
    except ValueError:
        return None
