"""The Rollout's status: what Headgate observed, decided and waits for. Also the whole memory of the controller.

Whatever a restarted operator must know stands here; times are whole seconds.
"""

import enum
from typing import Annotated, Any, Final

import pydantic

from headgate.api import cel
from headgate.api.begun import Begun
from headgate.api.conditions import Condition as Condition  # noqa: PLC0414 - a part of the status like those below
from headgate.api.conditions import StatusModel as StatusModel  # noqa: PLC0414 - their base
from headgate.api.values import Moment, Timestamp


class Phase(enum.StrEnum):
    """Where the Rollout stands, for people. Values may be added."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    HOLDING = "Holding"
    PROMOTING = "Promoting"
    HEALTHY = "Healthy"
    DRILLING = "Drilling"
    ROLLING_BACK = "RollingBack"
    ROLLED_BACK = "RolledBack"
    DEGRADED = "Degraded"


class Outcome(enum.StrEnum):
    """How one measurement ended. Only Failed may roll back, only Passed may advance."""

    PASSED = "Passed"
    FAILED = "Failed"
    NO_DATA = "NoData"
    AMBIGUOUS = "Ambiguous"
    ERROR = "Error"


class Ending(enum.StrEnum):
    """How a revision's rollout ended, for the history."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"
    WITHDRAWN = "Withdrawn"
    DELETED = "Deleted"
    DRILLED = "Drilled"


def _known(words: type[enum.StrEnum]) -> pydantic.BeforeValidator:
    """Return what makes one of *words* of a text that is one, and leaves any other text as it is."""
    return pydantic.BeforeValidator(
        lambda value: words(value) if isinstance(value, str) and value in {*words} else value
    )


def _worded(words: type[enum.StrEnum]) -> pydantic.WithJsonSchema:
    return pydantic.WithJsonSchema({"type": "string", "enum": [word.value for word in words]})


AnyEnding = Annotated[Ending | str, _known(Ending), _worded(Ending)]
"""An ending, or what a newer Headgate calls one."""
AnyOutcome = Annotated[Outcome | str, _known(Outcome), _worded(Outcome)]
"""An outcome, or what a newer Headgate calls one."""


CONDITIONS: Final = {
    name: name for name in ("Available", "Ready", "Reconciling", "Stalled", "DrillSucceeded", "ScalingHeld", "Disputed")
}
"""The types of our conditions. Whatever other type stands in a status is a newer version's, and is left there."""


class Progress(StatusModel):
    """How far a revision's pods have come in the present scale-up; the progress deadline runs from since."""

    desired: int = pydantic.Field(description="The number of pods that the scale-up is going to.")
    ready: int = pydantic.Field(description="The most pods that have been ready in it.")
    since: Timestamp = pydantic.Field(description="When that number last grew, or when the scale-up began.")
    dropped: Timestamp | None = pydantic.Field(default=None, description="When some that were ready stopped being so.")

    @property
    def stopped(self) -> int:
        """Since when those that are not ready are not: since they were wanted, or since they last stopped being so."""
        return self.since if self.dropped is None else max(self.since, self.dropped)


class Side(StatusModel):
    """One of the two revisions that can be serving."""

    revision: int = pydantic.Field(description="The revision's number.")
    hash: str = pydantic.Field(max_length=63, description="The revision's hash, as in commands and pod names.")
    images: tuple[Annotated[str, pydantic.Field(max_length=2048)], ...] = pydantic.Field(
        default=(), max_length=100, description="The images of its containers, in order."
    )
    replicas: int = pydantic.Field(default=0, description="The number of pods wanted of it now.")
    ready: int = pydantic.Field(default=0, description="The number of its pods that are available.")
    selector: str = pydantic.Field(default="", max_length=32_768, description="Selects its pods, for kubectl -l.")
    progress: Progress | None = pydantic.Field(default=None, description="How far the present scale-up has come.")
    since: Timestamp | None = pydantic.Field(default=None, description="When it became stable.")
    found: bool = pydantic.Field(default=False, description="Found again and not proved yet.")


