"""Brings the status up to what was observed, before any rule is asked: clocks, pods, policy, traffic, verdicts."""

from typing import Final, TypeVar

from headgate.api.spec import Policy
from headgate.api.status import (
    Canary,
    Previous,
    RolloutStatus,
    Side,
    StepStatus,
    TemplateStatus,
    TrafficStatus,
    Weight,
)
from headgate.core.analysis import fold
from headgate.core.model import Identity, Observation, Part
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import TrafficFacts
from headgate.core.replicas import autoscaling
from headgate.core.rollout import clock_jumps, deployment_annotations, drill_schedule, record_conflicts, status_figures
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing, planning, steps, traits
from headgate.core.traffic import drift, propagation

_Side = TypeVar("_Side", bound=Side)


def opened(seen: Observation) -> Situation:
    """Return the situation in which the rules are asked."""
    status = seen.status
    for bring_up in (
        deployment_annotations.believed,
        clock_jumps.without_jump,
        clock_jumps.without_future,
        _with_target,
        _with_rollback,
        _with_policy,
        _with_pods,
        _with_floor,
        _with_traffic,
        _with_verdicts,
        drill_schedule.noted,
    ):
        status = bring_up(seen, status)
    return Situation(seen, status)


_ACCEPTING: Final = frozenset(Part) - {Part.PODS}
_COUNTING: Final = frozenset({Part.DEPLOYMENTS, Part.SIDES})
_SCALING: Final = frozenset({Part.AUTOSCALERS, Part.STATUS_PART, Part.POLICY, Part.SIDES})


