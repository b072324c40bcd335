"""How weighted traffic is described: the Services and the routes by which a Rollout's pods are reached."""

from typing import Annotated, Final

import pydantic

from headgate.api import cel, dns
from headgate.api.model import SpecModel
from headgate.api.values import Duration

DRAIN_SECONDS: Final = 30.0
"""The default of drain: longer than any Gateway that we know takes to follow a route."""

ROUTES_MAX: Final = 16
"""As many as `consent` can ask about."""

ServiceName = Annotated[str, pydantic.Field(min_length=1, max_length=dns.LABEL_LENGTH), cel.keeps(cel.SERVICE_NAME)]
RuleName = Annotated[
    str,
    pydantic.Field(min_length=1, max_length=dns.SUBDOMAIN_LENGTH),
    cel.keeps(cel.RULE_NAME),
]


class Route(SpecModel):
    """One route whose weights are managed."""

    kind: str = pydantic.Field(pattern="^(HTTPRoute|GRPCRoute)$", description="HTTPRoute or GRPCRoute.")
    name: Annotated[str, cel.keeps(cel.ROUTE_NAME)] = pydantic.Field(
        min_length=1,
        max_length=dns.SUBDOMAIN_LENGTH,
        description="The route's name, in the namespace of the Rollout.",
    )
    rules: tuple[RuleName, ...] = pydantic.Field(
        default=(),
        max_length=16,
        description="The names of the rules to manage. Empty: every rule that names the stable Service.",
        json_schema_extra=cel.atomic_list(),
    )


class GatewayAPI(SpecModel):
    """Routes of the Gateway API."""

    routes: Annotated[tuple[Route, ...], cel.keeps(cel.ROUTES_DIFFER)] = pydantic.Field(
        min_length=1,
        max_length=ROUTES_MAX,
        description="The routes whose weights are managed: in each rule that names the stable Service exactly the two "
        "backendRefs of stableService and canaryService, and nothing else.",
        json_schema_extra=cel.atomic_list(),
    )


class Traffic(SpecModel):
    """Weighted traffic. Without it the share of the pods is the share of the traffic."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())
    RULES = (cel.SERVICES_DIFFER,)

    stable_service: ServiceName = pydantic.Field(
        description="The Service that clients call. Created if it does not exist.",
    )
    canary_service: ServiceName = pydantic.Field(
        description="The Service of the new version's pods. Created if it does not exist.",
    )
    gateway_api: GatewayAPI | None = pydantic.Field(
        default=None,
        alias="gatewayAPI",
        description="Routes of the Gateway API. Absent, with blueGreen or recreate: the stable Service's selector "
        "switches all users at once.",
    )
    drain_seconds: Duration = pydantic.Field(
        default=DRAIN_SECONDS,
        alias="drain",
        description="How long a version keeps its pods after its last traffic was moved away; must be longer than the "
        "Gateway needs to follow a route.",
    )