class Abort(StatusModel):
    """The verdict by which a canary is being taken back."""

    ending: AnyEnding = pydantic.Field(description="How the rollout ends.")
    reason: str = pydantic.Field(max_length=1024, description="One CamelCase word that says why.")
    message: str = pydantic.Field(default="", max_length=4096, description="A sentence that says why, with numbers.")
    by: str = pydantic.Field(default="", max_length=253, description="Who or what decided it.")
    since: Timestamp = pydantic.Field(description="When it was decided.")
    stable_pods: int = pydantic.Field(default=0, description="How many stable pods were wanted then.")
    had_all: bool = pydantic.Field(default=False, description="Whether all users had this revision then.")
    unserved_since: Timestamp | None = pydantic.Field(
        default=None, description="Since when no stable pod is ready, while the pods of this revision serve all users."
    )
    rescued_since: Timestamp | None = pydantic.Field(
        default=None, description="Since when users are led to this revision because no stable pod is ready."
    )
    rescues: int = pydantic.Field(default=0, description="How often users were led to it for that.")
    uncounted_since: Timestamp | None = pydantic.Field(
        default=None, description="Since when it is unknown whether its last pods still answer."
    )


class Drill(StatusModel):
    """A rehearsal of going back, with pods of the stable version."""

    of: str = pydantic.Field(max_length=63, description="The hash of the stable revision whose template they run.")
    by: str = pydantic.Field(default="", max_length=253, description="Who or what asked for it.")
    within_seconds: float = pydantic.Field(description="How long going back may take.")
    injected_at: Moment | None = pydantic.Field(default=None, description="When a breach was put into the verdict.")
    rollback_seconds: float | None = pydantic.Field(
        default=None, description="How long after that stable had all traffic again."
    )
    within_target: bool | None = pydantic.Field(default=None, description="Whether that was within what is allowed.")


class DrillSchedule(StatusModel):
    """When the next drill is due."""

    schedule: str = pydantic.Field(max_length=253, description="The schedule and time zone that this was found by.")
    next: Timestamp = pydantic.Field(description="When the next one is due.")


class Canary(Side):
    """The revision that is on its way in, or out again."""

    started: Timestamp = pydantic.Field(description="When this attempt started.")
    analysis_from: Timestamp = pydantic.Field(
        default=0, description="Measurements that look back beyond this belong to an earlier attempt and do not count."
    )
    promote_full: bool = pydantic.Field(default=False, description="promote-full was given for it.")
    is_rollback: bool = pydantic.Field(
        default=False, description="It was stable before, so it gets all users at once: no steps, no pauses."
    )
    abort: Abort | None = pydantic.Field(default=None, description="Why it is being taken back.")
    drill: Drill | None = pydantic.Field(default=None, description="Where it is no new version but a rehearsal.")
    jumped_seconds: int = pydantic.Field(
        default=0, description="How far the clock has jumped ahead since it started; no wait counts that."
    )

    @property
    def waits_since(self) -> int:
        """From when on waits count that begin with its start."""
        return self.started + self.jumped_seconds


class Previous(Side):
    """The revision that was stable before the last promotion: its pods stay for a while, to go back to by one write."""

    promoted: Timestamp = pydantic.Field(description="When the other revision took over.")
    started: Timestamp = pydantic.Field(description="When the attempt that took over had started.")
    analysis_from: Timestamp = pydantic.Field(
        default=0, description="Measurements that look back beyond this belong to an earlier attempt and do not count."
    )
    until: Timestamp | None = pydantic.Field(
        default=None, description="When its pods go. Absent while traffic is still being moved to the stable Service."
    )


RULES_MAX: Final = 300
RULES_PUT_MAX: Final = 1000
"""What can be remembered of what steps add to routes: `header_routes` in core.traffic keeps within them."""


class TrafficStatus(StatusModel):
    """Where the routes and Services lead, as last read."""

    weight: int = pydantic.Field(
        description="What the routes give to the canary Service, in percent. Where the stable Service's selector "
        "switches users: 100 while it leads to the other revision than stable, else 0."
    )
    lowest: int = pydantic.Field(description="The least that any Gateway may still be giving to it, until drained.")
    highest: int = pydantic.Field(
        description="The most that any Gateway may still be giving to it, copies included, until drained."
    )
    since: Timestamp | None = pydantic.Field(
        default=None, description="Since when the weight is written and accepted by every Gateway that answers."
    )
    stable_since: Timestamp | None = pydantic.Field(
        default=None, description="Since when the stable Service leads to stable pods alone."
    )
    managed_rules: tuple[Annotated[str, pydantic.Field(max_length=63)], ...] = pydantic.Field(
        default=(),
        max_length=RULES_MAX,
        description="What stands in the routes of what steps add to them: rules, and filters with their percentage.",
    )
    planned_rules: tuple[Annotated[str, pydantic.Field(max_length=63)], ...] = pydantic.Field(
        default=(),
        max_length=RULES_PUT_MAX,
        description="What this rollout has added to the routes, or is about to add.",
    )
    drift_by: str = pydantic.Field(
        default="", max_length=1024, description="Who last changed a route or Service of this Rollout back, and which."
    )
    drift_count: int = pydantic.Field(default=0, description="How often that happened without a quiet minute between.")
    drift_last_time: Timestamp | None = pydantic.Field(default=None, description="When that happened last.")


