"""The Rollout's spec: what users write. Descriptions here are what `kubectl explain` shows."""

from typing import Annotated, Any, Final

import pydantic

from headgate.api import cel, dns, template
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

    match_labels: Annotated[
        dict[str, Annotated[str, pydantic.Field(max_length=63)]], cel.keeps(cel.SELECTOR_SYNTAX, cel.LABELS_UNHASHED)
    ] = pydantic.Field(
        min_length=1,
        max_length=64,
        description="Labels that every pod of this Rollout carries. Contained in the template's labels.",
    )


class Threshold(SpecModel):
    """The bounds of a metric's value; both are inclusive."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())
    RULES = (cel.THRESHOLD_BOUND, cel.THRESHOLD_ORDER)

    min: float | None = pydantic.Field(default=None, strict=True, description="The smallest value that passes.")
    max: float | None = pydantic.Field(default=None, strict=True, description="The largest value that passes.")


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

    query: Annotated[str, cel.keeps(cel.QUERY_KNOWN)] = pydantic.Field(
        min_length=1,
        max_length=4096,
        description=(
            "PromQL that gives one value. Known variables: $(namespace), $(name), $(window), $(canary.hash), "
            "$(canary.pods), $(stable.hash), $(stable.pods); $(….pods) is a pattern for pod=~. It is sent as it is: "
            "unless the operator's settings tie queries to the Rollout's namespace, it can read all of that Prometheus."
        ),
    )
    address: Annotated[str, cel.keeps(cel.ADDRESS_PLAIN)] | None = pydantic.Field(
        default=None,
        max_length=2048,
        description="The server, when it is not the operator's own. The operator must allow it.",
    )


class Metric(SpecModel):
    """One measurement of the new version, repeated at every interval."""

    RULES = (cel.FIRST_ALONE,)

    name: Annotated[str, cel.keeps(cel.METRIC_NAME)] = pydantic.Field(
        min_length=1,
        max_length=dns.LABEL_LENGTH,
        description="The metric's name.",
    )
    interval_seconds: Annotated[Duration, cel.keeps(cel.DURATION_MIN)] = pydantic.Field(
        default=10.0,
        alias="interval",
        description="How often to measure; at least 1s.",
    )
    window_seconds: Annotated[Duration, cel.keeps(cel.DURATION_MIN)] = pydantic.Field(
        default=60.0,
        alias="window",
        description="The time that one value looks back over, as $(window). A pass counts at a weight only if its "
        "whole window lies after the change to that weight.",
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

    model_config = pydantic.ConfigDict(extra="forbid")
    RULES = (
        cel.SELECTOR_CONTAINED,
        cel.BLUE_GREEN_SWITCHES,
        cel.WEIGHTS_ROUTED,
        cel.STEPS_ROUTED,
        cel.STEPS_MATCHED,
        cel.STEPS_MEASURED,
        cel.WHEN_SWITCHED,
        cel.WHEN_STEP,
        cel.DRILL_HARMLESS,
    )

    @pydantic.model_validator(mode="after")
    def _runnable(self) -> "RolloutSpec":
        if problems := list(template.problems(self.template, self.selector.match_labels)):
            raise ValueError("; ".join(problems))
        return self
