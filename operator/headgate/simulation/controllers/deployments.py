"""The controller manager's part: Deployments, their ReplicaSets (not kept as objects) and the counts in their status.

As in a real cluster three controllers follow one another, each a moment behind: a Deployment is synced (its generation
observed), then its pods are created and deleted, then they are counted. So a status may be older than the spec.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Final

from headgate.core.model import Json, Kind
from headgate.core.revisions import identity
from headgate.simulation.cluster import json_values
from headgate.simulation.cluster.server import ApiServer
from headgate.simulation.cluster.store import Change
from headgate.simulation.controllers.pods import Pods
from headgate.simulation.process.clock import Clock

MANAGER: Final = "kube-controller-manager"
QUOTA_RETRY_SECONDS: Final = 5.0


@dataclasses.dataclass(slots=True)
class _ReplicaSets:
    """What the controllers know of one Deployment."""

    wanted: int = 0
    digest: str = ""
    counts: Json = dataclasses.field(default_factory=dict)
    refusal: str = ""
    made: int = 0
    served: tuple[str, ...] = ()
    """The pods that served when pods were last created and deleted."""


class Deployments:
    """The controllers of all Deployments."""

    def __init__(self, server: ApiServer, agenda: Clock, pods: Pods, lag: Callable[[], float]) -> None:
        """Follow every change in *server*'s store, each after a *lag*."""
        self._server = server
        self._agenda = agenda
        self._pods = pods
        self._lag = lag
        self._sets: dict[str, _ReplicaSets] = {}
        server.store.listeners.append(self._heard)

    def _heard(self, change: Change) -> None:
        thing = change.thing
        if change.kind is Kind.POD:
            self._heard_pod(change)
            return
        if change.kind is not Kind.DEPLOYMENT or change.after is None:
            return
        if change.before is None or change.before["metadata"]["generation"] != thing["metadata"]["generation"]:
            namespace, name = thing["metadata"]["namespace"], thing["metadata"]["name"]
            self._agenda.after(self._lag(), lambda: self._sync(namespace, name))

    def _heard_pod(self, change: Change) -> None:
        owner = change.thing["metadata"]["ownerReferences"][0]
        namespace, name = change.thing["metadata"]["namespace"], owner["name"]
        if change.after is None:
            self._pods.ready_since.pop(change.thing["metadata"]["uid"], None)
        self._agenda.after(self._lag(), lambda: self._count(namespace, name))

    def of(self, thing: Json) -> list[Json]:
        """Return the pods of a Deployment that are not on their way out, oldest first."""
        labels = thing["spec"]["selector"]["matchLabels"]
        found = self._server.store.peek(Kind.POD, labels, thing["metadata"]["namespace"])
        mine = [pod for pod in found if pod["metadata"]["ownerReferences"][0]["uid"] == thing["metadata"]["uid"]]
        living = [pod for pod in mine if pod["metadata"].get("deletionTimestamp") is None]
        return sorted(living, key=lambda pod: str(pod["metadata"]["uid"]))

    def _set(self, thing: Json) -> _ReplicaSets:
        return self._sets.setdefault(thing["metadata"]["uid"], _ReplicaSets())

    def _get(self, namespace: str, name: str) -> Json | None:
        thing = self._server.store.held(Kind.DEPLOYMENT, namespace, name)
        return thing if thing and thing["metadata"].get("deletionTimestamp") is None else None

    def _sync(self, namespace: str, name: str) -> None:
        thing = self._get(namespace, name)
        if thing is None:
            return
        known = self._set(thing)
        known.wanted = thing["spec"]["replicas"]
        template = json_values.copied(thing["spec"]["template"])
        known.digest = identity.digest(identity.canonical(template))
        self._write(thing, known)
        self._agenda.after(self._lag(), lambda: self._populate(namespace, name))

    def _populate(self, namespace: str, name: str) -> None:
        thing = self._get(namespace, name)
        if thing is None:
            return
        known, living = self._set(thing), self.of(thing)
        known.served = self._state(thing, living)
        new = [pod for pod in living if pod["metadata"]["labels"]["pod-template-hash"] == known.digest]
        old = [pod for pod in living if pod not in new]
        most = known.wanted + (math.ceil(known.wanted / 4) if old else 0)
        known.refusal = ""
        for _ in range(min(known.wanted - len(new), most - len(living))):
            if not self._pods.quota_left():
                known.refusal = 'pods "web" is forbidden: exceeded quota: pods'
                self._agenda.after(QUOTA_RETRY_SECONDS, lambda: self._populate(namespace, name))
                break
            self._pods.create(thing, known.digest, known.made)
            known.made += 1
        self._shrink(thing, known, new, old)
        self._agenda.after(self._lag(), lambda: self._count(namespace, name))

    def _shrink(self, thing: Json, known: _ReplicaSets, new: list[Json], old: list[Json]) -> None:
        def readiness(pod: Json) -> tuple[float, str]:
            # The ReplicaSet lets unready pods go first, then those that are ready since shortest, then the youngest.
            return self._pods.ready_since.get(pod["metadata"]["uid"], math.inf), pod["metadata"]["uid"]

        surplus = max(0, len(new) - known.wanted)
        for pod in sorted(new, key=readiness, reverse=True)[:surplus]:
            self._pods.terminate(pod)
        if old:
            spare = self._available(thing, [*new, *old]) - (known.wanted - known.wanted // 4)
            for pod in sorted(old, key=readiness, reverse=True):
                serves = self._available(thing, [pod])
                if serves <= max(spare, 0):
                    spare -= serves
                    self._pods.terminate(pod)

    def _state(self, thing: Json, living: list[Json]) -> tuple[str, ...]:
        return tuple(f"{pod['metadata']['uid']}/{self.serves(thing, pod)}" for pod in living)

    def _available(self, thing: Json, pods: list[Json]) -> int:
        return sum(self.serves(thing, pod) for pod in pods)

    def rolls(self, thing: Json) -> bool:
        """Return whether a Deployment has pods of two templates."""
        return len({pod["metadata"]["labels"]["pod-template-hash"] for pod in self.of(thing)}) > 1

    def serves(self, thing: Json, pod: Json) -> bool:
        """Return whether a pod has been ready for as long as its Deployment asks."""
        since = self._pods.ready_since.get(pod["metadata"]["uid"])
        return since is not None and self._agenda.now >= since + thing["spec"].get("minReadySeconds", 0)

    def _count(self, namespace: str, name: str) -> None:
        thing = self._get(namespace, name)
        if thing is None:
            return
        known, living = self._set(thing), self.of(thing)
        seasons = thing["spec"].get("minReadySeconds", 0)
        for pod in living:
            since = self._pods.ready_since.get(pod["metadata"]["uid"])
            if since is not None and self._agenda.now < since + seasons:
                left = since + seasons - self._agenda.now
                self._agenda.after(left + 0.001, lambda: self._count(namespace, name))
        known.counts = {
            "replicas": len(living),
            "readyReplicas": sum(pod["metadata"]["uid"] in self._pods.ready_since for pod in living),
            "availableReplicas": self._available(thing, living),
        }
        self._write(thing, known)
        if self._state(thing, living) != known.served:
            self._agenda.after(self._lag(), lambda: self._populate(namespace, name))

    def _write(self, thing: Json, known: _ReplicaSets) -> None:
        metadata = thing["metadata"]
        failing = {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": known.refusal,
        }
        status = {
            "observedGeneration": (thing.get("status") or {}).get("observedGeneration", 0),
            **{name: count for name, count in known.counts.items() if count},
            **({"conditions": [failing]} if known.refusal else {}),
        }
        if known.wanted == thing["spec"]["replicas"]:
            status["observedGeneration"] = metadata["generation"]
        self._server.write_status(Kind.DEPLOYMENT, metadata["namespace"], metadata["name"], status, MANAGER)
