"""The rules that go forward, in the order in which something can still be in the way."""

import math

from headgate.api import names, values
from headgate.api.status import Canary, Ending, Phase, Side
from headgate.core.model import Notice
from headgate.core.model.percent import WHOLE
from headgate.core.replicas import pod_ratio, recreate
from headgate.core.revisions import history
from headgate.core.rollout import pause_messages, pod_progress, rollbacks, transitions, weight_evidence
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import Situation
from headgate.core.strategies import traits
from headgate.core.traffic import plan as traffic_plan
from headgate.core.traffic.routers.gateway_api import acceptance


def _phase(situation: Situation) -> Phase:
    if situation.is_rollback:
        return Phase.ROLLING_BACK
    weight = situation.status.weight
    if weight is None or weight.desired != WHOLE:
        return Phase.PROGRESSING
    # Without steps before the last one, most of the exchange happens in it.
    rolling = weight.since is None and traits.rolls(situation.seen.policy)
    return Phase.PROGRESSING if rolling else Phase.PROMOTING


def step_text(situation: Situation) -> str:
    """Return where the rollout is, for messages: ``step 2/5, weight 20 %``."""
    weight = situation.status.weight.desired if situation.status.weight else 0
    goal = situation.goal
    made = f" ({goal.canary} of {goal.canary + goal.stable} pods)" if goal.canary else ""
    return f"step {situation.step_at + 1}/{len(situation.plan)}, weight {weight} %{made}"


def _rolled(situation: Situation) -> str:
    """Return where a rollout without steps goes or how far it has come, with a trailing separator; or nothing."""
    if situation.canary is not None and situation.is_rollback:
        return f"going back to revision {situation.canary.revision}: "
    if not traits.rolls(situation.seen.policy) or not situation.goal.canary:
        return ""
    ready, goal = situation.pods(situation.canary).ready, situation.goal.canary
    return f"{WHOLE * min(ready, goal) // goal} % rolled out: "


def _pods_wait(situation: Situation) -> str:
    goal = situation.goal
    stable, canary = situation.pods(situation.stable), situation.pods(situation.canary)
    if canary.ready < goal.canary or canary.wanted < goal.canary:
        return f"{min(canary.ready, goal.canary)} of {goal.canary} canary pods ready{pod_progress.pod_words(situation)}"
    if stable.counted > goal.stable:
        return f"{stable.counted} stable pods, going down to {goal.stable}"
    if canary.wanted > goal.canary:
        return f"{canary.counted} canary pods, going down to {goal.canary}"
    return f"{stable.wanted} stable pods, going up to {goal.stable}"


def recreating(situation: Situation) -> Rest | None:
    """Old pods go before new ones come; nobody is served meanwhile, and that is meant."""
    canary = situation.flight
    if not situation.recreates or canary is None or situation.status.weight is None:
        return None
    pods, turnover, looks = situation.pods(canary), situation.turnover, pod_progress.patience_ends(situation)
    if pods.wanted != situation.total and not turnover.done:
        looks = (recreate.looks_at(canary.waits_since, situation.now), *looks)
    if pods.wanted == 0 and situation.total and not turnover.done:
        if not turnover.known and situation.sizes.stable:
            message = f"{turnover.counted('old')}; they stay until pods can be counted again"
            return Rest(Phase.HOLDING, "PodsNotCounted", message, looks)
        message = f"downtime is meant: {turnover.counted('old')}; new ones start once they are gone"
        return Rest(_recreates(situation), "Recreating", message, looks)
    if pods.wanted == situation.total and pods.ready >= situation.total:
        return None
    words = pod_progress.pod_words(situation)
    message = f"downtime is meant: {pods.ready} of {situation.total} new pods ready{words}"
    reason = "PodsNotStarting" if words else "Recreating"
    return Rest(_recreates(situation), reason, message, looks)


def _recreates(situation: Situation) -> Phase:
    return Phase.ROLLING_BACK if situation.is_rollback else Phase.PROGRESSING


def waiting(situation: Situation) -> Move | Rest | None:
    """The pods are not yet as the weight wants them; once they are, the weight holds and the step's clock starts."""
    status, weight, step = situation.status, situation.status.weight, situation.status.step
    if weight is None or step is None:
        return transitions.enter(
            situation, max(situation.step_at, 0)
        )  # no status of ours; but none may end in a promotion either
    if plan := situation.routing:
        if plan.waits:
            return _traffic_waits(situation, plan)
    elif not pod_ratio.reached(situation.goal, situation.pods(situation.stable), situation.pods(situation.canary)):
        ends = pod_progress.patience_ends(situation) + tuple(filter(None, (situation.in_step_until,)))
        reason = "PodsNotStarting" if pod_progress.pod_words(situation) else "WaitingForPods"
        return Rest(_phase(situation), reason, _rolled(situation) + _pods_wait(situation), ends)
    if weight.since is not None and step.since is not None:
        return None
    # Both are known from the moment of acceptance on, up to 2 s ahead, so that one write says all of it.
    settled_at = plan.settled_at if plan and plan.settled_at is not None else 0
    start = max(math.ceil(situation.now), settled_at)
    weight = weight.model_copy(update={"since": weight.since if weight.since is not None else start})
    step = step.model_copy(update={"since": start})
    return Move(status.model_copy(update={"weight": weight, "step": step}))


