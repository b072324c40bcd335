"""A status that is lost, or older than what the Deployments say, is found again: what was stable stays stable.

It is lost where a backup is restored without it, where the Rollout is replaced, or deleted without its Deployments and
applied again. The marks on the Deployments tell what was stable last and what was taken back. Where there are none, as
of an older operator, the pods tell:

    pods wanted of               taken for stable
    one revision                 that one, ready or not
    an older one and the spec's  the older one: that of the spec was on its way in, unless users are led to it
    several others               one that was not taken back, the one with the most ready pods

A canary that was in flight is taken back: users are led home, then its pods go, then the spec's version starts at its
first step, or stays rejected if it was. Nothing is emptied before all pods of the stable revision are ready.
"""

import dataclasses

from headgate.api.status import Abort, Canary, Ending, MetricStatus, Previous, Rejected, RolloutStatus, Side, Weight
from headgate.core.analysis import fold
from headgate.core.model import DeploymentFacts, Notice
from headgate.core.model.percent import WHOLE
from headgate.core.model.traffic import ServiceFacts
from headgate.core.rollout import deployment_annotations, refresh
from headgate.core.rollout.outcomes import Move
from headgate.core.rollout.state import Situation
from headgate.core.strategies import metric_timing, traits


def recovered(situation: Situation) -> Move | None:
    """Return what a status that knows of no revision is found again as, if there are pods or marks of one."""
    if situation.stable is not None or situation.canary is not None:
        return None
    found = [facts for facts in situation.seen.deployments.values() if not facts.drill and not facts.deleting]
    chosen = _stable(situation, found)
    if chosen is None:
        return None
    others = [facts for facts in found if facts.replicas and facts.hash != chosen.hash]
    leaving = _in_flight(situation, others)
    status = _status(situation, chosen, leaving)
    if leaving is None and (warm := _warm(situation, chosen, others)) is not None:
        status = status.model_copy(update={"previous": warm, "analysis": _judged(situation)})
    if leaving is not None or status.previous is not None:
        # Users are led home in this very pass. Where there is one revision alone, its Services are first led to it,
        # before a new one comes.
        status = refresh.opened(dataclasses.replace(situation.seen, status=status)).status
    return Move(status, (Notice("Recovered", _words(situation, chosen, leaving)),))


def _words(situation: Situation, chosen: DeploymentFacts, leaving: DeploymentFacts | None) -> str:
    marked = deployment_annotations.stable_since(situation.seen, chosen.hash)
    how = "is marked as stable and" if marked else "was found"
    text = f"revision {chosen.revision} {how} serving with {chosen.ready} ready pods".replace(
        "and serving", "and serves"
    )
    return f"{text}; revision {leaving.revision} was in flight and is taken back first" if leaving else text


def _stable(situation: Situation, found: list[DeploymentFacts]) -> DeploymentFacts | None:
    wanted = [facts for facts in found if facts.replicas]
    if (led_to := _just_promoted(situation, wanted)) is not None:
        return led_to
    marked = deployment_annotations.newest(situation.seen)
    if marked is not None:
        return situation.seen.deployments[marked]
    if not wanted:
        return _unscaled(situation, found)
    if len(wanted) == 1 and wanted[0].hash == situation.target_hash and not wanted[0].ready:
        return None  # the first revision, on its way
    return max(_settled(situation, wanted), key=lambda facts: _weight(situation, facts))


def _just_promoted(situation: Situation, wanted: list[DeploymentFacts]) -> DeploymentFacts | None:
    """Return what the stable Service leads to, though no mark says yet that it is stable: no canary is led to by it."""
    seen, selected = situation.seen, _selected(situation)
    if traits.switches(seen.policy) or deployment_annotations.stable_since(seen, selected):
        return None
    return next((facts for facts in wanted if facts.hash == selected and not _taken_back(situation, facts)), None)


def _taken_back(situation: Situation, facts: DeploymentFacts) -> bool:
    return deployment_annotations.rejection(situation.seen, facts) is not None


def _unscaled(situation: Situation, found: list[DeploymentFacts]) -> DeploymentFacts | None:
    """Return the newest revision that was not taken back, where that of the spec was and nothing has pods."""
    good = [facts for facts in found if not _taken_back(situation, facts)]
    condemned = {entry.hash for entry in deployment_annotations.rejections(situation.seen, ())}
    taken_back = situation.target_hash in condemned
    return max(good, key=lambda facts: facts.revision, default=None) if taken_back else None


