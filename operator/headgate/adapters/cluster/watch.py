"""Watches for a client that shows objects: what exists, and then each change, as long as the server keeps on telling.

The operator's own watches are kopf's. Owns how a watch is asked for and read. Must not know what the objects mean.
"""

import dataclasses
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from headgate import kinds
from headgate.adapters.cluster import answers, errors
from headgate.adapters.cluster.exchange import Exchange
from headgate.adapters.cluster.requests import Request, selector
from headgate.api import dns, names, nesting
from headgate.core.faults import Refused
from headgate.core.model import Json
from headgate.kinds.resource_kind import ResourceKind

WATCH_SECONDS: Final = 300
"""After so long the server ends a watch, and the next one shows what an earlier one may have missed."""
_SILENT_SECONDS: Final = 30
"""So much later a watch that the server did not end has lost its connection."""
_CHANGES: Final = frozenset({"ADDED", "MODIFIED"})


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """An object as it is now, or as it was last."""

    thing: Json
    deleted: bool = False


async def changes(
    exchange: Exchange, resource: ResourceKind, namespace: str, query: Mapping[str, str]
) -> AsyncGenerator[Change, None]:
    """Yield the objects that *query* selects, and each change of one; end where the server ends it.

    Raises:
        Fault: if the server cannot be reached, does not answer as one, or refuses.
    """
    # Without a version a watch begins with all there is. With one it would need a list before it, and fail where the
    # server has forgotten that version.
    asked = {"watch": "1", "timeoutSeconds": str(WATCH_SECONDS), **query}
    request = Request(verb="GET", resource=resource, namespace=namespace, query=asked)
    try:
        async for line in exchange.lines(request, WATCH_SECONDS + _SILENT_SECONDS):
            change = _change(line, resource, namespace)
            if change is not None:
                yield change
    except errors.NotFound as missing:
        raise Refused(str(missing)) from None


def _change(line: bytes, resource: ResourceKind, namespace: str) -> Change | None:
    """Return what *line* tells; None if it tells nothing, or is about another object than was asked for."""
    try:
        told = answers.parsed(line)
    except ValueError:  # whose words may be the object's
        raise errors.RetryLater("the answer is not that of a watch") from None
    kind, thing = told.get("type"), told.get("object")
    if kind == "ERROR":  # such as a server that is about to end
        words = str(nesting.mapping(thing).get("message") or "the watch ended with an error")
        raise errors.RetryLater(words[: errors.WORDS_MAX])
    found = answers.items({"items": [thing]}, resource, namespace, {})
    if kind in _CHANGES:
        return Change(found[0]) if found else None
    return Change(found[0], deleted=True) if found and kind == "DELETED" else None


def named(resource: ResourceKind, name: str) -> dict[str, str]:
    """Return the query for the one object with that *name*.

    Raises:
        Refused: if no such object can have it: in a selector it could choose others.
    """
    if not resource.names(name):
        raise Refused(f"{dns.shown(name)} cannot be the name of a {resource.kind}")
    return {"fieldSelector": f"metadata.name={name}"}


def labelled(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the query for the objects that carry all of *labels*."""
    return {"labelSelector": selector(labels)}


def regarding(name: str) -> dict[str, str]:
    """Return the query for the Events about the Rollout *name*."""
    if not kinds.EVENTS.names(name):
        raise Refused(f"{dns.shown(name)} cannot be the name of a {names.KIND}")
    return {"fieldSelector": f"regarding.kind={names.KIND},regarding.name={name}"}
