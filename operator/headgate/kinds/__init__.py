"""The table of kinds: one row for each kind of the Kubernetes API that Headgate reads or writes.

Watches, first lists, freshness of lists, fingerprints, URLs and rights follow from a row. To add a kind, add a member
to `Kind` and a row here, and write the rights anew by `make crds`.
"""

from collections.abc import Mapping
from typing import Final

from headgate.api import names
from headgate.core.model import Kind
from headgate.kinds import fingerprints
from headgate.kinds.resource_kind import Belongs, FirstList, Grant, ResourceKind, Watch, Who

_GATEWAY_API: Final = ("gateway.networking.k8s.io", "v1")
_MARKED: Final = f"{names.MANAGED}=true"
_ROUTE_WATCH: Final = Watch(fingerprints.route, ("status.parents",), Belongs.NAMED)
_ROUTE_GRANTS: Final = (Grant(("get", "list", "watch", "patch")),)
_GATEWAY_GRANTS: Final = (Grant(("get",), why="to tell whether Gateways can copy requests, before a step asks for it"),)

KINDS: Final[Mapping[Kind, ResourceKind]] = {
    Kind.ROLLOUT: ResourceKind(
        names.KIND,
        names.GROUP,
        names.VERSION,
        names.PLURAL,
        watch=Watch(
            fingerprints.rollout,
            ("spec.traffic", "spec.selector", "spec.template", "status.stable"),
            Belongs.IS_ROLLOUT,
            labels={},
        ),
        first_list=FirstList("", complete=True),
        grants=(
            Grant(("get", "list", "watch", "patch")),
            Grant(("patch",), "status"),
            Grant(("update",), "finalizers", why="to own objects with blockOwnerDeletion where that is enforced"),
            Grant(("get", "list", "watch"), who=Who.VIEW),
            Grant(("get",), "scale", Who.VIEW),
            Grant(("create", "update", "patch", "delete", "deletecollection"), who=Who.EDIT),
            Grant(("update", "patch"), "scale", Who.EDIT, "kubectl scale"),
        ),
    ),
    Kind.DEPLOYMENT: ResourceKind(
        "Deployment",
        "apps",
        "v1",
        "deployments",
        bounded=True,
        watch=Watch(fingerprints.deployment, fingerprints.DEPLOYMENT_FIELDS, Belongs.CONTROLLER),
        first_list=FirstList(names.ROLLOUT, complete=True),
        grants=(Grant(("get", "list", "watch", "create", "patch", "delete")),),
    ),
    Kind.CONTROLLER_REVISION: ResourceKind(
        "ControllerRevision",
        "apps",
        "v1",
        "controllerrevisions",
        bounded=True,  # written by Headgate alone
        first_list=FirstList(names.ROLLOUT, complete=True),
        grants=(Grant(("get", "list", "create", "patch", "delete")),),
    ),
    Kind.POD: ResourceKind(
        "Pod",
        "",
        "v1",
        "pods",
        spec_dropped=True,
        grants=(Grant(("list",)), Grant(("create",), "eviction", why="to restart pods: budgets hold for each")),
    ),
    Kind.SERVICE: ResourceKind(
        "Service",
        "",
        "v1",
        "services",
        labels_only=True,
        bounded=True,
        watch=Watch(fingerprints.service, ("spec.selector", "spec.ports"), Belongs.LABEL),
        first_list=FirstList(_MARKED),
        grants=(Grant(("get", "list", "watch", "create", "patch")),),
    ),
    Kind.ENDPOINT_SLICE: ResourceKind(
        "EndpointSlice",
        "discovery.k8s.io",
        "v1",
        "endpointslices",
        bounded=True,
        watch=Watch(
            fingerprints.endpoint_slice, ("endpoints",), Belongs.LABEL
        ),  # slices have the labels of their Services
        first_list=FirstList(_MARKED),
        grants=(Grant(("list", "watch")),),
    ),
    Kind.HTTP_ROUTE: ResourceKind(
        "HTTPRoute",
        *_GATEWAY_API,
        "httproutes",
        optional=True,
        watch=_ROUTE_WATCH,
        first_list=FirstList(_MARKED),
        grants=_ROUTE_GRANTS,
    ),
    Kind.GRPC_ROUTE: ResourceKind(
        "GRPCRoute",
        *_GATEWAY_API,
        "grpcroutes",
        optional=True,
        watch=_ROUTE_WATCH,
        first_list=FirstList(_MARKED),
        grants=_ROUTE_GRANTS,
    ),
    Kind.GATEWAY: ResourceKind("Gateway", *_GATEWAY_API, "gateways", optional=True, grants=_GATEWAY_GRANTS),
    Kind.GATEWAY_CLASS: ResourceKind(
        "GatewayClass", *_GATEWAY_API, "gatewayclasses", optional=True, namespaced=False, grants=_GATEWAY_GRANTS
    ),
    Kind.AUTOSCALER: ResourceKind(
        "HorizontalPodAutoscaler",
        "autoscaling",
        "v2",
        "horizontalpodautoscalers",
        optional=True,
        grants=(Grant(("list",), why="to tell what scales a Rollout, or by mistake one of its Deployments"),),
    ),
}
"""The rules of the chart's roles have the order of the rows."""
EVENTS: Final = ResourceKind("Event", "events.k8s.io", "v1", "events", grants=(Grant(("create", "patch")),))
"""Events are told, and no pass reads them: they are no `Kind`."""

WATCHES: Final[Mapping[Kind, Watch]] = {kind: row.watch for kind, row in KINDS.items() if row.watch is not None}
"""How each kind is watched that is watched."""
FIRST_LISTS: Final[Mapping[Kind, FirstList]] = {
    kind: row.first_list for kind, row in KINDS.items() if row.first_list is not None
}
"""How each kind is listed that is listed at the start."""
ROUTES: Final = tuple(kind for kind, watch in WATCHES.items() if watch.belongs is Belongs.NAMED)
"""The kinds whose objects do not say which Rollouts they belong to: Rollouts name them."""
