"""Reads the objects by which users reach the pods: Services, EndpointSlices, routes. Nothing in them can raise."""

import collections
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from headgate.api import dns, names
from headgate.api.traffic import Route, Traffic
from headgate.core.model import Json, Unreadable
from headgate.core.model.traffic import ParentFacts, RequestRuleFacts, RouteFacts, RuleFacts, ServiceFacts
from headgate.observe import last_known, parse_workloads

_PORT_FIELDS: Final = ("name", "port", "targetPort", "protocol", "appProtocol")
_WORDS_LENGTH: Final = 300
_PLAIN: Final = re.compile(r"[A-Za-z0-9.-]{1,253}")


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _things(value: Any) -> Iterator[Json]:
    yield from (entry for entry in (value if isinstance(value, list) else ()) if isinstance(entry, dict))


def _number(value: Any, default: int = 0) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


# --- Services --------------------------------------------------------------------------------------------------------


def service(thing: Json, ours: str, endpoints: Mapping[str, int] | Unreadable) -> ServiceFacts:
    """Return what a Service says.

    Args:
        thing: the Service.
        ours: the value of the Rollout label of the Rollout that asks.
        endpoints: the ready pods behind it by revision.
    """
    metadata, spec = thing["metadata"], last_known.shaped(thing)
    labels, selector = _mapping(metadata.get("labels")), _mapping(spec.get("selector"))
    holder = str(labels.get(names.ROLLOUT, ""))
    ports: Iterable[Json] = (
        {field: port[field] for field in _PORT_FIELDS if field in port} for port in _things(spec.get("ports"))
    )
    return ServiceFacts(
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        resource_version=str(metadata["resourceVersion"]),
        holder=holder,
        labelled=holder == ours and labels.get(names.MANAGED) == "true",
        selector={str(key): str(value) for key, value in selector.items()},
        ports=tuple(ports),
        writer=_selector_writer(thing, selector),
        endpoints=endpoints,
        labels=bool(labels),
        deleting=metadata.get("deletionTimestamp") is not None,
    )


def _selector_writer(thing: Json, selector: Json) -> str:
    if names.POD_HASH in selector:
        return next(parse_workloads.other_writers(thing, "spec", "selector", names.POD_HASH), "")
    others = [
        entry
        for entry in _things(thing["metadata"].get("managedFields"))
        if entry.get("manager") != names.OBJECT_MANAGER and entry.get("subresource") != "status"
    ]
    # Times are RFC 3339 in UTC: their order is that of their letters. Of one second's, the last entry that is listed.
    latest = max(reversed(others), key=lambda entry: str(entry.get("time", "")), default={})
    return str(latest.get("manager") or parse_workloads.UNKNOWN_CLIENT)


def endpoints(slices: Iterable[Json], deployments: Mapping[str, str]) -> dict[str, int]:
    """Return how many ready pods stand in *slices* by revision; "" counts what is no pod of any of them.

    Two slices may name one pod: while the controller moves it from one to the other, and with one slice for IPv4 and
    another for IPv6.

    Args:
        slices: the EndpointSlices of one Service.
        deployments: the name of each revision's Deployment by its hash.
    """
    return _counted(slices, deployments, _ready)


def ending(slices: Iterable[Json], deployments: Mapping[str, str]) -> dict[str, int]:
    """Return the same of pods that terminate and still serve: where no other is ready, traffic goes to them."""
    return _counted(slices, deployments, _ends)


def _ready(conditions: Json) -> bool:
    # Absent means ready, and not terminating: it is written so for endpoints without a controller.
    return conditions.get("ready") is not False and conditions.get("terminating") is not True


def _ends(conditions: Json) -> bool:
    return conditions.get("terminating") is True and conditions.get("serving") is not False


def _counted(
    slices: Iterable[Json], deployments: Mapping[str, str], counts_if: Callable[[Json], bool]
) -> dict[str, int]:
    found = {}
    for one in slices:
        for endpoint in _things(one.get("endpoints")):
            target = _mapping(endpoint.get("targetRef"))
            if counts_if(_mapping(endpoint.get("conditions"))):
                identity = target.get("uid") or str(endpoint.get("addresses"))
                found[str(identity)] = _revision(str(target.get("name", "")), deployments)
    return dict(collections.Counter(found.values()))


