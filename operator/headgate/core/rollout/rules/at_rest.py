"""The rules without a canary beside a stable revision: the first revision, the start of a rollout, and rest."""

import dataclasses

from headgate.api import names, values
from headgate.api.status import Phase, Rejected
from headgate.core.analysis import fold
from headgate.core.model import Notice, RolloutFacts
from headgate.core.replicas import recreate
from headgate.core.revisions import history
from headgate.core.rollout import (
    blockers,
    deployment_annotations,
    messages,
    pause_messages,
    pod_progress,
    revision_choice,
    termination,
    transitions,
)
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.rules import promotion
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing


def counted_again(situation: Situation) -> tuple[float, ...]:
    """Return when to look again for what nothing tells of: the last pod of replaced revisions, or ways not yet read."""
    stable, side = situation.status.stable, situation.comes
    if stable is not None and stable.found and (looks := deployment_annotations.looks(situation)):
        return looks
    if not pod_progress.crowded_out(situation) or side is None:
        return ()
    since = side.progress.since if side.progress else situation.second
    return (recreate.looks_at(since, situation.now),)


def _looks(situation: Situation, deadline: float, *, late: bool) -> tuple[float, ...]:
    """Return when to look again for pods: at the deadline if late, now and then if something is in the way."""
    blocked = (situation.now + blockers.REFUSED_AGAIN_SECONDS,) if situation.seen.foreign else ()
    return (*blocked, deadline) if late else blocked


def _rejection(situation: Situation) -> Rejected | None:
    return next((entry for entry in situation.status.rejected if entry.hash == situation.wanted_hash), None)


def _served(situation: Situation) -> Rest:
    """Return how the stable revision stands that is what the spec wants."""
    stable, pods = situation.stable, situation.pods(situation.stable)
    if pods.wanted == situation.total and pods.ready >= situation.total and pods.existing <= situation.total:
        number = stable.revision if stable else 0
        message = f"revision {number} serves with {pods.ready} of {pods.wanted} pods ready"
        said = message + messages.warm_words(situation) + _held(situation.seen.rollout)
        return (
            _routed(situation, message)
            or termination.outlasting(situation)
            or Rest(Phase.HEALTHY, "Healthy", said, promotion.ends(situation))
        )
    message = f"{pods.ready} of {situation.total} stable pods ready{pod_progress.missing_pod_words(situation)}"
    limit = pod_progress.deadline_seconds(situation)
    since = stable.progress.since if stable and stable.progress else situation.second
    # Pods that nobody asked for yet, as in the pass that finds more replicas wanted, are not late.
    late = pods.ready < min(pods.wanted, situation.total) or (
        pods.ready < situation.total and bool(situation.seen.foreign)
    )
    if late and situation.now >= since + limit:
        message = f"no progress for {values.format_duration(limit)}: {message}"
        return Rest(Phase.DEGRADED, "PodsNotReady", message, _looks(situation, since + limit, late=False))
    reason = "PodsNotStarting" if late and pod_progress.pod_words(situation) else "Scaling"
    asks = pod_progress.looks(situation, since) if late else ()
    return Rest(Phase.PROGRESSING, reason, message, (*asks, *_looks(situation, since + limit, late=late)))


def _held(rollout: RolloutFacts) -> str:
    """Return that no next version starts, with a leading separator, where that is so; or nothing."""
    return "; spec.paused is true: the next version will wait" if rollout.paused else ""


def _routed(situation: Situation, message: str) -> Rest | None:
    """Return what is wrong with the ways to pods that are all right; None if nothing is."""
    if found := blockers.unseen(situation):
        return dataclasses.replace(found, message=f"{message}; its Services and routes follow")
    if problem := blockers.unroutable(situation):
        text = f"{message}, but the next version cannot get traffic: {problem.message}"
        return Rest(Phase.DEGRADED, problem.reason, text, problem.recheck_at)
    if situation.routing is not None and situation.routing.waits:
        return Rest(Phase.PROGRESSING, "MovingTraffic", f"{message}; {situation.routing.waits}")
    return None


def rejected(situation: Situation) -> Rest | None:
    """What the spec wants was taken back before, and is not tried again by itself."""
    entry = _rejection(situation)
    if entry is None:
        return None
    if left := termination.outlasting(situation):
        return left
    stable, pods = situation.stable, situation.pods(situation.stable)
    serves = f"revision {stable.revision} serves" if stable else "nothing serves"
    again: tuple[float, ...] = ()
    if stable and pods.ready < situation.total:  # as after recreate, where the old pods have only begun to start
        words = pod_progress.missing_pod_words(situation)
        serves = f"revision {stable.revision} has {pods.ready} of {situation.total} pods ready{words}"
        again = pod_progress.looks(situation, stable.progress.since if stable.progress else situation.second)
    message = f"revision {entry.revision} was taken back: {entry.message}; {serves}{messages.warm_words(situation)}"
    name = situation.seen.rollout.name
    message = f"{message}; to try it again: kubectl annotate {names.RESOURCE} {name} {names.RETRY}={entry.hash}"
    return Rest(Phase.ROLLED_BACK, entry.reason, message, again, stalled=True)


def met_again(situation: Situation) -> tuple[Notice, ...]:
    """Return what is said where a rejected template is applied again, or comes in place of what was in flight."""
    seen, entry = situation.seen, _rejection(situation)
    before, canary, rest = seen.status.template, seen.status.canary, rejected(situation)
    if entry is None or rest is None:
        return ()
    changed = before is not None and before.revision_hash != entry.hash
    replaces = canary is not None and canary.hash != entry.hash and not canary.is_rollback
    return (Notice("StillRejected", rest.message, warning=True),) if changed or replaces else ()


def settled(situation: Situation) -> Rest | None:
    """The stable revision is what the spec wants."""
    stable = situation.stable
    if stable is None or situation.wanted_hash != stable.hash:
        return None
    return _served(situation)


def held_back(situation: Situation) -> Rest | None:
    """A new version is wanted while the Rollout is paused."""
    if not situation.seen.rollout.paused or revision_choice.leads_back(situation):
        return None
    message = f"revision {situation.target_hash} waits: {pause_messages.words(situation.seen.rollout)}"
    return Rest(Phase.PAUSED, "Paused", message)


def outdated(situation: Situation) -> Move | Rest | None:
    """A new version is wanted with another policy, which can be accepted now that nothing is in flight any more."""
    if not situation.seen.policy_waits:
        return None
    if situation.status.previous is not None:
        return Move(situation.status.model_copy(update={"previous": None}))
    message = f"revision {situation.wanted_hash} waits: the strategy and traffic of its spec come into force first"
    return Rest(Phase.PROGRESSING, "PolicyFollows", message, (situation.now,))


def start(situation: Situation) -> Move:
    """A new version is wanted: its rollout begins at the first step."""
    canary = revision_choice.new_canary(situation)
    status = situation.status.model_copy(
        update={
            "canary": canary,
            "min_replicas": situation.total,
            "analysis": fold.begin(metric_timing.judged(situation.seen.policy, 0), situation.now),
            "weight": None,
            "previous": None,
        }
    )
    way = "on its way back: it was stable before, so there are no steps and no pauses"
    text = f"revision {canary.revision} ({canary.hash}) is {way if canary.is_rollback else 'on its way'}"
    if history.was_stable(situation.status, canary.hash) and not revision_choice.can_go_back(situation, canary.hash):
        text = f"{text}: it was stable before, but is not on record any more, so it takes its steps"
    notice = Notice("RolloutStarted", text)
    entered = transitions.enter(situation.moved(status), 0)
    return Move(entered.status, (notice, *entered.notices))
