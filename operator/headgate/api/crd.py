"""The CustomResourceDefinition of a Rollout: its names, subresources, columns and schema.

Owns what the API server is told of our resource. Must not know how that is written to a file.
"""

from collections.abc import Mapping
from typing import Final

from pydantic.config import JsonDict, JsonValue

from headgate.api import names, schema, template
from headgate.api.spec import RolloutSpec
from headgate.api.status import RolloutStatus

NAME: Final = names.RESOURCE
SHORT_NAME: Final = "hg"
CATEGORIES: Final = ("all", "headgate")

# Name, type, JSON path. MESSAGE is long: only `-o wide` shows it.
_COLUMNS: Final = (
    ("Phase", "string", ".status.phase"),
    ("Step", "string", ".status.step.text"),
    ("Weight", "integer", ".status.weight.achieved"),
    ("Stable", "string", ".status.stable.hash"),
    ("Canary", "string", ".status.canary.hash"),
    ("Ready", "string", ".status.ready"),
    ("Age", "date", ".metadata.creationTimestamp"),
)
_MESSAGE: Final = '.status.conditions[?(@.type=="Ready")].message'

# A status that says nothing yet must not read as "done": kstatus takes an absent one for that.
_UNOBSERVED: Final[JsonDict] = {"observedGeneration": -1}


def definition() -> JsonDict:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": list(CATEGORIES),
            },
            "versions": [_version()],
        },
    }


def _version() -> JsonDict:
    return {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": schema.ordered(_root())},
    }


def _columns() -> list[JsonValue]:
    columns: list[JsonValue] = [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in _COLUMNS]
    return [*columns, {"name": "Message", "type": "string", "jsonPath": _MESSAGE, "priority": 1}]


def _root() -> JsonDict:
    return {
        "description": "Rollout ships a new version of a service a little at a time, watches what it does to the people"
        " who use it, and takes it back by itself when it hurts them.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": f"The version of this form: {names.API_VERSION}.", "type": "string"},
            "kind": {"description": f"The kind of this object: {names.KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": _spec(),
            "status": _status(),
        },
    }


def _spec() -> JsonDict:
    spec = schema.structural(RolloutSpec)
    properties = _object(spec["properties"])
    pods = template.schema(_object(properties["template"])["description"])
    return {**spec, "properties": {**properties, "template": pods}}


def _status() -> JsonDict:
    status = _without_defaults(schema.structural(RolloutStatus))
    return {**status, "default": _UNOBSERVED}


def _without_defaults(node: Mapping[str, JsonValue]) -> JsonDict:
    """Return *node* without its defaults: a status says what was observed, and nothing else."""
    return {
        key: _without_defaults(value) if isinstance(value, dict) else value
        for key, value in node.items()
        if key != "default"
    }


def _object(value: JsonValue) -> JsonDict:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value
