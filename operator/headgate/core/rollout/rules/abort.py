"""The rules that go back: each names a fact that makes the canary leave. They come before all that go forward."""

from typing import Final

from headgate.api import values
from headgate.api.status import Abort, Canary, Ending, Phase
from headgate.core.analysis import evidence
from headgate.core.model import Notice, Part
from headgate.core.replicas import recreate
from headgate.core.revisions import history, identity
from headgate.core.rollout import (
    drill_schedule,
    messages,
    missing_reads,
    pod_progress,
    termination,
    transitions,
    unserved_users,
    weight_evidence,
)
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import RELIED_ON_AFTER_SECONDS, Situation

PARTING_SECONDS: Final = 60
"""How long a deletion goes on trying where its way back is refused: as often as it takes a policy to be mended, and no
longer than people wait for `kubectl delete`."""
BLIND_PARTING_SECONDS: Final = 600
"""How long it waits where nobody can tell whether users are back: what cannot be read may be in order."""


def released(situation: Situation) -> Rest | None:
    """A deletion waits for nothing (more) of ours."""
    rollout = situation.seen.rollout
    if not rollout.deleting:
        return None
    dying = any(facts.deleting for facts in situation.seen.deployments.values())
    # As where the whole namespace is deleted: the template's record goes too, and nobody could bring stable back.
    stable, known = situation.stable, missing_reads.of(situation).keys().isdisjoint({Part.RECORDS, Part.DEPLOYMENTS})
    lost = stable is not None and situation.facts(stable) is None and not situation.can_create(stable) and known
    if situation.in_flight and not dying and not lost and not _barred(situation):
        return None
    return Rest(situation.status.phase, "Deleting", "the Rollout is being deleted; nothing of Headgate's holds it")


def _barred(situation: Situation) -> bool:
    """Return whether the way back of a deletion has been refused, or could not be seen, for as long as it may take.

    What is refused elsewhere bars nothing: a Service that is not ours to write is no reason to leave users behind.
    """
    seen, policy = situation.seen, situation.seen.policy
    sides = [side for side in (situation.stable, situation.canary) if side is not None]
    way = {f"Deployment {identity.deployment_name(seen.rollout.name, side.hash)}" for side in sides}
    way |= {f"{kind}Rollout {seen.rollout.name}" for kind in ("", "status of ")}
    if policy is not None and policy.traffic is not None:
        way.add(f"Service {policy.traffic.stable_service}")
    way |= {f"{kind} {name}" for kind, name in (seen.traffic.routes if seen.traffic else ())}
    if any(refusal.partition(": ")[0] in way for refusal in seen.refusals):
        return situation.now >= seen.rollout.deleted + PARTING_SECONDS
    return missing_reads.hides_users(situation) and situation.now >= seen.rollout.deleted + BLIND_PARTING_SECONDS


def _finished(situation: Situation, canary: Canary, leaving: Abort) -> Move:
    found = messages.drill_words(canary.drill) if canary.drill and canary.drill.injected_at is not None else ""
    past = history.remembered(
        situation.status,
        canary,
        leaving.ending,
        leaving.reason,
        message=found or leaving.message,
        by=leaving.by,
        at=situation.second,
    )
    floor = situation.floor_left(situation.stable)
    ended = {"canary": None, "step": None, "weight": None, "min_replicas": floor, "history": past}
    took = values.format_duration(situation.now - leaving.since)
    ready = f"{situation.pods(situation.stable).ready} of {situation.total} stable pods ready"
    left = termination.remains(situation, canary)
    told = f"is taken back after {took}, though {left}" if left else f"is gone after {took}"
    notice = Notice("RolledBack", f"revision {canary.revision} {told}; {ready}")
    if canary.drill is None:
        return Move(situation.status.model_copy(update=ended), (notice,))
    drill = f"drill of revision {canary.revision}"
    told = (
        f"the {drill} has ended after {took}, though {left}"
        if left
        else f"the pods of the {drill} are gone after {took}"
    )
    notice = Notice("DrillEnded", f"{told}; {ready}")
    return Move(drill_schedule.passed(situation.seen, situation.status).model_copy(update=ended), (notice,))


