"""The virtual API server: what a create, patch, apply or delete means for an object of each kind.

`ApiServer` is what users and controllers speak to. `Connection` is what one operator process has of it: it fits
`observe.Reader` and `act.Writer`, takes virtual time, and suffers the faults that were planned.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from headgate.api import names
from headgate.core import faults
from headgate.core.model import Json, Key, Kind
from headgate.simulation.cluster import admission, json_values, patches, templates
from headgate.simulation.cluster.store import Store
from headgate.simulation.process import fault_injection as troubles
from headgate.simulation.process.clock import Clock

_DEPLOYMENT_DEFAULTS: Final[Json] = {
    "replicas": 1,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
}
_Answer = TypeVar("_Answer")


class ApiServer:
    """Checks, completes and keeps objects."""

    def __init__(self, store: Store) -> None:
        """Keep objects in *store*."""
        self.store = store
        self.banned_images: set[str] = set()
        """Images that an admission policy refuses in Deployments."""
        self.evicts: Callable[[Json], None] = lambda _: None
        """Lets a pod go, or refuses to."""

    def admitted(self, kind: Kind, body: Json, *, strict: bool) -> Json:
        """Return *body* as it would be kept.

        Raises:
            Refused: if the server, or its admission, does not take it.
        """
        if kind is not Kind.DEPLOYMENT:
            return admission.completed(kind, body)
        spec = {**json_values.copied(_DEPLOYMENT_DEFAULTS), **json_values.copied(body["spec"])}
        spec["template"] = templates.stored(spec["template"], strict=strict)
        banned = [
            container["image"]
            for container in spec["template"]["spec"]["containers"]
            if container["image"] in self.banned_images
        ]
        if banned:
            raise faults.Refused(f"admission webhook denied the request: image {banned[0]} is not allowed")
        labels = spec["template"]["metadata"].get("labels") or {}
        if not spec["selector"]["matchLabels"].items() <= labels.items():
            raise faults.Refused("spec.template.metadata.labels: `selector` does not match template `labels`")
        return {**json_values.copied(body), "spec": spec}

    def try_create(self, kind: Kind, body: Json) -> Json:
        """Return what would be kept: a dry run with strict field validation."""
        return self.admitted(kind, body, strict=True)

    def create(self, kind: Kind, namespace: str, body: Json, manager: str) -> Json:
        """Keep a new object."""
        complete = self.admitted(kind, {**body, "metadata": {**body["metadata"], "namespace": namespace}}, strict=False)
        name = complete["metadata"]["name"]
        if not self.store.free(kind, namespace, name):
            raise faults.Conflict(f"{kind.value} {name} already exists")
        return self.store.create(kind, complete, manager)

    def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Json], manager: str, subresource: str = ""
    ) -> Json | None:
        """Apply a JSON patch to everything but the status."""
        thing = self.store.held(kind, namespace, name)
        if thing is None:
            return None
        try:
            changed = patches.patched(thing, operations)
        except patches.Unfit as unfit:
            raise faults.Conflict(str(unfit)) from None
        self._unchangeable(kind, thing, changed)
        if kind is not Kind.DEPLOYMENT or changed["spec"]["template"] != thing["spec"]["template"]:
            changed = self.admitted(kind, changed, strict=False)
        if "status" in thing:
            changed["status"] = thing["status"]
        return self.store.update(kind, changed, manager, subresource)

    def _unchangeable(self, kind: Kind, thing: Json, changed: Json) -> None:
        old, new = thing["metadata"], changed["metadata"]
        if kind is Kind.DEPLOYMENT and thing["spec"]["selector"] != changed["spec"]["selector"]:
            raise faults.Refused("spec.selector: field is immutable")
        added = set(new.get("finalizers") or ()) - set(old.get("finalizers") or ())
        if added and old.get("deletionTimestamp") is not None:
            raise faults.Refused("no new finalizers can be added if the object is being deleted")

    def apply_status(self, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
        """Server-side apply a Rollout's status."""
        thing = self.store.held(Kind.ROLLOUT, key.namespace, key.name)
        if thing is None:
            return None
        if thing["metadata"]["uid"] != uid or thing["metadata"]["resourceVersion"] != resource_version:
            raise faults.Conflict("the object has been modified; please apply your changes to the latest version")
        return self.store.apply_status(Kind.ROLLOUT, key.namespace, key.name, status, names.STATUS_MANAGER)

    def write_status(self, kind: Kind, namespace: str, name: str, status: Json, manager: str) -> None:
        """Replace an object's status, as a controller does."""
        thing = self.store.held(kind, namespace, name)
        if thing is not None:
            self.store.update(kind, {**thing, "status": status}, manager, "status")

    def delete(
        self, kind: Kind, namespace: str, name: str, uid: str, manager: str, *, orphan: bool = False, version: str = ""
    ) -> None:
        """Delete an object if it is still the one with *uid*, at *version*."""
        thing = self.store.held(kind, namespace, name)
        if thing is None:
            return
        if uid and thing["metadata"]["uid"] != uid:
            raise faults.Conflict("precondition failed: uid")
        if version and thing["metadata"]["resourceVersion"] != version:
            raise faults.Conflict("precondition failed: resourceVersion")
        self.store.delete(kind, namespace, name, manager, orphan=orphan)

    def evict(self, namespace: str, name: str, uid: str) -> None:
        """Evict a pod if it is still the one with *uid*."""
        thing = self.store.held(Kind.POD, namespace, name)
        if thing is None:
            return
        if thing["metadata"]["uid"] != uid:
            raise faults.Conflict("precondition failed: uid")
        self.evicts(thing)


