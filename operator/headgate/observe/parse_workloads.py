"""Reads the objects that belong to a Rollout: Deployments, ControllerRevisions, pods."""

import collections
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from headgate.api import names, values
from headgate.core.model import DeploymentFacts, EndingPods, Json, PodFacts, PodTrouble
from headgate.core.revisions import identity

UNKNOWN_CLIENT: Final = "an unknown client"
"""Stands for a client without a name: the API server does not record, for example, who removed a field."""
_HOPELESS: Final = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
    "PostStartHookError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
}
_UNSCHEDULABLE: Final = "Unschedulable"
_WORDS_LENGTH: Final = 300


def number(value: Any) -> int:
    """Return *value* as a whole number, or 0 where it is none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def moment(value: Any) -> int:
    """Return the seconds since the epoch that *value* stands for as a time, or 0 where it stands for none."""
    try:
        return max(0, values.parse_time(value))
    except (ValueError, OverflowError):
        return 0


def revision(value: Any) -> int:
    """Return the number of a revision that *value* stands for, or 0 where no revision has such a one."""
    found = number(value)
    return found if 0 <= found <= identity.MOST_REVISIONS else 0


def controller(thing: Json) -> Json:
    """Return the reference to the object's controller; empty if it has none."""
    references = thing["metadata"].get("ownerReferences") or ()
    return next((reference for reference in references if reference.get("controller")), {})


def owner(thing: Json) -> str:
    """Return the uid of the object's controller, or an empty text."""
    holder = controller(thing)
    return str(holder["uid"]) if holder else ""


def other_writers(thing: Json, *path: str) -> Iterator[str]:
    """Yield who else than us set the field at *path*, as the API server keeps record of it."""
    for entry in thing["metadata"].get("managedFields") or ():
        fields = entry.get("fieldsV1") or {}
        for part in path:
            fields = fields.get(f"f:{part}") if isinstance(fields, dict) else None
        if fields is not None and entry.get("manager") != names.OBJECT_MANAGER and entry.get("subresource") != "status":
            yield str(entry.get("manager", UNKNOWN_CLIENT))


def written(thing: Json) -> int | None:
    """Return when we last changed the object, as the API server keeps record of it; None: never."""
    for entry in thing["metadata"].get("managedFields") or ():
        if entry.get("manager") == names.OBJECT_MANAGER and entry.get("time"):
            return moment(str(entry["time"])) or None
    return None


def template_writer(thing: Json) -> str:
    """Return who else than us set something in a Deployment's template, or an empty text."""
    return next(other_writers(thing, "spec", "template"), "")


def deployment(thing: Json, expected: Mapping[str, str]) -> DeploymentFacts:
    """Return what a Deployment of ours says, which should carry the *expected* labels.

    Whether its template was tampered with is left open.
    """
    metadata, wanted, status = thing["metadata"], thing["spec"], thing.get("status") or {}
    annotations = metadata.get("annotations") or {}
    successor, _, succeeded_at = str(annotations.get(names.SUCCEEDED_BY, "")).partition(" ")
    replicas = number(wanted.get("replicas", 1))
    return DeploymentFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        hash=expected[names.POD_HASH],
        revision=revision(annotations.get(names.REVISION)),
        owner=owner(thing),
        references=len(metadata.get("ownerReferences") or ()),
        labelled=expected.items() <= (metadata.get("labels") or {}).items(),
        settled=number(status.get("observedGeneration")) >= number(metadata.get("generation")),
        replicas=replicas,
        pods=number(status.get("replicas")),
        # The status may be older than the last change of replicas; what was asked to go must not be counted on.
        ready=min(number(status.get("availableReplicas")), replicas),
        created=values.parse_time(str(metadata["creationTimestamp"])) if metadata.get("creationTimestamp") else 0,
        answering=min(number(status.get("readyReplicas")), replicas),
        min_ready_seconds=number(wanted.get("minReadySeconds")),
        rejected=str(annotations.get(names.REJECTED, "")),
        refusal=_refusal(status),
        tampered="",
        scaled_by=next(other_writers(thing, "spec", "replicas"), ""),
        deleting=metadata.get("deletionTimestamp") is not None,
        drill=names.DRILL in (metadata.get("labels") or {}),
        stable_since=moment(annotations.get(names.STABLE_SINCE)),
        successor=successor,
        succeeded_at=moment(succeeded_at),
        rejected_for=str(annotations.get(names.REJECTED_FOR, "")),
        annotated=bool(annotations),
    )


def _refusal(status: Json) -> str:
    """Return why the pods of a Deployment with this *status* are refused; an empty text if they are not."""
    words = [
        str(condition.get("message", ""))
        for condition in status.get("conditions") or ()
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True"
    ]
    return "; ".join(words)[:_WORDS_LENGTH]


def present(pods: Iterable[Json], rollout_name: str, hashes: Container[str]) -> dict[str, int]:
    """Return how many *pods* there are of each revision of a Rollout, terminating ones included.

    Those are its revisions that are known by their *hashes*, and those of which nothing else is left. A pod that has
    ended and is not deleted, such as an evicted one, runs nothing any more and may stay for days.
    """
    found: collections.Counter[str] = collections.Counter()
    for pod in pods:
        hash_ = (pod["metadata"].get("labels") or {}).get(names.POD_HASH, "")
        name = identity.deployment_name(rollout_name, hash_)
        ours = _deployment_of(pod) == name or (hash_ in hashes and _alone(pod))
        found.update([hash_] if ours and not _ended(pod) else [])
    return dict(found)


