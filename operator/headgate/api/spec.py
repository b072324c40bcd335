"""The Rollout's spec: what users write. Descriptions here are what `kubectl explain` shows."""

import re
from typing import Annotated, Any, Final

import pydantic

from headgate.api import cel, dns, names, template
from headgate.api.drill import Drill
from headgate.api.model import SpecModel
from headgate.api.strategy import Strategy
from headgate.api.traffic import Traffic
from headgate.api.values import Duration, Patience

BACKGROUND: Final = "Background"
PRE_PROMOTION: Final = "PrePromotion"
POST_PROMOTION: Final = "PostPromotion"
FIRST: Final = "First"
STEP: Final = "Step"
Moment = Annotated[str, pydantic.Field(pattern=f"^({BACKGROUND}|{PRE_PROMOTION}|{POST_PROMOTION}|{STEP}|{FIRST})$")]


class LabelSelector(SpecModel):
    """Which pods belong to the Rollout."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    match_labels: dict[str, Annotated[str, pydantic.Field(max_length=63)]] = pydantic.Field(
        min_length=1,
        max_length=64,
        description="Labels that every pod of this Rollout carries. Contained in the template's labels.",
        json_schema_extra=cel.validations(cel.SELECTOR_SYNTAX, cel.LABELS_UNHASHED),
    )

    @pydantic.field_validator("match_labels")
    @classmethod
    def _labels(cls, labels: dict[str, str]) -> dict[str, str]:
        if not all(dns.is_label_key(key) and dns.is_label_value(value) for key, value in labels.items()):
            raise ValueError(cel.SELECTOR_SYNTAX.message)
        if names.POD_HASH in labels:
            raise ValueError(cel.LABELS_UNHASHED.message)
        return labels


class Threshold(SpecModel):
    """The bounds of a metric's value; both are inclusive."""

    model_config = pydantic.ConfigDict(
        json_schema_extra={**cel.atomic_map(), **cel.validations(cel.THRESHOLD_BOUND, cel.THRESHOLD_ORDER)}
    )

    min: float | None = pydantic.Field(default=None, strict=True, description="The smallest value that passes.")
    max: float | None = pydantic.Field(default=None, strict=True, description="The largest value that passes.")

    @pydantic.model_validator(mode="after")
    def _some_bound(self) -> "Threshold":
        if self.min is None and self.max is None:
            raise ValueError(cel.THRESHOLD_BOUND.message)
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(cel.THRESHOLD_ORDER.message)
        return self


class NoData(SpecModel):
    """What to do when a metric cannot be judged for long."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    after_seconds: Duration = pydantic.Field(
        default=600.0, alias="after", description="How long a metric may go without a value to judge before this."
    )
    then: str = pydantic.Field(
        default="Hold",
        pattern="^(Hold|Rollback|Advance)$",
        description="Hold the weight until there is data, roll back, or advance without this metric.",
    )


class Prometheus(SpecModel):
    """A query to Prometheus."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    query: str = pydantic.Field(
        min_length=1,
        max_length=4096,
        description=(
            "PromQL that gives one value. Known variables: $(namespace), $(name), $(window), $(canary.hash), "
            "$(canary.pods), $(stable.hash), $(stable.pods); $(….pods) is a pattern for pod=~. It is sent as it is: "
            "unless the operator's settings tie queries to the Rollout's namespace, it can read all of that Prometheus."
        ),
        json_schema_extra=cel.validations(cel.QUERY_KNOWN),
    )
    address: str | None = pydantic.Field(
        default=None,
        max_length=2048,
        description="The server, when it is not the operator's own. The operator must allow it.",
        json_schema_extra=cel.validations(cel.ADDRESS_PLAIN),
    )

    @pydantic.model_validator(mode="after")
    def _readable(self) -> "Prometheus":
        if not re.fullmatch(cel.QUERY, self.query):
            raise ValueError(f"query {cel.QUERY_KNOWN.message}")
        if self.address is not None and not re.fullmatch(cel.ADDRESS, self.address):
            raise ValueError(f"address {cel.ADDRESS_PLAIN.message}")
        return self


