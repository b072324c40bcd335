"""What would have matched where a command has no effect: words that can be copied, and that lead on.

Owns the answers of commands that find nothing to do. Each word that it names works in the situation it is said in.
"""

from headgate.api import names
from headgate.core.model import Identity
from headgate.core.rollout import rollbacks, transitions
from headgate.core.rollout.rules import first_revision
from headgate.core.rollout.state import Situation


def abort(situation: Situation) -> str:
    """Return why there is nothing to take back by this word, and by which there would be."""
    canary, status, stable, now = situation.flight, situation.status, situation.stable, names.ABORT_NOW
    if status.rollback is not None:
        number, hash_ = status.rollback.revision, status.rollback.hash
        would = f"{names.ABORT}={hash_} or {names.ABORT}={now} would match"
        return f"what waits is the way back to revision {number} ({hash_}); {would}"
    if canary is not None:
        return f"revision {canary.hash} is being taken back already{_tried_again(situation, canary.hash)}"
    if stable is None:
        return _first(situation)
    if transitions.can_go_back(situation):
        would = f"{names.ABORT}={stable.hash} or {names.ABORT}={now} would match"
        return f"revision {stable.hash} was promoted, and the one before is still warm; {would}"
    if status.restart is not None and not status.restart.stopped:
        return f"all pods are being restarted; {names.ABORT}={now} would match"
    return f"no rollout is in flight{_earlier(situation)}"


def _first(situation: Situation) -> str:
    proof = first_revision.awaits_proof(situation)
    skips = f"; {names.PROMOTE_FULL}={proof.hash} takes it without evidence" if proof is not None else ""
    return f"this is the first revision; there is nothing to go back to and no step to skip{skips}"


def _earlier(situation: Situation) -> str:
    would = rollbacks.choices(situation)
    return f"; {would} goes back to an earlier revision" if would else ""


def _tried_again(situation: Situation, revision_hash: str) -> str:
    """Return how a revision that was taken back is tried again, with a leading separator; or nothing."""
    rejected = any(entry.hash == revision_hash for entry in situation.status.rejected)
    if not rejected:
        return ""
    # The verdict is lifted at once; what starts then is what the spec holds.
    held = "" if situation.wanted_hash == revision_hash else ", once spec.template holds it"
    return f"; {names.RETRY}={revision_hash} has it tried again{held}"


def _follows(situation: Situation) -> str:
    """Return how the revision that is wanted next is promoted once it starts, with a leading separator; or nothing."""
    hash_ = next_hash(situation)
    return f"; {names.PROMOTE_FULL}={hash_} would match once that revision starts" if hash_ else ""


def next_hash(situation: Situation) -> str:
    """Return the revision that is wanted and not on its way yet; empty if none is, or none may be tried."""
    seen, canary, stable = situation.seen, situation.flight, situation.stable
    unknown = seen.target.identity is Identity.UNKNOWN and situation.status.rollback is None
    wanted = seen.rollout.template_hash if unknown else situation.wanted_hash
    if stable is None or seen.rollout.deleting:
        return ""
    on_its_way = canary.hash if canary is not None and canary.abort is None else ""
    refused = {stable.hash, on_its_way, *(entry.hash for entry in situation.status.rejected)}
    return "" if wanted in refused else wanted


def promotion(situation: Situation, revision_hash: str) -> str:
    """Return why nothing can be promoted, least of all the revision that was named, and what leads there."""
    canary = situation.flight
    if situation.stable is None:
        return _first(situation)
    if canary is not None and canary.drill is not None:
        ends = "" if canary.abort else f"; {names.ABORT}={canary.hash} ends it"
        return f"in flight is a drill, which nothing promotes{ends}{_follows(situation)}"
    if canary is not None:
        return f"it is being taken back{_tried_again(situation, canary.hash)}{_follows(situation)}"
    for hash_ in (revision_hash, situation.wanted_hash):
        if again := _tried_again(situation, hash_):
            return f"no rollout is in flight: revision {hash_} was taken back{again}"
    return f"no rollout is in flight{_follows(situation)}"


def drill(situation: Situation) -> str:
    """Return what makes room for a drill, with a leading separator; or nothing."""
    canary, restart, now = situation.flight, situation.status.restart, names.ABORT_NOW
    if canary is not None and canary.drill is not None and canary.abort is None:
        return f"; {names.ABORT}={canary.hash} ends it"
    if canary is None and situation.status.previous is None and restart is not None and not restart.stopped:
        return f"; {names.ABORT}={now} stops that"
    return _tried_again(situation, situation.wanted_hash) if canary is None else ""
