"""What can be known of the ways by which users reach the pods: Services, their endpoints, and routes.

All plain data, part of the vocabulary of this package.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from headgate.api import names
from headgate.core.model.objects import Unreadable


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One Service and its endpoints."""

    name: str
    uid: str
    resource_version: str
    holder: str
    """The Rollout that it is labelled with (`names.ROLLOUT`, as a label value); empty if with none."""
    labelled: bool
    """Whether it carries the labels by which we watch it."""
    selector: Mapping[str, str]
    ports: tuple[Mapping[str, Any], ...]
    """As written: name, port, targetPort, protocol, appProtocol."""
    writer: str
    """Who else than us last set our key of its selector, or all of the selector; empty if nobody did."""
    endpoints: Mapping[str, int] | Unreadable
    """Ready pods behind it by revision hash, each counted once; "" counts pods of no revision of ours."""
    labels: bool = True
    """Whether it has any label at all."""
    deleting: bool = False
    ending: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Pods behind it by revision hash that terminate and still serve."""

    @property
    def selects(self) -> str:
        """The revision that it selects; empty where it selects pods of all."""
        return self.selector.get(names.POD_HASH, "")

    @property
    def own_selector(self) -> Mapping[str, str]:
        """Its selector without our key."""
        return {key: value for key, value in self.selector.items() if key != names.POD_HASH}

    def ready(self, revision_hash: str) -> int | None:
        """Return how many ready endpoints are pods of that revision; None if that could not be read."""
        return None if isinstance(self.endpoints, Unreadable) else self.endpoints.get(revision_hash, 0)

    def leads_only_to(self, revision_hash: str) -> bool:
        """Return whether it has endpoints, all of that revision."""
        if isinstance(self.endpoints, Unreadable):
            return False
        return {key for key, count in self.endpoints.items() if count} == {revision_hash}


@dataclasses.dataclass(frozen=True, slots=True)
class ParentFacts:
    """What one parent of a route, a Gateway as a rule, answered."""

    name: str
    """Such as "Gateway eg/public"."""
    current: bool
    """Whether it has answered for the route's present generation."""
    accepted: bool
    """Whether it accepted the route and resolved its references."""
    words: str = ""
    """Why not: reason and message."""
    follows: bool = True
    """Whether it accepted the route, though it may not have resolved all references; if not it may go on as before."""


NOT_TOLD: Final = "(not told)"
"""Stands for the GatewayClass of a Gateway in another namespace: its name is no business of this one."""


@dataclasses.dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What a parent of routes can do."""

    name: str
    """Such as "Gateway eg/public"."""
    class_name: str
    """Its GatewayClass, or NOT_TOLD; empty for what is no Gateway."""
    features: frozenset[str] | Unreadable
    """What that class says that it supports."""

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True, slots=True)
class RuleFacts:
    """One rule of a route that names the stable Service."""

    index: int
    stable_at: int
    """Where among its backendRefs the stable Service stands."""
    stable_weight: int
    canary_at: int | None
    canary_weight: int
    foreign_weight: int
    """The weights of all other backendRefs together."""
    ports: tuple[int, ...]
    """The port that the rule asks of the stable Service; empty if it names none."""
    reference: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """The stable Service's backendRef as written: the canary's, where we add it, is its copy."""
    name: str = ""
    beside: tuple[str, ...] = ()
    """The other Services of this namespace that it leads to."""
    claimed_by: str | Unreadable = ""
    """The Rollout that had it first; empty if none did."""
    body: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """All of it, as written."""

    @property
    def sum(self) -> int:
        """Our two weights together."""
        return self.stable_weight + self.canary_weight


@dataclasses.dataclass(frozen=True, slots=True)
class RequestRuleFacts:
    """One rule of a route that leads to the canary Service alone."""

    index: int
    body: Mapping[str, Any]
    """As written."""


Header = tuple[str, str, str]
"""What a request must have: a header's name, how its value is compared, and with what; as a route says it."""


@dataclasses.dataclass(frozen=True, slots=True)
class RequestRules:
    """What the canary gets beside its weight."""

    headers: tuple[Header, ...] = ()
    """Requests with any one of these."""
    mirror_percent: int = 0
    """Copies of so many of all requests."""

    def __bool__(self) -> bool:
        return bool(self.headers or self.mirror_percent)


@dataclasses.dataclass(frozen=True, slots=True)
class RouteFacts:
    """One route."""

    kind: str
    name: str
    uid: str
    resource_version: str
    generation: int
    labelled: bool
    labels: bool
    """Whether it has any label at all."""
    annotations: bool
    """Whether it has any annotation at all."""
    rejected: str
    """Value of the rejected annotation, or empty."""
    rules: tuple[RuleFacts, ...]
    missing_rules: tuple[str, ...]
    """Names of rules that were asked for and are not there, or do not name the stable Service."""
    parents: tuple[ParentFacts, ...]
    writer: str
    """Who else than us last wrote its rules; empty if nobody did."""
    deleting: bool = False
    written: int | None = None
    """When we last wrote to it; None: never."""
    parent_refs: tuple[str, ...] = ()
    """The parents that it names, such as "Gateway eg/public"."""
    parent_keys: tuple[tuple[str, str, str], ...] = ()
    """Kind, namespace and name of each."""
    extras: tuple[RequestRuleFacts, ...] = ()
    """The rules that lead to the canary Service alone, whoever wrote them."""
    size: int = 0
    """How many rules it has in all."""
    mirrors: Mapping[int, tuple[tuple[Mapping[str, Any], ...], tuple[int, ...]]] = dataclasses.field(
        default_factory=dict
    )
    """Of each rule, by its index, that copies requests to the canary Service, whoever wrote that: all its filters, and
    where among them those are."""
    elsewhere: tuple[str, ...] = ()
    """Other namespaces whose Services of the stable Service's name it leads to."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclasses.dataclass(frozen=True, slots=True)
class TrafficFacts:
    """All ways by which users reach a Rollout's pods. None stands for an object that does not exist."""

    stable: ServiceFacts | Unreadable | None
    canary: ServiceFacts | Unreadable | None
    routes: Mapping[tuple[str, str], RouteFacts | Unreadable | None]
    """By kind and name, in the order of the spec."""
    former: tuple[ServiceFacts, ...] = ()
    """Services that bear this Rollout's label and are not named by it any more."""
    former_unread: Unreadable | None = None
    """Why these could not be read; then there may be some."""
    gateways: tuple[GatewayFacts, ...] = ()
    """The parents that the routes name; read only where a step needs to know what they can do."""

    @property
    def unread(self) -> tuple[Unreadable, ...]:
        """What could not be read of the ways that are in force."""
        services = [service for service in (self.stable, self.canary) if isinstance(service, ServiceFacts)]
        found = (self.stable, self.canary, *(service.endpoints for service in services), *self.routes.values())
        return tuple(thing for thing in found if isinstance(thing, Unreadable))

    def hides_users(self, *, switches: bool) -> bool:
        """Return whether it cannot be read who gets users: in a route, or where the stable Service *switches* them."""
        service = self.stable
        ends = service.endpoints if isinstance(service, ServiceFacts) else service
        return any(isinstance(way, Unreadable) for way in (*self.routes.values(), ends if switches else None))

    @property
    def known_routes(self) -> tuple[RouteFacts, ...]:
        """The routes that were found."""
        return tuple(route for route in self.routes.values() if isinstance(route, RouteFacts))
