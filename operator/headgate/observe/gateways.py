"""Reads what the Gateways of routes can do, as their GatewayClasses say it.

Asked for only by policies with a step that depends on it. Neither kind is watched: what was read holds for a minute.
"""

import asyncio
import dataclasses
from collections.abc import Iterable
from typing import Any, Final

from headgate.core.model import Json, Kind
from headgate.core.paths import GatewayFacts, RouteFacts, Unreadable
from headgate.observe import doubts
from headgate.observe.sources import Clock, Reader

READ_AGAIN_SECONDS: Final = 60.0
_MOST_KNOWN: Final = 1000

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

    async def of(self, routes: Iterable[RouteFacts]) -> tuple[GatewayFacts, ...]:
        """Return the parents that *routes* name, each once."""
        parents = dict.fromkeys(parent for route in routes for parent in route.parent_keys)
        return tuple(await asyncio.gather(*(self._one(parent) for parent in parents)))

    async def _one(self, parent: _Parent) -> GatewayFacts:
        known, now = self._reads.get(parent), self._clock()
        if known is not None and known.at <= now < known.at + READ_AGAIN_SECONDS:
            return known.found
        try:
            found = await self._read(parent)
        except doubts.FAILED as error:
            # What was known of it, nobody has said the contrary of.
            why = doubts.unreadable(error)
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
    kind, namespace, name = parent
    return f"{kind} {namespace}/{name}"


def _unknown(parent: _Parent, why: str) -> GatewayFacts:
    return GatewayFacts(_title(parent), "", Unreadable(why))


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