class StepStatus(StatusModel):
    """The step that the rollout is at."""

    index: int = pydantic.Field(description="The step's number, counted from 1, as in the promote command.")
    of: int = pydantic.Field(description="How many steps there are, the implied last one to 100 percent included.")
    text: str = pydantic.Field(default="", max_length=32, description="Both together, such as 2/5.")
    since: Timestamp | None = pydantic.Field(
        default=None, description="When the step's own clock started; while its weight settles, when it will."
    )
    waiting_for: str = pydantic.Field(default="", max_length=4096, description="What it waits for, with numbers.")
    promoted: bool = pydantic.Field(default=False, description="promote was given for this pause.")


class Weight(StatusModel):
    """The share of the traffic that the canary gets, in percent."""

    desired: int = pydantic.Field(description="What the step asks for.")
    achieved: int = pydantic.Field(
        default=0,
        description="What it is: what the available pods of both versions make of it, or what the routes hold.",
    )
    since: Timestamp | None = pydantic.Field(
        default=None,
        description="Since when the desired weight holds, as nearly as pods can make it; while it settles, from when.",
    )


class MetricStatus(StatusModel):
    """What is known of one metric, and the state of its analysis."""

    name: str = pydantic.Field(max_length=63, description="The metric's name.")
    verdict: AnyOutcome = pydantic.Field(description="How its newest measurement ended.")
    value: str = pydantic.Field(default="", max_length=64, description="The newest value.")
    bound: str = pydantic.Field(default="", max_length=128, description="What the value must be.")
    passes: int = pydantic.Field(default=0, description="Passes at this weight since the last failure.")
    failures: int = pydantic.Field(default=0, description="Failures in a row.")
    message: str = pydantic.Field(default="", max_length=1024, description="What is wrong with it, if anything is.")
    since: Timestamp = pydantic.Field(description="Since when the verdict is this one.")
    watched_since: Timestamp | None = pydantic.Field(default=None, description="Since when it is measured.")
    last_tick: Timestamp = pydantic.Field(description="The newest measurement that has been judged.")
    last_judged: Timestamp | None = pydantic.Field(
        default=None, description="The newest measurement that passed or failed."
    )


class Rejected(StatusModel):
    """A revision that was taken back and is not tried again until the user says retry or changes the template."""

    revision: int = pydantic.Field(description="The revision's number.")
    hash: str = pydantic.Field(max_length=63, description="The revision's hash.")
    reason: str = pydantic.Field(max_length=1024, description="One CamelCase word that says why.")
    message: str = pydantic.Field(default="", max_length=4096, description="A sentence that says why, with numbers.")
    at: Timestamp = pydantic.Field(description="When it was rejected.")


class HistoryEntry(StatusModel):
    """One rollout that ended."""

    revision: int = pydantic.Field(description="The revision's number.")
    hash: str = pydantic.Field(max_length=63, description="The revision's hash.")
    outcome: AnyEnding = pydantic.Field(description="How it ended.")
    reason: str = pydantic.Field(default="", max_length=1024, description="One CamelCase word that says why.")
    message: str = pydantic.Field(default="", max_length=4096, description="A sentence that says why, with numbers.")
    by: str = pydantic.Field(default="", max_length=253, description="Who or what decided it.")
    started: Timestamp = pydantic.Field(description="When it started.")
    aborted_at: Timestamp | None = pydantic.Field(
        default=None, description="When it was decided to take it back; from then on it was on its way out."
    )
    finished: Timestamp = pydantic.Field(description="When its outcome was reached.")
    drill: Drill | None = pydantic.Field(default=None, description="What a rehearsal found.")
    duration: str = pydantic.Field(default="", max_length=32, description="The time from its start to its outcome.")
    retried: bool = pydantic.Field(
        default=False, description="Whether headgate.dev/retry took back what was decided against the revision."
    )


