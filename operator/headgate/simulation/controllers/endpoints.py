"""The endpoint controller's part: EndpointSlices that follow Services' selectors and pods, each a moment behind.

Pods on their way out stay in a slice until they are gone, marked as terminating, as in a real cluster.
"""

from collections.abc import Callable
from typing import Final

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.server import ApiServer
from headgate.simulation.cluster.store import Change
from headgate.simulation.controllers.pods import Pods
from headgate.simulation.process.clock import Clock

MANAGER: Final = "endpoint-slice-controller"
FAMILIES: Final = ("v4", "v6")
"""A Service of two families has a slice for each, and both name the same pods."""


class Services:
    """The controller of all EndpointSlices."""

    def __init__(self, server: ApiServer, agenda: Clock, pods: Pods, lag: Callable[[], float]) -> None:
        """Follow every change in *server*'s store, each after a *lag*."""
        self._server = server
        self._agenda = agenda
        self._pods = pods
        self._lag = lag
        self._due: set[tuple[str, str]] = set()
        server.store.listeners.append(self._heard)

    def _heard(self, change: Change) -> None:
        metadata = change.thing["metadata"]
        if change.kind is Kind.SERVICE:
            self._plan(metadata["namespace"], metadata["name"])
        if change.kind is Kind.POD:
            labels = (metadata.get("labels") or {}).items()
            for service in self._server.store.peek(Kind.SERVICE, namespace=metadata["namespace"]):
                selector = service["spec"].get("selector") or {}
                if selector and selector.items() <= labels:
                    self._plan(metadata["namespace"], service["metadata"]["name"])

    def _plan(self, namespace: str, name: str) -> None:
        if (namespace, name) not in self._due:
            self._due.add((namespace, name))
            self._agenda.after(self._lag(), lambda: self._sync(namespace, name))

    def _sync(self, namespace: str, name: str) -> None:
        self._due.discard((namespace, name))
        store = self._server.store
        service = store.held(Kind.SERVICE, namespace, name)
        for family in FAMILIES:
            slice_name = f"{name}-{family}"
            known = store.held(Kind.ENDPOINT_SLICE, namespace, slice_name)
            if service is None:
                store.delete(Kind.ENDPOINT_SLICE, namespace, slice_name, MANAGER)
            elif known is None:
                store.create(Kind.ENDPOINT_SLICE, self._slice(service, slice_name, family), MANAGER)
            else:
                fresh = self._slice(service, slice_name, family)
                fresh["metadata"] = {**known["metadata"], "labels": fresh["metadata"]["labels"]}
                store.update(Kind.ENDPOINT_SLICE, fresh, MANAGER)

    def _slice(self, service: Json, slice_name: str, family: str) -> Json:
        metadata = service["metadata"]
        return {
            "metadata": {
                "name": slice_name,
                "namespace": metadata["namespace"],
                "labels": {**(metadata.get("labels") or {}), names.SERVICE_NAME: metadata["name"]},
            },
            "addressType": "IPv4" if family == FAMILIES[0] else "IPv6",
            "endpoints": [self._endpoint(pod, family) for pod in self.selected(service)],
        }

    def selected(self, service: Json) -> list[Json]:
        """Return the pods that a Service selects now."""
        selector = service["spec"].get("selector") or {}
        return self._server.store.peek(Kind.POD, selector, service["metadata"]["namespace"]) if selector else []

    def _endpoint(self, pod: Json, family: str) -> Json:
        metadata = pod["metadata"]
        serving = metadata["uid"] in self._pods.ready_since or metadata["uid"] in self._pods.ending
        terminating = metadata.get("deletionTimestamp") is not None
        return {
            "addresses": [f"{family}:{metadata['uid']}"],
            "conditions": {"ready": serving and not terminating, "serving": serving, "terminating": terminating},
            "targetRef": {"kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]},
        }

    def ready(self, name: str) -> set[str]:
        """Return the uids of the pods that the slices of a Service call ready: what callers inside the cluster get."""
        slices = self._server.store.peek(Kind.ENDPOINT_SLICE, {names.SERVICE_NAME: name})
        return {uid for one in slices for uid in ready_in(one)}


def ready_in(one: Json) -> set[str]:
    """Return the uids of the pods that a slice calls ready."""
    found = one["endpoints"]
    return {str(endpoint["targetRef"]["uid"]) for endpoint in found if endpoint["conditions"]["ready"]}
