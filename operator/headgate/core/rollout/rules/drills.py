"""Drills: a canary of the stable version is taken back as a bad one would be, and the time that takes is measured.

It is a canary like any other on its way in and out, by the same rules and the same writes, but for three things: its
pods run the stable template, nothing it comes to is held against a revision, and whatever else there is to do ends it.
"""

import dataclasses
from typing import Final

from headgate.api import cel, names, values
from headgate.api.drill import WITHIN_SECONDS
from headgate.api.spec import Policy
from headgate.api.status import Abort, Canary, Drill, Ending, Phase, Side, StepStatus, Weight
from headgate.core.analysis import fold
from headgate.core.model import Notice
from headgate.core.model.percent import WHOLE
from headgate.core.revisions import identity
from headgate.core.rollout import blockers, drill_schedule, messages, missing_reads, pod_progress, transitions
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.rules import at_rest, progress
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing, planning, traits

SHARE_PERCENT: Final = 10
"""What a drill gets of the traffic where the strategy has no step that gives a part of it."""
SCHEDULED_BY: Final = "spec.drill.schedule"


# --- the start --------------------------------------------------------------------------------------------------------


def percent(policy: Policy) -> int:
    """Return the weight that a drill goes to: that of the first step that gives the canary a part of the traffic."""
    weights = (step.weight_percent for step in planning.planned(policy))
    return next((weight for weight in weights if 0 < weight < WHOLE), SHARE_PERCENT)


def obstacle(situation: Situation) -> str:
    """Return why no drill can start now; empty if one can."""
    seen, canary, stable = situation.seen, situation.canary, situation.stable
    warm, policy = situation.status.previous, seen.policy
    if stable is None or policy is None:
        return "there is no stable revision yet"
    if canary is not None:
        return f"{'a drill' if canary.drill else 'revision'} {canary.hash} is in flight"
    if not traits.rehearses(policy):
        return cel.DRILL_HARMLESS.message
    facts = (
        (seen.rollout.deleting, "the Rollout is being deleted"),
        (seen.rollout.paused, "spec.paused is true"),
        (situation.total == 0, "there are no pods: replicas is 0"),
        (warm is not None, f"revision {warm.revision if warm else 0} is still warm"),
        (situation.status.restart is not None, "all pods are being restarted"),
        (not situation.can_create(stable), f"the template of revision {stable.revision} is not on record"),
    )
    return next((text for holds, text in facts if holds), "") or _unrest(situation)


def _unrest(situation: Situation) -> str:
    rest = missing_reads.unread(situation) or blockers.unsound(situation) or blockers.refused(situation)
    rest = rest or blockers.contested(situation) or at_rest.settled(situation)
    if rest is None:
        return "the spec wants another revision than the one that is stable"
    return "" if rest.phase is Phase.HEALTHY else f"it is not at rest: {rest.message}"


def begun(situation: Situation, stable: Side, policy: Policy, by: str) -> Move:
    """Return the move by which a drill of *stable* starts."""
    within = policy.drill.within_seconds if policy.drill else WITHIN_SECONDS
    weight = percent(policy)
    canary = Canary(
        revision=stable.revision,
        hash=identity.drill_hash(stable.hash),
        images=stable.images,
        started=situation.second,
        analysis_from=situation.second,
        drill=Drill(of=stable.hash, by=by, within_seconds=within),
    )
    changes = {
        "canary": canary,
        "min_replicas": situation.total,
        "analysis": fold.begin(metric_timing.judged(policy, weight), situation.now),
        "step": StepStatus(index=1, of=1, text="drill"),
        "weight": Weight(desired=weight),
    }
    notice = Notice("DrillStarted", f"drill of revision {stable.revision} ({canary.hash}): weight {weight} %, by {by}")
    return Move(drill_schedule.passed(situation.seen, situation.status).model_copy(update=changes), (notice,))


def due(situation: Situation) -> Move | None:
    """The schedule wants a drill: it starts if it can, waits a while if it cannot, and is never made up for."""
    since, stable, policy = (
        drill_schedule.due(situation.seen, situation.status),
        situation.stable,
        situation.seen.policy,
    )
    if since is None or stable is None or policy is None:
        return None
    why = obstacle(situation)
    if drill_schedule.too_late(situation.seen, situation.status):
        late = f"the drill that was due at {values.format_time(since)} did not start within "
        late += f"{values.format_duration(drill_schedule.LATE_SECONDS)}: {why or 'no operator ran, or it was busy'}"
        return Move(
            drill_schedule.passed(situation.seen, situation.status), (Notice("DrillSkipped", late, warning=True),)
        )
    return None if why else begun(situation, stable, policy, SCHEDULED_BY)


# --- on its way -------------------------------------------------------------------------------------------------------


def _flown(situation: Situation) -> tuple[Canary, Drill] | None:
    canary = situation.flight
    return (canary, canary.drill) if canary is not None and canary.drill is not None else None


