"""One request before it becomes HTTP. The one place that builds paths and selectors, out of nothing but names.

A name that comes out of an object may hold anything: with `..`, `%`, `?` or `#` in it a URL leads to another object, to
all objects of a kind, or to a watch that never ends. What is no name is refused here, before anything is asked.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from headgate.api import dns
from headgate.core.faults import Refused
from headgate.core.revisions import identity
from headgate.kinds.resource_kind import ResourceKind

JSON: Final = "application/json"
_RULE: Final = "lower-case letters, digits and '-'"
_SUBRESOURCES: Final = frozenset({"", "status", "eviction"})


class NotAName(Refused):
    """Nothing was asked, for what was to be asked for has no name that an object can have."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, before it becomes HTTP."""

    verb: str
    resource: ResourceKind
    namespace: str = ""
    """Empty for objects that are in none, and for a list over all of them."""
    name: str | None = None
    """None for a list, or where something is created."""
    subresource: str = ""
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None
    content_type: str = JSON
    accept: str = JSON

    @property
    def path(self) -> str:
        """The URL behind the server's address.

        Raises:
            NotAName: if a part of it could be anything but the name of one thing.
        """
        parts = [self.resource.root, *self._place()]
        if self.resource.plural:
            parts.append(self.resource.plural)
        if self.name is not None:
            parts.append(self._named())
        if self.subresource not in _SUBRESOURCES:
            raise NotAName(f"nothing was asked: {dns.shown(self.subresource)} is no subresource that is known here")
        return "/".join((*parts, self.subresource) if self.subresource else parts)

    def _place(self) -> tuple[str, ...]:
        if not self.namespace:
            if self.resource.namespaced and (self.name is not None or self.verb != "GET"):
                raise NotAName(f"nothing was asked: a {self.resource.kind} needs the name of its namespace")
            return ()
        if not dns.is_label(self.namespace):
            raise NotAName(
                f"nothing was asked: {dns.shown(self.namespace)} cannot be the name of a namespace: "
                f"{_RULE}, at most {dns.LABEL_LENGTH}"
            )
        return ("namespaces", self.namespace)

    def _named(self) -> str:
        if self.name is None or not self.resource.names(self.name):
            raise NotAName(_words(self.resource, self.name))
        return self.name


def _words(resource: ResourceKind, name: object) -> str:
    rest = f", with single dots between, at most {dns.SUBDOMAIN_LENGTH}"
    if resource.labels_only:
        rest = f", at most {dns.LABEL_LENGTH}"
    return f"nothing was asked: {dns.shown(name)} cannot be the name of a {resource.kind}: {_RULE}{rest}"


def check_body(resource: ResourceKind, body: Mapping[str, Any]) -> None:
    """Hold that an object that is to be created has a name that such an object can have.

    Raises:
        NotAName: if it has another one.
    """
    metadata = body.get("metadata") or {}
    if "name" in metadata and not resource.names(metadata["name"]):
        raise NotAName(_words(resource, metadata["name"]))


def selector(labels: Mapping[str, str]) -> str:
    """Return *labels* as a label selector.

    Raises:
        NotAName: if one of them can be no label, and could select anything.
    """
    for key, value in labels.items():
        if not (dns.is_label_key(key) and dns.is_label_value(value)):
            raise NotAName(f"nothing was asked: no object can bear the label {dns.shown(key)}: {dns.shown(value)}")
    return identity.selector_text(labels)
