"""A stable revision that nothing can bring back: its Deployment and the record of its template are both gone.

Its pods went with the Deployment, and no template is left to make them from, unless the spec holds it. So users stay
with whatever can serve them, and what leads on is said.

    at rest, the spec holds its template      it is made anew from the spec, and nothing needs to be said
    at rest, the spec holds another one       that one starts; where it was taken back, the command that tries it again
    a canary is in flight                     it goes on by its steps; the command that gives it all users at once
    a canary leaves                           it keeps its users and pods; the command by which it stays
    at any time                               its template applied again

What could not be read is not lost.
"""

from headgate.api import names
from headgate.api.status import Canary, Phase, Side
from headgate.core.analysis import fold
from headgate.core.model import Notice, Part
from headgate.core.revisions import history
from headgate.core.rollout import missing_reads, rollbacks, transitions
from headgate.core.rollout.outcomes import Move, Rest
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing

_PROVING = frozenset({Part.DEPLOYMENTS, Part.SIDES, Part.RECORDS})


def stable(situation: Situation) -> Side | None:
    """Return the stable revision if pods of it are wanted and can never be there again."""
    side = situation.stable
    if side is None or situation.total == 0 or not situation.pods(side).lost:
        return None
    return side if _PROVING.isdisjoint(missing_reads.of(situation)) else None


def told(situation: Situation, rest: Rest) -> Rest:
    """Return *rest* with what is lost, and what leads on, before anything else."""
    if situation.stable is None or (side := stable(situation)) is None or situation.seen.rollout.deleting:
        return rest
    gone = f"revision {side.revision} ({side.hash}) cannot be brought back: its Deployment and its record are both gone"
    ways = [*_commands(situation), f"apply the template of revision {side.revision} again: it is made anew"]
    goes = situation.flight is not None and situation.flight.abort is None
    message = f"{gone}; {', or '.join(ways)}; {rest.message}"
    return Rest(Phase.DEGRADED, "StableLost", message, rest.recheck_at, stalled=not goes)


def _commands(situation: Situation) -> list[str]:
    canary, command = situation.flight, f"kubectl annotate {names.RESOURCE} {situation.seen.rollout.name}"
    if canary is not None and canary.drill is not None:
        return []
    if canary is not None and canary.abort is not None:
        keeps = f"{command} {names.RETRY}={canary.hash} keeps revision {canary.revision}, which serves"
        return [keeps] if _stays(situation, canary) else []
    if canary is not None:
        full = f"{command} {names.PROMOTE_FULL}={canary.hash} gives all users to revision {canary.revision}"
        return [] if canary.promote_full or canary.is_rollback else [full]
    back = f"{command} {names.ABORT}={names.ABORT_NOW} leads to the revision that is warm"
    found = [back] if transitions.can_go_back(situation) else []
    rejected = {entry.hash: entry.revision for entry in situation.status.rejected}
    if (wanted := situation.wanted_hash) in rejected:
        found.append(f"{command} {names.RETRY}={wanted} tries revision {rejected[wanted]} again")
    return found + [f"{command} {names.ROLLBACK_TO}={number}" for number in rollbacks.earlier(situation)[:1]]


def _stays(situation: Situation, canary: Canary) -> bool:
    rejected = any(entry.hash == canary.hash for entry in situation.status.rejected)
    return rejected and situation.wanted_hash == canary.hash


def kept(situation: Situation, revision_hash: str) -> Move | None:
    """Return the move by which a canary that leaves stays, because it alone can serve and people want it tried again.

    It is another attempt: the mark of the one before is no verdict on it, and its evidence begins anew.
    """
    canary, policy = situation.flight, situation.seen.policy
    if canary is None or canary.abort is None or canary.drill is not None or canary.hash != revision_hash:
        return None
    if stable(situation) is None or not _stays(situation, canary):
        return None
    left, now = canary.abort, situation.second
    past = history.remembered(
        situation.status, canary, left.ending, left.reason, message=left.message, by=left.by, at=now
    )
    started = max(now, canary.started + 1)
    again = situation.with_canary(abort=None, started=started, analysis_from=now, promote_full=False)
    again = history.lifted(again.model_copy(update={"history": past}), canary.hash)
    entered = transitions.enter(situation.moved(again), max(situation.step_at, 0))
    weight = entered.status.weight.desired if entered.status.weight else 0
    states = fold.begin(metric_timing.judged(policy, weight, situation.moved(entered.status).asked), situation.now)
    notice = Notice("Retrying", f"revision {canary.revision} stays: it alone can serve, and is tried again")
    return Move(entered.status.model_copy(update={"analysis": states}), (notice, *entered.notices))
