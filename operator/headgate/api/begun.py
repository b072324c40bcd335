"""What a rollout was begun by: enough of the accepted policy to take it back where the record of that is lost."""

from typing import Annotated, Final

import pydantic

from headgate.api import dns
from headgate.api.conditions import StatusModel

_ROUTES_MAX: Final = 16
_RULES_MAX: Final = 16

_Name = Annotated[str, pydantic.Field(max_length=dns.SUBDOMAIN_LENGTH)]


class BegunRoute(StatusModel):
    """A route whose weights are managed."""

    kind: str = pydantic.Field(max_length=63, description="HTTPRoute or GRPCRoute.")
    name: _Name = pydantic.Field(description="The route's name.")
    rules: tuple[_Name, ...] = pydantic.Field(
        default=(), max_length=_RULES_MAX, description="The names of the rules that are managed; empty: all."
    )


class Begun(StatusModel):
    """What the rollout in flight was begun by: it can be taken back by this without the record of its policy."""

    strategy: str = pydantic.Field(max_length=63, description="The name of the strategy, such as canary.")
    max_surge: str = pydantic.Field(default="", max_length=63, description="Its maxSurge; empty: not stated.")
    max_unavailable: str = pydantic.Field(default="", max_length=63, description="Its maxUnavailable; empty: none.")
    stable_service: str = pydantic.Field(
        default="", max_length=63, description="The Service that clients call; empty without spec.traffic."
    )
    canary_service: str = pydantic.Field(default="", max_length=63, description="The Service of the new version.")
    routes: tuple[BegunRoute, ...] = pydantic.Field(
        default=(), max_length=_ROUTES_MAX, description="The routes whose weights are managed."
    )
    drain_seconds: int = pydantic.Field(default=0, description="The drain of spec.traffic in seconds, rounded up.")
