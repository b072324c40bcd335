"""The next status and conditions: what people and machines read, and when it is worth a write."""

from typing import Any

from headgate.api import names, values
from headgate.api.status import CONDITIONS, Condition, Phase, RolloutStatus, Side
from headgate.core.model import Notice, Observation
from headgate.core.replicas import pod_ratio
from headgate.core.revisions import identity
from headgate.core.rollout import (
    deployment_annotations,
    messages,
    missing_reads,
    ownership_conflicts,
    started_with,
    status_figures,
    traffic_actions,
)
from headgate.core.rollout.outcomes import Rest
from headgate.core.rollout.rules import autoscaler
from headgate.core.rollout.state import Situation

REFRESH_SECONDS = 30.0
"""Numbers alone are written no more often than this, give or take a moment."""
REFRESH_LEEWAY_SECONDS = 1.0
"""That moment. The answers to ticks come in multiples of the interval, a fraction of a second more or less: the pass
of one of them is to refresh the status, where every third tick of 10 s would otherwise cost a pass for that as well."""
ANSWER_SECONDS = 2.0
"""How long after a write the status may be silent about traffic on its way back: a Gateway is about to answer."""
_MESSAGE_LENGTH = 4000
"""A message may quote the API server, whose words may be long; a status that is too long could not be written."""
_TOLD = {Phase.PAUSED, Phase.HOLDING, Phase.DEGRADED}
_ALARMING = {Phase.HOLDING, Phase.DEGRADED}


def _selected(situation: Situation, side: Side) -> str:
    return identity.selector_text({**situation.seen.rollout.match_labels, names.POD_HASH: side.hash})


def _with_sides(situation: Situation) -> RolloutStatus:
    status, sizes = situation.status, missing_reads.sizes(situation)
    changes: dict[str, Any] = {}
    for name, side, size in (("stable", status.stable, sizes.stable), ("canary", status.canary, sizes.canary)):
        if side is not None:
            record = situation.seen.templates.get(side.hash)
            images = identity.images(record.template) if record else side.images
            progress = status_figures.asked(situation.seen, side, size)
            update = {"replicas": size, "selector": _selected(situation, side), "images": images, "progress": progress}
            changes[name] = side.model_copy(
                update=update | (deployment_annotations.dated(situation) if side.found else {})
            )
    if status.previous is not None:
        size = situation.pods(status.previous).wanted
        changes["previous"] = status.previous.model_copy(
            update={"replicas": size, "selector": _selected(situation, status.previous)}
        )
    return status.model_copy(update=changes)


def _flag(name: str, reason: str, message: str, *, holds: bool) -> dict[str, Any]:
    kept = message[:_MESSAGE_LENGTH]
    return {"type": CONDITIONS[name], "status": "True" if holds else "False", "reason": reason, "message": kept}


def _waiting(reason: str, message: str) -> dict[str, Any]:
    return _flag("ScalingHeld", reason, message, holds=True)


def _disputed(reason: str, message: str) -> dict[str, Any]:
    return _flag(ownership_conflicts.CONDITION, reason, message, holds=True)


def _facts(situation: Situation, rest: Rest) -> list[dict[str, Any]]:
    ready = situation.pods(situation.stable).ready + situation.pods(situation.canary).ready
    least = situation.budget.least_ready
    served = situation.stable is not None and ready >= least and (ready > 0 or situation.total == 0)
    counted = f"{ready} pods ready, at least {least} needed"
    healthy = rest.phase in (Phase.HEALTHY, Phase.DRILLING)  # while it rehearses, the spec is what serves
    facts = [
        _flag("Available", "EnoughPodsReady" if served else "TooFewPodsReady", counted, holds=served),
        _flag("Ready", rest.reason, rest.message, holds=healthy),
    ]
    if rest.stalled:
        facts.append(_flag("Stalled", rest.reason, rest.message, holds=True))
    elif not healthy:
        facts.append(_flag("Reconciling", rest.reason, rest.message, holds=True))
    if waits := autoscaler.waits(situation):
        facts.append(_waiting("MemoryTarget" if situation.held else "RolloutInFlight", waits))
    disputed = ownership_conflicts.found(situation.seen)
    if disputed.words:
        others = "PodsOfOthers" if disputed.workloads else "StrangersWithOurLabels"
        reason = "RolloutsOverlap" if disputed.rollouts else others
        facts.append(_disputed(reason, disputed.words))
    return facts + _rehearsed(situation.status)


def _rehearsed(status: RolloutStatus) -> list[dict[str, Any]]:
    """Return what the last drill that was measured has found."""
    under_way = status.canary.drill if status.canary else None
    found = (under_way, *(entry.drill for entry in status.history))
    drill = next((one for one in found if one is not None and one.within_target is not None), None)
    if drill is None:
        return []
    reason = "DrillSucceeded" if drill.within_target else "DrillFailed"
    message = f"at {values.format_time(drill.injected_at or 0)}: {messages.drill_words(drill)}"
    return [_flag("DrillSucceeded", reason, message, holds=bool(drill.within_target))]


