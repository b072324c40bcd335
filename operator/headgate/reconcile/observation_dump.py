"""An Observation as JSON for the log of a bug: enough to follow the decision, nothing that could be a secret.

What people wrote into objects is shown by permission only: numbers, and texts whose field is known to hold no secret.
Everything else keeps its place and loses its words, so that a field of tomorrow is hidden until it is known.
Of pod templates only labels, container names and images are kept: commands, arguments and environment often hold
passwords. Routes are the same: their filters set headers, and their matches may ask for one that only few know.
"""

import dataclasses
import enum
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import pydantic

from headgate.api.spec import Policy
from headgate.core.model import Observation

WITHHELD: Final = "…"
"""Stands where a text was left out."""

_LABELS: Final = frozenset({"selector", "match_labels", "annotations"})
"""Facts that are maps of text and shown whole: labels, and of annotations only our commands."""
_SHOWN: Final = frozenset(
    {
        *("kind", "group", "namespace", "name", "sectionName", "type", "method", "protocol", "appProtocol"),
        *("stableService", "canaryService", "rules", "metrics", "headerName"),
        *("when", "then", "schedule", "timeZone"),
    }
)
"""Fields of routes, Services and policies whose texts are names and set words."""
_MEASURE: Final = re.compile(r"[0-9][0-9.]{0,11}(%|([a-z]{1,2}([0-9.]{1,12}[a-z]{1,2}){0,4})?)")
"""Such as 25%, 8080 or 1h30m."""


def record(observation: Observation) -> str:
    """Return *observation* as one line of JSON."""
    return json.dumps(_fact(observation), separators=(",", ":"), sort_keys=True)


def _fact(value: Any) -> Any:
    """Return what we made of what was read: the fields are ours, and so are the words in them."""
    if isinstance(value, Policy):
        return _bare(value.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if dataclasses.is_dataclass(value):
        return {field.name: _field(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        # By hash, metric or place: each holds facts, or is as people wrote it.
        return {str(name): _fact(part) if _is_ours(part) else _bare(part, str(name)) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_bare(part) if isinstance(part, Mapping) else _fact(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(type(value))


def _is_ours(value: Any) -> bool:
    """Return whether *value* is one of our facts, and not a part of an object as people wrote it."""
    return dataclasses.is_dataclass(value) or isinstance(value, pydantic.BaseModel | tuple | int | float | None)


def _field(name: str, value: Any) -> Any:
    if name == "template" and isinstance(value, Mapping):
        return _skeleton(value)
    if name in _LABELS and isinstance(value, Mapping):
        return {str(key): text if isinstance(text, str) else _bare(text) for key, text in value.items()}
    return _fact(value)


def _bare(value: Any, name: str = "") -> Any:
    """Return *value*, which people wrote into a field *name*, without any text that could be a secret."""
    if isinstance(value, Mapping):
        return {str(field): _bare(part, str(field)) for field, part in value.items()}
    if isinstance(value, list | tuple):
        return [_bare(part, name) for part in value]
    if isinstance(value, str):
        return value if name in _SHOWN or _MEASURE.fullmatch(value) else WITHHELD
    return value if value is None or isinstance(value, bool | int | float) else str(type(value))


def _skeleton(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a pod template can be shown in a bug report; it need not be well-formed."""
    metadata = template.get("metadata")
    spec = template.get("spec")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    return {
        "labels": labels if _flat(labels) else _bare(labels),
        "containers": [
            {part: container.get(part) if _flat({part: container.get(part)}) else None for part in ("name", "image")}
            for container in (containers if isinstance(containers, list) else [])
            if isinstance(container, Mapping)
        ],
    }


def _flat(labels: Any) -> bool:
    return isinstance(labels, Mapping) and all(isinstance(text, str) for text in labels.values())
