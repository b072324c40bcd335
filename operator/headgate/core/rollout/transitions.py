"""The moves of a rollout: into a step, on the way back, and from one stable revision to another."""

from headgate.api import values
from headgate.api.status import (
    Abort,
    Canary,
    Ending,
    MetricStatus,
    Previous,
    Rejected,
    Side,
    StepStatus,
    TrafficStatus,
    Weight,
)
from headgate.core.analysis import fold
from headgate.core.model import Notice
from headgate.core.model.percent import WHOLE
from headgate.core.replicas import pod_budget, weighted
from headgate.core.revisions import history
from headgate.core.rollout.outcomes import Move
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing, steps, traits
from headgate.core.traffic import propagation, unready_stable
from headgate.core.traffic.routers.gateway_api import header_routes


def begin_abort(situation: Situation, canary: Canary, ending: Ending, reason: str, message: str, *, by: str) -> Move:
    """Return the move by which the *canary* begins to leave; a verdict against it is remembered."""
    status = situation.status
    leaving = Abort(
        ending=ending,
        reason=reason,
        message=message[:4000],
        by=by,
        since=situation.second,
        stable_pods=situation.pods(situation.stable).wanted,
        had_all=(status.traffic is not None and status.traffic.weight == WHOLE)
        or history.attempt_was_stable(status, canary),
    )
    rejected = status.rejected
    if ending in history.REJECTING and canary.drill is None:
        entry = Rejected(
            revision=canary.revision, hash=canary.hash, reason=reason, message=leaving.message, at=situation.second
        )
        rejected = history.rejected(status, entry)
    weight = status.weight or Weight(desired=0)
    changed: dict[str, object] = {"rejected": rejected}
    changed["weight"] = weight.model_copy(update={"desired": 0, "since": None})
    if status.rollback and status.rollback.hash == canary.hash:
        changed["rollback"] = None
    notice = Notice(
        "RollbackStarted", f"revision {canary.revision} is taken back: {message}", ending in history.REJECTING
    )
    if canary.drill is not None:
        alarms = ending in history.REJECTING or by == "headgate"
        notice = Notice("DrillEnds", f"drill of revision {canary.revision}: {message}", alarms)
    return Move(situation.with_canary(abort=leaving).model_copy(update=changed), (notice,))


def shown_by(situation: Situation) -> str:
    """Return by which Service people reach a preview."""
    policy = situation.seen.policy
    return f"behind Service {policy.traffic.canary_service}" if policy and policy.traffic else "behind no Service"


def _watched(situation: Situation, planned: steps.Step, *, anew: bool) -> tuple[MetricStatus, ...]:
    """Return the metrics' states in another step, where others may be judged than before."""
    states, policy = situation.status.analysis, situation.seen.policy
    if anew:
        states = fold.at_new_weight(states)
    metrics = metric_timing.judged(policy, planned.weight_percent, planned.metrics)
    if policy is None or [metric.name for metric in metrics] == [state.name for state in states]:
        return states
    return fold.keep_unchanged(policy.analysis.metrics, metrics, states, situation.now)


def _begun(situation: Situation, step: StepStatus, planned: steps.Step) -> str:
    if situation.is_rollback and not situation.recreates:
        return "all users go back to it as its pods are ready"
    if planned.pods is not None and traits.previews(situation.seen.policy):
        pods = pod_budget.portion(planned.pods, situation.total)
        return f"step {step.text}: {pods} of {situation.total} pods in preview, {shown_by(situation)}"
    if planned.anew:
        return f"step {step.text}: {_changed(situation, planned)}"
    if traits.previews(situation.seen.policy):
        return f"step {step.text}: all users are switched to it"
    if situation.recreates:
        return "old pods go before new ones start; downtime is meant"
    if traits.rolls(situation.seen.policy):
        return f"pod by pod, {situation.budget.least_ready} to {situation.budget.most_pods} pods at any time"
    return f"step {step.text}: weight {planned.weight_percent} %"


def _changed(situation: Situation, planned: steps.Step) -> str:
    """Return what a step changes other than the weight."""
    asked = header_routes.least_pods(situation.total, planned)
    pods = weighted.goal(situation.budget, planned.weight_percent, asked).canary
    short = f", where {asked} are asked for: maxSurge leaves no more" if pods < asked else ""
    names = ", ".join(dict.fromkeys(name for name, _, _ in planned.headers))
    headers = f", requests with {names}" if names else ""
    copies = f", copies of {planned.mirror_percent} % of the requests" if planned.mirror_percent else ""
    return f"{pods} of {situation.total} pods{short}, weight {planned.weight_percent} %{headers}{copies}"


