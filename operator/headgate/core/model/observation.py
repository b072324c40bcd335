"""Observation in, Decision out: the vocabulary between the shell and the core, with the other modules of this package.

All plain data. Times are seconds since the epoch unless a name says otherwise.
"""

import dataclasses
import enum
from collections.abc import Mapping
from typing import Final

from headgate.api.spec import Policy
from headgate.api.status import RolloutStatus
from headgate.core.model.actions import Action, Record
from headgate.core.model.measurements import Reading
from headgate.core.model.objects import Json, Part, Unreadable
from headgate.core.model.overlaps import Overlaps
from headgate.core.model.traffic import TrafficFacts
from headgate.core.model.unknown_fields import Stored
from headgate.core.model.workloads import (
    AutoscalerFacts,
    DeploymentFacts,
    EndingPods,
    PodFacts,
    PodTrouble,
    TemplateRecord,
)

_NOTHING: Final = Stored()


# --- what can be known -----------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class RolloutFacts:
    """What the Rollout object itself says, apart from the parts that are parsed elsewhere."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    annotations: Mapping[str, str]
    """Only those that are commands (`names.COMMANDS`)."""
    finalizers: tuple[str, ...]
    deleting: bool
    replicas: int | None
    """spec.replicas where it is a sensible number, whatever else is wrong with the spec."""
    paused: bool
    match_labels: Mapping[str, str]
    template: Json
    template_hash: str
    policy: Json
    """The policy part of the spec as written (`spec.POLICY_FIELDS`)."""
    policy_hash: str
    invalid: str
    """What is wrong with the spec, with path and remedy; empty when nothing is."""
    created: int = 0
    deleted: int = 0
    """When it was asked to go; 0: it was not."""
    scaled: int = 0
    """When spec.replicas was last set through the scale subresource, as far as that is on record; 0: never."""
    template_bytes: int = 0
    """How large the template is as JSON."""


@dataclasses.dataclass(frozen=True, slots=True)
class PolicyRecord:
    """An accepted policy, from its ControllerRevision."""

    name: str
    hash: str
    policy: Policy
    created: float
    references: int = 1
    uid: str = ""
    resource_version: str = ""


class Identity(enum.StrEnum):
    """What became of asking which revision the spec's template is."""

    KNOWN = "Known"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """The revision that the spec's template means."""

    identity: Identity
    hash: str = ""
    """The revision's hash; that of a kept or rejected revision where the API server finds both templates equal."""
    message: str = ""
    """For Refused and Unknown: the server's words, or why it could not be asked."""
    asked_seconds: float | None = None
    """For Unknown: for how long the server has been asked now; None if it is not being asked."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unwritten:
    """What this process has last decided on and not written."""

    status: RolloutStatus
    since: float
    """Since when those of its figures stand that are written for their own sake."""


@dataclasses.dataclass(frozen=True, slots=True)
class Observation:
    """All that a decision may know."""

    now: float
    rollout: RolloutFacts
    status: RolloutStatus
    policy: Policy | None
    """The policy of the spec where that is valid, else the last accepted one, else None."""
    accepted: Policy | None
    """The last accepted policy (status.policy), if its record could be read."""
    target: Target
    deployments: Mapping[str, DeploymentFacts]
    templates: Mapping[str, TemplateRecord]
    policies: Mapping[str, PolicyRecord]
    """Each of these three by hash."""
    trouble: PodTrouble | None = None
    """Of the canary's pods, or of stable's where there is no canary; None where all are ready and nobody had to ask."""
    readings: Mapping[str, Reading] = dataclasses.field(default_factory=dict)
    """By metric."""
    refusals: tuple[str, ...] = ()
    """What the API server refused in the last pass, in its words."""
    settle_seconds: float = 20.0
    """How long after a tick every sample that it looks at has been scraped."""
    written_at: float = 0.0
    """When this process last wrote the status; 0 if it never did."""
    unwritten: Unwritten | None = None
    """None where the last pass wrote the status, found nothing new, or was that of another process."""
    jumped_seconds: float = 0.0
    """How far the clock has jumped ahead since the status was last written: nothing has waited for as long as that."""
    foreign: tuple[str, ...] = ()
    """Objects that stand where ours should and that belong to somebody else."""
    strangers: tuple[str, ...] = ()
    """Objects that bear our labels and are not ours, each with what to do about it; they stand in nobody's way."""
    overlaps: Overlaps | None = dataclasses.field(default_factory=Overlaps)
    """Other Rollouts that reach for the same pods, Services or rules; None while that is not known."""
    traffic: TrafficFacts | None = None
    """The ways by which users reach the pods; None without spec.traffic, unless there are Services to release."""
    present: Mapping[str, int] | Unreadable | None = None
    """Objects of our pods by hash, terminating ones included; None where nobody counted them, for it did not matter."""
    ending: Mapping[str, EndingPods] | Unreadable | None = None
    """By hash, of revisions that may be told as gone now; None where nobody counted them, for it did not matter."""
    next_drill: int | None = None
    """When spec.drill's schedule is due next after now; None where there is none."""
    autoscalers: tuple[AutoscalerFacts, ...] = ()
    """Those that scale this Rollout or one of its Deployments, where that matters."""
    pods: tuple[PodFacts, ...] | None = None
    """Of the stable revision, while a restart goes on; None where nobody asked, or they could not be read."""
    unread: Mapping[Part, Unreadable] = dataclasses.field(default_factory=dict)
    """What could not be read, and what stands in its place is not known to hold."""
    stored: Stored = _NOTHING
    """The status as it is stored, with what this version does not understand of it."""
    policy_waits: bool = False
    """Whether the spec's policy is another one that can be accepted only when nothing is in flight any more."""

    @property
    def routed(self) -> bool:
        """Whether routes decide who gets which revision; where they only once did, Services are left to release."""
        return self.traffic is not None and self.policy is not None and self.policy.traffic is not None


# --- what follows from it --------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Notice:
    """A Kubernetes Event to post about the Rollout."""

    reason: str
    message: str
    warning: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Decision:
    """What follows from an Observation.

    Carried out in this order: records, status, actions, notices. A record or a status that cannot be written stops the
    rest, unless the decision is urgent: then the actions are carried out whatever becomes of the status.
    """

    rule: str
    """The name of the rule that decided, for logs and metrics."""
    status: RolloutStatus
    write_status: bool
    records: tuple[Record, ...] = ()
    actions: tuple[Action, ...] = ()
    notices: tuple[Notice, ...] = ()
    recheck_at: float | None = None
    """When to look again if nothing happens before; None: no need."""
    urgent: bool = False
    """Whether stable is being given back its traffic, or a deletion let go."""
    unwritten: Unwritten | None = None
    """What the next Observation is to know of this decision, where its status is not written."""
    quiet_until: int = 0
    """Up to this tick of its metrics nobody needs to look again for those that pass."""
