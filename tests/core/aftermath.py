"""The world after a Decision: what the API server and the kubelet make of it, in the simplest way that can be true."""

import dataclasses
from typing import Any

from headgate.api import names, values
from headgate.core import model
from headgate.core.model import actions
from headgate.core.rollout.decide import decide
from tests.core.worlds import UID, World, policy_hash


def after(world: World, decision: model.Decision, seconds: float = 5, *, ready: bool = True) -> World:
    """Return *world* some *seconds* after *decision* was carried out, with all pods ready, or none of the new ones."""
    later = world.but(now=world.now + seconds, readings={}, unwritten=decision.unwritten)
    if decision.write_status:
        accepted = decision.status.policy == policy_hash(world.spec_policy)
        policy = world.spec_policy if accepted else world.accepted
        later = later.but(status=decision.status, written_at=world.now, accepted=policy)
    for action in (*decision.records, *decision.actions):
        later = _carried_out(later, action, ready=ready)
    if world.present is None:
        return later
    return later.but(present={hash_: facts.pods for hash_, facts in later.deployments.items() if facts.pods})


def settled(world: World, seconds: float = 5, most: int = 60) -> tuple[World, list[model.Decision]]:
    """Return the world in which nothing is written any more, and the decisions that led there."""
    decisions: list[model.Decision] = []
    for _ in range(most):
        decision = decide(world.observe())
        if not decision.write_status and not decision.actions and not decision.records:
            return world, decisions
        decisions.append(decision)
        world = after(world, decision, seconds)
    raise AssertionError(f"after {most} passes there is still something to write: {decisions[-1]}")


def _carried_out(world: World, action: actions.Record | actions.Action, *, ready: bool) -> World:
    match action:
        case actions.AddFinalizer():
            return world.but(finalizers=(*world.finalizers, names.FINALIZER))
        case actions.RemoveFinalizer():
            return world.but(finalizers=tuple(name for name in world.finalizers if name != names.FINALIZER))
        case actions.RemoveCommand():
            left = {key: value for key, value in world.commands.items() if key != action.annotation}
            return world.but(commands=left)
        case actions.AdoptRecord() | actions.RestoreLabels() | actions.EvictPod():
            return world
        case actions.MarkRecord():
            marks = dict(action.marks)
            record = dataclasses.replace(
                world.templates[action.hash], rejected=marks[names.REJECTED], rejected_for=marks[names.REJECTED_FOR]
            )
            return world.but(templates={**world.templates, action.hash: record})
        case actions.RecordTemplate() | actions.RecordPolicy() | actions.DropRecord():
            return _recorded(world, action)
        case (
            actions.CreateService()
            | actions.SelectRevision()
            | actions.ReleaseService()
            | actions.SetWeights()
            | actions.WatchRoute()
        ):
            raise NotImplementedError("worlds with a router come of age in the simulation")
        case _:
            return _deployed(world, action, ready=ready)


def _recorded(world: World, action: actions.RecordTemplate | actions.RecordPolicy | actions.DropRecord) -> World:
    if isinstance(action, actions.RecordTemplate):
        return world.recorded(action.hash)
    if isinstance(action, actions.RecordPolicy):
        return world.policed()
    templates = {key: record for key, record in world.templates.items() if record.name != action.name}
    policies = {key: record for key, record in world.policies.items() if record.name != action.name}
    return world.but(templates=templates, policies=policies)


def _deployed(
    world: World,
    action: actions.ScaleDeployment
    | actions.MarkDeployment
    | actions.CreateDeployment
    | actions.DeleteDeployment
    | actions.SetMinReady
    | actions.RepairTemplate
    | actions.AdoptDeployment,
    *,
    ready: bool,
) -> World:
    if isinstance(action, actions.CreateDeployment):
        now_ready = action.replicas if ready else 0
        return world.deployment(action.hash, action.replicas, now_ready, revision=action.revision)
    if isinstance(action, actions.DeleteDeployment):
        left = {key: facts for key, facts in world.deployments.items() if key != action.hash}
        return world.but(deployments=left)
    facts = dataclasses.replace(world.deployments[action.hash], **_changes(world, action, ready=ready))
    return world.but(deployments={**world.deployments, action.hash: facts})


def _marked(facts: model.DeploymentFacts, marks: dict[str, str], why: str) -> dict[str, Any]:
    hash_, _, at = marks.get(names.SUCCEEDED_BY, "").partition(" ")
    since = marks.get(names.STABLE_SINCE)
    return {
        "stable_since": values.parse_time(since) if since else facts.stable_since,
        "rejected": marks.get(names.REJECTED) or facts.rejected,
        "successor": hash_ or facts.successor,
        "succeeded_at": values.parse_time(at) if at else facts.succeeded_at,
        "rejected_for": marks.get(names.REJECTED_FOR) or why or facts.rejected_for,
    }


def _changes(
    world: World,
    action: actions.ScaleDeployment
    | actions.MarkDeployment
    | actions.SetMinReady
    | actions.RepairTemplate
    | actions.AdoptDeployment,
    *,
    ready: bool,
) -> dict[str, Any]:
    match action:
        case actions.ScaleDeployment():
            facts, size = world.deployments[action.hash], action.replicas
            now_ready = size if ready else min(size, facts.ready)
            mark = action.rejected or facts.rejected
            changes = {"replicas": size, "pods": size, "ready": now_ready, "rejected": mark, "scaled_by": ""}
            return {**_marked(facts, dict(action.marks), action.why), **changes}
        case actions.MarkDeployment():
            return _marked(world.deployments[action.hash], dict(action.marks), "")
        case actions.SetMinReady():
            return {"min_ready_seconds": action.seconds}
        case actions.RepairTemplate():
            return {"tampered": ""}
        case actions.AdoptDeployment():
            return {"owner": UID}