def enter(situation: Situation, at: int) -> Move:
    """Return the move into the step at position *at* of the plan, counted from 0."""
    plan, status = situation.plan, situation.status
    weight = status.weight or Weight(desired=-1)
    step = StepStatus(index=at + 1, of=len(plan), text=f"{at + 1}/{len(plan)}")
    changes: dict[str, object] = {"step": step}
    which = f"revision {status.canary.revision}: " if status.canary else ""
    notices: tuple[Notice, ...] = ()
    anew = plan[at].weight_percent != weight.desired or plan[at].anew
    changes["analysis"] = _watched(situation, plan[at], anew=anew)
    if anew:
        changes["weight"] = weight.model_copy(update={"desired": plan[at].weight_percent, "since": None})
        notices = (Notice("StepStarted", f"{which}{_begun(situation, step, plan[at])}"),)
    elif plan[at].waits:
        seconds = plan[at].pause_seconds
        length = "until promoted" if seconds is None else f"for {values.format_duration(seconds)}"
        notices = (Notice("StepStarted", f"{which}step {step.text}: pause {length}"),)
    elif plan[at].metrics:
        notices = (Notice("StepStarted", f"{which}step {step.text}: analysis of {', '.join(plan[at].metrics)}"),)
    elif plan[at].pods is not None:
        notices = (Notice("StepStarted", f"{which}{_begun(situation, step, plan[at])}"),)
    return Move(status.model_copy(update=changes), notices)


def retain_previous(stable: Side, canary: Canary, since: int, at: int) -> Previous:
    """Return *stable* as the warm revision that it becomes when *canary*, which had all *since* then, takes over."""
    return Previous(
        **stable.model_dump(include=set(Side.model_fields)),
        promoted=at,
        started=canary.started,
        # What went back was not judged by what lies before it had all users, and is not now.
        analysis_from=since if canary.is_rollback else canary.analysis_from,
    )


def detach_from_stable_service(situation: Situation) -> TrafficStatus | None:
    """Return what is known of traffic when another revision becomes stable: its Service leads to it only from then."""
    known = situation.status.traffic
    if known is not None and traits.switches(situation.seen.policy):
        return propagation.swap_sides(known)
    return known.model_copy(update={"stable_since": None}) if known else None


def go_back(situation: Situation, ending: Ending, reason: str, message: str, *, by: str) -> Move | None:
    """Return the move by which the warm revision is stable again and the promoted one leaves; None without one."""
    status, warm, stable = situation.status, situation.status.previous, situation.stable
    if warm is None or stable is None or not can_go_back(situation):
        return None
    canary = Canary(
        **stable.model_dump(include=set(Side.model_fields)), started=warm.started, analysis_from=warm.analysis_from
    )
    back = history.stable_of(warm, stable, situation.second)
    changes = {
        "stable": back,
        "canary": canary,
        "previous": None,
        "weight": Weight(desired=0),
        "traffic": detach_from_stable_service(situation),
        "rejected": tuple(entry for entry in status.rejected if entry.hash != back.hash),
    }
    swapped = situation.moved(status.model_copy(update={**changes, "min_replicas": situation.total}))
    return begin_abort(swapped, canary, ending, reason, message, by=by)


def undone(situation: Situation, *, by: str) -> Move | None:
    """Return the move by which the version that leaves is stable again; None unless it was, and alone can serve.

    What people ask for by an abort in the middle of a way back: that way leads nowhere, and nothing else stands.
    """
    canary, stable = situation.flight, situation.stable
    if canary is None or stable is None or canary.abort is None or canary.drill is not None:
        return None
    if not unready_stable.serves_alone(situation.budget, situation.pods(stable), situation.pods(canary)):
        return None
    if not history.attempt_was_stable(situation.status, canary):
        return None
    fields = set(Side.model_fields)
    left = Canary(**stable.model_dump(include=fields), started=situation.second, analysis_from=situation.second)
    changes = {
        "stable": Side.model_validate(canary.model_dump(include=fields)),
        "canary": left,
        "weight": Weight(desired=0),
        "traffic": detach_from_stable_service(situation),
        "rejected": tuple(entry for entry in situation.status.rejected if entry.hash != canary.hash),
    }
    swapped = situation.moved(situation.status.model_copy(update=changes))
    message = f"aborted by command while none of its pods was ready; revision {canary.revision} serves"
    return begin_abort(swapped, left, Ending.ABORTED, "Aborted", message, by=by)


def scale_down_delay_elapsed(situation: Situation) -> bool:
    """Return whether the time of the old pods is over, so that they may go."""
    warm = situation.status.previous
    return warm is not None and warm.until is not None and situation.now >= warm.until


def can_go_back(situation: Situation) -> bool:
    """Return whether a revision is warm; once its time is over and its pods are asked to go, that way is no more."""
    facts = situation.facts(situation.status.previous)
    gone = situation.pods(situation.status.previous).lost or (
        scale_down_delay_elapsed(situation) and (facts is None or facts.replicas == 0)
    )
    return situation.status.previous is not None and situation.stable is not None and not gone
