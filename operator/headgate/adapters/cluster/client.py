"""Speaks to the Kubernetes API in plain dicts: fits `observe.Reader`, `act.Writer` and what the shell needs besides.

Owns URLs, content types and preconditions. Knows nothing of what the objects mean. Bodies are never logged.
"""

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import ApiClient

from headgate import __version__
from headgate.adapters.cluster import failures
from headgate.adapters.cluster.access import Access, NoAccessError
from headgate.adapters.cluster.freshness import Freshness
from headgate.adapters.cluster.kinds import EVENTS, RESOURCES, Resource
from headgate.api import names
from headgate.core import revisions
from headgate.core.faults import Conflict, Fault, Refused
from headgate.core.model import Json, Key, Kind

PAGE_OBJECTS: Final = 100
"""Objects per answer. Python does not give back what parsed ones took: with 500 it keeps 4 MiB more."""

_JSON: Final = "application/json"
_YAML: Final = "application/yaml"
"""For objects that hold raw data: the server keeps that of a JSON body to the byte, blanks and all, and then refuses
every later update of a ControllerRevision as a change of its data, such as the garbage collector's when it orphans it.
From YAML (of which JSON is a part) it makes its own bytes."""
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_SUCCESS: Final = range(200, 300)
_VERBS: Final = {"GET": "read", "POST": "create", "PATCH": "patch", "DELETE": "delete"}

RequestHook = Callable[[str, str, str, float], None]
"""Hears of every request when it is over: verb, plural, outcome (ok, missing, a fault's name, cancelled), seconds."""


def _ignore(_verb: str, _plural: str, _outcome: str, _seconds: float) -> None:
    """Hear nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One request, before it becomes HTTP."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None
    content_type: str = _JSON
    accept: str = _JSON

    @property
    def path(self) -> str:
        """The URL behind the server's address."""
        # Names come from objects that the API server accepted: none of them can hold a slash or a percent sign.
        parts = [self.resource.root]
        if self.namespace:
            parts += ["namespaces", self.namespace]
        parts += [part for part in (self.resource.plural, self.name, self.subresource) if part]
        return "/".join(parts)