def _selected(situation: Situation) -> str:
    service = situation.seen.traffic.stable if situation.seen.traffic else None
    return service.selects if isinstance(service, ServiceFacts) else ""


def _settled(situation: Situation, wanted: list[DeploymentFacts]) -> list[DeploymentFacts]:
    """Return those that are not on their way in: the newest one that is what the spec wants, unless users have it."""
    newest = max(wanted, key=lambda facts: facts.revision)
    old = [facts for facts in wanted if facts is not newest]
    # Where all of them bear the mark they served all the same: it must not promote what is on its way.
    others = [facts for facts in old if not _taken_back(situation, facts)] or old
    on_its_way = newest.hash == situation.target_hash != _selected(situation)
    return others if on_its_way and others else wanted


def _weight(situation: Situation, facts: DeploymentFacts) -> tuple[bool, bool, int, int]:
    # What the spec wants and is not ready may be on its way back from somewhere: what serves goes before it.
    good = not _taken_back(situation, facts) and (facts.ready > 0 or facts.hash != situation.target_hash)
    return good, facts.hash == _selected(situation), facts.ready, -facts.revision


def _in_flight(situation: Situation, others: list[DeploymentFacts]) -> DeploymentFacts | None:
    """Return the revision whose pods and users have to be taken back: what the spec wants, or what was rejected.

    Where no two revisions may have pods, whichever has some: the stable one may not come before they are gone.
    """

    def nearness(facts: DeploymentFacts) -> tuple[bool, bool, int]:
        return facts.hash == situation.target_hash, _taken_back(situation, facts), facts.revision

    first = max(others, key=nearness, default=None)
    if first is None or any(nearness(first)[:2]) or traits.recreates(situation.seen.policy):
        return first
    return None


def _warm(situation: Situation, chosen: DeploymentFacts, others: list[DeploymentFacts]) -> Previous | None:
    """Return the revision that is to be gone back to by one write: the one before, where it still has pods.

    Users may still be on their way from it to the stable one.
    """
    seen = situation.seen
    since = deployment_annotations.stable_since(seen, chosen.hash) or situation.second
    before = [facts for facts in others if deployment_annotations.stable_since(seen, facts.hash)]
    if not seen.routed or not before or chosen.hash != situation.target_hash:
        return None
    facts = max(before, key=lambda facts: deployment_annotations.stable_since(seen, facts.hash))
    return Previous(
        revision=facts.revision,
        hash=facts.hash,
        ready=facts.ready,
        promoted=since,
        started=since,
        analysis_from=situation.second,
    )


def _judged(situation: Situation) -> tuple[MetricStatus, ...]:
    return fold.begin(metric_timing.judged(situation.seen.policy, WHOLE), situation.now)


def _status(situation: Situation, chosen: DeploymentFacts, leaving: DeploymentFacts | None) -> RolloutStatus:
    seen, before = situation.seen, situation.status
    found = deployment_annotations.rejections(seen, (chosen.hash,))
    known = {entry.hash for entry in found}
    rejected = (*found, *(one for one in before.rejected if one.hash not in known and one.hash != chosen.hash))
    changes: dict[str, object] = {
        "stable": Side(revision=chosen.revision, hash=chosen.hash, ready=chosen.ready, found=True),
        "rejected": rejected[:10],
        "history": deployment_annotations.restored(seen, before),
    }
    if leaving is not None:
        changes["canary"] = _canary(situation, chosen, leaving, found)
        changes["weight"] = Weight(desired=0)
        size = sum(facts.replicas for facts in (chosen, leaving))
        changes["min_replicas"] = size if seen.rollout.replicas is None else seen.rollout.replicas
    return before.model_copy(update=changes)


def _canary(
    situation: Situation, chosen: DeploymentFacts, facts: DeploymentFacts, rejected: tuple[Rejected, ...]
) -> Canary:
    verdict = next((entry for entry in rejected if entry.hash == facts.hash), None)
    latest = situation.second - 1  # the next attempt may start in this second
    began = deployment_annotations.started(facts.rejected) if verdict else None
    leaving = Abort(
        ending=Ending.ROLLED_BACK if verdict else Ending.WITHDRAWN,
        reason=verdict.reason if verdict else "Recovered",
        message=verdict.message if verdict else "the status was lost while it was in flight",
        by="headgate",
        since=situation.second,
        stable_pods=chosen.replicas,
    )
    return Canary(
        revision=facts.revision,
        hash=facts.hash,
        ready=facts.ready,
        started=latest if began is None else min(began, latest),
        abort=leaving,
    )
