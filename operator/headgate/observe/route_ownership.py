"""Finds the rules of routes that another Rollout had first: one rule is one Rollout's to weigh.

A user who may edit a route decides how many Services are asked about here, and by which names. So no more than some are
looked at in one pass, all at once and for a moment, and what is no name is passed over.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headgate.api import dns, names, values
from headgate.core.model import Json, Kind, RolloutFacts, Unreadable
from headgate.core.model.traffic import RouteFacts, RuleFacts
from headgate.core.revisions import identity
from headgate.observe import last_known, rollout_label
from headgate.observe.interfaces import Reader

LOOKED_AT: Final = 128
"""Services whose holders are looked for in one pass, all at once.

A route may have 16 rules with 16 backends each: half of all these may be other Services, each a different one.
"""
LOOK_SECONDS: Final = 2.0
_TOO_MANY: Final = Unreadable(
    f"its routes lead to more than {LOOKED_AT} other Services, and those beyond are not looked at; give it routes of "
    "its own"
)
_TO_ROUTES: Final = ("spec", "traffic", "gatewayAPI", "routes")

_log = logging.getLogger(__name__)


async def with_claims(reader: Reader, rollout: RolloutFacts, route: RouteFacts) -> RouteFacts:
    """Return *route* with the Rollouts that had its rules before *rollout*; that may be unreadable, too."""
    return await RouteOwnership(reader, rollout).of(route)


class RouteOwnership:
    """What one pass finds out of the Services beside those of its Rollout."""

    def __init__(self, reader: Reader, rollout: RolloutFacts) -> None:
        """Read from *reader*."""
        self._reader = reader
        self._rollout = rollout
        self._left = LOOKED_AT
        self._holders: dict[str, list[Json] | Unreadable] = {}

    async def of(self, route: RouteFacts) -> RouteFacts:
        """Return *route* with the Rollouts that had its rules first."""
        named = dict.fromkeys(service for rule in route.rules for service in rule.beside)
        wanted = [service for service in named if dns.is_label(service) and service not in self._holders]
        sought, self._left = wanted[: self._left], max(self._left - len(wanted), 0)
        found = await asyncio.gather(*(self._within(service) for service in sought))
        self._holders.update(zip(sought, found, strict=True))
        self._holders.update(dict.fromkeys(wanted[len(sought) :], _TOO_MANY))
        self._tell(route, len(named) - len(self._holders.keys() & named))
        return dataclasses.replace(route, rules=tuple(self._with_claim(route, rule) for rule in route.rules))

    def _tell(self, route: RouteFacts, passed_over: int) -> None:
        if passed_over:
            _log.info(
                "%s leads to %d backends whose names no Service can have: they are passed over",
                route,
                passed_over,
                extra={"namespace": self._rollout.namespace, "rollout": self._rollout.name},
            )

    async def _within(self, service: str) -> list[Json] | Unreadable:
        """Return what `_others` returns, or why that cannot be told soon."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await self._others(service)
        except TimeoutError:
            return Unreadable(f"no answer about Service {service} within {LOOK_SECONDS:g} s", passing=True)
        except last_known.FAILED as error:
            return last_known.unreadable(error)

    async def _others(self, service: str) -> list[Json]:
        """Return the other Rollouts that a Service of the same namespace may belong to: more than one seldom do."""
        thing = await self._reader.get(Kind.SERVICE, self._rollout.namespace, service)
        label = _mapping(_mapping((thing or {}).get("metadata")).get("labels")).get(names.ROLLOUT, "")
        if label == identity.label_value(self._rollout.name):
            return await rollout_label.others(self._reader, self._rollout)
        return await rollout_label.named(self._reader, self._rollout.namespace, label)

    def _with_claim(self, route: RouteFacts, rule: RuleFacts) -> RuleFacts:
        unread: Unreadable | None = None
        for service in rule.beside:
            found = self._holders.get(service, [])
            if isinstance(found, Unreadable):
                unread = found
                continue
            for holder in found:
                if _manages(holder, route, rule, service) and _earlier(holder, self._rollout):
                    return dataclasses.replace(rule, claimed_by=str(holder["metadata"]["name"]))
        return dataclasses.replace(rule, claimed_by=unread) if unread else rule


def _manages(holder: Json, route: RouteFacts, rule: RuleFacts, service: str) -> bool:
    """Return whether *holder* means this rule too."""
    found: Any = holder
    for part in _TO_ROUTES:
        found = _mapping(found).get(part)
    mine = [one for one in _things(found) if (one.get("kind"), one.get("name")) == (route.kind, route.name)]
    stable = _mapping(_mapping(holder.get("spec")).get("traffic")).get("stableService") if mine else ""
    return stable == service and any(not one.get("rules") or rule.name in _listed(one["rules"]) for one in mine)


def _earlier(holder: Json, rollout: RolloutFacts) -> bool:
    metadata = _mapping(holder.get("metadata"))
    try:
        created = values.parse_time(metadata.get("creationTimestamp"))
    except ValueError:
        return False
    return (created, str(metadata.get("name"))) < (rollout.created, rollout.name)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _things(value: Any) -> Iterable[Json]:
    return (one for one in _listed(value) if isinstance(one, dict))
