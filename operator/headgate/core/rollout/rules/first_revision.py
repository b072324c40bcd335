"""The first revision of all: when its pods cannot start, and what its metrics say. There is nothing to go back to.

Owns what `at_rest.first` asks before it makes a revision stable. Nothing here takes a revision away: its pods are all
there is. What fails is told as Degraded, and goes on being tried until it passes or another template comes.

Users may reach the pods by a Service of their own; those of spec.traffic lead nowhere before there is a stable
revision. So metrics of First are ones that need no users, or that bring their own.
"""

import math

from headgate.api import names, values
from headgate.api.status import Canary, MetricStatus, Phase, Weight
from headgate.core.analysis import fold
from headgate.core.rollout.rules import abort, progress
from headgate.core.rollout.state import Move, Rest, Situation
from headgate.core.strategies import traits
from headgate.core.traffic.routers.gateway_api.route_weights import WHOLE

_REMEDY = "apply another template: it is tried at once"


def unmeasured(situation: Situation) -> tuple[MetricStatus, ...]:
    """Return the state in which the analysis of a first revision begins."""
    return fold.begin(traits.first(situation.seen.policy), situation.now)


def _since(canary: Canary) -> int:
    return canary.progress.since if canary.progress else canary.waits_since


def _blocked(situation: Situation) -> tuple[float, ...]:
    return (situation.now + progress.REFUSED_AGAIN_SECONDS,) if situation.seen.foreign else ()


def _late(situation: Situation, canary: Canary) -> bool:
    pods = situation.pods(canary)
    return pods.ready < pods.wanted or situation.facts(canary) is None


def looks(situation: Situation, canary: Canary) -> tuple[float, ...]:
    """Return when to ask again why pods of the first revision are not ready."""
    again = abort.looks(situation, _since(canary)) if _late(situation, canary) else ()
    return (*_blocked(situation), *again)


def _given_seconds(situation: Situation) -> float | None:
    """Return how long pods are given; a pod between two crashes does not take back what was said of it before."""
    given = abort.given_seconds(situation)
    told = any(one.type == "Ready" and one.reason == "PodsCannotStart" for one in situation.seen.status.conditions)
    return abort.fail_fast(situation).after_seconds if given is None and told else given


def stuck(situation: Situation, canary: Canary) -> Rest | None:
    """Return what is said where its pods cannot start, or have made no progress for longer than the user allowed."""
    if not _late(situation, canary):
        return None
    pods, words, since = situation.pods(canary), abort.pod_words(situation), _since(canary)
    counted = f"first revision: {pods.ready} of {situation.total} pods ready{words}; {_REMEDY}"
    limit, given = abort.deadline_seconds(situation), _given_seconds(situation)
    if given is not None and not pods.ready and situation.now >= since + given:
        message = f"the pods cannot start, and there is nothing to go back to; {counted}"
        return Rest(Phase.DEGRADED, "PodsCannotStart", message, _blocked(situation), stalled=True)
    if situation.now >= since + limit:
        message = f"no progress for {values.format_duration(limit)}, and nothing to go back to; {counted}"
        return Rest(Phase.DEGRADED, "ProgressDeadlineExceeded", message, _blocked(situation), stalled=True)
    return None


def awaits_proof(situation: Situation) -> Canary | None:
    """Return the first revision if metrics have to pass before it is stable."""
    return situation.canary if situation.stable is None and traits.first(situation.seen.policy) else None


def _degraded(situation: Situation, canary: Canary, reason: str, why: str) -> Rest:
    command = f"kubectl annotate rollout {situation.seen.rollout.name} {names.PROMOTE_FULL}={canary.hash}"
    message = (
        f"{why}, and there is nothing to go back to: revision {canary.revision} keeps its pods and is measured on; "
        f"{_REMEDY}, or take it as it is: {command}"
    )
    return Rest(Phase.DEGRADED, reason, message, stalled=True)


def breached(situation: Situation) -> Rest | None:
    """Return what is said where a metric failed as often in a row as the user allowed."""
    canary = awaits_proof(situation)
    if canary is None or canary.full:
        return None
    why = fold.breach(situation.metrics, situation.status.analysis)
    return _degraded(situation, canary, "MetricFailed", why) if why else None


def unproved(situation: Situation) -> Move | Rest | None:
    """Return what is waited for where all its pods are ready, and its metrics have not passed often enough since."""
    canary, status = awaits_proof(situation), situation.status
    if canary is None or canary.full or situation.total == 0:
        return None
    if status.weight is None or status.weight.since is None:
        weight = Weight(desired=WHOLE, since=math.ceil(situation.now))
        return Move(status.model_copy(update={"weight": weight}))
    settle = situation.seen.settle_seconds
    found = fold.evidence(situation.metrics, status.analysis, status.weight.since, situation.now, settle)
    if found.doomed:
        return _degraded(situation, canary, "NoData", found.doomed)
    if found.blind:
        return Rest(Phase.HOLDING, "NoData", f"first revision: {'; '.join(found.blind)}")
    if found.missing:
        return Rest(Phase.PENDING, "GatheringEvidence", f"first revision: {'; '.join(found.missing)}")
    return None
