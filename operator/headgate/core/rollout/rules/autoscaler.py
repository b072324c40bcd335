"""Who asks for how many pods: an autoscaler of one of our Deployments, and what is said of replicas that wait."""

from typing import Final

from headgate.api import names
from headgate.api.status import Phase, RolloutStatus
from headgate.core.model import Notice
from headgate.core.rollout import revision_choice
from headgate.core.rollout.outcomes import Rest
from headgate.core.rollout.state import Situation

MEMORY: Final = "MemoryTarget"
ASK_AGAIN_SECONDS: Final = 15.0
"""Nothing tells of a change to an autoscaler; it looks at its own metrics as often."""
ASK_SOON_SECONDS: Final = 1.0
"""An autoscaler that has just set the replicas says why in its next write."""


def misdirected_autoscalers(situation: Situation) -> str:
    """Return which autoscalers scale a Deployment of ours, and what to do about it; empty if none does."""
    seen = situation.seen
    if not seen.autoscalers:
        return ""
    ours = {facts.name for facts in seen.deployments.values()}
    said = [
        f"HorizontalPodAutoscaler {one.name} scales Deployment {one.target}, whose size is the Rollout's to set: let "
        f"its scaleTargetRef be {{apiVersion: {names.API_VERSION}, kind: {names.KIND}, name: {seen.rollout.name}}}, "
        "or delete it"
        for one in seen.autoscalers
        if one.kind == "Deployment" and one.target in ours
    ]
    return "; ".join(said)


def autoscaled(situation: Situation) -> Rest | None:
    """Somebody's autoscaler scales one of the Deployments: that is put back each time, and nothing goes forward.

    What goes back does, to an earlier revision as well.
    """
    message = misdirected_autoscalers(situation)
    if not message or revision_choice.leads_back(situation):
        return None
    return Rest(Phase.HOLDING, "DeploymentAutoscaled", message, (situation.now + ASK_AGAIN_SECONDS,))


def asked_again(situation: Situation) -> tuple[float, ...]:
    """Return when to ask again why an autoscaler wants what it wants."""
    held = situation.held if situation.seen.autoscalers else None
    if held is None:
        return ()
    return (situation.now + (ASK_AGAIN_SECONDS if held.told else ASK_SOON_SECONDS),)


def waits(situation: Situation) -> str:
    """Return which replicas are wanted and do not count yet; empty if what is wanted counts."""
    wanted, total = situation.wanted_now, situation.total
    if wanted == total:
        return ""
    held = situation.held
    if held is None:
        return f"{wanted} replicas are wanted; {total} count until the rollout has ended"
    why, ends = " because of memory", "it has looked at the pods of one revision alone"
    if not held.told:
        why, ends = "", "it has said why"
    return f"HorizontalPodAutoscaler {held.autoscaler} asks for {wanted} replicas{why}; {total} count until {ends}"


def told(before: RolloutStatus, after: RolloutStatus) -> tuple[Notice, ...]:
    """Return what is said when growth comes to wait for memory."""
    waiting = [one.message for one in after.conditions if one.reason == MEMORY]
    known = [one for one in before.conditions if one.reason == MEMORY]
    return () if known else tuple([Notice("MemoryTarget", message, warning=True) for message in waiting])
