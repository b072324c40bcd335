"""What a row of the table of kinds says: where a kind lives in the Kubernetes API, and how Headgate uses it.

Owns the form of a row. Must not know any kind.
"""

import dataclasses
import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from headgate.api import dns, names

MARKED: Final[Mapping[str, str]] = MappingProxyType({names.MANAGED: "true"})
"""The label of the objects that Headgate made, or that it was given a part in."""

Fingerprint = Callable[[Mapping[str, Any], Mapping[str, Any]], list[Any]]
"""Returns of an object and its metadata what a pass reads. Nothing in the object may make it raise."""


class Belongs(enum.Enum):
    """How a watched object tells to which Rollout it belongs."""

    IS_ROLLOUT = enum.auto()
    CONTROLLER = enum.auto()
    """By its controller; by its label where it has none."""
    LABEL = enum.auto()
    NAMED = enum.auto()
    """It does not tell: the spec of a Rollout names it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """How a kind is watched, and which of its changes are worth a pass."""

    fingerprint: Fingerprint
    fields: tuple[str, ...]
    """The fields that the fingerprint needs besides the metadata, as "spec.ports". No other field is kept in memory."""
    belongs: Belongs
    labels: Mapping[str, str] = dataclasses.field(default_factory=lambda: MARKED)
    """The labels of the objects that are watched; none: all objects."""


@dataclasses.dataclass(frozen=True, slots=True)
class FirstList:
    """How a kind is listed once at the start, so that a Rollout at rest needs no request of its own."""

    selector: str
    """The labels by which it is listed; empty: all objects."""
    complete: bool = False
    """Whether the list has every object that a pass would ask for by its labels."""


class Who(enum.StrEnum):
    """Who is given a right."""

    OPERATOR = "operator"
    VIEW = "view"
    """All people with the role of that name, which every cluster has."""
    EDIT = "edit"
    """All people with the role of that name, which includes view."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """A right to the objects of a kind."""

    verbs: tuple[str, ...]
    subresource: str = ""
    who: Who = Who.OPERATOR
    why: str = ""
    """What it is for, where the verbs do not tell it."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class ResourceKind:
    """A row: one kind of the Kubernetes API. Each kind has one, so that a row equals itself alone."""

    kind: str
    """What stands in an object's kind."""
    group: str
    """Empty for the core group."""
    version: str
    plural: str
    optional: bool = False
    """Whether a cluster may do without it: then there is no such object."""
    namespaced: bool = True
    labels_only: bool = False
    """Whether its names are labels, without dots, and no longer than these."""
    spec_dropped: bool = False
    """Whether no decision rests on its spec and managedFields, so that a list does not hold them."""
    bounded: bool = False
    """Whether a list may be as old as what this process has seen or written of the kind; if not, it comes from etcd."""
    watch: Watch | None = None
    first_list: FirstList | None = None
    grants: tuple[Grant, ...] = ()
    """The rights to it; the chart's roles are written from these."""

    @property
    def api_version(self) -> str:
        """What stands in an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def names(self, name: object) -> bool:
        """Return whether *name* can be the name of such an object."""
        return dns.is_label(name) if self.labels_only else dns.is_subdomain(name)

    @property
    def root(self) -> str:
        """The beginning of its URLs."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
