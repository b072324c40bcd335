"""Which sightings of objects are worth a pass. Pure bookkeeping: remembers of each object one number, and compares.

A Rollout is worth a pass unless only its status or managedFields changed: those are our own writes. A Deployment is
worth one over its Rollout if what a pass reads of it changed.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headgate.api import names
from headgate.core.model import Json, Key, Kind

_COUNTS: Final = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """An object as a watch or a list showed it, cut down to what matters here."""

    kind: Kind
    uid: str
    key: Key | None
    """The Rollout that it is, or belongs to; None if it belongs to none."""
    resource_version: str
    fingerprint: int
    """Equal for two sightings with nothing worth a pass between them, within this process."""
    gone: bool = False


@dataclasses.dataclass(slots=True)
class _Seen:
    key: Key | None
    resource_version: str
    fingerprint: int


class Triggers:
    """What was last seen of every object."""

    def __init__(self) -> None:
        self._seen: dict[Kind, dict[str, _Seen]] = {Kind.ROLLOUT: {}, Kind.DEPLOYMENT: {}}

    def worth_a_pass(self, sighting: Sighting) -> bool:
        """Remember *sighting*, and tell whether it is worth a pass over its key."""
        seen = self._seen[sighting.kind]
        if sighting.gone:
            seen.pop(sighting.uid, None)
            return sighting.key is not None
        before = seen.get(sighting.uid)
        seen[sighting.uid] = _Seen(sighting.key, sighting.resource_version, sighting.fingerprint)
        return sighting.key is not None and (before is None or before.fingerprint != sighting.fingerprint)

    def keys(self) -> set[Key]:
        """Return all Rollouts that were seen and not seen to go."""
        return {seen.key for seen in self._seen[Kind.ROLLOUT].values() if seen.key is not None}

    def resource_version(self, kind: Kind, uid: str) -> str:
        """Return at which resourceVersion the object was last seen; empty if it never was."""
        seen = self._seen[kind].get(uid)
        return seen.resource_version if seen else ""

    def keep(self, kind: Kind, uids: Iterable[str]) -> list[Key]:
        """Forget the objects that are not among *uids*, and return the keys of those: nobody saw them go."""
        seen = self._seen[kind]
        lost = seen.keys() - set(uids)
        return [known.key for uid in lost if (known := seen.pop(uid)).key is not None]


def sight(kind: Kind, body: Mapping[str, Any], *, gone: bool = False) -> Sighting:
    """Return *body* cut down to a Sighting; it need not be well-formed beyond what the API server guarantees."""
    metadata = body.get("metadata") or {}
    facts = _rollout_facts(metadata) if kind is Kind.ROLLOUT else _deployment_facts(body, metadata)
    return Sighting(
        kind=kind,
        uid=str(metadata.get("uid", "")),
        key=_rollout_key(metadata) if kind is Kind.ROLLOUT else _owner_key(metadata),
        resource_version=str(metadata.get("resourceVersion", "")),
        fingerprint=hash(json.dumps(facts, sort_keys=True)),
        gone=gone,
    )


def _rollout_key(metadata: Json) -> Key:
    return Key(str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def _rollout_facts(metadata: Json) -> list[Any]:
    return [metadata.get(field) for field in ("generation", "annotations", "finalizers", "deletionTimestamp")]


def _owner_key(metadata: Json) -> Key | None:
    """Return the Rollout that a Deployment belongs to: its controller, or the one that an orphan's label names."""
    namespace = str(metadata.get("namespace", ""))
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            ours = owner.get("kind") == names.KIND and str(owner.get("apiVersion", "")).startswith(f"{names.GROUP}/")
            return Key(namespace, str(owner.get("name", ""))) if ours else None
    label = (metadata.get("labels") or {}).get(names.ROLLOUT)
    return Key(namespace, str(label)) if label else None


def _deployment_facts(body: Mapping[str, Any], metadata: Json) -> list[Any]:
    status = body.get("status") or {}
    annotations = metadata.get("annotations") or {}
    return [
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("labels"),
        [owner.get("uid") for owner in metadata.get("ownerReferences") or ()],
        {name: value for name, value in annotations.items() if name.startswith(f"{names.GROUP}/")},
        [status.get(count) for count in _COUNTS],
        [_condition(condition) for condition in status.get("conditions") or ()],
    ]


def _condition(condition: Json) -> list[Any]:
    # Messages repeat the counts or name a ReplicaSet; only why pods cannot be created is read by a pass.
    words = condition.get("message") if condition.get("type") == "ReplicaFailure" else None
    return [condition.get("type"), condition.get("status"), condition.get("reason"), words]
