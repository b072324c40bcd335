"""Speaks to the Kubernetes API in plain dicts: fits `observe.Reader`, `act.Writer` and what the shell needs besides.

Owns verbs, content types and preconditions. Knows nothing of what the objects mean. Bodies are never logged.
"""

import dataclasses
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final

from headgate import kinds
from headgate.adapters.cluster import answers, errors, statuses, watch
from headgate.adapters.cluster.access import Access
from headgate.adapters.cluster.exchange import Exchange, RequestHook, ignore, version
from headgate.adapters.cluster.lists import METADATA, Pages
from headgate.adapters.cluster.requests import JSON, Request, check_body, selector
from headgate.adapters.cluster.statuses import json_patch
from headgate.adapters.cluster.watch import Change
from headgate.api import names
from headgate.core.faults import Fault, Refused
from headgate.core.model import Json, Key, Kind
from headgate.kinds.resource_kind import ResourceKind

_YAML: Final = "application/yaml"
"""For objects that hold raw data: the server keeps that of a JSON body to the byte, blanks and all, and then refuses
every later update of a ControllerRevision as a change of its data, such as the garbage collector's when it orphans it.
From YAML (of which JSON is a part) it makes its own bytes."""


class Cluster:
    """One API server. Close it at the end."""

    def __init__(self, access: Access, *, timeout_seconds: float = 10.0, on_request: RequestHook = ignore) -> None:
        self._exchange = Exchange(access, timeout_seconds, on_request)
        self._freshness = self._exchange.freshness

    def seen(self, kind: Kind, resource_version: str) -> None:
        """Take in what a watch showed: no list may be older."""
        self._freshness.note(kinds.KINDS[kind], resource_version)

    async def close(self) -> None:
        """Close the connections."""
        await self._exchange.close()

    # --- observe.Reader ----------------------------------------------------------------------------------------------

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object as it is now, or None if there is none. Another one than was asked for is a fault."""
        resource = kinds.KINDS[kind]
        request = Request(verb="GET", resource=resource, namespace=namespace, name=name)
        thing = await self._exchange.call_unless_missing(request)
        if thing is not None:
            answers.check_object(thing, resource, namespace, name)
        return thing

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return all objects in *namespace* that carry all of *labels*, as fresh as `freshness` says."""
        resource = kinds.KINDS[kind]
        pages = Pages(self._exchange, resource, namespace, selector(labels))
        try:
            found = await pages.held(self._freshness.query(resource))
        except Fault:
            self._freshness.forget(resource)
            raise
        for thing in found:
            self._freshness.note(resource, version(thing))
        return found

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Return what the API server would make of creating *body*: a dry run with strict field validation."""
        query = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": names.OBJECT_MANAGER}
        return await self._create(kinds.KINDS[kind], namespace, body, query)

    # --- act.Writer --------------------------------------------------------------------------------------------------

    async def create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Create *body* and return it as stored. An object of that name is a Conflict.

        Fields that the server does not know are dropped with a warning: a template that an older server or a looser
        admission accepted must not stop a return to it.
        """
        query = {"fieldValidation": "Warn", "fieldManager": names.OBJECT_MANAGER}
        return await self._create(kinds.KINDS[kind], namespace, body, query, content_type=_YAML)

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Json],
        field_manager: str,
        *,
        strict: bool = False,
    ) -> Json | None:
        """Apply a JSON patch and return the object, or None if there is none. A failed test operation is a Conflict.

        If *strict*, a field that the server does not know is Refused instead of dropped.
        """
        resource = kinds.KINDS[kind]
        request = json_patch(resource, namespace, name, operations, field_manager)
        if strict:
            request = dataclasses.replace(request, query={**request.query, "fieldValidation": "Strict"})
        thing = await self._exchange.call_unless_missing(request)
        if thing is not None:
            answers.check_written(thing, resource, namespace, name)
        return thing

    async def apply_status(self, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
        """Make *status* a Rollout's status; a Conflict unless it is still at *resource_version*. None: it is gone."""
        return await statuses.apply(self._exchange, key, uid, resource_version, status)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str, resource_version: str = "") -> None:
        """Delete the object if it is still the one with *uid*, at *resource_version*; one that is gone is fine."""
        body: Json = {"propagationPolicy": "Background"}
        asked = {"uid": uid, "resourceVersion": resource_version}
        if preconditions := {field: value for field, value in asked.items() if value}:
            body["preconditions"] = preconditions
        resource = kinds.KINDS[kind]
        await self._exchange.call_unless_missing(
            Request(verb="DELETE", resource=resource, namespace=namespace, name=name, body=body)
        )

    async def evict(self, namespace: str, name: str, uid: str) -> None:
        """Evict a pod if it is still the one with *uid*; one that is gone is fine. Refused where a budget says no."""
        body: Json = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        resource = kinds.KINDS[Kind.POD]
        await self._exchange.call_unless_missing(
            Request(verb="POST", resource=resource, namespace=namespace, name=name, subresource="eviction", body=body)
        )

    # --- what the shell needs besides --------------------------------------------------------------------------------

    async def list_metadata(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[Json]:
        """Return the metadata, without managedFields, of all objects of *kind*; no *namespace* means all of them."""
        found: list[Json] = []
        pages = Pages(self._exchange, kinds.KINDS[kind], namespace, selector(labels or {}), accept=METADATA)
        async for page in pages.read():
            for thing in page:
                thing["metadata"].pop("managedFields", None)  # nine tenths of it; no server leaves it out
            found.extend(page)
        return found

    def pages(self, kind: Kind, namespace: str, selected: str) -> AsyncIterator[list[Json]]:
        """Yield all objects of *kind* that are *selected*, ordered by namespace and name, some at a time.

        An empty *namespace* means all of them. One that is too large to be read is passed over.
        """
        return Pages(self._exchange, kinds.KINDS[kind], namespace, selected).read()

    async def serves(self, kind: Kind) -> bool:
        """Return whether the cluster has that kind at all."""
        resource = kinds.KINDS[kind]
        group = dataclasses.replace(resource, plural="")
        found = await self._exchange.call_unless_missing(Request(verb="GET", resource=group, namespace=""))
        listed = found.get("resources") if found is not None else None
        named = (one.get("name") for one in listed if isinstance(one, dict)) if isinstance(listed, list) else ()
        return resource.plural in named

    async def probe(self, namespace: str = "") -> None:
        """Return if the server answers and can read Rollouts, those of *namespace* if one is named."""
        await self._exchange.call_unless_missing(
            Request(
                verb="GET",
                resource=kinds.KINDS[Kind.ROLLOUT],
                namespace=namespace,
                query={"limit": "1"},
                accept=METADATA,
            )
        )

    async def create_event(self, namespace: str, body: Json) -> None:
        """Create an events.k8s.io/v1 Event."""
        await self._create(kinds.EVENTS, namespace, body, {"fieldManager": names.OBJECT_MANAGER})

    async def patch_event(self, namespace: str, name: str, operations: Sequence[Json]) -> bool:
        """Apply a JSON patch to an Event; return whether it still exists."""
        request = json_patch(kinds.EVENTS, namespace, name, operations, names.OBJECT_MANAGER)
        return await self._exchange.call_unless_missing(request) is not None

    # --- what the command line needs ---------------------------------------------------------------------------------

    async def events(self, namespace: str, name: str) -> list[Json]:
        """Return the Events about the Rollout *name*."""
        request = Request(verb="GET", resource=kinds.EVENTS, namespace=namespace, query=watch.regarding(name))
        page = await self._exchange.call_unless_missing(request)
        return answers.items(page or {}, kinds.EVENTS, namespace, {})

    def watch(self, kind: Kind, namespace: str, name: str) -> AsyncGenerator[Change, None]:
        """Yield the object if it exists, and each change of it; end where the server ends the watch."""
        resource = kinds.KINDS[kind]
        return watch.changes(self._exchange, resource, namespace, watch.named(resource, name))

    def watch_labelled(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> AsyncGenerator[Change, None]:
        """Yield the objects that carry all of *labels*, and each change of one, as `watch` does."""
        return watch.changes(self._exchange, kinds.KINDS[kind], namespace, watch.labelled(labels))

    def watch_events(self, namespace: str, name: str) -> AsyncGenerator[Change, None]:
        """Yield the Events about the Rollout *name*, and each new one, as `watch` does."""
        return watch.changes(self._exchange, kinds.EVENTS, namespace, watch.regarding(name))

    async def _create(
        self, resource: ResourceKind, namespace: str, body: Json, query: Mapping[str, str], *, content_type: str = JSON
    ) -> Json:
        check_body(resource, body)
        whole: Any = {"apiVersion": resource.api_version, **body}
        request = Request(
            verb="POST",
            resource=resource,
            namespace=namespace,
            query=query,
            body=json.dumps(whole) if content_type == _YAML else whole,
            content_type=content_type,
        )
        try:
            thing = (await self._exchange.call(request)).thing
        except errors.NotFound as missing:  # the namespace, or the kind itself
            raise Refused(str(missing)) from None
        answers.check_written(thing, resource, namespace, body["metadata"].get("name"))
        return thing
