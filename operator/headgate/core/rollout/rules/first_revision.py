"""The first revision of all: when its pods cannot start, and what its metrics say. There is nothing to go back to.

Owns what `at_rest.first` asks before it makes a revision stable. Nothing here takes a revision away: its pods are all
there is. What fails is told as Degraded, and goes on being tried until it passes or another template comes.

Users may reach the pods by a Service of their own; those of spec.traffic lead nowhere before there is a stable
revision. So metrics of First are ones that need no users, or that bring their own.
"""

import math

from headgate.api import names, values
from headgate.api.status import Canary, Ending, MetricStatus, Phase, Weight
from headgate.core.analysis import evidence, fold
from headgate.core.model import Notice
from headgate.core.model.percent import WHOLE
from headgate.core.revisions import history
from headgate.core.rollout import (
    blockers,
    pod_progress,
    revision_choice,
)
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing

_REMEDY = "apply another template: it is tried at once"


def unmeasured(situation: Situation) -> tuple[MetricStatus, ...]:
    """Return the state in which the analysis of a first revision begins."""
    return fold.begin(metric_timing.first(situation.seen.policy), situation.now)


def _since(canary: Canary) -> int:
    return canary.progress.since if canary.progress else canary.waits_since


def _blocked(situation: Situation) -> tuple[float, ...]:
    return (situation.now + blockers.REFUSED_AGAIN_SECONDS,) if situation.seen.foreign else ()


def _late(situation: Situation, canary: Canary) -> bool:
    pods = situation.pods(canary)
    return pods.ready < pods.wanted or situation.facts(canary) is None


def looks(situation: Situation, canary: Canary) -> tuple[float, ...]:
    """Return when to ask again why pods of the first revision are not ready."""
    again = pod_progress.looks(situation, _since(canary)) if _late(situation, canary) else ()
    return (*_blocked(situation), *again)


def _given_seconds(situation: Situation) -> float | None:
    """Return how long pods are given; a pod between two crashes does not take back what was said of it before."""
    given = pod_progress.given_seconds(situation)
    told = any(one.type == "Ready" and one.reason == "PodsCannotStart" for one in situation.seen.status.conditions)
    return pod_progress.fail_fast(situation).after_seconds if given is None and told else given


def stuck(situation: Situation, canary: Canary) -> Rest | None:
    """Return what is said where its pods cannot start, or have made no progress for longer than the user allowed."""
    if not _late(situation, canary):
        return None
    pods, words, since = situation.pods(canary), pod_progress.pod_words(situation), _since(canary)
    counted = f"first revision: {pods.ready} of {situation.total} pods ready{words}; {_REMEDY}"
    limit, given = pod_progress.deadline_seconds(situation), _given_seconds(situation)
    if given is not None and not pods.ready and situation.now >= since + given:
        message = f"the pods cannot start, and there is nothing to go back to; {counted}"
        return Rest(Phase.DEGRADED, "PodsCannotStart", message, _blocked(situation), stalled=True)
    if situation.now >= since + limit:
        message = f"no progress for {values.format_duration(limit)}, and nothing to go back to; {counted}"
        return Rest(Phase.DEGRADED, "ProgressDeadlineExceeded", message, _blocked(situation), stalled=True)
    return None


def awaits_proof(situation: Situation) -> Canary | None:
    """Return the first revision if metrics have to pass before it is stable."""
    return situation.canary if situation.stable is None and metric_timing.first(situation.seen.policy) else None


def _degraded(situation: Situation, canary: Canary, reason: str, why: str) -> Rest:
    command = f"kubectl annotate {names.RESOURCE} {situation.seen.rollout.name} {names.PROMOTE_FULL}={canary.hash}"
    message = (
        f"{why}, and there is nothing to go back to: revision {canary.revision} keeps its pods and is measured on; "
        f"{_REMEDY}, or take it as it is: {command}"
    )
    return Rest(Phase.DEGRADED, reason, message, stalled=True)