class Cluster:
    """One API server. Close it at the end."""

    def __init__(self, access: Access, *, timeout_seconds: float = 10.0, on_request: RequestHook = _ignore) -> None:
        configuration = access.configuration
        configuration.retries = None  # who retries, and when, is the work queue's to decide
        # Or aiohttp reads ~/.netrc and the environment's proxies in two threads, for every request: a third of a pass.
        # The proxy is in the configuration by now.
        configuration.client_session_kwargs = {"trust_env": False}
        self._api = ApiClient(configuration)
        self._api.user_agent = f"headgate/{__version__}"
        self._timeout_seconds = timeout_seconds
        self._on_request = on_request
        self._freshness = Freshness()

    def seen(self, kind: Kind, resource_version: str) -> None:
        """Take in what a watch showed: no list may be older."""
        self._freshness.note(RESOURCES[kind], resource_version)

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]  # typed in part only

    # --- observe.Reader ----------------------------------------------------------------------------------------------

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object as it is now, or None if there is none."""
        request = _Request(verb="GET", resource=RESOURCES[kind], namespace=namespace, name=name)
        return await self._call_unless_missing(request)

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return all objects in *namespace* that carry all of *labels*, as fresh as `freshness` says."""
        found: list[Json] = []
        resource = RESOURCES[kind]
        bound = self._freshness.query(resource)
        try:
            async for page in self._pages(kind, namespace, revisions.selector_text(labels), accept=_JSON, bound=bound):
                found.extend(page)
        except Fault:
            self._freshness.forget(resource)
            raise
        for thing in found:
            self._freshness.note(resource, _version(thing))
        return found

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Return what the API server would make of creating *body*: a dry run with strict field validation."""
        query = {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": names.OBJECT_MANAGER}
        return await self._create(RESOURCES[kind], namespace, body, query)

    # --- act.Writer --------------------------------------------------------------------------------------------------

    async def create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Create *body* and return it as stored. An object of that name is a Conflict.

        Fields that the server does not know are dropped with a warning: a template that an older server or a looser
        admission accepted must not stop a return to it.
        """
        query = {"fieldValidation": "Warn", "fieldManager": names.OBJECT_MANAGER}
        return await self._create(RESOURCES[kind], namespace, body, query, content_type=_YAML)

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
        request = _json_patch(RESOURCES[kind], namespace, name, operations, field_manager)
        if strict:
            request = dataclasses.replace(request, query={**request.query, "fieldValidation": "Strict"})
        return await self._call_unless_missing(request)

    async def apply_status(self, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
        """Make *status* a Rollout's status; a Conflict unless it is still at *resource_version*. None: it is gone.

        By server-side apply, and by a patch only where that cannot do it. The server does not compare the uid on this
        path, but no other object ever had this resourceVersion.
        """
        metadata = {"namespace": key.namespace, "name": key.name, "uid": uid, "resourceVersion": resource_version}
        request = _Request(
            verb="PATCH",
            resource=RESOURCES[Kind.ROLLOUT],
            namespace=key.namespace,
            name=key.name,
            subresource="status",
            query={"fieldManager": names.STATUS_MANAGER, "force": "true"},
            body={"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "status": status},
            content_type=failures.APPLY,
        )
        try:
            stored = await self._call_unless_missing(request)
        except failures.Untyped:
            # The server cannot merge into what fits no schema. It can replace, and then judges only what changes.
            return await self._call_unless_missing(_status_patch(request, resource_version, status))
        if stored is None or not _holds_more(stored.get("status"), status):
            return stored
        # What somebody else wrote too, such as a backup that was played back, outlives our leaving it out: a canary
        # that has gone would stand beside the stable revision that it has become.
        left = stored["metadata"]["resourceVersion"]
        return await self._call_unless_missing(_status_patch(request, left, status))

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object if it is still the one with *uid* (empty: whichever); one that is gone is fine."""
        body: Json = {"propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        resource = RESOURCES[kind]
        await self._call_unless_missing(
            _Request(verb="DELETE", resource=resource, namespace=namespace, name=name, body=body)
        )

    async def evict(self, namespace: str, name: str, uid: str) -> None:
        """Evict a pod if it is still the one with *uid*; one that is gone is fine. Refused where a budget says no."""
        body: Json = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        resource = RESOURCES[Kind.POD]
        await self._call_unless_missing(
            _Request(verb="POST", resource=resource, namespace=namespace, name=name, subresource="eviction", body=body)
        )

    # --- what the shell needs besides --------------------------------------------------------------------------------

    async def list_metadata(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[Json]:
        """Return the metadata, without managedFields, of all objects of *kind*; no *namespace* means all of them."""
        found: list[Json] = []
        async for page in self._pages(kind, namespace, revisions.selector_text(labels or {}), accept=_METADATA_LIST):
            for thing in page:
                thing["metadata"].pop("managedFields", None)  # nine tenths of it; no server leaves it out
            found.extend(page)
        return found

    def pages(self, kind: Kind, namespace: str, selector: str) -> AsyncIterator[list[Json]]:
        """Yield all objects of *kind* that *selector* chooses, ordered by namespace and name, PAGE_OBJECTS at a time.

        An empty *namespace* means all of them.
        """
        return self._pages(kind, namespace, selector, accept=_JSON)

    async def serves(self, kind: Kind) -> bool:
        """Return whether the cluster has that kind at all."""
        resource = RESOURCES[kind]
        group = dataclasses.replace(resource, plural="")
        found = await self._call_unless_missing(_Request(verb="GET", resource=group, namespace=""))
        return found is not None and any(one.get("name") == resource.plural for one in found.get("resources") or ())

    async def probe(self) -> None:
        """Return if the server answers and can read Rollouts."""
        await self._call_unless_missing(
            _Request(verb="GET", resource=RESOURCES[Kind.ROLLOUT], namespace="", query={"limit": "1"})
        )

    async def create_event(self, namespace: str, body: Json) -> None:
        """Create an events.k8s.io/v1 Event."""
        await self._create(EVENTS, namespace, body, {"fieldManager": names.OBJECT_MANAGER})

    async def patch_event(self, namespace: str, name: str, operations: Sequence[Json]) -> bool:
        """Apply a JSON patch to an Event; return whether it still exists."""
        request = _json_patch(EVENTS, namespace, name, operations, names.OBJECT_MANAGER)
        return await self._call_unless_missing(request) is not None

    # --- the one way out ---------------------------------------------------------------------------------------------

    async def _create(
        self, resource: Resource, namespace: str, body: Json, query: Mapping[str, str], *, content_type: str = _JSON
    ) -> Json:
        whole: Any = {"apiVersion": resource.api_version, **body}
        request = _Request(
            verb="POST",
            resource=resource,
            namespace=namespace,
            query=query,
            body=json.dumps(whole) if content_type == _YAML else whole,
            content_type=content_type,
        )
        try:
            return await self._call(request)
        except failures.Missing as missing:  # the namespace, or the kind itself
            raise Refused(str(missing)) from None

    async def _pages(
        self, kind: Kind, namespace: str, selector: str, *, accept: str, bound: Mapping[str, str] = MappingProxyType({})
    ) -> AsyncIterator[list[Json]]:
        resource = RESOURCES[kind]
        query = {"limit": str(PAGE_OBJECTS), **({"labelSelector": selector} if selector else {})}
        place = bound  # or where the page before ended, which has the version of the first one
        while True:
            asked = {**query, **place}
            request = _Request(verb="GET", resource=resource, namespace=namespace, query=asked, accept=accept)
            try:
                page = await self._call(request)
            except failures.Missing as missing:  # not for a missing namespace: that has an empty list
                if resource.optional:
                    return
                raise Refused(str(missing)) from None
            yield page.get("items") or []
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            place = {"continue": more}

    async def _call_unless_missing(self, request: _Request) -> Json | None:
        try:
            return await self._call(request)
        except failures.Missing:
            return None

    async def _call(self, request: _Request) -> Json:
        """Make one request and return its answer, or raise the fault that its failure means."""
        started = time.perf_counter()
        outcome = "cancelled"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._exchange(request)
            outcome = "ok"
            self._freshness.note(request.resource, _version(answer))
        except failures.Missing:
            outcome = "missing"
            raise
        except Fault as fault:
            outcome = _outcome(fault)
            raise
        except TimeoutError:
            outcome = "unreachable"
            raise failures.ComeBackLater(f"no answer within {self._timeout_seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError, NoAccessError) as error:
            # ValueError: an answer that is no JSON, or no UTF-8, comes from something between us and the server.
            outcome = "unreachable"
            raise failures.ComeBackLater(f"{type(error).__name__}: {error}"[: failures.WORDS_MAX]) from error
        finally:
            self._on_request(_VERBS[request.verb], request.resource.plural, outcome, time.perf_counter() - started)
        return answer

    async def _exchange(self, request: _Request) -> Json:
        method, url, headers, payload, _ = await self._api.param_serialize(
            request.verb,
            request.path,
            query_params=list(request.query.items()),
            header_params={"Content-Type": request.content_type, "Accept": request.accept},
            body=request.body,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        response = await self._api.call_api(method, url, headers, payload, _request_timeout=timeout)
        data: bytes = await response.read()  # type: ignore[no-untyped-call]  # typed in part only
        if response.status not in _SUCCESS:
            raise failures.fault(
                response.status, response.headers, data, request.content_type, optional=request.resource.optional
            )
        answer = json.loads(data)
        if not isinstance(answer, dict):
            raise ValueError("the answer is no object")  # a fault in _call, like any other nonsense
        return answer


def _json_patch(
    resource: Resource, namespace: str, name: str, operations: Sequence[Json], field_manager: str
) -> _Request:
    return _Request(
        verb="PATCH",
        resource=resource,
        namespace=namespace,
        name=name,
        query={"fieldManager": field_manager},
        body=list(operations),
        content_type=failures.JSON_PATCH,
    )


def _status_patch(apply: _Request, resource_version: str, status: Json) -> _Request:
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "add", "path": "/status", "value": status},
    ]
    patch = _json_patch(apply.resource, apply.namespace, apply.name, operations, names.STATUS_MANAGER)
    return dataclasses.replace(patch, subresource=apply.subresource)


def _holds_more(stored: Any, wanted: Any) -> bool:
    """Return whether *stored* has a field or an item that *wanted* does not have."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        return any(key not in wanted or _holds_more(value, wanted[key]) for key, value in stored.items())
    if isinstance(stored, list) and isinstance(wanted, list):
        return len(stored) > len(wanted) or any(_holds_more(*pair) for pair in zip(stored, wanted, strict=False))
    return False


def _version(thing: Json) -> Any:
    """Return the resourceVersion of *thing*; None for a list, whose own one no other server may have heard of."""
    return None if "items" in thing else (thing.get("metadata") or {}).get("resourceVersion")


def _outcome(fault: Fault) -> str:
    if isinstance(fault, Conflict):
        return "conflict"
    return "refused" if isinstance(fault, Refused) else "unreachable"