def called_off(situation: Situation) -> Move | None:
    """There is something else to do, or to see to, than a drill: it ends at once, and nothing waits for its result."""
    canary = situation.flight
    if (why := _wanted_otherwise(situation)) is not None:
        by = "spec"
    elif situation.status.restart is not None:
        why, by = Rest(Phase.DRILLING, "RestartWanted", "all pods are to be restarted"), f"annotation {names.RESTART}"
    else:
        why, by = (_disturbed(situation, canary) if canary else None), "headgate"
    if canary is None or why is None:
        return None
    return transitions.begin_abort(situation, canary, Ending.WITHDRAWN, why.reason, why.message, by=by)


def _wanted_otherwise(situation: Situation) -> Rest | None:
    seen, stable = situation.seen, situation.stable
    if stable is None or situation.target_hash not in ("", stable.hash):
        return Rest(Phase.DRILLING, "Superseded", "the template was changed")
    if seen.rollout.invalid or seen.policy_waits:
        return Rest(Phase.DRILLING, "SpecChanged", "the spec was changed")
    if (unsound := blockers.unsound(situation)) and not blockers.being_asked(situation):
        return unsound
    if seen.rollout.paused:
        return Rest(Phase.DRILLING, "Paused", "spec.paused is true")
    if situation.total == 0:
        return Rest(Phase.DRILLING, "NoReplicas", "there are no pods any more: replicas is 0")
    return None


def _disturbed(situation: Situation, canary: Canary) -> Rest | None:
    ready = situation.pods(situation.stable).ready + situation.pods(canary).ready
    least, limit = situation.budget.least_ready, pod_progress.deadline_seconds(situation)
    if found := blockers.refused(situation) or blockers.unroutable(situation) or blockers.contested(situation):
        return found
    if ready < least:
        return Rest(Phase.DRILLING, "PodsNotReady", f"{ready} pods ready, at least {least} needed")
    if situation.now >= canary.waits_since + limit:
        waits = situation.status.step.waiting_for if situation.status.step else ""
        message = f"it has not had its weight for {values.format_duration(limit)}: {waits}"
        return Rest(Phase.DRILLING, "DrillTimedOut", message)
    return None


def injected(situation: Situation) -> Move | None:
    """A drill's weight holds: a breach is put into the verdict, and the clock starts."""
    found, weight = _flown(situation), situation.status.weight
    if found is None or weight is None or weight.since is None or situation.now < weight.since:
        return None
    canary, drill = found
    breached = situation.with_canary(drill=drill.model_copy(update={"injected_at": situation.now}))
    message = f"a breach was put into the verdict, at weight {weight.desired} %"
    return transitions.begin_abort(situation.moved(breached), canary, Ending.DRILLED, "Drilled", message, by=drill.by)


def gaining(situation: Situation) -> Move | Rest | None:
    """A drill is on its way to its weight, as any canary is."""
    answer = progress.waiting(situation)
    return _as_drill(situation, answer) if isinstance(answer, Rest) else answer


def holding(situation: Situation) -> Rest:
    """A drill's weight was accepted a moment ago, and settles."""
    weight = situation.status.weight
    since = weight.since if weight and weight.since is not None else situation.second
    return _as_drill(situation, Rest(Phase.DRILLING, "Drilling", "its weight settles", (since,)))


def _as_drill(situation: Situation, rest: Rest) -> Rest:
    number = situation.canary.revision if situation.canary else 0
    return dataclasses.replace(rest, phase=Phase.DRILLING, message=f"drill of revision {number}: {rest.message}")


# --- the way back -----------------------------------------------------------------------------------------------------


def measured(situation: Situation) -> Move | None:
    """All traffic is back after the breach of a drill: how long that took is noted."""
    found = _flown(situation)
    if found is None or not _is_back(situation, found[0], found[0].abort):
        return None
    canary, drill = found
    if drill.injected_at is None or drill.rollback_seconds is not None:
        return None
    took = round(max(0.0, situation.now - drill.injected_at), 3)
    kept = took <= drill.within_seconds
    noted = drill.model_copy(update={"rollback_seconds": took, "within_target": kept})
    message = f"drill of revision {canary.revision}: {messages.drill_words(noted)}"
    notice = Notice("DrillSucceeded" if kept else "DrillFailed", message, warning=not kept)
    return Move(situation.with_canary(drill=noted), (notice,))


def _is_back(situation: Situation, canary: Canary, leaving: Abort | None) -> bool:
    """Return whether nobody is led to the drill's pods: by every route that is accepted, or for want of pods."""
    known, pods = situation.status.traffic, situation.pods(canary)
    if leaving is None:
        return False
    if situation.seen.routed:
        return known is not None and known.weight == 0 and known.since is not None
    return pods.settled and pods.counted == 0
