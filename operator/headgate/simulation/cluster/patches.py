"""JSON patches (RFC 6902), as far as the API server is sent them. Knows nothing of what the objects mean."""

from collections.abc import Sequence
from typing import Any

from headgate.core.model import Json
from headgate.simulation.cluster import json_values


class Unfit(Exception):
    """The patch does not fit the object: a test failed, or a member that it needs is not there."""


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _child(parent: Any, part: str) -> Any:
    try:
        return parent[int(part)] if isinstance(parent, list) else parent[part]
    except (KeyError, IndexError, ValueError, TypeError):
        raise Unfit(f"there is no member {part}") from None


def _add(parent: Any, part: str, value: Any) -> None:
    if isinstance(parent, list):
        parent.insert(len(parent) if part == "-" else int(part), value)
    else:
        parent[part] = value


def _applied(thing: Json, operation: Json) -> None:
    *way, last = _parts(operation["path"])
    parent: Any = thing
    for part in way:
        parent = _child(parent, part)
    if not isinstance(parent, dict | list):
        raise Unfit(f"{operation['path']}: its parent has no members")
    place: Any = int(last) if isinstance(parent, list) and last != "-" else last
    match operation["op"]:
        case "test":
            if _child(parent, last) != operation["value"]:
                raise Unfit(f"testing path {operation['path']} failed")
        case "add":
            _add(parent, last, json_values.copied(operation["value"]))
        case "replace":
            _child(parent, last)
            parent[place] = json_values.copied(operation["value"])
        case "remove":
            _child(parent, last)
            del parent[place]
        case other:
            raise NotImplementedError(other)


def patched(thing: Json, operations: Sequence[Json]) -> Json:
    """Return *thing* after all *operations*.

    Raises:
        Unfit: if one of them does not fit; then none counts.
    """
    result = json_values.copied(thing)
    for operation in operations:
        _applied(result, operation)
    return result
