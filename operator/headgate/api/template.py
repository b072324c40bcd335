"""The pod template: the few fields that Headgate itself relies on. All else is the API server's to judge.

Owns the declared skeleton, and the same checks for a template that came past it. Everything undeclared is kept as the
user wrote it, and nothing gets a default: the template is the identity of a revision.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic.config import JsonDict, JsonValue

from headgate.api import cel, names

Template = Mapping[str, Any]

KEPT: Final = "x-kubernetes-preserve-unknown-fields"
# A chart that has nothing to say writes null, and server-side apply keeps it. A Deployment takes that, so do we.
_NULLABLE: Final[JsonDict] = {"nullable": True}
NAMED_LISTS: Final = ("containers", "initContainers", "volumes")


def _text(description: str, max_length: int) -> JsonDict:
    return {"description": description, "type": "string", "maxLength": max_length}


def _labels(description: str, max_length: int) -> JsonDict:
    text: JsonDict = {"type": "string", "maxLength": max_length}
    return {"description": description, "type": "object", "maxProperties": 256, "additionalProperties": text}


def _named(description: str, max_items: int, *fields: tuple[str, JsonDict]) -> JsonDict:
    """Return a list that is merged by name, and whose items keep whatever else they have."""
    properties: JsonDict = {"name": _text("The name, by which it is merged.", 253), **dict(fields)}
    item: JsonDict = {"type": "object", "required": ["name"], "properties": properties, KEPT: True}
    return {
        "description": description,
        "type": "array",
        "maxItems": max_items,
        "items": item,
        **cel.map_list("name"),
    }


def _containers(description: str) -> JsonDict:
    image = _text("The image to run; a change of it is a new revision.", 2048)
    environment: JsonDict = {**_named("Environment variables, as in a Pod.", 2048), **_NULLABLE}
    return _named(description, 100, ("image", image), ("env", environment))


def _metadata() -> JsonDict:
    labels = _labels("The labels of the pods; those of the selector are among them.", 63)
    annotations = _labels("The annotations of the pods.", 262_144)
    unhashed = cel.validations(cel.LABELS_UNHASHED)
    properties: JsonDict = {
        "labels": {**labels, "minProperties": 1, **unhashed},
        "annotations": {**annotations, **_NULLABLE},
    }
    return {
        "description": "What the pods are labelled with.",
        "type": "object",
        "required": ["labels"],
        "properties": properties,
        KEPT: True,
    }


def _spec() -> JsonDict:
    restarted = cel.validations(cel.ALWAYS_RESTARTED)
    properties: JsonDict = {
        "containers": {**_containers("The containers of a pod, as in a Pod."), "minItems": 1},
        "initContainers": {**_containers("What runs before the containers start, as in a Pod."), **_NULLABLE},
        "volumes": {**_named("The volumes that containers can mount, as in a Pod.", 512), **_NULLABLE},
        "restartPolicy": {**_text("Always, or left out: a Rollout's pods serve for ever.", 16), **restarted},
    }
    return {
        "description": "The pod's spec, as in a Deployment; the API server checks it before anything changes.",
        "type": "object",
        "required": ["containers"],
        "properties": properties,
        KEPT: True,
    }


def schema(description: JsonValue) -> JsonDict:
    """Return the structural schema of a pod template."""
    return {
        "description": description,
        "type": "object",
        "required": ["metadata", "spec"],
        "properties": {"metadata": _metadata(), "spec": _spec()},
    }


def problems(template: Template, match_labels: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with *template*, each with path and remedy, as the CRD would refuse it."""
    for field in template.keys() - {"metadata", "spec"}:
        yield f"template.{field}: is no field of a pod template: put it under template.spec"
    yield from _label_problems(_object(template, "metadata").get("labels"), match_labels)
    spec = _object(template, "spec")
    if not spec.get("containers"):
        yield "template.spec.containers: must have at least one container"
    for field in NAMED_LISTS:
        yield from _list_problems(f"template.spec.{field}", spec.get(field))
    if spec.get("restartPolicy") not in (None, "Always"):
        yield f"template.spec.restartPolicy: {cel.ALWAYS_RESTARTED.message}"


def _object(parent: Template, field: str) -> Template:
    value = parent.get(field)
    return value if isinstance(value, Mapping) else {}


def _label_problems(labels: object, match_labels: Mapping[str, str]) -> Iterator[str]:
    path = "template.metadata.labels"
    if not isinstance(labels, Mapping) or not labels:
        yield f"{path}: must have at least the labels of selector.matchLabels"
        return
    if not all(isinstance(value, str) for value in labels.values()):
        yield f"{path}: must be texts: put numbers and true or false in quotes"
    if names.POD_HASH in labels:
        yield f"{path}: {cel.LABELS_UNHASHED.message}"
    if any(labels.get(key) != value for key, value in match_labels.items()):
        yield f"{path}: {cel.SELECTOR_CONTAINED.message}"


def _list_problems(path: str, items: object) -> Iterator[str]:
    """Yield what keeps *items* from being a list of things with a name each, and no name twice."""
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        yield f"{path}: must be a list of objects"
        return
    found = [item.get("name") for item in items]
    if not all(isinstance(name, str) for name in found):
        yield f"{path}: each needs a name"
    elif len(found) != len(set(found)):
        yield f"{path}: the names must differ"
    for index, item in enumerate(items):
        yield from _list_problems(f"{path}[{index}].env", item.get("env"))
