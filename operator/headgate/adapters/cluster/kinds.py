"""Where each kind lives in the Kubernetes API."""

import dataclasses
from collections.abc import Mapping
from typing import Final

from headgate.api import names
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

    @property
    def api_version(self) -> str:
        """What stands in an object's apiVersion."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """The beginning of its URLs."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


RESOURCES: Final[Mapping[Kind, Resource]] = {
    Kind.ROLLOUT: Resource(names.GROUP, names.VERSION, names.PLURAL),
    Kind.DEPLOYMENT: Resource("apps", "v1", "deployments"),
    Kind.CONTROLLER_REVISION: Resource("apps", "v1", "controllerrevisions"),
    Kind.POD: Resource("", "v1", "pods"),
    Kind.SERVICE: Resource("", "v1", "services"),
    Kind.ENDPOINT_SLICE: Resource("discovery.k8s.io", "v1", "endpointslices"),
    Kind.HTTP_ROUTE: Resource(GATEWAY_API, "v1", "httproutes", optional=True),
    Kind.GRPC_ROUTE: Resource(GATEWAY_API, "v1", "grpcroutes", optional=True),
    Kind.GATEWAY: Resource(GATEWAY_API, "v1", "gateways", optional=True),
    Kind.GATEWAY_CLASS: Resource(GATEWAY_API, "v1", "gatewayclasses", optional=True),
    Kind.AUTOSCALER: Resource("autoscaling", "v2", "horizontalpodautoscalers", optional=True),
}
EVENTS: Final = Resource("events.k8s.io", "v1", "events")
