"""Objects as a watch or a list showed them, cut down to what can make a pass worth while. Pure.

| kind | told apart by |
|---|---|
| Rollout | generation, annotations, finalizers, deletion: the rest are our own writes |
| Deployment | what a pass reads of it: counts, conditions, our labels and annotations, its owner |
| Service | its selector, ports, labels of ours, owner |
| EndpointSlice | which pods are ready in it, and of which Deployments pods end that still serve |
| HTTPRoute, GRPCRoute | generation, label and annotation of ours, what its parents say |
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headgate.api import names
from headgate.core.model import Json, Key, Kind

ROUTES: Final = (Kind.HTTP_ROUTE, Kind.GRPC_ROUTE)
"""The kinds whose objects do not say which Rollouts they belong to: Rollouts name them."""

_COUNTS: Final = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)

Named = tuple[Kind, str, str]
"""A route: kind, namespace, name."""


@dataclasses.dataclass(frozen=True, slots=True)
class Sighting:
    """An object as a watch or a list showed it, cut down to what matters here."""

    kind: Kind
    uid: str
    key: Key | None
    """The Rollout that it is, or belongs to; None if it belongs to none, or for a route."""
    resource_version: str
    fingerprint: int
    """Equal for two sightings with nothing worth a pass between them, within this process."""
    gone: bool = False
    wish: int = 0
    """For a Rollout: equal for two sightings between which its users asked for nothing; 0 for anything else."""
    route: Named | None = None
    """For a route: which one it is."""
    names: tuple[Named, ...] = ()
    """For a Rollout: the routes that its spec names."""


def sight(kind: Kind, body: Mapping[str, Any], *, gone: bool = False) -> Sighting:
    """Return *body* cut down to a Sighting; it need not be well-formed beyond what the API server guarantees."""
    metadata = body.get("metadata") or {}
    namespace = str(metadata.get("namespace", ""))
    return Sighting(
        kind=kind,
        uid=str(metadata.get("uid", "")),
        key=_key(kind, metadata, namespace),
        resource_version=str(metadata.get("resourceVersion", "")),
        fingerprint=hash(json.dumps(_facts(kind, body, metadata), sort_keys=True, default=str)),
        gone=gone,
        wish=hash(json.dumps(_wishes(metadata), sort_keys=True, default=str)) if kind is Kind.ROLLOUT else 0,
        route=(kind, namespace, str(metadata.get("name", ""))) if kind in ROUTES else None,
        names=tuple(_named(body, namespace)) if kind is Kind.ROLLOUT else (),
    )


def _facts(kind: Kind, body: Mapping[str, Any], metadata: Json) -> list[Any]:
    if kind is Kind.ROLLOUT:
        return _rollout_facts(metadata)
    if kind is Kind.DEPLOYMENT:
        return _deployment_facts(body, metadata)
    if kind is Kind.SERVICE:
        return _service_facts(body, metadata)
    return _slice_facts(body) if kind is Kind.ENDPOINT_SLICE else _route_facts(body, metadata)


def _key(kind: Kind, metadata: Json, namespace: str) -> Key | None:
    """Return the Rollout that an object is, or belongs to: its controller, or the one that its label names.

    A Service of the user's has some other controller, if any; a slice has its Service. Their label decides.
    """
    if kind is Kind.ROLLOUT:
        return Key(namespace, str(metadata.get("name", "")))
    if kind in ROUTES:
        return None
    for owner in (metadata.get("ownerReferences") or ()) if kind is Kind.DEPLOYMENT else ():
        if owner.get("controller"):
            ours = owner.get("kind") == names.KIND and str(owner.get("apiVersion", "")).startswith(f"{names.GROUP}/")
            return Key(namespace, str(owner.get("name", ""))) if ours else None
    label = (metadata.get("labels") or {}).get(names.ROLLOUT)
    return Key(namespace, str(label)) if label else None


def _named(body: Mapping[str, Any], namespace: str) -> Iterator[Named]:
    found: Any = body.get("spec")
    for part in ("traffic", "gatewayAPI", "routes"):
        found = found.get(part) if isinstance(found, Mapping) else None
    kinds = {kind.value: kind for kind in ROUTES}
    for route in found if isinstance(found, list | tuple) else ():
        if isinstance(route, Mapping) and route.get("kind") in kinds:
            yield kinds[route["kind"]], namespace, str(route.get("name", ""))


def _ours(marks: Any) -> Json:
    """Return those labels or annotations that are ours."""
    found = marks if isinstance(marks, Mapping) else {}
    return {name: value for name, value in found.items() if name.startswith(f"{names.GROUP}/")}


def _owners(metadata: Json) -> list[Any]:
    return [owner.get("uid") for owner in metadata.get("ownerReferences") or ()]


def _rollout_facts(metadata: Json) -> list[Any]:
    return [metadata.get(field) for field in ("generation", "annotations", "finalizers", "deletionTimestamp")]


def _wishes(metadata: Json) -> list[Any]:
    """Return what stands for commands, deletions and new templates; a generation is new with other edits too."""
    return [metadata.get("generation"), metadata.get("deletionTimestamp"), _ours(metadata.get("annotations"))]


def _deployment_facts(body: Mapping[str, Any], metadata: Json) -> list[Any]:
    status = body.get("status") or {}
    return [
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("labels"),
        _owners(metadata),
        _ours(metadata.get("annotations")),
        [status.get(count) for count in _COUNTS],
        [_condition(condition) for condition in status.get("conditions") or ()],
    ]


def _condition(condition: Json) -> list[Any]:
    # Messages repeat the counts or name a ReplicaSet; only why pods cannot be created is read by a pass.
    words = condition.get("message") if condition.get("type") == "ReplicaFailure" else None
    return [condition.get("type"), condition.get("status"), condition.get("reason"), words]


def _service_facts(body: Mapping[str, Any], metadata: Json) -> list[Any]:
    spec = body.get("spec") or {}
    marks = [metadata.get("deletionTimestamp"), _ours(metadata.get("labels")), _owners(metadata)]
    return [*marks, dict(spec.get("selector") or {}), list(spec.get("ports") or ())]


def _slice_facts(body: Mapping[str, Any]) -> list[Any]:
    ready, ending = [], set()
    for endpoint in body.get("endpoints") or ():
        conditions, target = endpoint.get("conditions") or {}, endpoint.get("targetRef") or {}
        if conditions.get("terminating") is True:
            # One pass for the last of a Deployment's that serves no more, and none for each before it.
            ending |= {_deployment(target)} if conditions.get("serving") is not False else set()
        elif conditions.get("ready") is not False:
            ready.append(str(target.get("uid") or endpoint.get("addresses")))
    return [sorted(ready), sorted(ending)]


def _deployment(target: Json) -> str:
    """Return the name of a pod's Deployment, which is followed by its ReplicaSet's hash and its own letters."""
    return str(target.get("name", "")).rsplit("-", 2)[0]


def _route_facts(body: Mapping[str, Any], metadata: Json) -> list[Any]:
    parents = (body.get("status") or {}).get("parents") or ()
    answers = [
        [answer.get("parentRef"), [_answer(condition) for condition in answer.get("conditions") or ()]]
        for answer in parents
    ]
    marks = [_ours(metadata.get("labels")), _ours(metadata.get("annotations"))]
    return [metadata.get("generation"), metadata.get("deletionTimestamp"), *marks, answers]


def _answer(condition: Json) -> list[Any]:
    return [condition.get(field) for field in ("type", "status", "reason", "message", "observedGeneration")]