class Metric(SpecModel):
    """One measurement of the new version, repeated at every interval."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.validations(cel.FIRST_ALONE))

    name: Annotated[str, cel.named(dns.is_label, cel.METRIC_NAME)] = pydantic.Field(
        min_length=1,
        max_length=dns.LABEL_LENGTH,
        description="The metric's name.",
        json_schema_extra=cel.validations(cel.METRIC_NAME),
    )
    interval_seconds: Duration = pydantic.Field(
        default=10.0,
        alias="interval",
        description="How often to measure; at least 1s.",
        json_schema_extra=cel.validations(cel.DURATION_MIN),
    )
    window_seconds: Duration = pydantic.Field(
        default=60.0,
        alias="window",
        description="The time that one value looks back over, as $(window). A pass counts at a weight only if its "
        "whole window lies after the change to that weight.",
        json_schema_extra=cel.validations(cel.DURATION_MIN),
    )
    when: tuple[Moment, ...] = pydantic.Field(
        default=(),
        max_length=5,
        description="Background: judged all the time a new version takes over, has to pass at each weight. First: "
        "judged once the pods of the very first revision are ready, has to pass before it counts as stable. With "
        "blueGreen also PrePromotion: judged in preview, has to pass before the switch; and PostPromotion: judged "
        "from the switch on, has to pass before the version counts as promoted. With canary also Step: judged in the "
        "analysis steps that name it, has to pass there. Empty: Background.",
        json_schema_extra=cel.atomic_list(),
    )
    prometheus: Prometheus = pydantic.Field(description="Where the value comes from.")
    threshold: Threshold = pydantic.Field(description="What the value must be.")
    failures_to_rollback: Annotated[int, pydantic.Field(ge=1, le=100, strict=True)] = pydantic.Field(
        default=2, description="After so many failures in a row the new version is taken back."
    )
    passes_to_advance: Annotated[int, pydantic.Field(ge=1, le=1000, strict=True)] = pydantic.Field(
        default=3, description="So many passes since the last failure are needed at each weight before the next."
    )
    no_data: NoData = pydantic.Field(
        default=NoData(), description="What to do when the metric cannot be judged for long."
    )

    @property
    def judged(self) -> tuple[str, ...]:
        """When it is judged."""
        return self.when or (BACKGROUND,)

    @pydantic.model_validator(mode="after")
    def _bearable(self) -> "Metric":
        if self.interval_seconds < 1:
            message = "interval must be at least 1s"
            raise ValueError(message)
        if self.window_seconds < 1:
            message = "window must be at least 1s"
            raise ValueError(message)
        if FIRST in self.when and cel.STABLE_VARIABLE in self.prometheus.query:
            raise ValueError(f"prometheus.query: {cel.FIRST_ALONE.message}")
        return self


class Analysis(SpecModel):
    """What is watched while a new version takes over."""

    metrics: tuple[Metric, ...] = pydantic.Field(
        default=(),
        max_length=20,
        description="The measurements. All must pass to advance; one can roll back.",
        json_schema_extra=cel.map_list("name"),
    )

    @pydantic.model_validator(mode="after")
    def _unique_names(self) -> "Analysis":
        names = [metric.name for metric in self.metrics]
        if len(names) != len(set(names)):
            message = "the names of metrics must differ"
            raise ValueError(message)
        return self


class FailFast(SpecModel):
    """How soon a new version of which no pod is ready is rolled back, where waiting cannot help."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    after_seconds: Patience = pydantic.Field(
        default=30.0,
        alias="after",
        description="How long new pods may make no progress whose image cannot be pulled, that crash again and again, "
        "whose containers cannot be made, or that a quota or an admission refuses. Never: progressDeadlineSeconds "
        "alone counts.",
        json_schema_extra=cel.validations(cel.PATIENCE),
    )
    unschedulable_after_seconds: Patience = pydantic.Field(
        default=300.0,
        alias="unschedulableAfter",
        description="The same for new pods that no node has room for: longer than an autoscaler of nodes needs to "
        "bring one. Never: progressDeadlineSeconds alone counts.",
        json_schema_extra=cel.validations(cel.PATIENCE),
    )


