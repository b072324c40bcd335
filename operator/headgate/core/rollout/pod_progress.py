"""Whether pods get on, why they do not start, and when to ask again."""

import math
from typing import Final

from headgate.api.spec import FailFast
from headgate.core.model import PodTrouble
from headgate.core.model.percent import WHOLE
from headgate.core.rollout.state import Situation
from headgate.core.strategies import traits

ASK_SECONDS = 30
"""How often pods that do not start are asked why: two or three tries of the kubelet."""
_PATIENCE: Final = FailFast()
LOOK_SECONDS = 3
"""How often pods that should serve all users are asked why none does."""
_WORDS_AFTER_SECONDS = 5
"""When a pod that does not start has usually said why; no watch tells us of it."""


def stuck_since(situation: Situation) -> int | None:
    """Return since when the canary's pods make no progress, or None if there is nothing to wait for.

    A Deployment that is not there yet is ours to create, however long we were away; unless it is refused.
    """
    canary, seen = situation.flight, situation.seen
    if canary is None:
        return None
    pods = situation.pods(canary)
    held = situation.recreates and not pods.wanted and not situation.turnover.done  # old pods do not go
    if canary.progress is None or held:
        return canary.waits_since if situation.goal.canary and (held or seen.refusals or seen.foreign) else None
    return canary.progress.since if pods.ready < pods.wanted else None


def _trouble(situation: Situation) -> PodTrouble | None:
    """Return why pods of the revision that is judged do not start; what others said before it came counts no more."""
    trouble, side = situation.seen.trouble, situation.canary or situation.stable
    return trouble if trouble is None or trouble.of in ("", side.hash if side else "") else None


def _words(situation: Situation) -> str:
    facts, trouble = situation.facts(situation.canary or situation.stable), _trouble(situation)
    refused = (*situation.seen.foreign, *situation.seen.refusals)
    words = (trouble.message if trouble else "", facts.refusal if facts else "", *refused)
    return "; ".join(word for word in words if word)


def readiness(situation: Situation) -> str:
    """Return how many of the pods in question are ready, and why the others are not."""
    pods = situation.pods(situation.canary)
    words = _words(situation)
    turnover = situation.turnover
    if situation.recreates and not pods.wanted and (turnover.left or not turnover.known):
        old = f"{turnover.left} old pods are still there" if turnover.left else turnover.counted("old")
        return old + (f": {words}" if words else "")
    return f"{pods.ready} of {pods.wanted} pods ready" + (f": {words}" if words else "")


def had_all(situation: Situation) -> bool:
    """Return whether all users were switched to the canary: what waits then are not its pods, but they."""
    weight, known = situation.status.weight, situation.status.traffic
    switched = weight is not None and weight.desired == WHOLE and known is not None and known.highest == WHOLE
    return switched and traits.previews(situation.seen.policy)


def fail_fast(situation: Situation) -> FailFast:
    """Return the patience that counts with pods that cannot start."""
    policy = situation.seen.policy
    return (policy.fail_fast if policy else None) or _PATIENCE


def given_seconds(situation: Situation, *, hurts: bool = False) -> float | None:
    """Return how long pods that cannot start are given; None where waiting may help.

    That is where one of them is only slow, for then the version can start. Where users are meant to be served by these
    pods and it *hurts* that none is ready, one that cannot start is enough.
    """
    facts, trouble, patience = (
        situation.facts(situation.canary or situation.stable),
        _trouble(situation),
        fail_fast(situation),
    )
    if trouble is not None and trouble.slow and not hurts:
        return None
    given = []
    if (facts is not None and facts.refusal) or (trouble is not None and trouble.hopeless):
        given.append(patience.after_seconds)
    if trouble is not None and trouble.unschedulable:
        given.append(patience.unschedulable_after_seconds)
    return (min(given) if hurts else max(given)) if given else None


def deadline_seconds(situation: Situation) -> int:
    """Return the progress deadline that counts."""
    return situation.seen.policy.progress_deadline_seconds if situation.seen.policy else 600


def patience_ends(situation: Situation) -> tuple[float, ...]:
    """Return when the rules about stuck pods want to look again."""
    since = stuck_since(situation)
    return looks(situation, since) if since is not None else ()


def looks(situation: Situation, since: int) -> tuple[float, ...]:
    """Return when to ask again why pods do not start that have made no progress *since*."""
    # Again and again: a pod between two crashes does not say that it is in a loop, and nothing tells us when it does.
    every, fast = LOOK_SECONDS if had_all(situation) else ASK_SECONDS, fail_fast(situation)
    next_look = since + (max(0, int(situation.now - since) // every) + 1) * every
    limits = (deadline_seconds(situation), fast.after_seconds, fast.unschedulable_after_seconds)
    ends = [since + _WORDS_AFTER_SECONDS, next_look, *[since + limit for limit in limits]]
    return tuple([end for end in ends if situation.now < end < math.inf])


def pod_words(situation: Situation) -> str:
    """Return what is known of why pods are not ready, with a leading colon; or nothing."""
    words = _words(situation)
    return f": {words}" if words else ""


def crowded_out(situation: Situation) -> bool:
    """Return whether pods of the revision that comes are missing because others have to go first."""
    return situation.crowded and situation.pods(situation.comes).wanted < situation.total


def missing_pod_words(situation: Situation) -> str:
    """Return why pods are missing: what they say, or that others have to go first."""
    if not crowded_out(situation):
        return pod_words(situation)
    return f": {situation.turnover.counted('old')}; the others start once they are gone"
