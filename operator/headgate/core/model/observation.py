"""Observation in, Decision out: the vocabulary between the shell and the core, with the other modules of this package.

All plain data. Times are seconds since the epoch unless a name says otherwise.
"""

import dataclasses
import enum
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from headgate.api.spec import Metric, Policy
from headgate.api.status import Outcome, RolloutStatus
from headgate.core.model.actions import Action, Record
from headgate.core.model.overlaps import Overlaps
from headgate.core.model.traffic import Part, TrafficFacts, Unreadable
from headgate.core.model.unknown_fields import Stored

_NONE: Final = Fraction(0)
_NOTHING: Final = Stored()

Json = dict[str, Any]
"""An object as the API server gives it."""


class Kind(enum.StrEnum):
    """The kinds of object that a reconcile reads or writes."""

    ROLLOUT = "Rollout"
    DEPLOYMENT = "Deployment"
    CONTROLLER_REVISION = "ControllerRevision"
    POD = "Pod"
    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    HTTP_ROUTE = "HTTPRoute"
    GRPC_ROUTE = "GRPCRoute"
    AUTOSCALER = "HorizontalPodAutoscaler"
    GATEWAY = "Gateway"
    GATEWAY_CLASS = "GatewayClass"


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """Which Rollout: what the work queue holds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


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
class TemplateRecord:
    """A revision's raw template, from its ControllerRevision."""

    name: str
    hash: str
    revision: int
    template: Json
    created: float
    references: int = 1
    """How many owners it has; 0 for an orphan."""
    uid: str = ""
    resource_version: str = ""
    template_bytes: int = 0
    rejected: str = ""
    rejected_for: str = ""
    annotated: bool = False


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


@dataclasses.dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """One revision's Deployment."""

    name: str
    uid: str
    resource_version: str
    hash: str
    revision: int
    owner: str
    """uid of the Rollout that controls it; empty for an orphan."""
    references: int
    """How many owners it has, those included that do not control it."""
    labelled: bool
    """Whether it carries all labels by which we find and watch it."""
    settled: bool
    """Whether its controller has seen the last change of its spec: only then its numbers can be built on."""
    replicas: int
    """spec.replicas: what was asked for."""
    pods: int
    """status.replicas: what exists, terminating pods apart."""
    ready: int
    """status.availableReplicas, never more than asked for."""
    min_ready_seconds: int
    rejected: str
    """Value of the rejected annotation, or empty."""
    refusal: str
    """Message of its ReplicaFailure condition: why pods cannot be created; or empty."""
    tampered: str
    """Who changed its template, if somebody did; or empty."""
    scaled_by: str
    """Who else set its replicas, if somebody did; or empty."""
    deleting: bool
    drill: bool = False
    """Whether its pods are there for a drill, and never to stay."""
    stable_since: int = 0
    """When its revision became stable, as it is marked; 0: it is not."""
    successor: str = ""
    """The revision that became stable in its place, as it is marked; or empty."""
    succeeded_at: int = 0
    """When that was."""
    annotated: bool = True
    """Whether it has annotations at all."""
    rejected_for: str = ""
    """Value of the annotation that says when and why it was rejected, or empty."""
    created: int = 0
    answering: int = 0
    """status.readyReplicas, never more than asked for: endpoints, some not ready for long enough to be available."""
    verified: bool = True
    """Whether it is known by now what its template means, where somebody else may have written it."""
    stale: bool = False
    """Whether it could not be read now: this is what was read of it earlier, or what the status says of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class AutoscalerFacts:
    """A HorizontalPodAutoscaler whose target may be ours."""

    name: str
    kind: str
    """Of its target: Rollout or Deployment."""
    target: str
    memory: bool
    """Whether memory is among its targets."""
    by_memory: bool = False
    """Whether it says that its number comes from memory."""
    asks: int | None = None
    """The replicas that it last asked for, as its status says."""
    limited: bool = False
    """Whether it would ask for another number if that were allowed."""
    memory_load: Fraction = _NONE
    """What it measured of memory, in targets: 1 is what each pod is to use on average."""
    other_load: Fraction = _NONE
    """The same of its other targets: that of which most is used."""


@dataclasses.dataclass(frozen=True, slots=True)
class PodTrouble:
    """Why the pods of a revision are not ready, in the words of the kubelet or the scheduler."""

    message: str
    """Such as "web-5d8f-abc: ImagePullBackOff: Back-off pulling image"; empty when nothing is known."""
    hopeless: bool
    """Whether waiting cannot help one of them: an image that cannot be pulled, a crash loop, a refused setting."""
    unschedulable: bool = False
    """Whether no node has room for one of them: waiting helps only where nodes come, or other pods go."""
    slow: int = 0
    """How many other pods there are that may only need longer: whose containers are being made or have just started."""
    of: str = ""
    """The hash of the revision whose pods they are; empty: of the one that is looked at."""


@dataclasses.dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod of the stable revision; one that has ended is none."""

    name: str
    uid: str
    created: int
    ready_since: int | None
    """Since when it is ready; None: it is not."""
    leaving: bool
    """Whether it is being deleted."""


@dataclasses.dataclass(frozen=True, slots=True)
class EndingPods:
    """Pods of a revision of which none is asked for, and that may still answer."""

    count: int = 0
    until: float | None = None
    """When the grace of the last one is over, and a little more; None where one of them has not been asked to go."""


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
class Sample:
    """One settled tick of a metric, not yet held against its threshold."""

    at: int
    """The tick: the point in time that the value was evaluated at."""
    value: float | None
    """None where there is no single finite value."""
    outcome: Outcome | None = None
    """NO_DATA or AMBIGUOUS where value is None."""
    message: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Reading:
    """What can be said now of a metric's unread ticks."""

    samples: tuple[Sample, ...] = ()
    """Settled ticks without a gap, oldest first, starting with the first unread one."""
    problem: str = ""
    """Why the following ticks cannot be read at present; empty when they are on their way or there are none."""


@dataclasses.dataclass(frozen=True, slots=True)
class MeasureRequest:
    """The unread ticks of one metric: first, first + interval, … up to last; and those after it as they settle."""

    metric: Metric
    query: str
    """With all variables filled in."""
    first: int
    last: int
    """The newest that has settled, or that is to be read at once; before first while there is none."""
    interval_seconds: int
    settle_seconds: float
    """How long after a tick it has settled."""
    failures: int = 0
    """How many ticks before the first failed in a row."""


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