class Policy(SpecModel):
    """The part of the spec by which a rollout is judged; the last accepted one is kept in a ControllerRevision."""

    model_config = pydantic.ConfigDict(extra="ignore")  # it is read out of a whole spec, too

    min_ready_seconds: Annotated[int, pydantic.Field(ge=0, le=86_400, strict=True)] = pydantic.Field(
        default=0, description="How long a pod must be Ready before it counts."
    )
    progress_deadline_seconds: Annotated[int, pydantic.Field(ge=1, le=604_800, strict=True)] = pydantic.Field(
        default=600, description="A new version whose pods make no progress for so long is rolled back."
    )
    fail_fast: FailFast | None = pydantic.Field(
        default=None,
        description="How soon a new version of which no pod is ready is rolled back, where waiting cannot help.",
    )
    revision_history_limit: Annotated[int, pydantic.Field(ge=0, le=20, strict=True)] = pydantic.Field(
        default=2,
        description="How many older revisions are kept to go back to, as Deployments at 0 replicas. Those that were "
        "stable are kept before those that were taken back.",
    )
    strategy: Strategy = pydantic.Field(description="How a new version takes over.")
    traffic: Traffic | None = pydantic.Field(
        default=None, description="Weighted traffic. Absent: the share of the pods is the share of the traffic."
    )
    analysis: Analysis = pydantic.Field(default=Analysis(), description="What is watched meanwhile.")
    drill: Drill | None = pydantic.Field(
        default=None, description="Rehearsals of going back: pods of the stable version are taken back as a bad one is."
    )


POLICY_FIELDS: Final = tuple(str(field.alias) for field in Policy.model_fields.values())
"""The fields of the spec that a recorded policy holds, as users write them."""


class Workload(SpecModel):
    """The part of the spec that says which pods run."""

    replicas: Annotated[int, pydantic.Field(ge=0, le=100_000, strict=True)] | None = pydantic.Field(
        default=None, description="The number of pods. Absent: kept as it is (1 at first); an autoscaler may own it."
    )
    selector: LabelSelector = pydantic.Field(
        description="Which pods belong to this Rollout. Cannot be changed.",
        json_schema_extra=cel.validations(cel.SELECTOR_FIXED),
    )
    template: dict[str, Any] = pydantic.Field(
        description="The pods to run, as in a Deployment. A change is a new revision."
    )
    paused: bool = pydantic.Field(
        default=False, strict=True, description="Stops the steps. Scaling, monitoring and rolling back go on."
    )


class RolloutSpec(Policy, Workload):
    """What is wanted."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        json_schema_extra=cel.validations(
            cel.SELECTOR_CONTAINED,
            cel.BLUE_GREEN_SWITCHES,
            cel.WEIGHTS_ROUTED,
            cel.STEPS_ROUTED,
            cel.STEPS_MATCHED,
            cel.STEPS_MEASURED,
            cel.WHEN_SWITCHED,
            cel.WHEN_STEP,
            cel.DRILL_HARMLESS,
        ),
    )

    @pydantic.model_validator(mode="after")
    def _runnable(self) -> "RolloutSpec":
        if problems := list(template.problems(self.template, self.selector.match_labels)):
            raise ValueError("; ".join(problems))
        self._fitting()
        self._steps_fitting()
        return self

    def _fitting(self) -> None:
        """Hold that strategy, traffic and metrics fit together."""
        switched, routed = self.strategy.blue_green is not None, self.traffic and self.traffic.gateway_api
        if switched and self.traffic is None:
            raise ValueError(f"traffic: {cel.BLUE_GREEN_SWITCHES.message}")
        if self.traffic and not routed and not switched and self.strategy.recreate is None:
            raise ValueError(f"traffic.gatewayAPI: {cel.WEIGHTS_ROUTED.message}")
        if self.drill and (self.strategy.recreate is not None or (switched and not routed)):
            raise ValueError(f"drill: {cel.DRILL_HARMLESS.message}")
        moments = {moment for metric in self.analysis.metrics for moment in metric.judged}
        if not switched and moments - {BACKGROUND, FIRST, STEP}:
            raise ValueError(f"analysis.metrics: {cel.WHEN_SWITCHED.message}")

    def _steps_fitting(self) -> None:
        """Hold that the steps of a canary fit to traffic and metrics."""
        steps = self.strategy.canary.steps if self.strategy.canary else ()
        if self.traffic is None and any(step.routed for step in steps):
            raise ValueError(f"strategy.canary.steps: {cel.STEPS_ROUTED.message}")
        routes = self.traffic.gateway_api.routes if self.traffic and self.traffic.gateway_api else ()
        if any(route.kind != "HTTPRoute" for route in routes) and any(step.matched for step in steps):
            raise ValueError(f"strategy.canary.steps: {cel.STEPS_MATCHED.message}")
        named = {name for step in steps if step.analysis for name in step.analysis.metrics}
        judged = {metric.name for metric in self.analysis.metrics if STEP in metric.judged}
        if named - judged:
            raise ValueError(f"strategy.canary.steps: {cel.STEPS_MEASURED.message}")
        if judged - named:
            raise ValueError(f"analysis.metrics: {cel.WHEN_STEP.message}")