class Connection:
    """One operator process' way to the API server."""

    def __init__(
        self,
        server: ApiServer,
        agenda: Clock,
        plan: troubles.Plan,
        latency: Callable[[], float],
        heard: Callable[[troubles.Call, Json | None], None],
        counts: dict[bool, int],
    ) -> None:
        """Speak to *server*; each call takes *latency* and may fail by *plan*; *heard* hears of those that arrive.

        Args:
            server: who answers.
            agenda: where time passes.
            plan: what goes wrong.
            latency: seconds that the next call takes.
            heard: hears of every call that takes effect, with the body or patch where it is a write.
            counts: how many writes (True) and reads (False) there have been, of all processes.
        """
        self._server = server
        self._agenda = agenda
        self._plan = plan
        self._latency = latency
        self._heard = heard
        self._counts = counts
        self.ends: Callable[[], float] = lambda: math.inf
        """Says when calls end that run then: the process gives up the pass that waits for them."""

    def _overdue(self, seconds: float) -> bool:
        """Let time pass, until the pass has to end at most; return whether it has."""
        end = self._agenda.now + seconds
        while self._agenda.step(min(end, self.ends())):
            pass  # what happens may be what the pass has to end for
        return self._agenda.now >= self.ends()

    def _call(self, verb: str, kind: Kind, name: str, take: Callable[[], _Answer], body: Json | None = None) -> _Answer:
        overdue = self._overdue(self._latency())
        writes = verb in troubles.WRITES
        self._counts[writes] += 1
        call = troubles.Call(verb, kind, name, self._agenda.now, self._counts[writes])
        trouble = troubles.possible(self._plan(call), call)
        if trouble is troubles.Trouble.HANGS:
            overdue = self._overdue(troubles.HANG_SECONDS)
        # The call of a pass that is given up has taken effect or not: as well the one as the other.
        if overdue and (call.ordinal % 2 or trouble is troubles.Trouble.HANGS):
            raise asyncio.CancelledError
        if trouble is not None:
            troubles.before(trouble, call)
        self._heard(call, body)
        answer = take()
        if overdue:
            raise asyncio.CancelledError
        if trouble is troubles.Trouble.GARBAGE:
            garbled: _Answer = troubles.garbled(call, answer)
            return garbled
        if trouble is not None:
            troubles.after(trouble, call)
        return answer

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object as it is now, or None if there is none."""
        return self._call("get", kind, name, lambda: self._server.store.get(kind, namespace, name))

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return all objects in *namespace* that carry all of *labels*, as they are now."""
        return self._call("select", kind, "", lambda: self._server.store.select(kind, labels, namespace))

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Return what the API server would make of creating *body*."""
        name = f"{namespace}/{body['metadata'].get('generateName', '')}"
        return self._call("try_create", kind, name, lambda: self._server.try_create(kind, body))

    async def create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Create *body* and return it as stored."""
        name = body["metadata"]["name"]
        return self._call(
            "create", kind, name, lambda: self._server.create(kind, namespace, body, names.OBJECT_MANAGER), body
        )

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Json],
        field_manager: str,
        *,
        strict: bool = False,  # noqa: ARG002  # this server knows every field
    ) -> Json | None:
        """Apply a JSON patch and return the object, or None if there is none."""
        return self._call(
            "patch",
            kind,
            name,
            lambda: self._server.patch(kind, namespace, name, operations, field_manager),
            {"operations": list(operations)},
        )

    async def apply_status(self, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
        """Apply a Rollout's status; a Conflict unless it is still at *resource_version*. None: it is gone."""
        return self._call(
            "apply_status",
            Kind.ROLLOUT,
            key.name,
            lambda: self._server.apply_status(key, uid, resource_version, status),
            status,
        )

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str, resource_version: str = "") -> None:
        """Delete the object if it is still the one with *uid*, at *resource_version*; one that is gone is fine."""
        self._call(
            "delete",
            kind,
            name,
            lambda: self._server.delete(kind, namespace, name, uid, names.OBJECT_MANAGER, version=resource_version),
            {"uid": uid},
        )

    async def evict(self, namespace: str, name: str, uid: str) -> None:
        """Evict a pod if it is still the one with *uid*; one that is gone is fine."""
        self._call("evict", Kind.POD, name, lambda: self._server.evict(namespace, name, uid), {"uid": uid})
