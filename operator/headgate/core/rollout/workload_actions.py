"""From the sizes that were decided to actions: stable first, then the canary, then what is left over."""

from collections.abc import Set as AbstractSet

from headgate.api import names
from headgate.api.status import Canary, Phase, Side
from headgate.core.model import DeploymentFacts, Notice
from headgate.core.model.actions import (
    Action,
    AddFinalizer,
    AdoptDeployment,
    AdoptRecord,
    CreateDeployment,
    DeleteDeployment,
    DropRecord,
    EvictPod,
    Record,
    RecordPolicy,
    RecordTemplate,
    RemoveFinalizer,
    RepairTemplate,
    RestoreLabels,
    ScaleDeployment,
    SetMinReady,
)
from headgate.core.revisions import history, identity
from headgate.core.rollout import (
    deployment_annotations,
    missing_reads,
    prescaling,
    record_conflicts,
    traffic_actions,
    transitions,
)
from headgate.core.rollout.rules import autoscaler
from headgate.core.rollout.state import Situation


def records(situation: Situation) -> tuple[Record, ...]:
    """Return what must be on record before the status may speak of it."""
    seen, status = situation.seen, situation.status
    wanted: list[Record] = []
    if seen.rollout.deleting:
        return ()
    if situation.in_flight and names.FINALIZER not in seen.rollout.finalizers:
        wanted.append(AddFinalizer())
    if missing_reads.of(situation):
        return tuple(wanted)
    for side in (status.stable, status.canary):
        unrecorded = side is not None and side.hash not in seen.templates
        if side is None or not unrecorded or record_conflicts.of_template(seen, side.hash):
            continue
        if side.hash == seen.rollout.template_hash:
            wanted.append(RecordTemplate(side.hash, side.revision))
    if (
        status.policy == seen.rollout.policy_hash
        and status.policy not in seen.policies
        and not record_conflicts.of_policy(seen)
    ):
        wanted.append(RecordPolicy(status.policy))
    return tuple(wanted)


def _adoptable(facts: DeploymentFacts) -> bool:
    return not facts.owner and facts.verified and not facts.tampered


def _kept_up(situation: Situation, side: Side, facts: DeploymentFacts) -> list[Action]:
    policy = situation.seen.policy
    wanted: list[Action] = []
    # An orphaning deletion takes the owners away; giving them back would have the pods deleted with the Rollout.
    # Nor is one taken over whose template is not what its name says, before that is put right.
    if _adoptable(facts) and not situation.seen.rollout.deleting:
        wanted.append(AdoptDeployment(side.hash))
    if not facts.labelled:
        wanted.append(RestoreLabels(side.hash))
    if facts.tampered and side.hash in situation.seen.templates:
        wanted.append(RepairTemplate(side.hash))
    if policy is not None and facts.min_ready_seconds != policy.min_ready_seconds:
        wanted.append(SetMinReady(side.hash, policy.min_ready_seconds))
    return wanted


def _sized(situation: Situation, side: Side, size: int, rejected: str = "", why: str = "") -> list[Action]:
    facts = situation.facts(side)
    if facts is None:
        can = size and situation.can_create(side)
        source = side.drill.of if isinstance(side, Canary) and side.drill else ""
        return [CreateDeployment(side.hash, side.revision, size, source)] if can else []
    if facts.deleting:
        return []
    mark = rejected if facts.rejected != rejected else ""
    if facts.replicas != size or mark:
        # Alone: it changes the version that the other writes to this Deployment are guarded by. Their turn comes next.
        return [ScaleDeployment(side.hash, size, facts.replicas, mark, why if mark else "")]
    return _kept_up(situation, side, facts)


def _prescaled(situation: Situation) -> list[Action]:
    """Start the pods of the earlier revision that follows; its template is put right before any."""
    side = prescaling.target(situation)
    facts = situation.facts(side)
    if side is None:
        return []
    if facts is not None and facts.tampered:
        return _kept_up(situation, side, facts)
    return _sized(situation, side, prescaling.size(situation, side))


