"""Who set which field: managedFields and server-side apply, as far as Headgate reads and relies on them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headgate.core.model import Json

Path = tuple[str, ...]
Owner = tuple[str, str, str]
"""Manager, operation (Apply or Update), subresource."""
Owners = dict[Owner, set[Path]]

_KEYS: Final = {
    "conditions": "type",
    "analysis": "name",
    "metrics": "name",
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
}
"""Lists that are merged by the value of a field; all others are atomic."""
_MISSING: Final = object()
_UNTRACKED: Final = ("apiVersion", "kind")
_UNTRACKED_METADATA: Final = {"labels", "annotations", "finalizers", "ownerReferences"}


def _segment(key: str, item: Any) -> str:
    return "k:" + json.dumps({key: item.get(key)}, separators=(",", ":"))


def _keyed(field: str, value: Any) -> str:
    """Return the field by which the list *value* is merged, or an empty text if it is atomic."""
    key = _KEYS.get(field.removeprefix("f:"), "")
    return key if isinstance(value, list) and all(isinstance(item, dict) for item in value) else ""


def leaves(value: Any, path: Path = ()) -> dict[Path, Any]:
    """Return every leaf of *value* by its path, as managedFields writes paths."""
    found: dict[Path, Any] = {}
    _collect(value, path, found)
    return found


def _collect(value: Any, path: Path, found: dict[Path, Any]) -> None:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            _collect(member, (*path, f"f:{name}"), found)
        return
    key = _keyed(path[-1], value) if path and isinstance(value, list) else ""
    if key and value:
        for item in value:
            _collect(item, (*path, _segment(key, item)), found)
        return
    found[path] = value


def tracked(thing: Json) -> dict[Path, Any]:
    """Return the leaves of *thing* that have an owner."""
    metadata = {name: value for name, value in thing["metadata"].items() if name in _UNTRACKED_METADATA}
    rest = {name: value for name, value in thing.items() if name not in (*_UNTRACKED, "metadata")}
    return leaves({**rest, "metadata": metadata})


def updated(owners: Owners, before: Mapping[Path, Any], after: Mapping[Path, Any], by: Owner) -> Owners:
    """Return who owns what after *by* changed *before* into *after*: who changes a field takes it from all others."""
    changed = {path for path, value in after.items() if before.get(path, _MISSING) != value}
    kept = {owner: (paths - changed) & after.keys() for owner, paths in owners.items()}
    kept[by] = kept.get(by, set()) | changed
    return {owner: paths for owner, paths in kept.items() if paths}


def written(owners: Owners) -> list[Json]:
    """Return *owners* as managedFields."""
    entries = []
    for (manager, operation, subresource), paths in owners.items():
        fields: Json = {}
        for path in sorted(paths):
            at = fields
            for part in path:
                at = at.setdefault(part, {})
        entry = {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields}
        entries.append({**entry, "subresource": subresource} if subresource else entry)
    return entries


def _pruned(value: Any, doomed: Iterable[Path], path: Path = ()) -> Any:
    """Return *value* without its *doomed* leaves, and without what they alone held up; None where nothing is left."""
    doomed = {leaf for leaf in doomed if leaf[: len(path)] == path}
    if not doomed:
        return value
    if path in doomed:
        return None
    if isinstance(value, dict):
        members = {name: _pruned(member, doomed, (*path, f"f:{name}")) for name, member in value.items()}
        return {name: member for name, member in members.items() if member is not None} or None
    key = _keyed(path[-1], value)
    items = [_pruned(item, doomed, (*path, _segment(key, item))) for item in value]
    return [item for item in items if item is not None] or None


def _merged(old: Any, new: Any, field: str = "") -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{name: _merged(old.get(name), member, name) for name, member in new.items()}}
    key = _keyed(field, new)
    if key and isinstance(old, list):
        fresh = {item.get(key): item for item in new}
        kept = [_merged(item, fresh.pop(item.get(key))) if item.get(key) in fresh else item for item in old]
        return [*kept, *fresh.values()]
    return new


def applied(old: Any, new: Json, owners: Owners, by: Owner, field: str) -> tuple[Any, Owners]:
    """Return the value of *field* and who owns what after *by* applied *new*, with force.

    What *by* owned and no longer says goes, unless another client owns it too.
    """
    said = leaves(new, (f"f:{field}",))
    fresh = set(said)
    others = {owner: paths for owner, paths in owners.items() if owner != by}
    shared = {path for paths in others.values() for path in paths}
    doomed = owners.get(by, set()) - fresh - shared
    pruned = _pruned(old, doomed, (f"f:{field}",)) if old is not None else None
    known = leaves(old, (f"f:{field}",)) if old is not None else {}
    changed = {path for path, value in said.items() if known.get(path, _MISSING) != value}
    others = {owner: paths - changed for owner, paths in others.items()}
    result = {owner: paths for owner, paths in {**others, by: fresh}.items() if paths}
    return _merged(pruned or {}, new), result
