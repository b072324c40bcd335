"""Objects as a watch or a list showed them, cut down to what can make a pass worth while. Pure.

| kind | told apart by |
|---|---|
| Rollout | generation, annotations, finalizers, deletion, what is stable: the rest are our own writes |
| Deployment | what a pass reads of it: counts, conditions, our labels and annotations, its owner |
| Service | its selector, ports, labels of ours, owner |
| EndpointSlice | which pods are ready in it, and of which Deployments pods end that still serve |
| HTTPRoute, GRPCRoute | generation, label and annotation of ours, what its parents say |
"""

import dataclasses
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headgate.api import dns, names, nesting
from headgate.core import pass_order
from headgate.core.model import Json, Key, Kind
from headgate.core.model.overlaps import Footprint

ROUTES: Final = (Kind.HTTP_ROUTE, Kind.GRPC_ROUTE)
"""The kinds whose objects do not say which Rollouts they belong to: Rollouts name them."""

_ROUTE_WORDS: Final = frozenset(kind.value for kind in ROUTES)
_COUNTS: Final = (
    "observedGeneration",
    "replicas",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "unavailableReplicas",
)

_PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "spec": ("traffic", "selector", "ports", "template"),
    "status": (*_COUNTS, "conditions", "parents", "stable"),
}
_LONG_CHARACTERS: Final = 256
_LABELS_MOST: Final = 128
"""Of a template, beside those that its own selector asks for: what people write has ten, and some megabyte has more."""
_CLAIMED_MOST: Final = 2 + 16 * 16
"""Two Services, and each rule of as many routes as a spec can name."""
_NO_FOOTPRINT: Final = Footprint()
_LEVELS: Final = 24
"""Of what is compared: nothing that matters lies deeper."""

Named = tuple[Kind, str, str]
"""A route: kind, namespace, name."""


@dataclasses.dataclass(frozen=True, slots=True)
class ObservedObject:
    """An object as a watch or a list showed it, cut down to what matters here."""

    kind: Kind
    uid: str
    key: Key | None
    """The Rollout that it is, or belongs to; None if it belongs to none, or for a route."""
    resource_version: str
    fingerprint: int
    """Equal for two observations with nothing worth a pass between them, within this process."""
    gone: bool = False
    wish: int = 0
    """For a Rollout: equal for two observations between which its users asked for nothing; 0 for anything else."""
    route: Named | None = None
    """For a route: which one it is."""
    names: tuple[Named, ...] = ()
    """For a Rollout: the routes that its spec names."""
    footprint: Footprint = _NO_FOOTPRINT
    """For a Rollout: the pods, Services and rules of routes that its spec reaches for."""
    labelled: bool = False
    """Whether only a label says which Rollout it belongs to: more than one may have that label."""


def observed(kind: Kind, body: Mapping[str, Any], *, gone: bool = False) -> ObservedObject:
    """Return *body* cut down to an ObservedObject. Nothing in it can raise, and what is no name in it names nothing."""
    metadata = _mapping(nesting.shallow(body.get("metadata"), _LEVELS))
    namespace = str(metadata.get("namespace", ""))
    return ObservedObject(
        kind=kind,
        uid=str(metadata.get("uid", "")),
        key=_key(kind, metadata, namespace),
        labelled=kind is not Kind.ROLLOUT and _controller(kind, metadata) is None,
        resource_version=str(metadata.get("resourceVersion", "")),
        fingerprint=_fingerprint(_facts(kind, body, metadata)),
        gone=gone,
        wish=_fingerprint(pass_order.wishes(metadata)) if kind is Kind.ROLLOUT else 0,
        route=(kind, namespace, str(metadata.get("name", ""))) if kind in ROUTES else None,
        names=tuple(_named(body, namespace)) if kind is Kind.ROLLOUT else (),
        footprint=_footprint(body) if kind is Kind.ROLLOUT else _NO_FOOTPRINT,
    )