def _others(situation: Situation) -> list[DeploymentFacts]:
    warm = None if transitions.scale_down_delay_elapsed(situation) else situation.status.previous
    sides = {side.hash for side in (situation.stable, situation.canary, warm) if side is not None}
    others = [facts for facts in situation.seen.deployments.values() if facts.hash not in sides and not facts.deleting]
    return sorted(others, key=lambda facts: -facts.revision)


def _adopted(situation: Situation) -> list[Action]:
    """Take over what an orphaning deletion left of an earlier Rollout of this name."""
    seen = situation.seen
    orphans = [record.name for record in seen.templates.values() if not record.references]
    orphans += [record.name for record in seen.policies.values() if not record.references]
    others = (facts for facts in _others(situation) if _adoptable(facts))
    adopted: list[Action] = [AdoptDeployment(facts.hash) for facts in others]
    return adopted + [AdoptRecord(name) for name in orphans]


def _emptied(situation: Situation) -> list[Action]:
    """Old pods go once nobody needs them: they carry nobody, or stable and its canary carry everybody.

    What an older Rollout of this name left may have carried everybody a moment ago, and do so again in the next: as
    long as nothing is stable in its place it stays.
    """
    old = [facts for facts in _others(situation) if facts.replicas]
    if not old:
        return []
    stable, history = situation.stable, {entry.hash for entry in situation.status.history}
    ready = situation.pods(stable).ready + situation.pods(situation.canary).ready
    # The word of a status that was found again is not enough: until all of its stable pods serve, nothing is emptied.
    proved = stable is not None and (not stable.found or deployment_annotations.whole(situation))
    carried = proved and ready >= situation.budget.least_ready and _drained(situation)
    carried = carried or (situation.in_flight and situation.recreates)  # there it is them that everybody waits for
    follows = situation.facts(prescaling.follower(situation))
    return [
        ScaleDeployment(facts.hash, 0, facts.replicas)
        for facts in old
        if facts is not follows and (carried or (facts.ready == 0 and (proved or facts.hash in history)))
    ]


def _drained(situation: Situation) -> bool:
    """Return whether what routes and Services hold now has been in effect for as long as connections may last."""
    view = situation.view
    return view.drained and view.home_drained if view is not None else not situation.seen.routed


def _tidied(situation: Situation) -> list[Action]:
    seen, status = situation.seen, situation.status
    policy = seen.policy
    if policy is None or situation.stable is None or situation.canary is not None or situation.stable.found:
        return []
    limit = policy.revision_history_limit
    # Where its controller has not seen the last change nobody has counted: pods may be on their way.
    counted = [facts for facts in _others(situation) if facts.owner and facts.settled]
    empty = [facts for facts in counted if not facts.replicas and not facts.pods]
    surplus = [facts for facts in empty if facts.drill]
    # Those that can be gone back to before those that were taken back: these are of use to nobody but their retry.
    others = [facts for facts in empty if not facts.drill]
    surplus += sorted(others, key=lambda facts: not history.was_stable(status, facts.hash))[limit:]
    gone = {facts.hash for facts in surplus}
    kept = {hash_ for hash_ in seen.deployments if hash_ not in gone}
    kept |= {situation.stable.hash, situation.target_hash, *(entry.hash for entry in status.rejected)}
    kept |= _recoverable(situation, situation.stable, kept, limit)
    kept |= {status.previous.hash} if status.previous else set()
    tidied: list[Action] = [DeleteDeployment(facts.hash) for facts in surplus]
    tidied += [DropRecord(record.name) for hash_, record in seen.templates.items() if hash_ not in kept]
    if seen.status.policy == status.policy and status.policy in seen.policies:
        tidied += [DropRecord(record.name) for hash_, record in seen.policies.items() if hash_ != status.policy]
    return tidied


