"""Which revision comes next: its number, and whether it leads back to an earlier one."""

from headgate.api.status import Canary, HistoryEntry, Rejected
from headgate.core.revisions import history, identity
from headgate.core.rollout.state import Situation


def number(situation: Situation, revision_hash: str) -> int:
    """Return the number of a revision: the one that it had, or else the next one."""
    seen, status = situation.seen, situation.status
    past: list[HistoryEntry | Rejected] = [*status.history, *status.rejected]
    known = [entry.revision for entry in past]
    known += [facts.revision for facts in seen.deployments.values()]
    known += [status.stable.revision] if status.stable else []
    record = seen.templates.get(revision_hash)
    had = [record.revision] if record is not None else []
    had += [entry.revision for entry in past if entry.hash == revision_hash]
    following = identity.next_number(seen.templates.values(), *known)
    return next((number for number in had if number < following), following)


def leads_back(situation: Situation) -> bool:
    """Return whether the wanted revision was stable before the one that is, so that it needs no steps.

    A later one is not gone back to: that it was left may have had its reasons.
    """
    stable, wanted = situation.stable, situation.wanted_hash
    if situation.status.rollback is not None or stable is None:
        return situation.status.rollback is not None
    return can_go_back(situation, wanted) and number(situation, wanted) < stable.revision


def can_go_back(situation: Situation, revision_hash: str) -> bool:
    """Return whether a revision needs no steps, however it is asked for: it was stable, and its template is on record.

    That the history names it is not enough: beyond spec.revisionHistoryLimit nothing of it is left to prove it by. Nor
    does its Deployment prove it, which can be edited, or made by others: but for one that runs what the spec holds.
    """
    seen, facts = situation.seen, situation.seen.deployments.get(revision_hash)
    same = facts is not None and revision_hash == seen.rollout.template_hash and facts.verified and not facts.tampered
    return (revision_hash in seen.templates or same) and history.was_stable(situation.status, revision_hash)


def new_canary(situation: Situation) -> Canary:
    """Return the canary that the wanted revision becomes."""
    target = situation.wanted_hash
    tried = target in situation.seen.deployments or any(entry.hash == target for entry in situation.status.history)
    template = situation.seen.templates.get(target)
    return Canary(
        revision=number(situation, target),
        hash=target,
        images=identity.images(template.template if template else situation.seen.rollout.template),
        started=situation.second,
        analysis_from=situation.second if tried else 0,
        is_rollback=leads_back(situation),
    )
