"""The closed set of what can be done about an Observation: records, and actions on objects.

All plain data, part of the vocabulary of this package.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from headgate.core.model.traffic import RequestRuleFacts


@dataclasses.dataclass(frozen=True, slots=True)
class RecordTemplate:
    """Create the ControllerRevision that keeps the spec's template as a revision."""

    hash: str
    revision: int


@dataclasses.dataclass(frozen=True, slots=True)
class RecordPolicy:
    """Create the ControllerRevision that keeps the spec's policy."""

    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class DropRecord:
    """Delete a ControllerRevision that nothing needs any more."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class CreateDeployment:
    """Create a revision's Deployment from its recorded template."""

    hash: str
    revision: int
    replicas: int
    drill_of: str = ""
    """The revision whose template it runs, where it is that one's drill; empty: its own."""


@dataclasses.dataclass(frozen=True, slots=True)
class ScaleDeployment:
    """Set a Deployment's replicas."""

    hash: str
    replicas: int
    was: int
    """The replicas that the decision was made on; the write is refused when they have changed since."""
    rejected: str = ""
    """Value of the rejected annotation to set in the same write; empty: leave it."""
    why: str = dataclasses.field(default="", compare=False)
    """Beside it, when and why, for people and for a status that is lost. It is no other write for its words."""
    marks: tuple[tuple[str, str], ...] = ()
    """Other annotations to set in the same write."""


@dataclasses.dataclass(frozen=True, slots=True)
class MarkDeployment:
    """Set annotations on a Deployment that no other write is near for."""

    hash: str
    marks: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class MarkRecord:
    """Set annotations on the ControllerRevision that keeps a revision's template."""

    hash: str
    marks: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SetMinReady:
    """Set a Deployment's minReadySeconds."""

    hash: str
    seconds: int


@dataclasses.dataclass(frozen=True, slots=True)
class RepairTemplate:
    """Put a Deployment's template back to the recorded one."""

    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class RestoreLabels:
    """Put back the labels by which we find and watch a Deployment of ours."""

    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class AdoptDeployment:
    """Become the owner of an orphaned Deployment of ours."""

    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class AdoptRecord:
    """Become the owner of an orphaned ControllerRevision of ours."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class DeleteDeployment:
    """Delete a Deployment of ours that has no pods."""

    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class CreateService:
    """Create a Service of ours that selects one revision."""

    name: str
    hash: str
    ports: tuple[Mapping[str, Any], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class SelectRevision:
    """Have a Service select one revision's pods, and bear the labels by which we watch it."""

    service: str
    hash: str


@dataclasses.dataclass(frozen=True, slots=True)
class ReleaseService:
    """Take our key and labels off a Service that the spec does not name any more; it stays even if we created it."""

    service: str


@dataclasses.dataclass(frozen=True, slots=True)
class FilterEdit:
    """What changes about the filters of a rule that is the user's: those of ours, and no other."""

    index: int
    """Which rule."""
    was: tuple[Mapping[str, Any], ...]
    """All filters, as they were seen."""
    filters: tuple[Mapping[str, Any], ...]
    """All filters, as they are to be."""

    @property
    def adds(self) -> bool:
        """Whether something comes that was not there."""
        return any(one not in self.was for one in self.filters)


@dataclasses.dataclass(frozen=True, slots=True)
class RuleEdits:
    """What changes about a route beside weights: rules that are ours, and filters that are."""

    drops: tuple[RequestRuleFacts, ...] = ()
    """Those that go, as they were seen."""
    adds: tuple[Mapping[str, Any], ...] = ()
    """Those that come, behind all others."""
    filters: tuple[FilterEdit, ...] = ()
    """In rules of the user's."""

    def __bool__(self) -> bool:
        return bool(self.drops or self.adds or self.filters)

    @property
    def gives(self) -> bool:
        """Whether the canary gets something that it did not have."""
        return bool(self.adds) or any(one.adds for one in self.filters)


@dataclasses.dataclass(frozen=True, slots=True)
class SetWeights:
    """Give the canary Service a share in every rule of a route that is ours to weigh, and rules of its own."""

    kind: str
    name: str
    percent: int | None
    """None: leave the weights."""
    rejected: str = ""
    """Value of the rejected annotation to set in the same write; empty: leave it."""
    edits: RuleEdits = dataclasses.field(default_factory=RuleEdits)


@dataclasses.dataclass(frozen=True, slots=True)
class WatchRoute:
    """Put the label on a route by which we watch it."""

    kind: str
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class EvictPod:
    """Have a pod go as far as PodDisruptionBudgets allow it; another one will come in its place."""

    name: str
    uid: str


@dataclasses.dataclass(frozen=True, slots=True)
class AddFinalizer:
    """Make a deletion of the Rollout wait for us."""


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    """Let a deletion of the Rollout go on."""


@dataclasses.dataclass(frozen=True, slots=True)
class RemoveCommand:
    """Remove a command's annotation, if it still has the value that was carried out."""

    annotation: str
    value: str


Record = AddFinalizer | RecordTemplate | RecordPolicy
Action = (
    ScaleDeployment
    | MarkDeployment
    | MarkRecord
    | CreateDeployment
    | SetMinReady
    | RepairTemplate
    | RestoreLabels
    | AdoptDeployment
    | AdoptRecord
    | DeleteDeployment
    | DropRecord
    | RemoveFinalizer
    | RemoveCommand
    | CreateService
    | SelectRevision
    | ReleaseService
    | SetWeights
    | WatchRoute
    | EvictPod
)