def _with_target(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    if seen.target.identity is not Identity.KNOWN:
        return status
    confirmed = TemplateStatus(hash=seen.rollout.template_hash, revision_hash=seen.target.hash)
    return status.model_copy(update={"template": confirmed})


def _with_rollback(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Forget the revision that people wanted back once it is stable, or once the spec holds another template."""
    asked, target = status.rollback, seen.target.hash if seen.target.identity is Identity.KNOWN else ""
    if asked is None:
        return status
    stands = target in ("", asked.rejects, asked.hash) and status.stable and status.stable.hash != asked.hash
    return status if stands else status.model_copy(update={"rollback": None})


def _with_policy(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Accept the spec's policy if it is valid; a rollout in flight goes on at the step that corresponds."""
    rollout = seen.rollout
    if rollout.invalid or seen.policy is None or seen.policy_waits or rollout.policy_hash == status.policy:
        return status
    if not _ACCEPTING.isdisjoint(seen.unread):
        return status  # what is accepted has to be recorded first, and nothing is while anything is unread
    if seen.strangers and record_conflicts.of_policy(seen):
        return status  # nor where its name is taken
    changes: dict[str, object] = {"policy": rollout.policy_hash}
    if status.canary and status.stable and not status.canary.abort and status.step and status.weight:
        changes["step"] = _resumed(seen, seen.policy, status.canary, status.step, status.weight)
        watched = (seen.accepted or seen.policy).analysis.metrics
        asked = Situation(seen, status.model_copy(update=changes)).asked
        metrics = metric_timing.judged(seen.policy, status.weight.desired, asked)
        changes["analysis"] = fold.keep_unchanged(watched, metrics, status.analysis, seen.now)
    elif status.canary and not status.stable:
        watched, metrics = (seen.accepted or seen.policy).analysis.metrics, metric_timing.first(seen.policy)
        changes["analysis"] = fold.keep_unchanged(watched, metrics, status.analysis, seen.now)
    return status.model_copy(update=changes)


def _resumed(seen: Observation, policy: Policy, canary: Canary, step: StepStatus, weight: Weight) -> StepStatus:
    """Return the step at which a rollout in flight goes on; a drill is at none of them."""
    if canary.drill is not None:
        return step
    back = canary.is_rollback
    before = planning.planned(seen.accepted, is_rollback=back) if seen.accepted else ()
    plan = planning.planned(policy, is_rollback=back)
    index = steps.resumed(before, plan, step.index, weight.desired)
    moved = {"since": None, "promoted": False} if index != step.index else {}
    place = {"index": index, "of": len(plan), "text": f"{index}/{len(plan)}"}
    return step.model_copy(update={**place, **moved})


def _brought_up(side: _Side, seen: Observation, name: str) -> _Side:
    facts = seen.deployments.get(side.hash)
    if facts is None:
        return side.model_copy(update={"ready": 0})
    progress = status_figures.progressed(seen, name, side, facts)
    return side.model_copy(update={"ready": facts.ready, "progress": progress})


def _with_pods(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    stable: Side | None = _brought_up(status.stable, seen, "stable") if status.stable else None
    canary: Canary | None = _brought_up(status.canary, seen, "canary") if status.canary else None
    warm: Previous | None = _brought_up(status.previous, seen, "previous") if status.previous else None
    counted = sum(facts.pods for facts in seen.deployments.values())
    return status.model_copy(
        update={
            "stable": stable,
            "canary": canary,
            "previous": warm,
            "replicas": counted if _COUNTING.isdisjoint(seen.unread) else max(counted, status.replicas),
        }
    )


def _with_floor(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Raise the floor with every scale-up in flight; lift it while only people can end the wait.

    Growth that waits does not raise it: it is what counts meanwhile.
    """
    situation = Situation(seen, status)
    if not _SCALING.isdisjoint(seen.unread):
        floor = status.min_replicas
        return status if floor is None else status.model_copy(update={"min_replicas": max(floor, situation.wanted_now)})
    if seen.autoscalers and situation.held is not None:
        return status.model_copy(update={"min_replicas": situation.held.counts})
    if not situation.in_flight:
        counts = autoscaling.kept(seen.rollout, status, seen.autoscalers)
        if counts is None and status.min_replicas is not None:
            counts = situation.floor_left(situation.stable)
        return status.model_copy(update={"min_replicas": counts})
    promoted = status.step is not None and status.step.promoted
    waits = seen.rollout.paused or (situation.step.waits_for_people and not promoted)
    leaving = status.canary is not None and status.canary.abort is not None
    if waits and not leaving:
        return status.model_copy(update={"min_replicas": situation.wanted_now})
    return status.model_copy(update={"min_replicas": max(situation.wanted_now, status.min_replicas or 0)})


def _with_traffic(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Note what routes and Services hold; a weight that somebody took away has to be held anew."""
    policy = seen.policy
    if seen.traffic is None or policy is None or policy.traffic is None or status.stable is None:
        # Services that are still to be released are remembered by it: a crash before that must not forget them.
        if Part.POLICY in seen.unread:
            return status
        left = status.traffic if seen.traffic is not None and _has_former(seen.traffic) else None
        return status.model_copy(update={"traffic": left, "previous": None})
    found = _found(seen, status, seen.traffic, status.stable, policy.traffic.drain_seconds)
    found = drift.noted(status, found, seen.traffic, seen.now)
    changes: dict[str, object] = {"traffic": found}
    weight = status.weight
    moved = status.traffic is not None and status.traffic.managed_rules != found.managed_rules
    if (
        weight is not None
        and weight.since is not None
        and (moved or _lost(weight.since, weight.desired, found, seen.now))
    ):
        changes["weight"] = weight.model_copy(update={"since": None})
    return status.model_copy(update=changes)


def _has_former(facts: TrafficFacts) -> bool:
    """Return whether there are Services to release, or may be."""
    return bool(facts.former) or facts.former_unread is not None


def _found(
    seen: Observation, status: RolloutStatus, facts: TrafficFacts, stable: Side, drain_seconds: float
) -> TrafficStatus:
    if not traits.switches(seen.policy):
        return propagation.observe_weights(status.traffic, facts, stable.hash, drain_seconds, seen.now)
    other = status.canary or status.previous
    hashes = (stable.hash, other.hash if other else "")
    return propagation.observe_switch(status.traffic, facts, hashes, drain_seconds, seen.now)


def _lost(since: int, desired: int, found: TrafficStatus, now: float) -> bool:
    """Return whether the routes hold another weight, or a Gateway takes its answer back before the weight counts."""
    return found.weight != desired or (found.since is None and since > now)


def _with_verdicts(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    situation = Situation(seen, status)
    pair = situation.watched
    if pair is None or seen.policy is None:
        return status
    analysis_from = next(side.analysis_from for side in pair if isinstance(side, Canary | Previous))
    weight = status.weight or Weight(desired=WHOLE)
    back = status.canary is not None and status.canary.is_rollback
    late = metric_timing.late(seen.policy, weight.desired, situation.asked, is_rollback=back)
    pods_since = weight.since if weight.since is not None else _pods_since(situation)
    if status.stable is None:
        late = frozenset(metric.name for metric in metric_timing.first(seen.policy))
    span = fold.Span(analysis_from, weight.since, late, pods_since, endless=status.stable is None)
    states = fold.fold(seen.policy.analysis.metrics, status.analysis, seen.readings, span, seen.now)
    if Part.POLICY in seen.unread:
        named = {state.name for state in states}  # half a policy may lack some of its metrics
        states = (*states, *(state for state in status.analysis if state.name not in named))
    return status.model_copy(update={"analysis": states})


def _pods_since(situation: Situation) -> int | None:
    """Return since when there are pods to judge, though the weight does not hold yet; None: there are none.

    Of a recreate, since the last pod that came was up. Its users have no other pods: one that never comes, or whatever
    else keeps the weight from holding, must not hide the errors of those that serve them.
    """
    progress = situation.canary.progress if situation.canary else None
    if not situation.recreates or (situation.routing is not None and situation.routing.waits):
        return None
    return progress.since if progress and progress.ready else None
