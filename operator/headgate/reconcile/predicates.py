"""Objects as a watch or a list showed them, cut down to what can make a pass worth while. Pure.

What of each kind is compared, and how it tells whose it is, says the table of kinds.
"""

import dataclasses
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Final

from headgate import kinds
from headgate.api import dns, names, nesting
from headgate.core import pass_order
from headgate.core.model import Json, Key, Kind
from headgate.core.model.overlaps import Footprint
from headgate.kinds import fingerprints
from headgate.kinds.resource_kind import Belongs

_ROUTES_BY_NAME: Final = {kind.value: kind for kind in kinds.ROUTES}
_FIELDS: Final = frozenset(field for watch in kinds.WATCHES.values() for field in watch.fields)
_PARTS: Final[Mapping[str, frozenset[str]]] = {
    field: frozenset(part for whole, _, part in (one.partition(".") for one in _FIELDS) if whole == field and part)
    for field in ("spec", "status")
}
_WHOLE: Final = ("apiVersion", "kind", *sorted(field for field in _FIELDS if "." not in field))
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
    metadata = fingerprints.mapping(nesting.shallow(body.get("metadata"), _LEVELS))
    namespace = str(metadata.get("namespace", ""))
    return ObservedObject(
        kind=kind,
        uid=str(metadata.get("uid", "")),
        key=_key(kind, metadata, namespace),
        labelled=kind is not Kind.ROLLOUT and _controller(kind, metadata) is None,
        resource_version=str(metadata.get("resourceVersion", "")),
        fingerprint=_fingerprint(kinds.WATCHES[kind].fingerprint(body, metadata)),
        gone=gone,
        wish=_fingerprint(pass_order.wishes(metadata)) if kind is Kind.ROLLOUT else 0,
        route=(kind, namespace, str(metadata.get("name", ""))) if kind in kinds.ROUTES else None,
        names=tuple(_named(body, namespace)) if kind is Kind.ROLLOUT else (),
        footprint=_footprint(body) if kind is Kind.ROLLOUT else _NO_FOOTPRINT,
    )


def trimmed(body: Mapping[str, Any]) -> Json:
    """Return the parts of *body* that an ObservedObject is made of, and what names the object."""
    metadata = {
        name: part for name, part in fingerprints.mapping(body.get("metadata")).items() if name != "managedFields"
    }
    if "annotations" in metadata:
        metadata["annotations"] = fingerprints.shortened(metadata["annotations"])
    kept: Json = {field: body[field] for field in _WHOLE if field in body}
    kept["metadata"] = metadata
    for field, parts in _PARTS.items():
        if isinstance(body.get(field), Mapping):
            kept[field] = {name: part for name, part in body[field].items() if name in parts}
    if "template" in kept.get("spec", {}):
        wanted = _selector(kept["spec"])
        kept["spec"]["template"] = {"metadata": {"labels": _labels(kept["spec"]["template"], wanted)}}
    cut: Json = nesting.shallow(kept, _LEVELS)
    return cut


def _fingerprint(facts: list[Any]) -> int:
    return hash(json.dumps(nesting.shallow(facts, _LEVELS), sort_keys=True, default=str))


def _rollout(namespace: str, name: object) -> Key | None:
    """Return the Rollout of that name; None where no Rollout can have it, as with a label that holds more than names.

    Without this one label would be worth a pass, and a request that is refused, for ever.
    """
    return Key(namespace, str(name)) if dns.is_label(namespace) and dns.is_subdomain(name) else None


def _key(kind: Kind, metadata: Mapping[str, Any], namespace: str) -> Key | None:
    """Return the Rollout that an object is, or belongs to: its controller, or the one that its label names.

    A Service of the user's has some other controller, if any; a slice has its Service. Their label decides.
    """
    belongs = kinds.WATCHES[kind].belongs
    if belongs is Belongs.IS_ROLLOUT:
        return _rollout(namespace, metadata.get("name"))
    if belongs is Belongs.NAMED:
        return None
    owner = _controller(kind, metadata)
    if owner is not None:
        ours = owner.get("kind") == names.KIND and str(owner.get("apiVersion", "")).startswith(f"{names.GROUP}/")
        return _rollout(namespace, owner.get("name")) if ours else None
    return _rollout(namespace, fingerprints.mapping(metadata.get("labels")).get(names.ROLLOUT))


def _controller(kind: Kind, metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    by_controller = kinds.WATCHES[kind].belongs is Belongs.CONTROLLER
    owners = fingerprints.objects(metadata.get("ownerReferences")) if by_controller else []
    return next((owner for owner in owners if owner.get("controller")), None)


def _named(body: Mapping[str, Any], namespace: str) -> Iterator[Named]:
    found: Any = body.get("spec")
    for part in ("traffic", "gatewayAPI", "routes"):
        found = fingerprints.mapping(found).get(part)
    for route in fingerprints.objects(found):
        kind = _ROUTES_BY_NAME.get(str(route.get("kind")))
        if kind is not None and dns.is_subdomain(route.get("name")):
            yield kind, namespace, str(route["name"])


def _footprint(body: Mapping[str, Any]) -> Footprint:
    spec = fingerprints.mapping(body.get("spec"))
    wanted = _selector(spec)
    labels = _labels(spec.get("template"), wanted)
    claimed = itertools.islice(_claimed(fingerprints.mapping(spec.get("traffic"))), _CLAIMED_MOST)
    return Footprint(_pairs(wanted), _pairs(labels), frozenset(claimed))


def _selector(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that a Rollout selects; none where one of them is no label, for then it selects nothing."""
    labels = fingerprints.mapping(fingerprints.mapping(spec.get("selector")).get("matchLabels"))
    whole = len(labels) <= _LABELS_MOST and all(
        dns.is_label_key(k) and dns.is_label_value(v) for k, v in labels.items()
    )
    return dict(labels) if whole else {}


def _labels(template: Any, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of a template's pods: those that are *wanted*, and so many others."""
    found = fingerprints.mapping(fingerprints.mapping(fingerprints.mapping(template).get("metadata")).get("labels"))
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
    for route in fingerprints.objects(fingerprints.mapping(traffic.get("gatewayAPI")).get("routes")):
        known = dns.is_subdomain(route.get("name")) and str(route.get("kind")) in _ROUTES_BY_NAME
        rules = route.get("rules") if known else ()
        for rule in filter(dns.is_subdomain, rules if isinstance(rules, list) else ()):
            yield f"rule {rule} of {route['kind']} {route['name']}"
