"""Objects of the cluster: their kinds, their JSON, and what is known where one could not be read."""

import dataclasses
import enum
from typing import Any

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


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """An object that could not be read, and why."""

    why: str
    passing: bool = False
    """Whether nobody answered in earnest, so that another answer may come at any moment."""
    since: float | None = None
    """Since when, as far as this process knows; None: nobody keeps count."""


class Part(enum.StrEnum):
    """What of an Observation may be unread, beside the single ways of `TrafficFacts`."""

    STATUS = "the status"
    """Its stable or canary revision, so that nothing is known of what serves."""
    STATUS_PART = "a part of the status"
    """Another part of it, without which no step may follow."""
    DEPLOYMENTS = "the list of Deployments"
    SIDES = "a Deployment"
    """That of the stable, canary or warm revision: what is known of it was read earlier."""
    RECORDS = "the ControllerRevisions"
    POLICY = "the accepted policy"
    """What counts in its place is what was read of it earlier, or what its text says in part."""
    TRAFFIC = "the Services and routes of the accepted policy"
    """What counts in their place is what the spec names, which may be others."""
    AUTOSCALERS = "the HorizontalPodAutoscalers"
    PODS = "the pods"
