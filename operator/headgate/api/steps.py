"""The steps of a canary, as users write them."""

from typing import Annotated

import pydantic

from headgate.api import cel, dns
from headgate.api.model import OneOf, SpecModel
from headgate.api.values import Duration

HeaderText = Annotated[str, pydantic.Field(min_length=1, max_length=1024)]


class Pause(SpecModel):
    """A step that waits."""

    duration_seconds: Duration | None = pydantic.Field(
        default=None, alias="duration", description="How long to wait, such as 2m. Absent: until promoted."
    )


class CanaryScale(OneOf):
    """How many pods the new version has at least, from here on: exactly one of its fields is set.

    The words are those of Argo Rollouts. There, a scale that was set stays while the weight rises, until it is taken
    back: one pod may come to carry all users. Here it is a floor, and a weight always has the pods that it needs.
    """

    SENTENCE = ("setCanaryScale has exactly one of", ": true; keep one of them")

    replicas: Annotated[int, pydantic.Field(ge=1, le=100_000, strict=True)] | None = pydantic.Field(
        default=None, description="So many pods; never more than spec.replicas."
    )
    weight: Annotated[int, pydantic.Field(ge=1, le=100, strict=True)] | None = pydantic.Field(
        default=None, description="So many percent of spec.replicas, rounded up."
    )
    match_traffic_weight: bool | None = pydantic.Field(
        default=None, strict=True, description="true: as many as the weight needs, and no floor any more."
    )

    @property
    def pods(self) -> int | str | None:
        """The floor, as a number of pods or a part of the replicas; None where there is none any more."""
        return self.replicas if self.weight is None else f"{self.weight}%"


class StepAnalysis(SpecModel):
    """A step that lasts until its metrics have passed, or one of them takes the version back."""

    metrics: tuple[Annotated[str, pydantic.Field(min_length=1, max_length=63)], ...] = pydantic.Field(
        min_length=1,
        max_length=10,
        description="Names of metrics of spec.analysis that say when: [Step].",
        json_schema_extra=cel.atomic_list(),
    )


class HeaderValue(OneOf):
    """What a header's value must be: exactly one of its fields is set."""

    SENTENCE = ("a header's value is exactly one of", ": keep one of them")

    exact: HeaderText | None = pydantic.Field(default=None, description="This value.")
    prefix: HeaderText | None = pydantic.Field(
        default=None, description="A value that begins so. Written as a regular expression."
    )
    regex: HeaderText | None = pydantic.Field(
        default=None,
        description="A value of this form; which dialect, and whether all of it has to be, is the Gateway's to say.",
    )


class HeaderMatch(SpecModel):
    """A header that a request has."""

    header_name: Annotated[str, cel.keeps(cel.HEADER_NAME)] = pydantic.Field(
        min_length=1,
        max_length=256,
        description="The header's name, such as X-Beta; Cookie for cookies.",
    )
    header_value: HeaderValue = pydantic.Field(description="What its value must be.")


class HeaderRoute(SpecModel):
    """Requests with a header that reach the new version, whatever the weight; without match: no longer.

    The words are those of Argo Rollouts. There the order of spec.…managedRoutes decides between two of them, several
    headers mean one thing with one router and another with the next, and a canary without pods gets the requests all
    the same. Here one header is enough, there is nothing to list, and pods come first.
    """

    name: Annotated[str, cel.keeps(cel.HEADER_ROUTE_NAME)] = pydantic.Field(
        min_length=1, max_length=dns.LABEL_LENGTH, description="A name, by which a later step ends it."
    )
    match: tuple[HeaderMatch, ...] = pydantic.Field(
        default=(),
        max_length=8,
        description="A request that has any one of these headers reaches the new version. Absent: the route of that "
        "name ends.",
        json_schema_extra=cel.atomic_list(),
    )


class MirrorRoute(SpecModel):
    """How much of the traffic the new version gets a copy of, whose answers users do not see.

    The words are those of Argo Rollouts, but for the match and the name: there each mirror is a route of its own, which
    some routers cannot do. Here it is one for all rules that are managed.
    """

    percentage: Annotated[int, pydantic.Field(ge=0, le=100, strict=True)] = pydantic.Field(
        description="So many percent of all requests; 0: no longer."
    )


class Step(OneOf):
    """One step of a canary: exactly one of its fields is set."""

    SENTENCE = (
        "a step has exactly one of",
        ": make each a step of its own (pause: {} waits until promoted)",
    )

    set_weight: Annotated[int, pydantic.Field(ge=0, le=100, strict=True)] | None = pydantic.Field(
        default=None, description="The share of the traffic, in percent, that the new version gets from here on."
    )
    pause: Pause | None = pydantic.Field(default=None, description="Wait: for a time, or until promoted.")
    set_canary_scale: CanaryScale | None = pydantic.Field(
        default=None,
        description="How many pods the new version has at least, from here on; the step ends once they are ready. "
        "Needs spec.traffic. A weight always has the pods that it needs, and stable those of the rest: maxSurge bounds "
        "what is left for more.",
    )

    analysis: StepAnalysis | None = pydantic.Field(
        default=None,
        description="Judge metrics that say when: [Step], from the beginning of this step on, and wait until each has "
        "passed as often as its passesToAdvance says. Their failures take the version back as those of others do.",
    )

    set_header_route: HeaderRoute | None = pydantic.Field(
        default=None,
        description="Requests with a header reach the new version from here on, whatever the weight. Needs "
        "spec.traffic with HTTPRoutes: each rule that is managed gets a companion behind all others, which matches the "
        "header too. "
        "Ends with the last step.",
    )

    set_mirror_route: MirrorRoute | None = pydantic.Field(
        default=None,
        description="The new version gets a copy of so many percent of all requests from here on, with pods for it; "
        "users get stable's answers. Needs spec.traffic with HTTPRoutes whose Gateways are of classes that list "
        "HTTPRouteRequestPercentageMirror in status.supportedFeatures. Ends with the last step.",
    )

    @property
    def runs(self) -> bool:
        """Whether pods of the new version are there from here on."""
        scaled = self.set_canary_scale is not None or self.set_header_route is not None
        return scaled or self.mirrors or bool(self.set_weight)

    @property
    def routed(self) -> bool:
        """Whether it needs routes that decide who gets what, so that pods need not."""
        return self.set_canary_scale is not None or self.matched

    @property
    def matched(self) -> bool:
        """Whether it needs routes that tell requests apart, or copy them."""
        return self.set_header_route is not None or self.set_mirror_route is not None

    @property
    def mirrors(self) -> bool:
        """Whether it needs Gateways that copy requests."""
        return self.set_mirror_route is not None and self.set_mirror_route.percentage > 0
