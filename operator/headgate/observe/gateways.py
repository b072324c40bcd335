"""Reads what the Gateways of routes can do, as their GatewayClasses say it.

Asked for only by policies with a step that depends on it. Neither kind is watched: what was read holds for a minute.
"""

import asyncio
import dataclasses
from collections.abc import Collection, Iterable
from typing import Any, Final

from headgate.core.model import Json, Kind, Unreadable
from headgate.core.model.traffic import NOT_TOLD, GatewayFacts, RouteFacts
from headgate.observe import last_known, parse_traffic
from headgate.observe.interfaces import Clock, Reader

READ_AGAIN_SECONDS: Final = 60.0
_MOST_KNOWN: Final = 1000
_MOST_READ: Final = 32
"""Parents in one pass: as many as one route can have."""

_Parent = tuple[str, str, str]
"""Kind, namespace, name."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Read:
    at: float
    found: GatewayFacts


class Gateways:
    """Reads them, and remembers for a while what it has read."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        """Read from *reader*."""
        self._reader = reader
        self._clock = clock
        self._reads: dict[_Parent, _Read] = {}
        self._opened: set[tuple[str, _Parent]] = set()
        """Gateways of other namespaces that have accepted a route of the namespace."""

    async def of(self, routes: Iterable[RouteFacts], namespace: str | None = None) -> tuple[GatewayFacts, ...]:
        """Return the parents that *routes* name, each once.

        Args:
            routes: the routes.
            namespace: where they are. Of a Gateway elsewhere nothing is told before it has accepted one of them, and
                nothing but what it can do then: the author of a route can name any Gateway.
        """
        asked = list(routes)
        parents = list(dict.fromkeys(parent for route in asked for parent in route.parent_keys))
        open_to = {told.name for route in asked for told in route.parents if told.accepted}
        found = [self._one(parent, namespace, open_to) for parent in parents[:_MOST_READ]]
        beyond = (_unknown(parent, f"only {_MOST_READ} parents are looked at") for parent in parents[_MOST_READ:])
        return (*await asyncio.gather(*found), *beyond)

    async def _one(self, parent: _Parent, namespace: str | None, open_to: Collection[str]) -> GatewayFacts:
        elsewhere = namespace is not None and parent[1] != namespace
        if not elsewhere:
            return await self._known(parent)
        if any(name.partition(" (")[0] == _title(parent) for name in open_to):
            # Once is enough: after each of our writes it has to accept the route anew.
            if len(self._opened) >= _MOST_KNOWN:
                self._opened.clear()
            self._opened.add((str(namespace), parent))
        if (str(namespace), parent) not in self._opened:
            return _unknown(parent, "it has not accepted the route", passing=True)
        found = await self._known(parent)
        if isinstance(found.features, Unreadable):
            return _unknown(parent, "it, or its GatewayClass, could not be read", passing=found.features.passing)
        return dataclasses.replace(found, class_name=NOT_TOLD if found.class_name else "")

    async def _known(self, parent: _Parent) -> GatewayFacts:
        known, now = self._reads.get(parent), self._clock()
        if known is not None and known.at <= now < known.at + READ_AGAIN_SECONDS:
            return known.found
        try:
            found = await self._read(parent)
        except last_known.FAILED as error:
            # Keep the last answer on a transient error.
            why = last_known.unreadable(error)
            return known.found if known and why.passing else GatewayFacts(_title(parent), "", why)
        if isinstance(found.features, frozenset):
            if len(self._reads) >= _MOST_KNOWN:
                self._reads.clear()
            self._reads[parent] = _Read(now, found)
        return found

    async def _read(self, parent: _Parent) -> GatewayFacts:
        kind, namespace, name = parent
        if kind != Kind.GATEWAY.value:
            return GatewayFacts(_title(parent), "", frozenset())
        gateway = await self._reader.get(Kind.GATEWAY, namespace, name)
        if gateway is None:
            return _unknown(parent, "it does not exist")
        class_name = str(_mapping(gateway.get("spec")).get("gatewayClassName", ""))
        found = await self._reader.get(Kind.GATEWAY_CLASS, "", class_name)
        if found is None:
            return _unknown(parent, f"its GatewayClass {class_name} does not exist")
        features = _mapping(found.get("status")).get("supportedFeatures")
        names = (_mapping(one).get("name") for one in (features if isinstance(features, list) else ()))
        return GatewayFacts(_title(parent), class_name, frozenset(str(name) for name in names if name))


def _title(parent: _Parent) -> str:
    return parse_traffic.title(*parent)


def _unknown(parent: _Parent, why: str, *, passing: bool = False) -> GatewayFacts:
    return GatewayFacts(_title(parent), "", Unreadable(why, passing=passing))


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
