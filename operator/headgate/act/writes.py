"""Each action as one write. JSON patches test what the decision was made on, so that a stale one is refused."""

from collections.abc import Mapping
from typing import assert_never

from headgate.act import traffic_writes
from headgate.act.interfaces import Writer
from headgate.act.patches import operation, pointer, removal, unchanged
from headgate.api import names
from headgate.core import faults
from headgate.core.model import DeploymentFacts, Json, Kind, Observation, PolicyRecord, RolloutFacts, TemplateRecord
from headgate.core.model.actions import (
    Action,
    AddFinalizer,
    AdoptDeployment,
    AdoptRecord,
    CreateDeployment,
    CreateService,
    DeleteDeployment,
    DropRecord,
    EvictPod,
    MarkDeployment,
    MarkRecord,
    Record,
    RecordPolicy,
    RecordTemplate,
    ReleaseService,
    RemoveCommand,
    RemoveFinalizer,
    RepairTemplate,
    RestoreLabels,
    ScaleDeployment,
    SelectRevision,
    SetMinReady,
    SetWeights,
    WatchRoute,
)
from headgate.core.revisions import identity, manifests


def subject(observation: Observation, action: Action | Record) -> str:  # noqa: C901  # an arm a kind
    """Return what *action* is about, for messages: a kind and a name."""
    match action:
        case RecordTemplate() | MarkRecord():
            return f"ControllerRevision {identity.deployment_name(observation.rollout.name, action.hash)}"
        case RecordPolicy():
            return f"ControllerRevision {identity.policy_name(observation.rollout.name, action.hash)}"
        case DropRecord() | AdoptRecord():
            return f"ControllerRevision {action.name}"
        case AddFinalizer() | RemoveFinalizer() | RemoveCommand():
            return f"Rollout {observation.rollout.name}"
        case CreateService():
            return f"Service {action.name}"
        case SelectRevision() | ReleaseService():
            return f"Service {action.service}"
        case SetWeights() | WatchRoute():
            return f"{action.kind} {action.name}"
        case EvictPod():
            return f"Pod {action.name}"
        case _:
            return f"Deployment {identity.deployment_name(observation.rollout.name, action.hash)}"


def _record(rollout: RolloutFacts, action: RecordTemplate | RecordPolicy) -> Json:
    match action:
        case RecordTemplate():
            return manifests.template_record(rollout, action.hash, action.revision)
        case RecordPolicy():
            return manifests.policy_record(rollout)
        case _:
            assert_never(action)


async def record(writer: Writer, observation: Observation, action: RecordTemplate | RecordPolicy) -> None:
    """Create the ControllerRevision of *action*."""
    rollout = observation.rollout
    await writer.create(Kind.CONTROLLER_REVISION, rollout.namespace, _record(rollout, action))


async def compare_record(writer: Writer, observation: Observation, action: RecordTemplate | RecordPolicy) -> None:
    """Hold that the ControllerRevision that has the name of *action* keeps the same; a patch of tests changes nothing.

    Raises:
        Refused: if it keeps something else.
    """
    rollout = observation.rollout
    body = _record(rollout, action)
    name, same = body["metadata"]["name"], operation("test", pointer("data"), body["data"])
    try:
        await writer.patch(Kind.CONTROLLER_REVISION, rollout.namespace, name, [same], names.OBJECT_MANAGER)
    except faults.Conflict as conflict:
        raise faults.Refused(f"an object of that name keeps something else; delete it: {conflict}") from conflict


async def add_finalizer(writer: Writer, observation: Observation, resource_version: str) -> Json | None:
    """Put our finalizer on the Rollout, if it is still the one that was observed; return it as stored.

    Its *resource_version* is another one than was observed where we have written its status since.
    """
    rollout = observation.rollout
    path = pointer("metadata", "finalizers")
    new = (
        operation("add", f"{path}/-", names.FINALIZER)
        if rollout.finalizers
        else operation("add", path, [names.FINALIZER])
    )
    guard = unchanged(resource_version)
    return await writer.patch(Kind.ROLLOUT, rollout.namespace, rollout.name, [guard, new], names.STATUS_MANAGER)


