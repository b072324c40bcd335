"""Reads the HorizontalPodAutoscalers that may scale a Rollout or its Deployments.

They bear no label of ours and write their status every 15 s, so that they are neither watched nor read at rest: only
while there are pods of two revisions, or growth waits from then, when another client has set the size of a Deployment,
and before a rollout starts.
Nor in every pass then: not before they could have looked at their own metrics again, unless one has just set the
replicas.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

from headgate.api import names
from headgate.api.status import RolloutStatus
from headgate.core.model import AutoscalerFacts, DeploymentFacts, Json, Key, Kind, RolloutFacts, Target, Unreadable
from headgate.core.replicas import autoscaling
from headgate.observe import last_known
from headgate.observe.interfaces import Clock, Reader

READ_AGAIN_SECONDS: Final = 15.0
_QUANTITY: Final = re.compile(r"(\d+(?:\.\d+)?)([numkMGTPE]|[KMGTPE]i)?")
_UNITS: Final[Mapping[str, Fraction]] = {
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate(("", "m", "u", "n"))},
    **{unit: Fraction(1000**power) for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{unit: Fraction(1024**power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_KINDS: Final = {"Deployment": "apps", names.KIND: names.GROUP}


def matters(status: RolloutStatus, target: Target, deployments: Mapping[str, DeploymentFacts]) -> bool:
    """Return whether a decision depends on what autoscalers there are."""
    if status.stable is None:
        return False
    if status.canary is not None or status.previous is not None or status.restart is not None:
        return True
    if status.min_replicas is not None:
        return True
    refused = {entry.hash for entry in status.rejected}
    starts = target.hash not in {"", status.stable.hash, *refused}
    return starts or any(facts.scaled_by for facts in deployments.values())


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    at: float
    replicas: int | None
    found: tuple[AutoscalerFacts, ...]


class Autoscalers:
    """Reads them, and remembers for a while what it has read."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        """Read from *reader*."""
        self._reader = reader
        self._clock = clock
        self._reads: dict[Key, _Read] = {}
        self._unread: dict[Key, Unreadable] = {}

    def unread(self, key: Key) -> Unreadable | None:
        """Return why what was given out last for *key* may not hold any more; None if it was read."""
        return self._unread.get(key)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of *key*: nothing depends on it any more."""
        self._reads.pop(key, None)
        self._unread.pop(key, None)

    async def read(self, key: Key, rollout: RolloutFacts) -> tuple[AutoscalerFacts, ...]:
        """Return those of the Rollout's namespace; what was read before, where they are `unread`."""
        known, now = self._reads.get(key), self._clock()
        if known is not None and _holds(known, rollout, now):
            return known.found
        try:
            things = await self._reader.select(Kind.AUTOSCALER, rollout.namespace, {})
            found = tuple(_found(things))
        except last_known.FAILED as error:
            self._unread[key] = last_known.unreadable(error)
            return known.found if known else ()
        self._unread.pop(key, None)
        self._reads[key] = _Read(now, rollout.replicas, found)
        return found


def _holds(known: _Read, rollout: RolloutFacts, now: float) -> bool:
    """Return whether what was read still stands: no client has set the replicas since, or all have said why."""
    explained = all(one.asks == rollout.replicas for one in autoscaling.of_rollout(rollout, known.found))
    return known.replicas == rollout.replicas and explained and known.at <= now < known.at + READ_AGAIN_SECONDS


def _found(things: Iterable[Json]) -> Iterable[AutoscalerFacts]:
    for thing in things:
        spec, status = _mapping(thing.get("spec")), _mapping(thing.get("status"))
        reference = _mapping(spec.get("scaleTargetRef"))
        kind, group = str(reference.get("kind", "")), str(reference.get("apiVersion", "")).partition("/")[0]
        if _KINDS.get(kind) == group:
            yield _facts(str(thing["metadata"]["name"]), kind, str(reference.get("name", "")), spec, status)


def _facts(name: str, kind: str, target: str, spec: Json, status: Json) -> AutoscalerFacts:
    metrics = [_mapping(entry) for entry in spec.get("metrics") or ()]
    current = [_mapping(entry) for entry in status.get("currentMetrics") or ()]
    loads: dict[bool, list[Fraction]] = {True: [], False: []}
    for at, metric in enumerate(metrics):
        loads[_of_memory(metric)].append(_load(metric, current[at]) if at < len(current) else Fraction(0))
    asks = status.get("desiredReplicas")
    return AutoscalerFacts(
        name=name,
        kind=kind,
        target=target,
        memory=any(_of_memory(metric) for metric in metrics),
        by_memory=_says(status, "ScalingActive", " memory "),
        asks=asks if isinstance(asks, int) else None,
        limited=_says(status, "ScalingLimited", ""),
        memory_load=max(loads[True], default=Fraction(0)),
        other_load=max(loads[False], default=Fraction(0)),
    )


def _says(status: Json, name: str, words: str) -> bool:
    """Return whether a condition is true, with *words* in its message."""
    return any(
        one.get("type") == name and one.get("status") == "True" and words in str(one.get("message", ""))
        for one in map(_mapping, status.get("conditions") or ())
    )


def _source(metric: Json) -> Json:
    kind = str(metric.get("type", ""))
    return _mapping(metric.get(kind[:1].lower() + kind[1:]))


def _of_memory(metric: Json) -> bool:
    return metric.get("type") in ("Resource", "ContainerResource") and _source(metric).get("name") == "memory"


def _load(metric: Json, current: Json) -> Fraction:
    """Return how much of a target is used; 0 where that is not known."""
    if current.get("type") != metric.get("type"):
        return Fraction(0)
    target, value = _mapping(_source(metric).get("target")), _mapping(_source(current).get("current"))
    for field in ("averageUtilization", "averageValue", "value"):
        if bound := _quantity(target.get(field)):
            return _quantity(value.get(field)) / bound
    return Fraction(0)


def _quantity(value: Any) -> Fraction:
    """Return a quantity as Kubernetes writes them; 0 for anything else."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        return Fraction(0)
    number = Fraction(found[1])
    return number * _UNITS[found[2] or ""]


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