def aborting(situation: Situation) -> Move | Rest | None:
    """The canary is leaving: stable is made whole, then the canary goes."""
    canary = situation.flight
    if canary is None or canary.abort is None:
        return None
    if noted := unserved_users.noted(situation):
        return noted
    ours, theirs = situation.pods(situation.stable), situation.pods(canary)
    traffic = situation.status.traffic
    moved = (traffic is None or (traffic.weight == 0 and not traffic.managed_rules)) and not missing_reads.hides_users(
        situation
    )
    whole = ours.wanted >= situation.total and moved
    given = _gives_way(situation, canary.abort) and not missing_reads.hides_users(situation)
    gone = theirs.counted == 0 and (whole or given)
    still = termination.awaited(situation, canary, canary.abort) if gone else None
    if isinstance(still, Move):
        return still
    if (gone and still is None) or (whole and _makes_way(situation, canary)):
        return _finished(situation, canary, canary.abort)
    if situation.recreates:
        return _comes_back(situation, canary.abort)
    return _retreats(situation, canary, canary.abort, still)


def _retreats(situation: Situation, canary: Canary, leaving: Abort, still: termination.Still | None) -> Rest:
    waits = f"{situation.pods(situation.stable).ready} of {situation.total} stable pods ready"
    soon = leaving.since + RELIED_ON_AFTER_SECONDS
    again: tuple[float, ...] = (soon if soon > situation.now else situation.next_retreat,)
    if still is not None:
        waits, again = f"{waits}; of the canary, {still.words}", termination.looks(situation, canary, still)
    else:
        waits = f"{waits}, {situation.pods(canary).counted} canary pods left"
    if situation.routing is not None and situation.routing.waits:
        waits = f"{waits}; {situation.routing.waits}"
    waits += missing_reads.leaving_words(situation) if situation.seen.unread else ""
    phase, which = Phase.ROLLING_BACK, ""
    if canary.drill is not None:
        phase, which = Phase.DRILLING, f"drill of revision {canary.revision}: "
    return Rest(phase, leaving.reason, f"{which}{leaving.message}; {waits}", again)


def _gives_way(situation: Situation, leaving: Abort) -> bool:
    """Return whether the next revision follows at once: stable's pods would be started only to go again."""
    follows = leaving.ending is Ending.SUPERSEDED or situation.status.rollback is not None
    return follows and situation.recreates and situation.turnover.done


def _makes_way(situation: Situation, canary: Canary) -> bool:
    """Return whether another version waits for a drill that nobody is led to any more.

    What is left of it drains and goes beside the first pods of the new one: a drill holds nobody up for that.
    """
    seen, known = situation.seen, situation.status.traffic
    wanted = situation.stable is not None and situation.wanted_hash not in ("", situation.stable.hash)
    waits = canary.drill is not None and wanted and not seen.policy_waits and not seen.rollout.deleting
    return waits and known is not None and known.since is not None


def _comes_back(situation: Situation, leaving: Abort) -> Rest:
    ready = situation.pods(situation.stable).ready
    waits = f"{ready} of {situation.total} stable pods ready"
    if not situation.turnover.done:
        counted = situation.turnover.counted("canary")
        waits = f"{counted}; the next ones start once they are gone"
    again = recreate.looks_at(leaving.since, situation.now)
    waits += missing_reads.leaving_words(situation) if situation.seen.unread else ""
    return Rest(Phase.ROLLING_BACK, leaving.reason, f"{leaving.message}; downtime is meant: {waits}", (again,))


def deleted(situation: Situation) -> Move | None:
    """The Rollout is being deleted: a deletion never ships the new version."""
    canary = situation.flight
    if canary is None or not situation.seen.rollout.deleting:
        return None
    return transitions.begin_abort(
        situation, canary, Ending.DELETED, "Deleted", "the Rollout is being deleted", by="deletion"
    )


