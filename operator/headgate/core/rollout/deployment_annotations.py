"""What a status says that must outlive it, as annotations on the Deployments of its revisions.

    stable-since    on a revision's own Deployment: since when it is the stable one
    succeeded-by    on the one before it: which revision became stable in its place, and when
    rejected        on a canary's: which attempt at it was taken back
    rejected-for    beside it: when and why; both move to its ControllerRevision before the Deployment is deleted

They ride on writes that are made anyway: when a new version is stable the old one's pods are about to go, and when one
is taken back its own go. Only where no such write is near do they cost one. Services and routes bear none of it. A mark
follows the status that it repeats, never the other way round, so that none is newer than what was decided.

Annotations can be edited by people who may not edit Rollouts. A time that lies further ahead than a clock may is no
mark, and against a status that can be read no mark counts unless the pods say the same.
"""

import dataclasses
import re
from collections.abc import Iterable
from typing import Final

from headgate.api import names, values
from headgate.api.status import Abort, HistoryEntry, Rejected, RolloutStatus, Side
from headgate.core.model import DeploymentFacts, Observation, TemplateRecord
from headgate.core.model.actions import Action, DeleteDeployment, MarkDeployment, MarkRecord, ScaleDeployment
from headgate.core.revisions import history, identity
from headgate.core.rollout.state import Situation
from headgate.core.strategies import traits

SOON_SECONDS: Final = 10.0
"""An old revision that stays warm no longer than this beyond its drain takes the mark along when its pods go. Until
then users who are led back by a lost status still find all of its pods."""
_WHY_LENGTH: Final = 500
_REASON: Final = re.compile("[A-Za-z]{1,64}")
_STARTED: Final = re.compile("[0-9]+")
_MOST_DIGITS: Final = 12
"""Of seconds since the epoch: more are no time, and of a few thousand not even a number is made."""


def stable_since(seen: Observation, revision_hash: str) -> int:
    """Return since when a revision was stable last, as the Deployments say; 0: none says that it ever was."""
    told = [facts.succeeded_at for facts in seen.deployments.values() if facts.successor == revision_hash]
    own = seen.deployments.get(revision_hash)
    told += [own.stable_since] if own else []
    return max([0, *[at for at in told if at <= seen.now + history.AHEAD_SECONDS]])


def reasons(leaving: Abort | Rejected) -> str:
    """Return when and why a revision was taken back, as it is marked."""
    at = leaving.since if isinstance(leaving, Abort) else leaving.at
    return f"{values.format_time(at)} {leaving.reason}: {leaving.message[:_WHY_LENGTH]}"


def started(rejected: str) -> int | None:
    """Return when the attempt began that a mark of a rejection names, 0 where that is no time; None: it is none."""
    digits = rejected.partition("/")[2]
    if not _STARTED.fullmatch(digits):
        return None
    return int(digits) if len(digits) <= _MOST_DIGITS else 0


def rejection(seen: Observation, marked: DeploymentFacts | TemplateRecord) -> Rejected | None:
    """Return why a revision was taken back, as its Deployment or its record says.

    None: neither does, or it was stable since.
    """
    of, began = marked.rejected.partition("/")[0], started(marked.rejected)
    if of != marked.hash or began is None:
        return None
    head, _, message = marked.rejected_for.partition(": ")
    time, _, reason = head.partition(" ")
    try:
        at = values.parse_time(time)
    except ValueError:
        at = began
    # What is dated ahead of the clock was taken back all the same: that goes on the safe side.
    at = max(0, min(at, int(seen.now)))
    if stable_since(seen, marked.hash) > at:
        return None
    kind = "Deployment" if isinstance(marked, DeploymentFacts) else "ControllerRevision"
    told = Rejected(
        revision=marked.revision,
        hash=marked.hash,
        reason="Rejected",
        message=f"it was taken back before, as {kind} {marked.name} records",
        at=at,
    )
    # The annotation may have been edited: what is no reason must not make a status that cannot be written.
    if not _REASON.fullmatch(reason):
        return told
    return told.model_copy(update={"reason": reason, "message": message[:_WHY_LENGTH] or told.message})


