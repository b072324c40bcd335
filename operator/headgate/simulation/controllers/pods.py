"""The kubelet's part: what becomes of a pod, by its image. Owns pod objects and when they are ready."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, Final

from headgate.api import values
from headgate.core import faults
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.store import Store
from headgate.simulation.process.clock import Clock

LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
KUBELET: Final = "kubelet"
GRACE_SECONDS: Final = 30


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """How pods with an image behave."""

    ready_after_seconds: float = 5.0
    ends_after_seconds: float = 2.0
    trouble: str = ""
    """Reason for which a pod never becomes ready: ImagePullBackOff, CrashLoopBackOff, Unschedulable, or Slow."""
    troubled: tuple[int, ...] | None = None
    """Which pods of a Deployment, by order of their creation from 0, have the trouble; None: all."""


def _condition(kind: str, *, holds: bool, at: float, reason: str = "", message: str = "") -> Json:
    words = {"reason": reason, "message": message} if reason else {}
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "lastTransitionTime": values.format_time(at),
        **words,
    }


def is_ready(pod: Json) -> bool:
    """Return whether a pod is ready and not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and pod["metadata"].get("deletionTimestamp") is None


class Pods:
    """All pods, and what becomes of them."""

    def __init__(self, store: Store, agenda: Clock) -> None:
        self._store = store
        self._agenda = agenda
        self._made = itertools.count()
        self.images: dict[str, Image] = {}
        """How images behave; those that are not here become ready by themselves."""
        self.least_ready = 0
        """What a PodDisruptionBudget asks for: no eviction may leave fewer ready pods."""
        self.quota: int | None = None
        """The most pods that the namespace may have."""
        self.ready_since: dict[str, float] = {}
        """By uid, for pods that are ready."""
        self.ending: set[str] = set()
        """By uid, those that were ready when they were asked to go, and are not gone."""
        self.failed: dict[str, float] = {}
        """By uid: when a pod that had been ready stopped being so by itself."""
        self.fallen: set[str] = set()
        """Those that ever did: ready again they need their time to count as available."""

    def quota_left(self) -> bool:
        """Return whether one more pod may be created."""
        return self.quota is None or len(self._store.peek(Kind.POD)) < self.quota

    def create(self, deployment: Json, digest: str, order: int) -> None:
        """Create the pod of a Deployment's template with *digest*, the one with number *order*."""
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        number, suffix = next(self._made), ""
        for _ in range(5):
            number, index = divmod(number, len(LETTERS))
            suffix = LETTERS[index] + suffix
        body = {
            "metadata": {
                "name": f"{metadata['name']}-{digest}-{suffix}",
                "namespace": metadata["namespace"],
                "labels": {**template["metadata"]["labels"], "pod-template-hash": digest},
                "ownerReferences": [
                    {"kind": "ReplicaSet", "name": metadata["name"], "uid": metadata["uid"], "controller": True}
                ],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        pod = self._store.create(Kind.POD, body, KUBELET)
        self._begin(pod, order)

    def _begin(self, pod: Json, order: int) -> None:
        image = self._image(pod)
        if image.trouble and (image.troubled is None or order in image.troubled):
            self._agenda.after(1.0, lambda: self._stuck(pod, image.trouble))
        else:
            self._agenda.after(image.ready_after_seconds, lambda: self._ready(pod))

    def _change(self, pod: Json, change: Callable[[Json], None]) -> None:
        metadata = pod["metadata"]
        thing = self._store.get(Kind.POD, metadata["namespace"], metadata["name"])
        if thing is None or thing["metadata"]["uid"] != metadata["uid"]:
            return
        if thing["metadata"].get("deletionTimestamp") is None:
            change(thing)
            self._store.update(Kind.POD, thing, KUBELET, "status")

    def _ready(self, pod: Json) -> None:
        def change(thing: Json) -> None:
            self.ready_since[thing["metadata"]["uid"]] = self._agenda.now
            self.failed.pop(thing["metadata"]["uid"], None)
            thing["status"] = {
                "phase": "Running",
                "conditions": [_condition("Ready", holds=True, at=self._agenda.now)],
                "containerStatuses": [{"name": thing["spec"]["containers"][0]["name"], "ready": True}],
            }

        self._change(pod, change)

    def _stuck(self, pod: Json, trouble: str) -> None:
        def change(thing: Json) -> None:
            uid = thing["metadata"]["uid"]
            if self.ready_since.pop(uid, None) is not None:
                self.failed[uid] = self._agenda.now
                self.fallen.add(uid)
            thing["status"] = _stuck_status(thing, trouble, self._agenda.now)

        self._change(pod, change)

    def fail(self, pod: Json, seconds: float | None = None) -> None:
        """Let a pod crash; it is ready again after *seconds*, or never."""
        self._stuck(pod, "CrashLoopBackOff")
        if seconds is not None:
            self._agenda.after(seconds, lambda: self._ready(pod))

    def evict(self, pod: Json) -> None:
        """Let a pod go if the budget allows it; one that is not ready costs nothing.

        Raises:
            Refused: if it does not.
        """
        ready = sum(is_ready(one) for one in self._store.peek(Kind.POD))
        if self.least_ready and is_ready(pod) and ready <= self.least_ready:
            raise faults.Refused(
                "Cannot evict pod as it would violate the pod's disruption budget. "
                f"The disruption budget web needs {self.least_ready} healthy pods and has {ready} currently"
            )
        self.terminate(pod)

    def _image(self, pod: Json) -> Image:
        return self.images.get(pod["spec"]["containers"][0]["image"], Image())

    def terminate(self, pod: Json) -> None:
        """Let a pod go; until it is gone it exists with the time when its grace is over, and may still answer."""
        metadata = pod["metadata"]
        if self.ready_since.pop(metadata["uid"], None) is not None:
            self.ending.add(metadata["uid"])
        self.failed.pop(metadata["uid"], None)
        self.fallen.discard(metadata["uid"])
        thing = self._store.get(Kind.POD, metadata["namespace"], metadata["name"])
        if thing is None or thing["metadata"].get("deletionTimestamp") is not None:
            return
        grace = pod["spec"].get("terminationGracePeriodSeconds", GRACE_SECONDS)
        thing["metadata"]["deletionTimestamp"] = values.format_time(self._agenda.now + grace)
        thing["metadata"]["deletionGracePeriodSeconds"] = grace
        self._store.update(Kind.POD, thing, KUBELET)
        self._agenda.after(self._image(pod).ends_after_seconds, lambda: self._end(metadata))

    def _end(self, metadata: Json) -> None:
        self.ending.discard(metadata["uid"])
        self._store.delete(Kind.POD, metadata["namespace"], metadata["name"], KUBELET)


def _stuck_status(pod: Json, trouble: str, now: float) -> Json:
    name = pod["spec"]["containers"][0]["name"]
    if trouble == "Unschedulable":
        message = "0/3 nodes are available: insufficient cpu"
        return {
            "phase": "Pending",
            "conditions": [_condition("PodScheduled", holds=False, at=now, reason=trouble, message=message)],
        }
    reason = "ContainersNotReady"
    unready = _condition(
        "Ready", holds=False, at=now, reason=reason, message=f"containers with unready status: [{name}]"
    )
    container: dict[str, Any] = {"name": name, "ready": False}
    if trouble == "CrashLoopBackOff":
        container["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    if trouble != "Slow":
        container["state"] = {"waiting": {"reason": trouble, "message": "back-off"}}
    return {"phase": "Running", "conditions": [unready], "containerStatuses": [container]}
