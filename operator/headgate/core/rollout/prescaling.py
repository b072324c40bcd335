"""Pods of an earlier revision start while the canary that has to go first still drains.

What gives users to the earlier one waits for the canary's end all the same: by one way to a canary nobody can be led to
two revisions. What takes longest does not wait: pods that start. Until the canary has ended they are nobody's.

    canary 2 of 10 pods, drain 30 s, pods that take 20 s to start, seconds since rollback-to:

     0   the routes give everything to stable
     1   a Gateway has accepted that: the canary Service selects stable's pods, 10 pods of the earlier revision start
    31   the drain is over: the canary's pods go, and the earlier revision, ready by now, gets the canary Service
    33   the routes give everything to it

The canary Service selects stable's pods for the whole drain, so that a Gateway that follows routes sooner than
endpoints never gives all users to the pods of the canary that was taken back.

With recreate no two revisions may have pods, and nothing can start early.
"""

from headgate.api.status import Canary, Side
from headgate.core.model.traffic import ServiceFacts
from headgate.core.rollout import blockers, missing_reads, revision_choice
from headgate.core.rollout.state import Situation
from headgate.core.strategies import traits
from headgate.core.traffic import problems as traffic_problems


def follower(situation: Situation) -> Side | None:
    """Return the earlier revision that follows a canary that leaves: what it has of pods is not taken away."""
    canary, stable, wanted = situation.flight, situation.stable, situation.wanted_hash
    if canary is None or canary.abort is None or canary.drill is not None or stable is None:
        return None
    if wanted in ("", stable.hash, canary.hash) or situation.recreates or not _goes_back(situation):
        return None
    return Side(revision=revision_choice.number(situation, wanted), hash=wanted)


def target(situation: Situation) -> Side | None:
    """Return the earlier revision whose pods start beside a canary that leaves; None while none may."""
    canary, side = situation.flight, follower(situation)
    if side is None or canary is None or not (_left(situation, canary) and _begins(situation)):
        return None
    return side if situation.facts(side) is not None or situation.can_create(side) else None


def _goes_back(situation: Situation) -> bool:
    """Return whether what follows the canary is an earlier revision, which gets all pods at once."""
    rejected = {entry.hash for entry in situation.status.rejected}
    return situation.wanted_hash not in rejected and revision_choice.leads_back(situation)


def _begins(situation: Situation) -> bool:
    """Return whether nothing is known that would keep it from beginning once the canary has ended."""
    seen = situation.seen
    if seen.rollout.deleting or seen.policy_waits or missing_reads.of(situation):
        return False
    if blockers.unsound(situation) or blockers.refused(situation):
        return False
    return not traffic_problems.problems(seen, traffic_problems.Ahead())


def _left(situation: Situation, canary: Canary) -> bool:
    """Return whether all is done for the canary's users but to wait: nothing is put in front of their way back."""
    if situation.pods(situation.stable).wanted < situation.total or not _home(situation):
        return False
    facts, stable = situation.seen.traffic, situation.stable
    if facts is None or stable is None or traits.switches(situation.seen.policy):
        return True
    service = facts.canary
    # Once it is told as selecting the next revision, a Gateway may still know these endpoints.
    return isinstance(service, ServiceFacts) and service.selects != canary.hash and service.leads_only_to(stable.hash)


def _home(situation: Situation) -> bool:
    """Return whether routes and Services lead everybody to stable, and every Gateway that answers has accepted it."""
    known = situation.status.traffic
    return known is None or (known.weight == 0 and known.since is not None and not known.managed_rules)


def vacated(situation: Situation) -> str:
    """Return the revision that the canary Service is to select while the canary drains; empty: leave it.

    Its pods stay until the drain is over, so that whatever still sends requests to them meets them.
    """
    canary, stable, facts = situation.flight, situation.stable, situation.seen.traffic
    if canary is None or stable is None or facts is None or follower(situation) is None:
        return ""
    if traits.switches(situation.seen.policy) or not _home(situation):
        return ""
    taken = isinstance(facts.canary, ServiceFacts) and facts.canary.selects == canary.hash
    return stable.hash if taken and situation.pods(stable).ready else ""


def size(situation: Situation, side: Side) -> int:
    """Return how many pods of *side* there are to be before it begins.

    A maxSurge that is stated holds for all pods together. Where none is, those of the canary come on top for its drain.
    What a quota refuses is not asked for again until the canary has ended: controllers try again ever more seldom, and
    would still wait when there is room.
    """
    facts = situation.facts(side)
    if facts is not None and facts.replicas:
        kept = min(facts.replicas, max(1, facts.pods)) if facts.refusal else facts.replicas
        return min(kept, situation.total)
    if traits.surges_freely(situation.seen.policy, routed=situation.seen.routed):
        return situation.total
    stable = max(situation.sizes.stable, situation.pods(situation.stable).counted)
    mine = {side.hash, situation.stable.hash if situation.stable else ""}
    others = [max(one.replicas, one.pods) for one in situation.seen.deployments.values() if one.hash not in mine]
    return max(0, min(situation.total, situation.budget.most_pods - stable - sum(others)))


def words(situation: Situation) -> str:
    """Return what is said of it, with a leading separator; or nothing."""
    side = follower(situation)
    if side is None:
        return ""
    return f"; revision {side.revision} follows: {situation.pods(side).ready} of {situation.total} pods ready"