def trimmed(body: Mapping[str, Any]) -> Json:
    """Return the parts of *body* that an ObservedObject is made of, and what names the object."""
    metadata = {name: part for name, part in _mapping(body.get("metadata")).items() if name != "managedFields"}
    if "annotations" in metadata:
        metadata["annotations"] = _shortened(metadata["annotations"])
    kept: Json = {field: body[field] for field in ("apiVersion", "kind", "endpoints") if field in body}
    kept["metadata"] = metadata
    for field, parts in _PARTS.items():
        if isinstance(body.get(field), Mapping):
            kept[field] = {name: part for name, part in body[field].items() if name in parts}
    if "template" in kept.get("spec", {}):
        wanted = _selector(kept["spec"])
        kept["spec"]["template"] = {"metadata": {"labels": _labels(kept["spec"]["template"], wanted)}}
    cut: Json = nesting.shallow(kept, _LEVELS)
    return cut


def _shortened(annotations: Any) -> Json:
    """Return *annotations* with a mark for each that is long: they are compared, and not read."""
    return {
        name: f"#{hash(value)}" if isinstance(value, str) and len(value) > _LONG_CHARACTERS else value
        for name, value in _mapping(annotations).items()
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _things(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def _fingerprint(facts: list[Any]) -> int:
    return hash(json.dumps(nesting.shallow(facts, _LEVELS), sort_keys=True, default=str))


def _rollout(namespace: str, name: object) -> Key | None:
    """Return the Rollout of that name; None where no Rollout can have it, as with a label that holds more than names.

    Without this one label would be worth a pass, and a request that is refused, for ever.
    """
    return Key(namespace, str(name)) if dns.is_label(namespace) and dns.is_subdomain(name) else None


def _facts(kind: Kind, body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    if kind is Kind.ROLLOUT:
        return _rollout_facts(body, metadata)
    if kind is Kind.DEPLOYMENT:
        return _deployment_facts(body, metadata)
    if kind is Kind.SERVICE:
        return _service_facts(body, metadata)
    return _slice_facts(body) if kind is Kind.ENDPOINT_SLICE else _route_facts(body, metadata)


def _key(kind: Kind, metadata: Mapping[str, Any], namespace: str) -> Key | None:
    """Return the Rollout that an object is, or belongs to: its controller, or the one that its label names.

    A Service of the user's has some other controller, if any; a slice has its Service. Their label decides.
    """
    if kind is Kind.ROLLOUT:
        return _rollout(namespace, metadata.get("name"))
    if kind in ROUTES:
        return None
    owner = _controller(kind, metadata)
    if owner is not None:
        ours = owner.get("kind") == names.KIND and str(owner.get("apiVersion", "")).startswith(f"{names.GROUP}/")
        return _rollout(namespace, owner.get("name")) if ours else None
    return _rollout(namespace, _mapping(metadata.get("labels")).get(names.ROLLOUT))


def _controller(kind: Kind, metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    owners = _things(metadata.get("ownerReferences")) if kind is Kind.DEPLOYMENT else []
    return next((owner for owner in owners if owner.get("controller")), None)


def _named(body: Mapping[str, Any], namespace: str) -> Iterator[Named]:
    found: Any = body.get("spec")
    for part in ("traffic", "gatewayAPI", "routes"):
        found = _mapping(found).get(part)
    kinds = {kind.value: kind for kind in ROUTES}
    for route in _things(found):
        kind = kinds.get(str(route.get("kind")))
        if kind is not None and dns.is_subdomain(route.get("name")):
            yield kind, namespace, str(route["name"])


def _footprint(body: Mapping[str, Any]) -> Footprint:
    spec = _mapping(body.get("spec"))
    wanted = _selector(spec)
    labels = _labels(spec.get("template"), wanted)
    claimed = itertools.islice(_claimed(_mapping(spec.get("traffic"))), _CLAIMED_MOST)
    return Footprint(_pairs(wanted), _pairs(labels), frozenset(claimed))


def _selector(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that a Rollout selects; none where one of them is no label, for then it selects nothing."""
    labels = _mapping(_mapping(spec.get("selector")).get("matchLabels"))
    whole = len(labels) <= _LABELS_MOST and all(
        dns.is_label_key(k) and dns.is_label_value(v) for k, v in labels.items()
    )
    return dict(labels) if whole else {}


def _labels(template: Any, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a template's pods: those that are *wanted*, and so many others."""
    found = _mapping(_mapping(_mapping(template).get("metadata")).get("labels"))
    others = sorted(found.keys() - wanted.keys())[:_LABELS_MOST]
    kept = {key: found[key] for key in (*wanted, *others) if key in found}
    return {key: value for key, value in kept.items() if dns.is_label_key(key) and dns.is_label_value(value)}


def _pairs(labels: Mapping[str, str]) -> frozenset[str]:
    # Interned, for a thousand Rollouts have the same ones.
    return frozenset(sys.intern(f"{key}={value}") for key, value in labels.items())


def _claimed(traffic: Mapping[str, Any]) -> Iterator[str]:
    """Yield the Services and the rules of routes that a Rollout names: each is one Rollout's to move."""
    services = (traffic.get("stableService"), traffic.get("canaryService"))
    yield from (f"Service {name}" for name in services if dns.is_label(name))
    for route in _things(_mapping(traffic.get("gatewayAPI")).get("routes")):
        known = dns.is_subdomain(route.get("name")) and route.get("kind") in _ROUTE_WORDS
        rules = route.get("rules") if known else ()
        for rule in filter(dns.is_subdomain, rules if isinstance(rules, list) else ()):
            yield f"rule {rule} of {route['kind']} {route['name']}"


def _owners(metadata: Mapping[str, Any]) -> list[Any]:
    return [owner.get("uid") for owner in _things(metadata.get("ownerReferences"))]


def _rollout_facts(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    # What is stable is written once in a rollout; a status that was emptied or played back has another one.
    stable = _mapping(_mapping(body.get("status")).get("stable")).get("hash")
    marks = [metadata.get(field) for field in ("generation", "finalizers", "deletionTimestamp")]
    return [stable, *marks, _shortened(metadata.get("annotations"))]


def _deployment_facts(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    status = _mapping(body.get("status"))
    return [
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        metadata.get("labels"),
        _owners(metadata),
        names.ours(metadata.get("annotations")),
        [status.get(count) for count in _COUNTS],
        [_condition(condition) for condition in _things(status.get("conditions"))],
    ]


def _condition(condition: Mapping[str, Any]) -> list[Any]:
    # Messages repeat the counts or name a ReplicaSet; only why pods cannot be created is read by a pass.
    words = condition.get("message") if condition.get("type") == "ReplicaFailure" else None
    return [condition.get("type"), condition.get("status"), condition.get("reason"), words]


def _service_facts(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    spec = _mapping(body.get("spec"))
    marks = [metadata.get("deletionTimestamp"), names.ours(metadata.get("labels")), _owners(metadata)]
    return [*marks, spec.get("selector"), spec.get("ports")]


def _slice_facts(body: Mapping[str, Any]) -> list[Any]:
    ready, ending = [], set()
    for endpoint in _things(body.get("endpoints")):
        conditions, target = _mapping(endpoint.get("conditions")), _mapping(endpoint.get("targetRef"))
        if conditions.get("terminating") is True:
            # One pass for the last of a Deployment's that serves no more, and none for each before it.
            ending |= {_deployment(target)} if conditions.get("serving") is not False else set()
        elif conditions.get("ready") is not False:
            ready.append(str(target.get("uid") or nesting.shallow(endpoint.get("addresses"), 3)))
    return [sorted(ready), sorted(ending)]


def _deployment(target: Mapping[str, Any]) -> str:
    """Return the name of a pod's Deployment, which is followed by its ReplicaSet's hash and its own letters."""
    return str(target.get("name", "")).rsplit("-", 2)[0]


def _route_facts(body: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Any]:
    parents = _things(_mapping(body.get("status")).get("parents"))
    answers = [
        [answer.get("parentRef"), [_answer(condition) for condition in _things(answer.get("conditions"))]]
        for answer in parents
    ]
    marks = [names.ours(metadata.get("labels")), names.ours(metadata.get("annotations"))]
    return [metadata.get("generation"), metadata.get("deletionTimestamp"), *marks, answers]


def _answer(condition: Mapping[str, Any]) -> list[Any]:
    return [condition.get(field) for field in ("type", "status", "reason", "message", "observedGeneration")]