async def _patch_deployment(
    writer: Writer, observation: Observation, facts: DeploymentFacts, *operations: Json
) -> None:
    guard = operation("test", pointer("metadata", "uid"), facts.uid)
    namespace = observation.rollout.namespace
    await writer.patch(Kind.DEPLOYMENT, namespace, facts.name, [guard, *operations], names.OBJECT_MANAGER)


def _template(observation: Observation, revision_hash: str) -> Json:
    known = observation.templates.get(revision_hash)
    return known.template if known else observation.rollout.template


async def _create(writer: Writer, observation: Observation, action: CreateDeployment) -> None:
    rollout = observation.rollout
    body = manifests.deployment(
        rollout,
        _template(observation, action.drill_of or action.hash),
        action.hash,
        action.revision,
        action.replicas,
        observation.policy.min_ready_seconds if observation.policy else 0,
    )
    body = manifests.drilled(body) if action.drill_of else body
    await writer.create(Kind.DEPLOYMENT, rollout.namespace, body)


def _marked(facts: DeploymentFacts | TemplateRecord, marks: Mapping[str, str]) -> list[Json]:
    """Return the operations that set annotations; without any there is no map that they could be added to."""
    if marks and not facts.annotated:
        return [unchanged(facts.resource_version), operation("add", pointer("metadata", "annotations"), dict(marks))]
    return [operation("add", pointer("metadata", "annotations", name), value) for name, value in marks.items()]


async def _scale(writer: Writer, observation: Observation, action: ScaleDeployment) -> None:
    facts = observation.deployments[action.hash]
    path = pointer("spec", "replicas")
    operations = [operation("test", path, action.was), operation("replace", path, action.replicas)]
    given = ((names.REJECTED, action.rejected), (names.REJECTED_FOR, action.why), *action.marks)
    marks = _marked(facts, {name: value for name, value in given if value})
    try:
        await _patch_deployment(writer, observation, facts, *operations, *marks)
    except (faults.Refused, faults.Conflict):
        if not marks or not action.rejected:
            raise
        # Such as when another client removed all annotations. The mark is a second memory; a rollback does not need it.
        await _patch_deployment(writer, observation, facts, *operations)


async def _repair(writer: Writer, observation: Observation, action: RepairTemplate) -> None:
    facts = observation.deployments[action.hash]
    template = manifests.pod_template(_template(observation, action.hash), action.hash)
    guard = unchanged(facts.resource_version)
    put = operation("replace", pointer("spec", "template"), template)
    await _patch_deployment(writer, observation, facts, guard, put)


async def _restore_labels(writer: Writer, observation: Observation, action: RestoreLabels) -> None:
    facts = observation.deployments[action.hash]
    labels = {**manifests.labels(observation.rollout), names.POD_HASH: action.hash}
    # Deployments of ours have other labels only if another client added them; without any, there is no map.
    puts = [operation("add", pointer("metadata", "labels", key), value) for key, value in labels.items()]
    try:
        await _patch_deployment(writer, observation, facts, *puts)
    except faults.Conflict:
        await _patch_deployment(writer, observation, facts, operation("add", pointer("metadata", "labels"), labels))


async def _adopt(writer: Writer, observation: Observation, action: AdoptDeployment) -> None:
    facts = observation.deployments[action.hash]
    guard = unchanged(facts.resource_version)
    await _patch_deployment(writer, observation, facts, guard, _owned(observation, facts.references))


def _owned(observation: Observation, references: int) -> Json:
    """Return the operation by which the Rollout becomes an owner beside *references* others."""
    path, reference = pointer("metadata", "ownerReferences"), manifests.owner_reference(observation.rollout)
    return operation("add", f"{path}/-", reference) if references else operation("add", path, [reference])


def _seen(observation: Observation, name: str) -> tuple[str, str]:
    """Return the uid and the resourceVersion of the record *name* as it was seen; empty texts where it was not."""
    seen: list[TemplateRecord | PolicyRecord] = [*observation.templates.values(), *observation.policies.values()]
    return next(((one.uid, one.resource_version) for one in seen if one.name == name), ("", ""))


