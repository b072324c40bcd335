"""What can be known of Deployments, their pods, records of templates, and autoscalers. All plain data."""

import dataclasses
from fractions import Fraction
from typing import Final

from headgate.core.model.objects import Json

_NONE: Final = Fraction(0)


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