def breached(situation: Situation) -> Rest | None:
    """Return what is said where a metric failed as often in a row as the user allowed."""
    canary = awaits_proof(situation)
    if canary is None or canary.promote_full:
        return None
    why = evidence.breach(situation.metrics, situation.status.analysis)
    return _degraded(situation, canary, "MetricFailed", why) if why else None


def unproved(situation: Situation) -> Move | Rest | None:
    """Return what is waited for where all its pods are ready, and its metrics have not passed often enough since."""
    canary, status = awaits_proof(situation), situation.status
    if canary is None or canary.promote_full or situation.total == 0:
        return None
    if status.weight is None or status.weight.since is None:
        weight = Weight(desired=WHOLE, since=math.ceil(situation.now))
        return Move(status.model_copy(update={"weight": weight}))
    settle = situation.seen.settle_seconds
    found = evidence.evidence(situation.metrics, status.analysis, status.weight.since, situation.now, settle)
    if found.doomed:
        return _degraded(situation, canary, "NoData", found.doomed)
    if found.blind:
        return Rest(Phase.HOLDING, "NoData", f"first revision: {'; '.join(found.blind)}")
    if found.missing:
        return Rest(Phase.PENDING, "GatheringEvidence", f"first revision: {'; '.join(found.missing)}")
    return None


def first(situation: Situation) -> Move | Rest | None:
    """There is no stable revision: the first one is started, and is stable once all its pods are ready."""
    if situation.stable is not None:
        return None
    canary = situation.canary
    if canary is None:
        return blockers.unsound(situation) or _first_started(situation)
    if situation.target_hash not in ("", canary.hash):
        return _first_replaced(situation, canary)
    if answer := breached(situation):
        return answer
    pods = situation.pods(canary)
    if pods.wanted == situation.total and pods.ready >= situation.total:
        return unproved(situation) or _first_done(situation, canary)
    if answer := stuck(situation, canary) or blockers.unsound(situation):
        return answer
    words = pod_progress.pod_words(situation)
    message = f"first revision: {pods.ready} of {situation.total} pods ready{pod_progress.missing_pod_words(situation)}"
    reason = "PodsNotStarting" if words else "FirstRevision"
    return Rest(Phase.PENDING, reason, message, looks(situation, canary))


def _first_started(situation: Situation) -> Move:
    canary = revision_choice.new_canary(situation)
    notice = Notice("RolloutStarted", f"revision {canary.revision} ({canary.hash}) is the first")
    changes = {"canary": canary, "analysis": unmeasured(situation), "weight": None}
    return Move(situation.status.model_copy(update=changes), (notice,))


def _first_replaced(situation: Situation, before: Canary) -> Move:
    message = "the template was changed before the first revision was ready"
    past = history.remembered(
        situation.status,
        before,
        Ending.SUPERSEDED,
        "Superseded",
        message=message,
        by="spec.template",
        at=situation.second,
    )
    # The next one at once: without a canary, the few pods that this one has would be taken for a stable revision.
    canary = revision_choice.new_canary(situation)
    notice = Notice("RolloutStarted", f"revision {canary.revision} ({canary.hash}) is the first")
    changes = {"canary": canary, "history": past, "analysis": unmeasured(situation), "weight": None}
    return Move(situation.status.model_copy(update=changes), (notice,))


def _first_done(situation: Situation, canary: Canary) -> Move:
    status = situation.status
    past = history.remembered(
        status,
        canary,
        Ending.PROMOTED,
        "FirstRevision",
        message="by command, without all evidence" if canary.promote_full else "",
        by="promote-full" if canary.promote_full else "headgate",
        at=situation.second,
    )
    changes = {
        "stable": history.stable_of(canary, None, situation.second),
        "canary": None,
        "history": past,
        "weight": None,
    }
    notice = Notice("Promoted", f"revision {canary.revision} is stable: it is the first")
    return Move(status.model_copy(update=changes), (notice,))