def believed(seen: Observation, status: RolloutStatus) -> RolloutStatus:
    """Return *status* without what the marks show to be older than they are, as in a backup that was played back.

    Only where the pods show it too: of what is stable none is wanted any more, and of what the marks name some are. A
    status that knows of a revision on its way goes on with that, by its steps.
    """
    stable = status.stable
    if seen.unread or stable is None or stable.since is None or status.canary or status.previous:
        return status
    own = seen.deployments.get(stable.hash)
    if own is not None and own.replicas:
        return status
    newer = newest(seen, after=stable.since)
    if newer in (None, stable.hash) or not seen.deployments[newer].replicas:
        return status
    gone = dict.fromkeys(("stable", "canary", "previous", "rollback", "restart", "step", "weight", "traffic"))
    return status.model_copy(update={**gone, "analysis": (), "min_replicas": None})


def newest(seen: Observation, after: int = 0) -> str | None:
    """Return the revision that became stable last and was not taken back since; None: no mark says so."""
    dated = [
        (stable_since(seen, facts.hash), facts.hash)
        for facts in seen.deployments.values()
        if not facts.drill and not facts.deleting and rejection(seen, facts) is None
    ]
    since, hash_ = max(dated, default=(0, ""))
    if since and not after and not seen.deployments[hash_].replicas:
        # It may have been succeeded while a clock was ahead: the one that was has the pods.
        return max(_ahead(seen), default=(0, hash_))[1]
    return hash_ if since > after else None


def _ahead(seen: Observation) -> list[tuple[int, str]]:
    """Return when revisions of which pods are wanted became stable by clocks that were ahead."""
    told = [(facts.succeeded_at, facts.successor) for facts in seen.deployments.values()]
    told += [(facts.stable_since, facts.hash) for facts in seen.deployments.values()]
    served = {facts.hash for facts in seen.deployments.values() if facts.replicas and not facts.rejected}
    return [(at, hash_) for at, hash_ in told if at > seen.now + history.AHEAD_SECONDS and hash_ in served]


def restored(seen: Observation, status: RolloutStatus) -> tuple[HistoryEntry, ...]:
    """Return the history with what only the marks still know: which revisions were stable."""
    known = {entry.hash for entry in status.history}
    found = []
    for facts in seen.deployments.values():
        since = stable_since(seen, facts.hash)
        if since and facts.hash not in known and rejection(seen, facts) is None:
            found.append(history.recorded(facts.revision, facts.hash, f"as Deployment {facts.name} records", since))
    return history.kept(tuple(sorted((*found, *status.history), key=lambda entry: -entry.finished)))


def dated(situation: Situation) -> dict[str, object]:
    """Return what changes about a stable revision that was found again, once all its pods serve and have all users.

    Until then no other Deployment is emptied on its word, and no mark is written.
    """
    stable = situation.stable
    if stable is None or not whole(situation):
        return {}
    since = stable_since(situation.seen, stable.hash) or situation.second
    return {"found": False, "since": since}


def whole(situation: Situation) -> bool:
    """Return whether the stable revision has all pods that are wanted, ready, and users are led to it alone."""
    pods, plan, view = situation.pods(situation.stable), situation.routing, situation.view
    led = view.drained and view.home_drained if view is not None else not situation.seen.routed
    led = led or not situation.total  # of no pods there is none that anybody could be led to
    waits = plan is not None and plan.waits and situation.total
    return pods.wanted == situation.total <= pods.ready and led and not waits


def looks(situation: Situation) -> tuple[float, ...]:
    """Return when to look whether a revision that was found again is led to: its ways are known from the next pass."""
    stable = situation.status.stable
    unseen = stable is not None and stable.found and situation.seen.routed and situation.routing is None
    return (situation.now,) if unseen else ()