def _recoverable(situation: Situation, stable: Side, kept: AbstractSet[str], limit: int) -> set[str]:
    """Return the revisions that can be gone back to even if somebody deleted their Deployments."""
    status, records = situation.status, situation.seen.templates.values()
    stood = [record for record in records if record.hash != stable.hash and history.was_stable(status, record.hash)]
    latest = sorted(stood, key=lambda record: (-record.revision, record.hash not in kept))
    return {record.hash for record in latest[:limit]}


def actions(situation: Situation, phase: Phase) -> tuple[Action, ...]:
    """Return the writes that bring the cluster to the sizes that were decided, and keep our objects in order."""
    stable, canary, sizes = situation.stable, situation.canary, situation.sizes
    wanted: list[Action] = traffic_actions.actions(situation)
    if stable is not None:
        wanted += _sized(situation, stable, sizes.stable)
    if situation.status.restart is not None and situation.restart is not None:
        wanted += [EvictPod(pod.name, pod.uid) for pod in situation.restart.evict]
    if canary is not None:
        verdict = canary.abort is not None and canary.abort.ending in history.REJECTING
        rejected = identity.attempt(canary.hash, canary.started) if verdict else ""
        why = deployment_annotations.reasons(canary.abort) if canary.abort else ""
        wanted += _sized(situation, canary, sizes.canary, rejected, why)
        wanted += _prescaled(situation) if canary.abort is not None else []
    wanted += _emptied(situation)
    if not situation.seen.rollout.deleting:
        wanted += _adopted(situation)
    if phase in (Phase.HEALTHY, Phase.ROLLED_BACK):
        wanted += _tidied(situation)
    if not situation.in_flight:
        wanted += release(situation)
    return tuple(missing_reads.permitted(situation, deployment_annotations.folded(situation, wanted)))


def release(situation: Situation) -> list[Action]:
    """Return the action that lets a deletion go on, if anything of ours holds it."""
    return [RemoveFinalizer()] if names.FINALIZER in situation.seen.rollout.finalizers else []


def repairs(situation: Situation) -> tuple[Notice, ...]:
    """Return what is said of changes that somebody else made to what is ours."""
    said = []
    pairs = ((situation.stable, situation.sizes.stable), (situation.canary, situation.sizes.canary))
    for side, size in pairs:
        facts = situation.facts(side)
        if side is None:
            continue
        if facts is None and side.progress is not None and size and situation.can_create(side):
            text = f"the Deployment of revision {side.revision} was gone"
            said.append(Notice("DeploymentRecreated", text, warning=True))
        if facts is not None and facts.scaled_by and facts.replicas != side.replicas:
            said += _rescaled(situation, side, facts, size)
        if facts is not None and not facts.labelled:
            text = f"Deployment {facts.name} had lost labels of ours; put back"
            said.append(Notice("LabelsRepaired", text, warning=True))
        if facts is not None and facts.tampered and side.hash in situation.seen.templates:
            text = f"{facts.tampered} changed the template of {facts.name}; put back to revision {side.revision}"
            said.append(Notice("TemplateRepaired", text, warning=True))
    return tuple(said)


def _rescaled(situation: Situation, side: Side, facts: DeploymentFacts, size: int) -> list[Notice]:
    """Return what is said of replicas that somebody set: at first sight, for that is when they are not as recorded.

    Until we write them again they stay theirs, so that what was recorded tells a meddling from an older agreement.
    """
    canary, back = situation.flight, size
    if facts.replicas == size and canary is not None and canary.abort is None and not situation.recreates:
        # Nothing is taken away before the numbers have settled: until then the size is theirs, but not where it goes.
        back = situation.goal.canary if side is canary else situation.goal.stable
    if facts.replicas == back:
        return []
    text = f"{facts.scaled_by} set Deployment {facts.name} to {facts.replicas} replicas; put back to {back}"
    text += f"; {astray}" if (astray := autoscaler.misdirected_autoscalers(situation)) else ""
    return [Notice("ReplicasRepaired", text, warning=True)]
