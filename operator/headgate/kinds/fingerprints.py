"""What of an object is compared, to tell whether a change of it is worth a pass. Pure.

| kind | told apart by |
|---|---|
| Rollout | generation, annotations, finalizers, deletion, what is stable: the rest are our own writes |
| Deployment | what a pass reads of it: counts, conditions, our labels and annotations, its owner |
| Service | its selector, ports, labels of ours, owner |
| EndpointSlice | which pods are ready in it, and of which Deployments pods end that still serve |
| HTTPRoute, GRPCRoute | generation, label and annotation of ours, what its parents say |
"""

from collections.abc import Mapping
from typing import Any, Final

from headgate.api import names, nesting
from headgate.core.model import Json

_COUNTS: Final = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)
DEPLOYMENT_FIELDS: Final = (*(f"status.{count}" for count in _COUNTS), "status.conditions")
_LONG_CHARACTERS: Final = 256


def mapping(value: Any) -> Mapping[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects in *value* if it is a list, else none."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def shortened(annotations: Any) -> Json:
    """Return *annotations* with a mark for each that is long: they are compared, and not read."""
    return {
        name: f"#{hash(value)}" if isinstance(value, str) and len(value) > _LONG_CHARACTERS else value
        for name, value in mapping(annotations).items()
    }


def _owners(metadata: Mapping[str, Any]) -> list[Any]:
    return [owner.get("uid") for owner in objects(metadata.get("ownerReferences"))]


def rollout(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    """Return what a pass reads of a Rollout that others write."""
    # What is stable is written once in a rollout; a status that was emptied or played back has another one.
    stable = mapping(mapping(body.get("status")).get("stable")).get("hash")
    marks = [metadata.get(field) for field in ("generation", "finalizers", "deletionTimestamp")]
    return [stable, *marks, shortened(metadata.get("annotations"))]


def deployment(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    """Return what a pass reads of a Deployment."""
    status = mapping(body.get("status"))
    return [
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("labels"),
        _owners(metadata),
        names.ours(metadata.get("annotations")),
        [status.get(count) for count in _COUNTS],
        [_condition(condition) for condition in objects(status.get("conditions"))],
    ]


def _condition(condition: Mapping[str, Any]) -> list[Any]:
    # Messages repeat the counts or name a ReplicaSet; only why pods cannot be created is read by a pass.
    words = condition.get("message") if condition.get("type") == "ReplicaFailure" else None
    return [condition.get("type"), condition.get("status"), condition.get("reason"), words]


def service(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    """Return what a pass reads of a Service."""
    spec = mapping(body.get("spec"))
    marks = [metadata.get("deletionTimestamp"), names.ours(metadata.get("labels")), _owners(metadata)]
    return [*marks, spec.get("selector"), spec.get("ports")]


def endpoint_slice(body: Mapping[str, Any], _metadata: Mapping[str, Any]) -> list[Any]:
    """Return which pods are ready in an EndpointSlice, and of which Deployments pods end that still serve."""
    ready, ending = [], set()
    for endpoint in objects(body.get("endpoints")):
        conditions, target = mapping(endpoint.get("conditions")), mapping(endpoint.get("targetRef"))
        if conditions.get("terminating") is True:
            # One pass for the last of a Deployment's that serves no more, and none for each before it.
            ending |= {_deployment(target)} if conditions.get("serving") is not False else set()
        elif conditions.get("ready") is not False:
            ready.append(str(target.get("uid") or nesting.shallow(endpoint.get("addresses"), 3)))
    return [sorted(ready), sorted(ending)]


def _deployment(target: Mapping[str, Any]) -> str:
    """Return the name of a pod's Deployment, which is followed by its ReplicaSet's hash and its own letters."""
    return str(target.get("name", "")).rsplit("-", 2)[0]


def route(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    """Return what a pass reads of a route: its generation, our marks, and the answers of its parents."""
    parents = objects(mapping(body.get("status")).get("parents"))
    answers = [
        [answer.get("parentRef"), [_answer(condition) for condition in objects(answer.get("conditions"))]]
        for answer in parents
    ]
    marks = [names.ours(metadata.get("labels")), names.ours(metadata.get("annotations"))]
    return [metadata.get("generation"), metadata.get("deletionTimestamp"), *marks, answers]


def _answer(condition: Mapping[str, Any]) -> list[Any]:
    return [condition.get(field) for field in ("type", "status", "reason", "message", "observedGeneration")]