def _due(situation: Situation) -> bool:
    stable, seen, canary = situation.status.stable, situation.seen, situation.status.canary
    if stable is None or stable.since is None or stable.found or seen.rollout.deleting:
        return False
    if stable.since > seen.now + history.AHEAD_SECONDS:
        return False  # it would not be believed, and so be written again in each pass
    # What is urgent is carried out whatever becomes of the status: the mark must not be earlier.
    before = seen.status.stable
    committed = canary is None or canary.abort is None or (before is not None and before.hash == stable.hash)
    return committed and situation.facts(stable) is not None and stable_since(seen, stable.hash) < stable.since


def _soon(situation: Situation) -> bool:
    """Return whether the old revision's pods are about to go."""
    warm, canary, stable = situation.status.previous, situation.canary, situation.stable
    if canary is not None and canary.abort is not None:
        return True
    if warm is not None:
        return traits.scale_down_delay_seconds(situation.seen.policy) <= SOON_SECONDS
    others = (facts for facts in situation.seen.deployments.values() if stable is None or facts.hash != stable.hash)
    return canary is None and any(facts.replicas for facts in others)


def folded(situation: Situation, actions: list[Action]) -> list[Action]:
    """Return *actions* with the marks that are due."""
    stable = situation.status.stable
    if stable is not None and stable.since is not None and _due(situation):
        actions = _dated(situation, stable, stable.since, actions)
    return _moved(situation, actions) + _condemned(situation) if situation.status.rejected else actions


def _dated(situation: Situation, stable: Side, since: int, actions: list[Action]) -> list[Action]:
    time = values.format_time(since)
    for at, action in enumerate(actions):
        if not isinstance(action, ScaleDeployment) or (action.hash != stable.hash and action.replicas):
            continue
        own = action.hash == stable.hash
        mark = (names.STABLE_SINCE, time) if own else (names.SUCCEEDED_BY, f"{stable.hash} {time}")
        return [*actions[:at], dataclasses.replace(action, marks=(mark,)), *actions[at + 1 :]]
    if _soon(situation):
        return actions
    return [*actions, MarkDeployment(stable.hash, ((names.STABLE_SINCE, time),))]


def _condemned(situation: Situation) -> list[Action]:
    """Return the marks of what rollback-to was given against: no write of their Deployments is near."""
    canary, seen = situation.canary, situation.seen
    if seen.rollout.deleting or (canary is not None and canary.abort is not None):
        return []
    found: list[Action] = []
    for entry in situation.status.rejected:
        facts = seen.deployments.get(entry.hash)
        if entry.reason != "RolledBackTo" or facts is None or facts.deleting or rejection(seen, facts) is not None:
            continue
        told = ((names.REJECTED, identity.attempt(entry.hash, 0)), (names.REJECTED_FOR, reasons(entry)))
        found.append(MarkDeployment(entry.hash, told))
    return found


def _moved(situation: Situation, actions: list[Action]) -> list[Action]:
    """Return *actions* with the mark of a rejection put on record before the Deployment that bears it is deleted.

    In a pass of its own: where that write is refused the Deployment stays.
    """
    seen, found = situation.seen, list[Action]()
    rejected = {entry.hash: entry for entry in situation.status.rejected}
    for action in actions:
        entry = rejected.get(action.hash) if isinstance(action, DeleteDeployment) else None
        record = seen.templates.get(entry.hash) if entry is not None else None
        if entry is None or record is None or rejection(seen, record) is not None:
            found.append(action)
            continue
        told = ((names.REJECTED, identity.attempt(entry.hash, max(0, entry.at))), (names.REJECTED_FOR, reasons(entry)))
        found.append(MarkRecord(entry.hash, told))
    return found


def rejections(seen: Observation, but: Iterable[str]) -> tuple[Rejected, ...]:
    """Return what the marks know to have been taken back, the last one first."""
    found: dict[str, Rejected] = {}
    borne: list[DeploymentFacts | TemplateRecord] = [*seen.templates.values(), *seen.deployments.values()]
    for marked in borne:
        entry = rejection(seen, marked) if marked.hash not in but else None
        found |= {marked.hash: entry} if entry is not None else {}
    return tuple(sorted(found.values(), key=lambda one: -one.at))