def recorded(situation: Situation) -> Move | None:
    """A route or the canary's Deployment says that this attempt was taken back, though the status does not know it."""
    canary, facts, traffic = situation.flight, situation.facts(situation.flight), situation.seen.traffic
    if canary is None:
        return None
    marks = {facts.rejected: f"Deployment {facts.name}"} if facts else {}
    marks |= {route.rejected: str(route) for route in (traffic.known_routes if traffic else ())}
    where = marks.get(identity.attempt(canary.hash, canary.started))
    if where is None:
        return None
    # Where the mark could be written and the status could not, what was found then can still be found.
    for verdict in (breached, deprived, hopeless, deadline_exceeded):
        if move := verdict(situation):
            return move
    message = f"revision {canary.revision} was taken back before, as {where} records"
    return transitions.begin_abort(situation, canary, Ending.ROLLED_BACK, "Rejected", message, by="headgate")


def superseded(situation: Situation) -> Move | None:
    """The template was put back, or changed again."""
    canary, stable, target = situation.flight, situation.stable, situation.wanted_hash
    if canary is None or stable is None or not target or target == canary.hash:
        return None
    if target == stable.hash:
        message = f"the template was put back to that of revision {stable.revision}"
        return transitions.begin_abort(
            situation, canary, Ending.WITHDRAWN, "TemplatePutBack", message, by="spec.template"
        )
    message = f"the template was changed again, to revision {target}"
    return transitions.begin_abort(situation, canary, Ending.SUPERSEDED, "Superseded", message, by="spec.template")


def breached(situation: Situation) -> Move | None:
    """A metric failed as often in a row as the user allowed."""
    canary = situation.flight
    if canary is None:
        return None
    why = evidence.breach(situation.metrics, situation.status.analysis)
    return (
        transitions.begin_abort(situation, canary, Ending.ROLLED_BACK, "MetricFailed", why, by="analysis")
        if why
        else None
    )


def deprived(situation: Situation) -> Move | None:
    """A metric went without data for longer than the user wants to wait."""
    canary, found = situation.flight, weight_evidence.analysis_evidence(situation)
    if canary is None or found is None or not found.doomed:
        return None
    return transitions.begin_abort(situation, canary, Ending.ROLLED_BACK, "NoData", found.doomed, by="analysis")


def rebuffed(situation: Situation) -> Move | None:
    """A Gateway does not accept a route with what a step has added to it: what users get from it nobody knows."""
    canary, known, traffic = situation.flight, situation.status.traffic, situation.seen.traffic
    if canary is None or known is None or traffic is None or not known.managed_rules:
        return None
    for route in traffic.known_routes:
        for parent in route.parents:
            if parent.current and not parent.follows:
                message = f"{parent.name} does not accept {route} with the rules of this step: {parent.words}"
                return transitions.begin_abort(
                    situation, canary, Ending.ROLLED_BACK, "RulesNotAccepted", message, by="headgate"
                )
    return None


def hopeless(situation: Situation) -> Move | None:
    """None of the canary's pods can start, and waiting cannot help. While some may, the progress deadline counts."""
    canary, since = situation.flight, pod_progress.stuck_since(situation)
    if canary is None or since is None or situation.pods(canary).ready:
        return None
    given = pod_progress.given_seconds(situation, hurts=pod_progress.had_all(situation))
    stopped = max(since, canary.progress.stopped) if canary.progress else since
    if given is None or (situation.now < stopped + given and not pod_progress.had_all(situation)):
        return None
    message = f"the new pods cannot start: {pod_progress.readiness(situation)}"
    return transitions.begin_abort(situation, canary, Ending.ROLLED_BACK, "PodsCannotStart", message, by="headgate")


def deadline_exceeded(situation: Situation) -> Move | None:
    """The canary's pods have made no progress for longer than the user allowed."""
    canary, since, limit = (
        situation.flight,
        pod_progress.stuck_since(situation),
        pod_progress.deadline_seconds(situation),
    )
    if canary is None or since is None or situation.now < since + limit:
        return None
    message = f"no progress for {values.format_duration(limit)}: {pod_progress.readiness(situation)}"
    by = "progressDeadlineSeconds"
    return transitions.begin_abort(situation, canary, Ending.ROLLED_BACK, "ProgressDeadlineExceeded", message, by=by)
