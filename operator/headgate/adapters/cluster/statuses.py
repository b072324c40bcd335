"""Writes a Rollout's status: by server-side apply, and by a patch only where that cannot do it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from headgate import kinds
from headgate.adapters.cluster import answers, errors
from headgate.adapters.cluster.exchange import Exchange, version
from headgate.adapters.cluster.requests import Request
from headgate.api import names
from headgate.core.model import Json, Key, Kind
from headgate.kinds.resource_kind import ResourceKind


async def apply(exchange: Exchange, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
    """Make *status* a Rollout's status; a Conflict unless it is still at *resource_version*. None: it is gone.

    The server does not compare the uid on this path, but no other object ever had this resourceVersion.
    """
    metadata = {"namespace": key.namespace, "name": key.name, "uid": uid, "resourceVersion": resource_version}
    request = Request(
        verb="PATCH",
        resource=kinds.KINDS[Kind.ROLLOUT],
        namespace=key.namespace,
        name=key.name,
        subresource="status",
        query={"fieldManager": names.STATUS_MANAGER, "force": "true"},
        body={"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": metadata, "status": status},
        content_type=errors.APPLY,
    )
    try:
        stored = await _written(exchange, request)
    except errors.Untyped:
        # The server cannot merge into what fits no schema, nor take away but a part of what others wrote too, as of a
        # backup that was played back. It can replace, and then judges only what changes.
        return await _written(exchange, _replaced(request, resource_version, status))
    if stored is None or not _holds_more(stored.get("status"), status):
        return stored
    # What another client wrote too, such as a backup that was played back, outlives our leaving it out: a canary
    # that has gone would stand beside the stable revision that it has become.
    left = version(stored)
    if not isinstance(left, str):
        raise errors.RetryLater("the answer does not say which version of the Rollout was written")
    return await _written(exchange, _replaced(request, left, status))


async def _written(exchange: Exchange, request: Request) -> Json | None:
    """Make *request* and return the Rollout that comes back; None: it is gone.

    Raises:
        ComeBackLater: if something else comes back. Whether the status was written is not known then.
    """
    thing = await exchange.call_unless_missing(request)
    if thing is not None:
        answers.check_written(thing, request.resource, request.namespace, request.name)
    return thing


def json_patch(
    resource: ResourceKind, namespace: str, name: str, operations: Sequence[Json], field_manager: str
) -> Request:
    """Return the request that applies a JSON patch."""
    return Request(
        verb="PATCH",
        resource=resource,
        namespace=namespace,
        name=name,
        query={"fieldManager": field_manager},
        body=list(operations),
        content_type=errors.JSON_PATCH,
    )


def _replaced(apply_: Request, resource_version: str, status: Json) -> Request:
    operations: list[Json] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": resource_version},
        {"op": "add", "path": "/status", "value": status},
    ]
    patch = json_patch(apply_.resource, apply_.namespace, apply_.name or "", operations, names.STATUS_MANAGER)
    return dataclasses.replace(patch, subresource=apply_.subresource)


def _holds_more(stored: Any, wanted: Any) -> bool:
    """Return whether *stored* has a field or an item that *wanted* does not have."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        return any(key not in wanted or _holds_more(value, wanted[key]) for key, value in stored.items())
    if isinstance(stored, list) and isinstance(wanted, list):
        return len(stored) > len(wanted) or any(_holds_more(*pair) for pair in zip(stored, wanted, strict=False))
    return False
