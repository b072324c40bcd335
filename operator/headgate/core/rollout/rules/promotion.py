"""The time after a promotion with a router: traffic moves to the stable Service, and the old revision stays warm.

While it is warm the new one is still judged; going back is one write: the stable Service selects the old pods again.
"""

import math

from headgate.api import values
from headgate.api.status import Ending, Phase, Previous
from headgate.core.analysis import evidence
from headgate.core.model import Notice
from headgate.core.revisions import history
from headgate.core.rollout import pod_progress, termination, transitions
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import Situation
from headgate.core.strategies import traits

GONE_SECONDS = 2
"""How long after its time the warm revision's pods may still be there without the status being silent about it."""


def put_back(situation: Situation) -> Move | None:
    """The template was put back to the revision that is still warm."""
    warm = situation.status.previous
    if warm is None or situation.wanted_hash != warm.hash or history.is_rejected(situation.status, warm.hash):
        return None
    message = f"the template was put back to that of revision {warm.revision}, which is still warm"
    return transitions.go_back(situation, Ending.WITHDRAWN, "TemplatePutBack", message, by="spec.template")


def breached_after(situation: Situation) -> Move | None:
    """A metric failed while the old revision was still warm."""
    if situation.status.previous is None:
        return None
    why = evidence.breach(situation.metrics, situation.status.analysis)
    return transitions.go_back(situation, Ending.ROLLED_BACK, "MetricFailed", why, by="analysis") if why else None


def _down(situation: Situation) -> bool:
    """Return whether no pod of the promoted revision is ready, and the old ones could serve."""
    facts, warm = situation.facts(situation.stable), situation.pods(situation.status.previous)
    return facts is not None and facts.ready == 0 and warm.ready > 0 and situation.total > 0


def fallen(situation: Situation) -> Move | None:
    """No pod of the promoted revision is ready, and waiting cannot help, while the old ones still could serve."""
    facts = situation.facts(situation.stable)
    if situation.status.previous is None or facts is None or not _down(situation):
        return None
    if (asked := situation.status.rollback) is not None:  # the way there leads by the pods that serve
        message = f"rolled back to revision {asked.revision} by command, and none of its pods serves"
        return transitions.go_back(situation, Ending.ABORTED, "RolledBackTo", message, by=asked.by)
    if pod_progress.given_seconds(situation, hurts=True) is None:
        return None
    message = f"none of its pods can run any more: 0 of {facts.replicas} pods ready{pod_progress.pod_words(situation)}"
    return transitions.go_back(situation, Ending.ROLLED_BACK, "PodsCannotStart", message, by="headgate")


def moving(situation: Situation) -> Move | Rest | None:
    """Traffic is on its way from the canary Service to the stable one; once it is there, the old pods' time runs."""
    warm, plan, view = situation.status.previous, situation.routing, situation.view
    if warm is None or plan is None or view is None or warm.until is not None:
        return None
    since, home = view.status.since, view.status.stable_since
    if plan.waits or since is None or (home is None and situation.total):
        waits = plan.waits or "the Gateway's answer"
        return Rest(Phase.PROMOTING, "MovingTraffic", f"revision {_number(situation)} is stable; {waits}")
    drained = max(since, home or since) + view.drain_seconds  # of no pods there is none that leads home
    until = math.ceil(max(drained, _asked_until(situation, warm)))
    return Move(situation.status.model_copy(update={"previous": warm.model_copy(update={"until": until})}))


def retimed(situation: Situation) -> Move | None:
    """ScaleDownDelay was edited while the old revision is warm: it counts at once, but for connections that drain."""
    warm, view = situation.status.previous, situation.view
    if warm is None or warm.until is None or view is None or transitions.scale_down_delay_elapsed(situation):
        return None
    until = math.ceil(_asked_until(situation, warm))
    if until < warm.until:
        since, home = view.status.since, view.status.stable_since
        if since is None or (home is None and situation.total):
            return None  # when the drain ends is not known now
        drained = math.ceil(max(since, home or since) + view.drain_seconds)
        until = min(max(until, drained, situation.second), warm.until)
    if until == warm.until:
        return None
    delay = values.format_duration(_delay_seconds(situation))
    message = f"revision {warm.revision} stays warm until {values.format_time(until)}: scaleDownDelay is {delay} now"
    changed = situation.status.model_copy(update={"previous": warm.model_copy(update={"until": until})})
    return Move(changed, (Notice("WarmTimeChanged", message),))


def _asked_until(situation: Situation, warm: Previous) -> float:
    """Return until when the policy in force keeps the old pods; connections may drain for longer."""
    return warm.promoted + _delay_seconds(situation)


def _number(situation: Situation) -> int:
    return situation.stable.revision if situation.stable else 0


def _delay_seconds(situation: Situation) -> float:
    return traits.scale_down_delay_seconds(situation.seen.policy)


def cooled(situation: Situation) -> Move | None:
    """The time of the old pods is over, and they have gone, so that one write also counts those that are left."""
    warm = situation.status.previous
    if warm is None or warm.until is None or not transitions.scale_down_delay_elapsed(situation):
        return None
    if situation.now < _ended_by(situation, warm, warm.until):
        return None
    took, facts = values.format_duration(situation.now - warm.promoted), situation.facts(warm)
    left = f"; {facts.pods} of its pods are still there" if facts is not None and facts.pods else ""
    notice = Notice("OldRevisionReleased", f"revision {warm.revision} was kept for {took} and is scaled down{left}")
    return Move(situation.status.model_copy(update={"previous": None}), (notice,))


def _ended_by(situation: Situation, warm: Previous, until: int) -> float:
    """Return when the end of the old pods can be told whatever is left of them; 0 if nothing is that still serves."""
    facts, seen = situation.facts(warm), situation.seen
    if facts is not None and facts.pods:
        return until + GONE_SECONDS
    # A restart is not kept waiting for the end of pods that nobody is led to any more.
    serves = (
        seen.traffic is not None and situation.status.restart is None and termination.serves(seen.traffic, warm.hash)
    )
    grace = termination.grace_seconds(seen.templates, warm.hash)
    return until + grace + termination.SLACK_SECONDS if serves else 0


def draining(situation: Situation) -> Rest | None:
    """A newer version is wanted while connections to the old one drain."""
    view = situation.view
    if situation.status.previous is None or view is None or (view.drained and view.home_drained):
        return None
    message = f"revision {situation.wanted_hash} waits: connections to the revision before drain"
    return Rest(Phase.PROGRESSING, "Draining", message, view.changes_at)


def ends(situation: Situation) -> tuple[float, ...]:
    """Return when the warm revision's time is over or is told to be, and when to ask again why nobody serves."""
    warm = situation.status.previous
    looks = (situation.now + pod_progress.LOOK_SECONDS,) if warm is not None and _down(situation) else ()
    if warm is None or warm.until is None:
        return looks
    ended_by = _ended_by(situation, warm, warm.until) or situation.now
    return (ended_by if transitions.scale_down_delay_elapsed(situation) else warm.until, *looks)
