"""An Observation as JSON for the log of a bug: enough to replay the decision, nothing that could be a secret.

Of pod templates only labels, container names and images are kept: commands, arguments and environment often hold
passwords, and any other field may one day.
"""

import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any, Final

import pydantic

from headgate.core.model import Observation

_BACKEND: Final = ("group", "kind", "namespace", "name", "port", "weight")


def record(observation: Observation) -> str:
    """Return *observation* as one line of JSON."""
    return json.dumps(_plain(observation), separators=(",", ":"), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_none=True)
    if dataclasses.is_dataclass(value):
        return {field.name: _field(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _field(str(name), part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(type(value))


def _field(name: str, value: Any) -> Any:
    if name == "template" and isinstance(value, Mapping):
        return _skeleton(value)
    if name == "reference" and isinstance(value, Mapping):
        return _plain({part: value[part] for part in _BACKEND if part in value})  # its filters may set a header
    return _plain(value)


def _skeleton(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a pod template can be shown to anybody; it need not be well-formed."""
    metadata = template.get("metadata")
    spec = template.get("spec")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    return {
        "labels": _plain(labels),
        "containers": [
            {"name": _plain(container.get("name")), "image": _plain(container.get("image"))}
            for container in (containers if isinstance(containers, list) else [])
            if isinstance(container, Mapping)
        ],
    }
