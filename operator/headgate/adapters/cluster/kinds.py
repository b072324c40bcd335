"""Where each kind lives in the Kubernetes API."""

import dataclasses
from collections.abc import Mapping
from typing import Final

from headgate.api import dns, names
from headgate.core.model import Kind

GATEWAY_API: Final = "gateway.networking.k8s.io"


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A kind's group, version and plural: what its URLs are made of."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    optional: bool = False
    """Whether a cluster may do without it: then there is no such object."""
    kind: str = ""
    """What stands in an object's kind."""
    namespaced: bool = True
    labels_only: bool = False
    """Whether its names are labels, without dots, and no longer than these."""
    spec_dropped: bool = False
    """Whether no decision rests on its spec and managedFields, so that a list does not hold them."""

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


_GATEWAYS: Final = (GATEWAY_API, "v1")
RESOURCES: Final[Mapping[Kind, Resource]] = {
    Kind.ROLLOUT: Resource(names.GROUP, names.VERSION, names.PLURAL, kind=names.KIND),
    Kind.DEPLOYMENT: Resource("apps", "v1", "deployments", kind="Deployment"),
    Kind.CONTROLLER_REVISION: Resource("apps", "v1", "controllerrevisions", kind="ControllerRevision"),
    Kind.POD: Resource("", "v1", "pods", kind="Pod", spec_dropped=True),
    Kind.SERVICE: Resource("", "v1", "services", kind="Service", labels_only=True),
    Kind.ENDPOINT_SLICE: Resource("discovery.k8s.io", "v1", "endpointslices", kind="EndpointSlice"),
    Kind.HTTP_ROUTE: Resource(*_GATEWAYS, "httproutes", kind="HTTPRoute", optional=True),
    Kind.GRPC_ROUTE: Resource(*_GATEWAYS, "grpcroutes", kind="GRPCRoute", optional=True),
    Kind.GATEWAY: Resource(*_GATEWAYS, "gateways", kind="Gateway", optional=True),
    Kind.GATEWAY_CLASS: Resource(*_GATEWAYS, "gatewayclasses", kind="GatewayClass", optional=True, namespaced=False),
    Kind.AUTOSCALER: Resource(
        "autoscaling", "v2", "horizontalpodautoscalers", kind="HorizontalPodAutoscaler", optional=True
    ),
}
EVENTS: Final = Resource("events.k8s.io", "v1", "events", kind="Event")