def _traffic_waits(situation: Situation, plan: traffic_plan.Plan) -> Rest:
    words, again = pod_progress.pod_words(situation), (*pod_progress.patience_ends(situation), *plan.recheck_at)
    message = f"{plan.waits}{words}" if "canary pods ready" in plan.waits else plan.waits
    reason = "PodsNotStarting" if words else "WaitingForTraffic"
    told = acceptance.told_from(situation.seen.traffic) if situation.seen.traffic else None
    if told is not None and told > situation.now:
        again = (*again, told)
    elif told is not None and not words:
        reason = "WaitingForGateway"
    return Rest(_phase(situation), reason, _rolled(situation) + message, again)


def paused(situation: Situation) -> Rest | None:
    """spec.paused stops the steps."""
    if not situation.seen.rollout.paused or situation.is_rollback:
        return None
    message = f"spec.paused is true, at {step_text(situation)}{pause_messages.ended_by(situation.seen.rollout)}"
    return Rest(Phase.PAUSED, "Paused", weight_evidence.with_blindness(situation, message))


def pausing(situation: Situation) -> Rest | None:
    """The present step is a pause that has not ended."""
    canary, status, step = situation.flight, situation.status.step, situation.step
    if canary is None or status is None or not step.waits or status.promoted or canary.promote_full:
        return None
    preview = traits.previews(situation.seen.policy)
    shown = f"revision {canary.revision} is in preview, {transitions.shown_by(situation)}; " if preview else ""
    if step.pause_seconds is None:
        promote, name = f"{names.PROMOTE}={canary.hash}/{status.index}", situation.seen.rollout.name
        command = f"kubectl annotate {names.RESOURCE} {name} {promote}"
        message = weight_evidence.with_blindness(situation, f"{shown}until promoted: {command}")
        return Rest(Phase.PAUSED, "PausedUntilPromoted", message)
    end = (status.since or situation.second) + step.pause_seconds
    if situation.now >= end:
        return None
    message = f"{shown}for {values.format_duration(step.pause_seconds)}, until {values.format_time(math.ceil(end))}"
    return Rest(Phase.PAUSED, "PausedForTime", weight_evidence.with_blindness(situation, message), (end,))


def unproved(situation: Situation) -> Rest | None:
    """The next step takes more of the new version, and the metrics have not passed often enough at this weight."""
    canary, plan, at = situation.flight, situation.plan, situation.step_at
    if canary is None or canary.promote_full:
        return None
    rises = at + 1 >= len(plan) or plan[at + 1].weight_percent > situation.step.weight_percent
    if not rises and not situation.step.metrics:
        return None
    found = weight_evidence.found(situation)
    if not found.missing:
        return None
    if found.blind:
        return Rest(Phase.HOLDING, "NoData", "; ".join(found.blind))
    back = f"all users are back on revision {canary.revision}; " if canary.is_rollback else ""
    message = f"{back}{'; '.join(found.missing)}, at {step_text(situation)}"
    return Rest(_phase(situation), "GatheringEvidence", message)


def settling(situation: Situation) -> Rest | None:
    """The weight was accepted a moment ago: only a step at the same weight, such as its pause, may begin."""
    canary, plan, routing = situation.flight, situation.plan, situation.routing
    settled_at = routing.settled_at if routing is not None else None
    if canary is None or settled_at is None or situation.now >= settled_at:
        return None
    following = plan[situation.step_at + 1 : situation.step_at + 2]
    if following and following[0].weight_percent == situation.step.weight_percent and not canary.promote_full:
        return None
    message = traffic_plan.SETTLES.format(situation.step.weight_percent)
    return Rest(_phase(situation), "WaitingForTraffic", message, (settled_at,))


def advance(situation: Situation) -> Move | None:
    """Nothing is in the way of the next step."""
    canary, plan = situation.flight, situation.plan
    if canary is None or situation.step_at + 1 >= len(plan):
        return None
    at = len(plan) - 1 if canary.promote_full else situation.step_at + 1
    return transitions.enter(situation, at)


def complete(situation: Situation) -> Move | None:
    """The new version has everything, and its own evidence: it becomes stable."""
    canary, stable, status = situation.flight, situation.stable, situation.status
    if canary is None or stable is None:
        return None
    past = history.remembered(
        status,
        canary,
        Ending.PROMOTED,
        "RolledBack" if canary.is_rollback else "Promoted",
        message=_why(canary, stable),
        by=_by(situation, canary),
        at=situation.second,
    )
    floor = situation.floor_left(canary)
    ended: dict[str, object] = {"canary": None, "step": None, "weight": None, "min_replicas": floor}
    if situation.routing is not None:
        held = status.weight.since if status.weight else None
        warm = transitions.retain_previous(stable, canary, held or situation.second, situation.second)
        ended["previous"] = None if situation.recreates else warm
        ended["traffic"] = transitions.detach_from_stable_service(situation)
    changes = {**ended, "stable": history.stable_of(canary, stable, situation.second), "history": past}
    took = values.format_duration(situation.now - canary.started)
    notice = Notice("Promoted", f"revision {canary.revision} is stable after {took}")
    if canary.is_rollback:
        notice = Notice("RolledBack", f"revision {canary.revision} is stable again after {took}")
    return Move(rollbacks.reject_replaced(situation, status.model_copy(update=changes)), (notice,))


def _why(canary: Canary, stable: Side) -> str:
    if canary.promote_full:
        return "by command, without all evidence"
    return f"in place of revision {stable.revision}" if canary.is_rollback else "all steps passed"


def _by(situation: Situation, canary: Canary) -> str:
    if canary.is_rollback:
        return situation.status.rollback.by if situation.status.rollback else "spec.template"
    return "promote-full" if canary.promote_full else "steps"
