"""Finds the rules of routes that another Rollout had first: one rule is one Rollout's to weigh."""

import asyncio
import dataclasses
from typing import Any, Final

from headgate.api import names, values
from headgate.core import revisions
from headgate.core.model import Json, Kind, RolloutFacts
from headgate.core.paths import RouteFacts, RuleFacts, Unreadable
from headgate.observe import doubts
from headgate.observe.sources import Reader

_TO_ROUTES: Final = ("spec", "traffic", "gatewayAPI", "routes")


async def with_claims(reader: Reader, rollout: RolloutFacts, route: RouteFacts) -> RouteFacts:
    """Return *route* with the Rollouts that had its rules before *rollout*; that may be unreadable, too."""
    others = await asyncio.gather(*(_with_claim(reader, rollout, route, rule) for rule in route.rules))
    return dataclasses.replace(route, rules=tuple(others))


async def _with_claim(reader: Reader, rollout: RolloutFacts, route: RouteFacts, rule: RuleFacts) -> RuleFacts:
    unread: Unreadable | None = None
    for service in rule.beside:
        try:
            holder = await _holder(reader, rollout, service)
            if holder is not None and _manages(holder, route, rule, service) and _earlier(holder, rollout):
                return dataclasses.replace(rule, claimed_by=str(holder["metadata"]["name"]))
        except doubts.FAILED as error:
            unread = doubts.unreadable(error)
    return dataclasses.replace(rule, claimed_by=unread) if unread else rule


async def _holder(reader: Reader, rollout: RolloutFacts, service: str) -> Json | None:
    """Return the other Rollout that a Service of the same namespace belongs to, if it does to one."""
    thing = await reader.get(Kind.SERVICE, rollout.namespace, service)
    label = ((thing or {}).get("metadata", {}).get("labels") or {}).get(names.ROLLOUT, "")
    if label in ("", revisions.label_value(rollout.name)):
        return None
    return await reader.get(Kind.ROLLOUT, rollout.namespace, label)


def _manages(holder: Json, route: RouteFacts, rule: RuleFacts, service: str) -> bool:
    """Return whether *holder* means this rule too."""
    found: Any = holder
    for part in _TO_ROUTES:
        found = found.get(part) if isinstance(found, dict) else None
    asked = [one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict)]
    mine = [one for one in asked if (one.get("kind"), one.get("name")) == (route.kind, route.name)]
    stable = holder["spec"]["traffic"].get("stableService") if mine else ""
    return stable == service and any(not one.get("rules") or rule.name in one["rules"] for one in mine)


def _earlier(holder: Json, rollout: RolloutFacts) -> bool:
    metadata = holder["metadata"]
    created = values.parse_time(metadata["creationTimestamp"])
    return (created, str(metadata["name"])) < (rollout.created, rollout.name)
