"""Finds who else reaches for the same pods: other Rollouts, the Deployment whose place one takes, or a mistake.

Of Rollouts the watch tells. What else runs such pods bears no label of ours, and nothing tells of it: its pods are
looked for before a rollout starts, and then, while there are some, now and then at rest. Never while a version is in
flight or warm, nor for a command or a deletion: no read stands in front of a step back, and what was found before is
said until then.
"""

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import Iterable
from typing import Any, Final

from headgate.api import dns, names
from headgate.api.status import RolloutStatus
from headgate.core.model import Identity, Json, Key, Kind, RolloutFacts, Target, overlaps
from headgate.core.model.overlaps import Overlaps
from headgate.core.rollout import ownership_conflicts
from headgate.observe import last_known, parse_workloads
from headgate.observe.interfaces import Clock, Neighbours, Reader

PATIENCE_SECONDS: Final = 2.0
"""How long a pass waits for the list: nothing but words hangs on it."""
_KIND_LENGTH: Final = 63


@dataclasses.dataclass(frozen=True, slots=True)
class _Look:
    at: float
    found: tuple[str, ...] | None


class Others:
    """Looks for them, and remembers what it has found."""

    def __init__(self, reader: Reader, clock: Clock, neighbours: Neighbours | None) -> None:
        """Read from *reader*; *neighbours* knows the Rollouts, of which there are no others without it."""
        self._neighbours = neighbours
        self._reader = reader
        self._clock = clock
        self._looks: dict[Key, _Look] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered of *key*."""
        self._looks.pop(key, None)

    async def of(self, key: Key, rollout: RolloutFacts, status: RolloutStatus, target: Target) -> Overlaps | None:
        """Return who else reaches for the pods and Services of *rollout*; None where a part of that is not known."""
        workloads = await self._running(key, rollout, status, target)
        found = self._neighbours.of(key) if self._neighbours else overlaps.NONE
        return None if found is None or workloads is None else dataclasses.replace(found, workloads=workloads)

    async def _running(
        self, key: Key, rollout: RolloutFacts, status: RolloutStatus, target: Target
    ) -> tuple[str, ...] | None:
        """Return which others run pods that *rollout* selects, in order; None where that is not known any more."""
        now, starts = self._clock(), _starts(status, target)
        known = self._looks.get(key) or _Look(-math.inf, None if ownership_conflicts.tells_of_workloads(status) else ())
        found = known.found
        if not _rests(rollout, status) or not (starts or found is None or found):
            return found
        if known.at <= now < known.at + overlaps.LOOK_SECONDS:
            return found
        with contextlib.suppress(
            TimeoutError, *last_known.FAILED
        ):  # then what was found before stands until the next look
            async with asyncio.timeout(PATIENCE_SECONDS):
                pods = await self._reader.select(Kind.POD, rollout.namespace, rollout.match_labels)
            found = _others([last_known.asked_for(pod, rollout.match_labels) for pod in pods])
        self._looks[key] = _Look(now, found)
        return found


def _rests(rollout: RolloutFacts, status: RolloutStatus) -> bool:
    moves = status.canary is not None or status.previous is not None or status.rollback is not None
    return not (moves or rollout.deleting or rollout.annotations or not rollout.match_labels)


def _starts(status: RolloutStatus, target: Target) -> bool:
    stays = {"", *(entry.hash for entry in status.rejected), *([status.stable.hash] if status.stable else [])}
    return target.identity is Identity.KNOWN and target.hash not in stays


def _others(pods: Iterable[Json]) -> tuple[str, ...]:
    found = sorted({name for pod in pods if (name := _runs(pod))})
    return tuple(found[: overlaps.COUNTED])


def _runs(pod: Json) -> str:
    """Return what runs *pod*, such as "Deployment web"; empty for a Rollout's, and for one that is about to end."""
    metadata, phase = pod["metadata"], (pod.get("status") or {}).get("phase")
    labels = metadata.get("labels") or {}
    if names.POD_HASH in labels or metadata.get("deletionTimestamp") is not None or phase in ("Succeeded", "Failed"):
        return ""
    holder: Json = parse_workloads.controller(pod) or {"kind": "Pod", "name": metadata["name"]}
    kind, name = holder.get("kind"), holder.get("name")
    if kind == "ReplicaSet" and name != (deployment := _without(name, labels.get("pod-template-hash"))):
        kind, name = "Deployment", deployment
    known = isinstance(kind, str) and kind.isascii() and kind.isalpha() and len(kind) <= _KIND_LENGTH
    return f"{kind} {name}" if known and kind != "Job" and dns.is_subdomain(name) else ""


def _without(name: Any, hash_: Any) -> str:
    """Return the name of a ReplicaSet without what a Deployment puts behind its own."""
    return str(name).removesuffix(f"-{hash_}")