def _conditions(situation: Situation, rest: Rest) -> tuple[Condition, ...]:
    before = {condition.type: condition for condition in situation.seen.status.conditions}
    conditions = []
    for fact in _facts(situation, rest):
        known = before.get(fact["type"])
        flipped = known is None or known.status != fact["status"]
        since = situation.second if flipped or known is None else known.last_transition_time
        generation = situation.seen.rollout.generation
        conditions.append(Condition(**fact, last_transition_time=since, observed_generation=generation))
    # A server that merges them adds new ones at the end: in another order they would be written again and again.
    places = {name: place for place, name in enumerate(before)}
    return tuple(sorted(conditions, key=lambda condition: places.get(condition.type, len(places))))


def concluded(situation: Situation, rest: Rest) -> RolloutStatus:
    """Return the complete status of a decision that came to *rest*."""
    status = _with_sides(situation)
    stable, canary = situation.pods(status.stable), situation.pods(status.canary)
    changes: dict[str, Any] = {
        "observed_generation": situation.seen.rollout.generation,
        "selector": identity.selector_text(dict(situation.seen.rollout.match_labels)),
        "phase": rest.phase,
        "ready": f"{stable.ready + canary.ready}/{situation.total}",
        "conditions": _conditions(situation, rest),
        "begun": started_with.noted(situation.seen, status),
    }
    if status.traffic and (put := traffic_actions.remembered(situation)) != status.traffic.planned_rules:
        changes["traffic"] = status.traffic.model_copy(update={"planned_rules": put})
    if status.step:
        changes["step"] = status.step.model_copy(update={"waiting_for": rest.message[:_MESSAGE_LENGTH]})
    if status.weight:
        share = status.traffic.weight if status.traffic else pod_ratio.share_percent(stable, canary)
        changes["weight"] = status.weight.model_copy(update={"achieved": share})
    if status.restart and situation.restart and situation.restart.remaining is not None:
        changes["restart"] = status.restart.model_copy(update={"remaining": situation.restart.remaining})
    return status.model_copy(update=changes)


_NUMBERS: dict[str, Any] = {
    "replicas": True,
    "ready": True,
    "stable": {"replicas", "ready", "progress"},
    "canary": {"replicas", "ready", "progress"},
    "previous": {"replicas", "ready", "progress"},
    "traffic": {"weight", "lowest", "highest", "since", "stable_since"},
    "weight": {"achieved"},
    "step": {"waiting_for"},
    "conditions": {"__all__": {"message"}},
    "analysis": {"__all__": {"value", "passes", "failures", "message", "since", "last_tick", "last_judged"}},
}
"""What changes all the time and says nothing new; a restarted operator finds it again by itself."""


def _rises(status: RolloutStatus) -> bool:
    """Return whether there is a canary that may get more."""
    return status.stable is not None and status.canary is not None and status.canary.abort is None


def _begun(before: RolloutStatus, after: RolloutStatus) -> bool:
    """Return whether something about traffic has begun that must be remembered from one pass to the next."""
    old, new = before.traffic, after.traffic
    if old is None or new is None:
        return False
    # Clocks that only this pass knew would start anew with each one.
    if new.since is not None and (old.since is None or old.weight != new.weight):
        return True
    if _rises(after) and new.lowest < old.lowest:
        return True  # stable must be whole again even if nobody remembers why
    # While the routes go back to nothing, their own clock is yet to start: that write will remember both.
    alone = _rises(after) or (new.weight == 0 and new.since is not None)
    return alone and old.stable_since is None and new.stable_since is not None


def significant(before: RolloutStatus, after: RolloutStatus) -> bool:
    """Return whether *after* says more than other numbers: a verdict, step, phase or wait is another one."""
    numbers = _NUMBERS
    if _goes_back(before, after) and not after.handled_commands:
        numbers = {**_NUMBERS, "handled_commands": True}  # of the command that began it nobody waits to be free again
    return (
        _begun(before, after)
        or status_figures.begun(before, after)
        or bool(ownership_conflicts.told(before, after))
        or before.model_dump(exclude=numbers) != after.model_dump(exclude=numbers)
    )


def _goes_back(before: RolloutStatus, after: RolloutStatus) -> bool:
    """Return whether traffic has come further on its way back to stable; a Gateway's answer will be written anyway."""
    old, new = before.traffic, after.traffic
    if old is None or new is None or _rises(after):
        return False
    return new.weight != old.weight or (old.stable_since is None and new.stable_since is not None)


def due_at(seen: Observation, after: RolloutStatus) -> float:
    """Return from when on a pass writes *after* though it says only what is not significant."""
    return seen.written_at + _silent_seconds(seen, after, -REFRESH_LEEWAY_SECONDS)


def looked_at(seen: Observation, after: RolloutStatus) -> float:
    """Return when there must be a pass for that, if none has come by itself."""
    latest = seen.written_at + _silent_seconds(seen, after, REFRESH_LEEWAY_SECONDS)
    return min(latest, status_figures.stand_at(seen, after))


def _silent_seconds(seen: Observation, after: RolloutStatus, leeway_seconds: float) -> float:
    return ANSWER_SECONDS if _goes_back(seen.status, after) else REFRESH_SECONDS + leeway_seconds


def told(before: RolloutStatus, rest: Rest) -> tuple[Notice, ...]:
    """Return what is said when a rollout comes to wait for something else than before."""
    reasons = {condition.reason for condition in before.conditions if condition.type == "Ready"}
    if rest.phase not in _TOLD or rest.reason in reasons:
        return ()
    return (Notice(rest.reason, rest.message, warning=rest.phase in _ALARMING),)