async def _drop(writer: Writer, observation: Observation, action: DropRecord) -> None:
    """Delete a record as it was seen: one of that name that was made since is another one's."""
    uid, version = _seen(observation, action.name)
    namespace = observation.rollout.namespace
    await writer.delete(Kind.CONTROLLER_REVISION, namespace, action.name, uid, version)


async def _mark(writer: Writer, observation: Observation, action: MarkDeployment | MarkRecord) -> None:
    if isinstance(action, MarkDeployment):
        facts = observation.deployments[action.hash]
        await _patch_deployment(writer, observation, facts, *_marked(facts, dict(action.marks)))
        return
    known, namespace = observation.templates[action.hash], observation.rollout.namespace
    operations = [unchanged(known.resource_version), *_marked(known, dict(action.marks))]
    await writer.patch(Kind.CONTROLLER_REVISION, namespace, known.name, operations, names.OBJECT_MANAGER)


async def _adopt_record(writer: Writer, observation: Observation, action: AdoptRecord) -> None:
    """Become the owner of a record as it was seen: one of that name that was made since is another one's."""
    namespace, (_, version) = observation.rollout.namespace, _seen(observation, action.name)
    operations = [*([unchanged(version)] if version else ()), _owned(observation, 0)]
    await writer.patch(Kind.CONTROLLER_REVISION, namespace, action.name, operations, names.OBJECT_MANAGER)


async def _remove_finalizer(writer: Writer, observation: Observation) -> None:
    rollout = observation.rollout
    at = pointer("metadata", "finalizers", str(rollout.finalizers.index(names.FINALIZER)))
    operations = [operation("test", at, names.FINALIZER), removal(at)]
    await writer.patch(Kind.ROLLOUT, rollout.namespace, rollout.name, operations, names.STATUS_MANAGER)


async def _remove_command(writer: Writer, observation: Observation, action: RemoveCommand) -> None:
    rollout = observation.rollout
    at = pointer("metadata", "annotations", action.annotation)
    operations = [operation("test", at, action.value), removal(at)]
    await writer.patch(Kind.ROLLOUT, rollout.namespace, rollout.name, operations, names.STATUS_MANAGER)


async def _move(
    writer: Writer,
    observation: Observation,
    action: CreateService | SelectRevision | ReleaseService | SetWeights | WatchRoute,
) -> None:
    match action:
        case CreateService():
            await traffic_writes.create_service(writer, observation, action)
        case SelectRevision():
            await traffic_writes.select_revision(writer, observation, action)
        case ReleaseService():
            await traffic_writes.release_service(writer, observation, action)
        case SetWeights():
            await traffic_writes.set_weights(writer, observation, action)
        case WatchRoute():
            await traffic_writes.watch_route(writer, observation, action)
        case _:
            assert_never(action)


async def write(writer: Writer, observation: Observation, action: Action) -> None:  # noqa: C901, PLR0912  # an arm an action
    """Carry out one *action*.

    Raises:
        Unreachable, Refused, Conflict: as the cluster answers.
    """
    namespace = observation.rollout.namespace
    match action:
        case CreateDeployment():
            await _create(writer, observation, action)
        case ScaleDeployment():
            await _scale(writer, observation, action)
        case MarkDeployment() | MarkRecord():
            await _mark(writer, observation, action)
        case SetMinReady():
            put = operation("add", pointer("spec", "minReadySeconds"), action.seconds)
            await _patch_deployment(writer, observation, observation.deployments[action.hash], put)
        case RepairTemplate():
            await _repair(writer, observation, action)
        case RestoreLabels():
            await _restore_labels(writer, observation, action)
        case AdoptDeployment():
            await _adopt(writer, observation, action)
        case AdoptRecord():
            await _adopt_record(writer, observation, action)
        case DeleteDeployment():
            facts = observation.deployments[action.hash]
            await writer.delete(Kind.DEPLOYMENT, namespace, facts.name, facts.uid, facts.resource_version)
        case DropRecord():
            await _drop(writer, observation, action)
        case RemoveFinalizer():
            await _remove_finalizer(writer, observation)
        case RemoveCommand():
            await _remove_command(writer, observation, action)
        case EvictPod():
            await writer.evict(namespace, action.name, action.uid)
        case _:
            await _move(writer, observation, action)