class Rollback(StatusModel):
    """The revision that was stable before and that people want again, whatever the spec holds."""

    revision: int = pydantic.Field(description="The revision's number.")
    hash: str = pydantic.Field(max_length=63, description="The revision's hash.")
    rejects: str = pydantic.Field(
        max_length=63,
        description="The hash of the revision that the spec meant then; rejected once the other one is stable again. "
        "Another template in the spec ends the rollback.",
    )
    by: str = pydantic.Field(default="", max_length=253, description="Who or what decided it.")
    since: Timestamp = pydantic.Field(description="When it was decided.")


class Restart(StatusModel):
    """A restart of all pods without a new version."""

    since: Timestamp = pydantic.Field(description="When it was asked for: pods created until then are replaced.")
    until: Timestamp | None = pydantic.Field(
        default=None, description="When the newest pod was created that the first look found; later ones are new."
    )
    asked: str = pydantic.Field(default="", max_length=128, description="What the command said.")
    pods: int = pydantic.Field(description="How many pods were wanted then; counts where spec.replicas is absent.")
    remaining: int = pydantic.Field(default=0, description="How many old pods are left.")
    stopped: bool = pydantic.Field(
        default=False, description="It was stopped: old pods stay, those that are too many go."
    )


class TemplateStatus(StatusModel):
    """The identity of the template that the spec holds, once the API server has confirmed it."""

    hash: str = pydantic.Field(max_length=63, description="The hash of the template as it is written.")
    revision_hash: str = pydantic.Field(
        max_length=63, description="The hash of the revision that it means; another one where both mean the same."
    )


class RolloutStatus(StatusModel):
    """What was observed and decided."""

    observed_generation: int = pydantic.Field(default=-1, description="The generation of the spec that was acted on.")
    replicas: int = pydantic.Field(default=0, description="The number of pods of all revisions.")
    selector: str = pydantic.Field(
        default="", max_length=32_768, description="Selects the pods of all revisions, for the scale subresource."
    )
    phase: Phase = pydantic.Field(default=Phase.PENDING, description="Where the Rollout stands, for people.")
    ready: str = pydantic.Field(default="", max_length=32, description="Available pods of those wanted, such as 9/10.")
    conditions: tuple[Condition, ...] = pydantic.Field(
        default=(),
        max_length=16,
        description=f"Machine-readable facts: {', '.join(CONDITIONS)}.",
        json_schema_extra=cel.map_list("type"),
    )
    template: TemplateStatus | None = pydantic.Field(default=None, description="The identity of the spec's template.")
    policy: str = pydantic.Field(
        default="", max_length=63, description="The hash of the strategy and analysis that were last accepted."
    )
    begun: Begun | None = pydantic.Field(default=None, description="By what the rollout in flight is taken back.")
    stable: Side | None = pydantic.Field(default=None, description="The revision that users get.")
    canary: Canary | None = pydantic.Field(default=None, description="The revision that is on its way in or out.")
    previous: Previous | None = pydantic.Field(default=None, description="The revision to go back to by one write.")
    rollback: Rollback | None = pydantic.Field(
        default=None, description="The earlier revision that rollback-to asked for, until it is stable again."
    )
    step: StepStatus | None = pydantic.Field(default=None, description="The step that the rollout is at.")
    weight: Weight | None = pydantic.Field(default=None, description="The canary's share of the traffic.")
    traffic: TrafficStatus | None = pydantic.Field(
        default=None, description="Where the routes and Services lead; with spec.traffic only."
    )
    analysis: tuple[MetricStatus, ...] = pydantic.Field(
        default=(),
        max_length=20,
        description="What is known of each metric.",
        json_schema_extra=cel.map_list("name"),
    )
    rejected: tuple[Rejected, ...] = pydantic.Field(
        default=(), max_length=10, description="Revisions that are not tried again by themselves, newest first."
    )
    history: tuple[HistoryEntry, ...] = pydantic.Field(
        default=(), max_length=10, description="Rollouts that ended, newest first."
    )
    drill: DrillSchedule | None = pydantic.Field(default=None, description="When the next drill is due.")
    restart: Restart | None = pydantic.Field(
        default=None, description="The restart of all pods that is going on, or waits for its turn."
    )
    min_replicas: int | None = pydantic.Field(
        default=None,
        description="The replicas that count while a rollout is in flight, or the previous one is kept, though others "
        "are asked for: fewer wait, and so do more for memory alone.",
    )
    handled_commands: tuple[Annotated[str, pydantic.Field(max_length=512)], ...] = pydantic.Field(
        default=(), max_length=8, description="Commands that were carried out and whose annotation is being removed."
    )

    def written(self) -> dict[str, Any]:
        """Return the status as it is written to the cluster: camelCase, times in RFC 3339, nothing as null."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
