"""The API server's store: objects with their uid, resourceVersion, generation and owners of fields.

Owns what the API server guarantees of every object, deletion and garbage collection included; not who asks.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from headgate.api import values
from headgate.core.model import Json, Kind
from headgate.simulation.cluster import json_values, ownership
from headgate.simulation.process.clock import Clock

Place = tuple[Kind, str, str]
"""Kind, namespace, name."""

_GENERATED: Final = (Kind.ROLLOUT, Kind.DEPLOYMENT, Kind.HTTP_ROUTE, Kind.GRPC_ROUTE)
_UNOWNED: Final = (Kind.POD, Kind.ENDPOINT_SLICE)
"""The field owners of these are never read."""
_ORPHAN: Final = "orphan"
COLLECTED_AFTER_SECONDS: Final = 0.2
"""How long after its owner's end a dependent is collected."""


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """An object came, changed or went."""

    kind: Kind
    before: Json | None
    after: Json | None
    by: str
    """The field manager that did it."""

    @property
    def thing(self) -> Json:
        """The object as it is, or as it was before it went."""
        return self.after or self.before or {}


class Store:
    """All objects. What it gives out are copies; what it is given it keeps a copy of."""

    def __init__(self, agenda: Clock) -> None:
        self._agenda = agenda
        self._things: dict[Place, Json] = {}
        self._sorted: dict[Kind, list[Json]] = {}
        """By kind, in order of their places: what is looked through far more often than it changes."""
        self._owners: dict[str, ownership.Owners] = {}
        self._leaves: dict[str, tuple[Json, dict[ownership.Path, Any]]] = {}
        """By uid: an object as it was last kept, and its leaves."""
        self._managed: dict[str, tuple[ownership.Owners, list[Json]]] = {}
        """By uid: who owns what, and the same as managedFields."""
        self._version = 1000
        self._uids = 0
        self.listeners: list[Callable[[Change], None]] = []

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object, or None."""
        return json_values.copied(self._things.get((kind, namespace, name)))

    def select(self, kind: Kind, labels: Mapping[str, str] | None = None, namespace: str = "") -> list[Json]:
        """Return the objects that carry *labels*, in order of their names."""
        return [json_values.copied(thing) for thing in self.peek(kind, labels, namespace)]

    def peek(self, kind: Kind, labels: Mapping[str, str] | None = None, namespace: str = "") -> list[Json]:
        """Return the objects themselves, for those who only look."""
        found = self._sorted.get(kind)
        if found is None:
            places = sorted(place for place in self._things if place[0] is kind)
            found = self._sorted[kind] = [self._things[place] for place in places]
        wanted = (labels or {}).items()
        return [
            thing
            for thing in found
            if namespace in ("", thing["metadata"]["namespace"])
            and wanted <= (thing["metadata"].get("labels") or {}).items()
        ]

    def held(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object itself, for those who only look, or None."""
        return self._things.get((kind, namespace, name))

    def create(self, kind: Kind, body: Json, by: str) -> Json:
        """Keep *body* as a new object and return it as kept. Its name must be free."""
        thing = _tidy(json_values.copied(body))
        self._uids += 1
        metadata = thing["metadata"]
        metadata["uid"] = f"uid-{self._uids:05}"
        metadata["creationTimestamp"] = values.format_time(self._agenda.now)
        if kind in _GENERATED:
            metadata["generation"] = 1
        self._keep(kind, None, thing, (by, "Update", ""))
        return json_values.copied(thing)

    def free(self, kind: Kind, namespace: str, name: str) -> bool:
        """Return whether an object of that name could be created."""
        return (kind, namespace, name) not in self._things

    def update(self, kind: Kind, changed: Json, by: str, subresource: str = "") -> Json:
        """Keep *changed* in place of the object of its name; what says nothing new changes nothing."""
        metadata = changed["metadata"]
        before = self._things[kind, metadata["namespace"], metadata["name"]]
        thing = _tidy(json_values.copied(changed))
        if {**thing, "metadata": _plain(thing)} == {**before, "metadata": _plain(before)}:
            return json_values.copied(before)
        if kind in _GENERATED and thing.get("spec") != before.get("spec"):
            thing["metadata"]["generation"] = before["metadata"]["generation"] + 1
        self._keep(kind, before, thing, (by, "Update", subresource))
        self._released(kind, thing)
        return json_values.copied(thing)

    def apply_status(self, kind: Kind, namespace: str, name: str, status: Json, by: str) -> Json:
        """Server-side apply *status*: what *by* said before and no longer says goes."""
        before = self._things[kind, namespace, name]
        thing = json_values.copied(before)
        owners = self._owners[before["metadata"]["uid"]]
        value, owners = ownership.applied(before.get("status"), status, owners, (by, "Apply", "status"), "status")
        if value == before.get("status"):
            return thing
        thing["status"] = json_values.copied(value)
        self._owners[before["metadata"]["uid"]] = owners
        self._seal(kind, before, thing, by)
        return json_values.copied(thing)

    def delete(self, kind: Kind, namespace: str, name: str, by: str, *, orphan: bool = False) -> None:
        """Delete the object: at once, or as soon as its last finalizer is gone. Dependents follow, unless orphaned."""
        thing = self.get(kind, namespace, name)
        if thing is None:
            return
        metadata = thing["metadata"]
        if orphan and _ORPHAN not in (metadata.get("finalizers") or ()):
            metadata["finalizers"] = [*(metadata.get("finalizers") or ()), _ORPHAN]
            self._agenda.after(COLLECTED_AFTER_SECONDS, lambda: self._orphan(metadata["uid"], kind, namespace, name))
        if metadata.get("finalizers"):
            if metadata.get("deletionTimestamp") is None:
                metadata["deletionTimestamp"] = values.format_time(self._agenda.now)
                metadata["generation"] = metadata.get("generation", 1) + 1
                self._keep(kind, self._things[kind, namespace, name], thing, (by, "Update", ""))
            return
        self._remove(kind, thing, by)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _keep(self, kind: Kind, before: Json | None, thing: Json, by: ownership.Owner) -> None:
        if kind not in _UNOWNED:
            uid = thing["metadata"]["uid"]
            old, new = self._leaves_of(before) if before else {}, ownership.tracked(thing)
            self._owners[uid] = ownership.updated(self._owners.get(uid, {}), old, new, by)
            self._leaves[uid] = (thing, new)
        self._seal(kind, before, thing, by[0])

    def _leaves_of(self, thing: Json) -> dict[ownership.Path, Any]:
        last = self._leaves.get(thing["metadata"]["uid"])
        return last[1] if last is not None and last[0] is thing else ownership.tracked(thing)

    def _managed_fields(self, uid: str) -> list[Json]:
        owners, last = self._owners[uid], self._managed.get(uid)
        if last is None or last[0] != owners:
            last = self._managed[uid] = (owners, ownership.written(owners))
        return last[1]

    def _seal(self, kind: Kind, before: Json | None, thing: Json, by: str) -> None:
        """Keep *thing*, of which no caller holds a part."""
        metadata = thing["metadata"]
        self._version += 1
        metadata["resourceVersion"] = str(self._version)
        if kind not in _UNOWNED:
            metadata["managedFields"] = self._managed_fields(metadata["uid"])
        self._things[kind, metadata["namespace"], metadata["name"]] = thing
        self._sorted.pop(kind, None)
        self._tell(Change(kind, before, thing, by))

    def _released(self, kind: Kind, thing: Json) -> None:
        metadata = thing["metadata"]
        if kind is Kind.POD:
            return  # its kubelet lets it go, once its containers have ended
        if metadata.get("deletionTimestamp") is not None and not metadata.get("finalizers"):
            self._remove(kind, thing, "garbage-collector")

    def _remove(self, kind: Kind, thing: Json, by: str) -> None:
        metadata = thing["metadata"]
        gone = self._things.pop((kind, metadata["namespace"], metadata["name"]))
        self._sorted.pop(kind, None)
        for kept in (self._owners, self._leaves, self._managed):
            kept.pop(metadata["uid"], None)
        self._agenda.after(COLLECTED_AFTER_SECONDS, lambda: self._collect(metadata["uid"]))
        self._tell(Change(kind, gone, None, by))

    def _dependents(self, uid: str) -> list[tuple[Kind, Json]]:
        return [
            (kind, thing)
            for (kind, _, _), thing in sorted(self._things.items())
            if any(reference["uid"] == uid for reference in thing["metadata"].get("ownerReferences") or ())
        ]

    def _collect(self, uid: str) -> None:
        for kind, thing in self._dependents(uid):
            metadata = thing["metadata"]
            self.delete(kind, metadata["namespace"], metadata["name"], "garbage-collector")

    def _orphan(self, uid: str, kind: Kind, namespace: str, name: str) -> None:
        for of, dependent in self._dependents(uid):
            freed = json_values.copied(dependent)
            references = [one for one in freed["metadata"]["ownerReferences"] if one["uid"] != uid]
            freed["metadata"]["ownerReferences"] = references
            self.update(of, freed, "garbage-collector")
        thing = self.get(kind, namespace, name)
        if thing is not None and thing["metadata"]["uid"] == uid:
            metadata = thing["metadata"]
            metadata["finalizers"] = [entry for entry in metadata["finalizers"] if entry != _ORPHAN]
            self.update(kind, thing, "garbage-collector")

    def _tell(self, change: Change) -> None:
        for listener in list(self.listeners):
            listener(change)


def _tidy(thing: Json) -> Json:
    """Return *thing* without empty metadata, as the API server keeps it: the last annotation takes the map with it."""
    for name in ("annotations", "finalizers", "labels", "ownerReferences"):
        if name in thing["metadata"] and not thing["metadata"][name]:
            del thing["metadata"][name]
    return thing


def _plain(thing: Json) -> dict[str, Any]:
    return {name: value for name, value in thing["metadata"].items() if name != "managedFields"}