def _revision(pod: str, deployments: Mapping[str, str]) -> str:
    return next((hash_ for hash_, deployment in deployments.items() if pod.startswith(f"{deployment}-")), "")


# --- routes ----------------------------------------------------------------------------------------------------------


def route(thing: Json, asked: Route, traffic: Traffic) -> RouteFacts:
    """Return what a route says about the two Services of *traffic*, in the rules that are *asked* for."""
    metadata, spec = thing["metadata"], last_known.shaped(thing)
    annotations, namespace = _mapping(metadata.get("annotations")), str(metadata["namespace"])
    rules, found = list(_things(spec.get("rules"))), []
    for index, rule in enumerate(rules):
        facts = _rule(index, rule, namespace, traffic)
        if facts is not None and (not asked.rules or rule.get("name") in asked.rules):
            found.append(facts)
    extras = [
        RequestRuleFacts(index, rule)
        for index, rule in enumerate(rules)
        if _backends(rule, namespace) == {(namespace, traffic.canary_service)}
    ]
    present = {rules[facts.index].get("name") for facts in found}
    return RouteFacts(
        kind=asked.kind,
        name=str(metadata["name"]),
        uid=str(metadata["uid"]),
        resource_version=str(metadata["resourceVersion"]),
        generation=_number(metadata.get("generation")),
        labelled=_mapping(metadata.get("labels")).get(names.MANAGED) == "true",
        labels=bool(metadata.get("labels")),
        annotations=bool(annotations),
        rejected=str(annotations.get(names.REJECTED, "")),
        rules=tuple(found),
        extras=tuple(extras),
        size=len(rules),
        mirrors=dict(_mirrors(rules, (namespace, traffic.canary_service))),
        missing_rules=tuple(name for name in asked.rules if name not in present),
        parents=tuple(_parents(thing, namespace)),
        writer=next(parse_workloads.other_writers(thing, "spec", "rules"), ""),
        deleting=metadata.get("deletionTimestamp") is not None,
        written=parse_workloads.written(thing),
        parent_refs=tuple(_titled(parent) for parent in _asked(thing, namespace)),
        parent_keys=tuple(parent[:3] for parent in _asked(thing, namespace)),
        elsewhere=tuple(sorted(_elsewhere(rules, traffic.stable_service, namespace))),
    )


def _service_of(reference: Json, namespace: str) -> tuple[str, str]:
    """Return namespace and name of the Service that a backendRef names; empty where it names none."""
    if (reference.get("group") or "") != "" or (reference.get("kind") or "Service") != "Service":
        return "", ""
    return str(reference.get("namespace") or namespace), str(reference.get("name", ""))


def _backends(rule: Json, namespace: str) -> set[tuple[str, str]]:
    """Return the Services that a rule leads to."""
    return {_service_of(one, namespace) for one in _things(rule.get("backendRefs"))}


def _mirrors(
    rules: Iterable[Json], service: tuple[str, str]
) -> Iterator[tuple[int, tuple[tuple[Json, ...], tuple[int, ...]]]]:
    """Yield of each rule that copies requests to *service* its filters, and where among them those are."""
    for index, rule in enumerate(rules):
        filters = tuple(_things(rule.get("filters")))
        places = tuple(at for at, one in enumerate(filters) if _copied_to(one, service[0]) == service)
        if places:
            yield index, (filters, places)


def _copied_to(one: Json, namespace: str) -> tuple[str, str]:
    """Return namespace and name of the Service that a filter copies requests to; empty where it copies none."""
    mirror = _mapping(one.get("requestMirror")) if one.get("type") == "RequestMirror" else {}
    return _service_of(_mapping(mirror.get("backendRef")), namespace) if mirror else ("", "")