def _alone(pod: Json) -> bool:
    """Return whether a pod belongs to nothing, as after an orphaning deletion of its ReplicaSet: it still runs."""
    return not controller(pod)


def belonging(deployment_name: str, pods: Iterable[Json]) -> list[Json]:
    """Return those *pods* that are a Deployment's: labels alone do not tell."""
    return [pod for pod in pods if _deployment_of(pod) == deployment_name]


def pods_of(deployment_name: str, pods: Iterable[Json]) -> tuple[PodFacts, ...]:
    """Return the *pods* of a Deployment, terminating ones included; one that has ended is none.

    Labels alone do not tell: another Rollout of the same template has pods of the same hash. A pod's owner is a
    ReplicaSet, whose name begins with its Deployment's.
    """
    return tuple(_pod(pod) for pod in pods if not _ended(pod) and _deployment_of(pod) == deployment_name)


def ending(deployment_name: str, pods: Iterable[Json], slack_seconds: int) -> EndingPods:
    """Return how many *pods* of a Deployment may still answer, and until when.

    Not those of which no container runs, yet or any more. The API server writes down when a pod's grace is over.
    """
    found = [pod for pod in pods if _deployment_of(pod) == deployment_name and not _silent(pod)]
    ends = [pod["metadata"].get("deletionTimestamp") for pod in found]
    known = [values.parse_time(str(end)) + slack_seconds for end in ends if end is not None]
    return EndingPods(len(found), max(known) if known and len(known) == len(ends) else None)


def _silent(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Pending", "Succeeded", "Failed")


def _deployment_of(pod: Json) -> str:
    references = pod["metadata"].get("ownerReferences") or ()
    holders = (one for one in references if one.get("controller") and one.get("kind", "ReplicaSet") == "ReplicaSet")
    holder = next((str(one["name"]) for one in holders), "")
    suffix = (pod["metadata"].get("labels") or {}).get("pod-template-hash", "")
    return holder.removesuffix(f"-{suffix}")


def _pod(pod: Json) -> PodFacts:
    metadata = pod["metadata"]
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = [one for one in conditions if one.get("type") == "Ready" and one.get("status") == "True"]
    return PodFacts(
        name=metadata["name"],
        uid=metadata["uid"],
        created=values.parse_time(metadata["creationTimestamp"]),
        ready_since=values.parse_time(ready[0].get("lastTransitionTime", 0)) if ready else None,
        leaving=metadata.get("deletionTimestamp") is not None,
    )


def _ended(pod: Json) -> bool:
    leaving = pod["metadata"].get("deletionTimestamp") is not None
    return not leaving and (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _container_words(status: Json) -> tuple[str, str]:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    reason = str(waiting.get("reason") or ended.get("reason") or "")
    words = [reason, str(waiting.get("message") or "")]
    if ended:
        words.append(f"last exit code {ended.get('exitCode')}")
    return reason, ": ".join(word for word in words if word)


def _pod_words(pod: Json) -> tuple[str, str]:
    """Return the reason and the words of one pod that is not ready; empty where it says nothing."""
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for container in containers:
        reason, words = _container_words(container)
        if reason and reason not in ("Completed", "ContainerCreating", "PodInitializing"):
            return reason, f"container {container.get('name')}: {words}"
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("type") in ("PodScheduled", "ContainersReady", "Ready"):
            reason, message = str(condition.get("reason", "")), str(condition.get("message", ""))
            if reason or message:
                return reason, ": ".join(word for word in (reason, message) if word)
    return "", ""


def trouble(pods: Sequence[Json]) -> PodTrouble:
    """Return why *pods* are not ready, in the words of the worst of them, and how many it is that cannot start."""
    present = [pod for pod in pods if pod["metadata"].get("deletionTimestamp") is None and not _ended(pod)]
    found, slow = [], 0
    for pod in present:
        reason, words = _pod_words(pod)
        hopeless, unschedulable = reason in _HOPELESS, reason == _UNSCHEDULABLE
        message = f"{pod['metadata']['name']}: {words}"[:_WORDS_LENGTH] if words else ""
        found.append((hopeless, unschedulable, message))
        slow += not (hopeless or unschedulable or _crashed(pod))
    message = max(found)[-1] if found else ""
    hindered = sum(hopeless or unschedulable for hopeless, unschedulable, _ in found)
    if slow and hindered:
        message = f"{hindered} of {len(found)} pods cannot start: {message}"
    return PodTrouble(message, any(one[0] for one in found), any(one[1] for one in found), slow)


def _crashed(pod: Json) -> bool:
    """Return whether a container has ended before and is not ready: between two crashes it looks like a slow one."""
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    states = [state for one in containers if not one.get("ready") for state in (one.get("state"), one.get("lastState"))]
    return any((state or {}).get("terminated") for state in states)
