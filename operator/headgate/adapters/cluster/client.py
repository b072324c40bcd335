"""Speaks to the Kubernetes API in plain dicts: fits `observe.Reader`, `act.Writer` and what the shell needs besides.

Owns URLs, content types and preconditions. Knows nothing of what the objects mean. Bodies are never logged.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import ApiClient

from headgate import __version__
from headgate.adapters.cluster import failures
from headgate.adapters.cluster.access import Access, NoAccessError
from headgate.adapters.cluster.kinds import EVENTS, RESOURCES, Resource
from headgate.api import names
from headgate.core.faults import Conflict, Fault, Refused
from headgate.core.model import Json, Key, Kind

PAGE_OBJECTS: Final = 500
"""Objects per answer: as kubectl, so that neither side holds a whole large cluster at once."""

_JSON: Final = "application/json"
_JSON_PATCH: Final = "application/json-patch+json"
_APPLY: Final = "application/apply-patch+yaml"
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

_VERBS: Final = {"GET": "read", "POST": "create", "PATCH": "patch", "DELETE": "delete"}

RequestHook = Callable[[str, str, str, float], None]
"""Hears of every request when it is over: verb, plural, outcome (ok, missing, a fault's name, cancelled), seconds."""


def _ignore(_verb: str, _plural: str, _outcome: str, _seconds: float) -> None:
    """Hear nothing."""


class Cluster:
    """One API server. Close it at the end."""

    def __init__(self, access: Access, *, timeout_seconds: float = 10.0, on_request: RequestHook = _ignore) -> None:
        configuration = access.configuration
        configuration.retries = None  # who retries, and when, is the work queue's to decide
        self._api = ApiClient(configuration)
        self._api.user_agent = f"headgate/{__version__}"
        self._timeout_seconds = timeout_seconds
        self._on_request = on_request

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    # --- observe.Reader ----------------------------------------------------------------------------------------------

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object as it is now, or None if there is none."""
        try:
            return await self._call("GET", RESOURCES[kind], namespace, name)
        except failures.Missing:
            return None

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return all objects in *namespace* that carry all of *labels*, as they are now."""
        return await self._list(RESOURCES[kind], namespace, labels, accept=_JSON)

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
        return await self._create(RESOURCES[kind], namespace, body, query)

    async def patch(
        self, kind: Kind, namespace: str, name: str, operations: Sequence[Json], field_manager: str
    ) -> Json | None:
        """Apply a JSON patch and return the object, or None if there is none. A failed test operation is a Conflict."""
        query = {"fieldManager": field_manager}
        try:
            return await self._call(
                "PATCH", RESOURCES[kind], namespace, name, query=query, body=list(operations), content_type=_JSON_PATCH
            )
        except failures.Missing:
            return None

    async def apply_status(self, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
        """Server-side apply a Rollout's status; a Conflict unless it is still at *resource_version*. None: it is gone.

        A Rollout of that name with another uid is a Conflict, too.
        """
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "namespace": key.namespace,
                "name": key.name,
                "uid": uid,
                "resourceVersion": resource_version,
            },
            "status": status,
        }
        query = {"fieldManager": names.STATUS_MANAGER, "force": "true"}
        try:
            return await self._call(
                "PATCH",
                RESOURCES[Kind.ROLLOUT],
                key.namespace,
                key.name,
                subresource="status",
                query=query,
                body=body,
                content_type=_APPLY,
            )
        except failures.Missing:
            return None

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object if it is still the one with *uid*; one that is gone is fine."""
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._call("DELETE", RESOURCES[kind], namespace, name, body=body)
        except failures.Missing:
            return

    # --- what the shell needs besides --------------------------------------------------------------------------------

    async def list_metadata(
        self, kind: Kind, namespace: str = "", labels: Mapping[str, str] | None = None
    ) -> list[Json]:
        """Return the metadata, and nothing else, of all objects of *kind*; an empty *namespace* means all of them."""
        return await self._list(RESOURCES[kind], namespace, labels or {}, accept=_METADATA_LIST)

    async def create_event(self, namespace: str, body: Json) -> None:
        """Create an events.k8s.io/v1 Event."""
        await self._create(EVENTS, namespace, body, {"fieldManager": names.OBJECT_MANAGER})

    async def patch_event(self, namespace: str, name: str, operations: Sequence[Json]) -> bool:
        """Apply a JSON patch to an Event; return whether it still exists."""
        query = {"fieldManager": names.OBJECT_MANAGER}
        try:
            await self._call(
                "PATCH", EVENTS, namespace, name, query=query, body=list(operations), content_type=_JSON_PATCH
            )
        except failures.Missing:
            return False
        return True

    # --- the one way out ---------------------------------------------------------------------------------------------

    async def _create(self, resource: Resource, namespace: str, body: Json, query: Mapping[str, str]) -> Json:
        body = {"apiVersion": resource.api_version, **body}
        try:
            return await self._call("POST", resource, namespace, query=query, body=body)
        except failures.Missing as missing:  # the namespace, or the kind itself
            raise Refused(str(missing)) from None

    async def _list(self, resource: Resource, namespace: str, labels: Mapping[str, str], *, accept: str) -> list[Json]:
        query = {"limit": str(PAGE_OBJECTS)}
        if labels:
            query["labelSelector"] = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
        found: list[Json] = []
        while True:
            try:
                page = await self._call("GET", resource, namespace, query=query, accept=accept)
            except failures.Missing:  # a namespace that does not exist has an empty list
                raise Refused(f"the API server does not know {resource.plural}.{resource.group}") from None
            found.extend(page.get("items") or ())
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return found
            query["continue"] = more

    async def _call(
        self,
        verb: str,
        resource: Resource,
        namespace: str,
        name: str = "",
        *,
        subresource: str = "",
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Json:
        """Make one request and return its answer, or raise the fault that its failure means."""
        started = time.perf_counter()
        outcome = "cancelled"
        path = _path(resource, namespace, name, subresource)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._exchange(verb, path, query, body, {"Content-Type": content_type, "Accept": accept})
            outcome = "ok"
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
            self._on_request(_VERBS[verb], resource.plural, outcome, time.perf_counter() - started)
        return answer

    async def _exchange(
        self, verb: str, path: str, query: Mapping[str, str] | None, body: Any, headers: dict[str, str]
    ) -> Json:
        method, url, header_params, payload, _ = await self._api.param_serialize(
            verb,
            path,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        timeout = aiohttp.ClientTimeout(total=self._timeout_seconds)
        response = await self._api.call_api(method, url, header_params, payload, _request_timeout=timeout)
        data: bytes = await response.read()  # type: ignore[no-untyped-call]
        if not 200 <= response.status < 300:
            json_patch = headers["Content-Type"] == _JSON_PATCH
            raise failures.fault(response.status, response.headers, data, json_patch=json_patch)
        answer = json.loads(data)
        if not isinstance(answer, dict):
            raise ValueError("the answer is no object")
        return answer


def _path(resource: Resource, namespace: str, name: str, subresource: str) -> str:
    # Names come from objects that the API server accepted: none of them can hold a slash or a percent sign.
    parts = [resource.root]
    if namespace:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    parts += [part for part in (name, subresource) if part]
    return "/".join(parts)


def _outcome(fault: Fault) -> str:
    if isinstance(fault, Conflict):
        return "conflict"
    return "refused" if isinstance(fault, Refused) else "unreachable"