def _elsewhere(rules: Iterable[Json], service_name: str, namespace: str) -> set[str]:
    """Return the other namespaces whose Services of that name *rules* lead to."""
    named = {_service_of(one, namespace) for rule in rules for one in _things(rule.get("backendRefs"))}
    return {home for home, name in named if name == service_name and home != namespace}


def _rule(index: int, rule: Json, namespace: str, traffic: Traffic) -> RuleFacts | None:
    references = list(_things(rule.get("backendRefs")))
    services = [_service_of(one, namespace) for one in references]
    at = {
        name: services.index((namespace, name)) if (namespace, name) in services else None
        for name in (traffic.stable_service, traffic.canary_service)
    }
    stable_at, canary_at = at[traffic.stable_service], at[traffic.canary_service]
    if stable_at is None:
        return None
    weights = [_number(reference.get("weight"), 1) for reference in references]
    stable, port = references[stable_at], references[stable_at].get("port")
    canary_weight = weights[canary_at] if canary_at is not None else 0
    return RuleFacts(
        index=index,
        stable_at=stable_at,
        stable_weight=weights[stable_at],
        canary_at=canary_at,
        canary_weight=canary_weight,
        foreign_weight=sum(weights) - weights[stable_at] - canary_weight,
        ports=(port,) if isinstance(port, int) else (),
        reference=stable,
        body=rule,
        name=str(rule.get("name", "")),
        beside=tuple(name for home, name in services if home == namespace and name not in at),
    )


def _parents(thing: Json, namespace: str) -> Iterator[ParentFacts]:
    generation = _number(thing["metadata"].get("generation"))
    wanted = {parent[:3] for parent in _asked(thing, namespace)}
    for answer in _things(_mapping(thing.get("status")).get("parents")):
        reference = _mapping(answer.get("parentRef"))
        # A controller that is no more leaves its last answer behind when the route is moved to another Gateway.
        if _parent(reference, namespace)[:3] in wanted:
            yield _answered(_parent(reference, namespace), list(_things(answer.get("conditions"))), generation)


def _asked(thing: Json, namespace: str) -> list[tuple[str, str, str, str]]:
    return [_parent(one, namespace) for one in _things(_mapping(thing.get("spec")).get("parentRefs"))]


def _titled(parent: tuple[str, str, str, str]) -> str:
    kind, home, name, section = parent
    return title(kind, home, name) + (f" ({_told(section)})" if section else "")


def title(kind: str, home: str, name: str) -> str:
    """Return what a parent of a route is called: Gateways' names are any text that a route says."""
    return f"{_told(kind)} {_told(home)}/{_told(name)}"


def _told(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else dns.shown(name)


def _parent(reference: Json, namespace: str) -> tuple[str, str, str, str]:
    kind, home = reference.get("kind") or "Gateway", reference.get("namespace") or namespace
    return str(kind), str(home), str(reference.get("name", "")), str(reference.get("sectionName") or "")


def _answered(parent: tuple[str, str, str, str], conditions: Collection[Json], generation: int) -> ParentFacts:
    fresh = {one.get("type"): one for one in conditions if _number(one.get("observedGeneration")) >= generation}
    accepted = _mapping(fresh.get("Accepted"))
    unmet = [one for one in fresh.values() if one.get("status") != "True" and one.get("type") == "Accepted"]
    unmet += [one for one in fresh.values() if one.get("status") == "False" and one.get("type") == "ResolvedRefs"]
    words = "; ".join(f"{one.get('reason', '')}: {one.get('message', '')}".strip(": ") for one in unmet)
    return ParentFacts(
        name=_titled(parent),
        current=bool(accepted),
        accepted=bool(accepted) and not unmet,
        words=words[:_WORDS_LENGTH],
        follows=accepted.get("status") == "True",
    )


def former(things: Iterable[Json], traffic: Traffic | None, ours: str) -> tuple[ServiceFacts, ...]:
    """Return the Services among *things* that *traffic* does not name."""
    named = {traffic.stable_service, traffic.canary_service} if traffic else set()
    return tuple(service(thing, ours, {}) for thing in things if thing["metadata"]["name"] not in named)
