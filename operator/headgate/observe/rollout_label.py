"""Tells which Rollouts a value of the Rollout label can mean: it has room for 63 characters, names may have 253.

The label of a name that is too long ends with a hash, and another Rollout may have that very text for its name. Whose a
Service is then tells the revision that it selects, whose hash was made with the Rollout's full name.
"""

import dataclasses
from collections.abc import Container, Iterable
from typing import Final

from headgate.api import dns, nesting
from headgate.core.model import Json, Kind, RolloutFacts
from headgate.core.model.traffic import ServiceFacts
from headgate.core.revisions import identity
from headgate.observe.interfaces import Reader

_SIDES: Final = ("stable", "canary", "previous")


async def named(reader: Reader, namespace: str, label: str) -> list[Json]:
    """Return the Rollouts whose objects bear *label*: the one of that name, and those whose names it stands for.

    Raises:
        Unreachable, Refused: if they cannot be read.
        one of MISSHAPEN: if one of them has no name.
    """
    if not dns.is_subdomain(label):
        return []  # a label holds more than names, and no Rollout has what is none
    exact = await reader.get(Kind.ROLLOUT, namespace, label)
    found = [] if exact is None else [exact]
    if identity.may_be_shared(label):
        others = await reader.select(Kind.ROLLOUT, namespace, {})
        found += (one for one in others if _name(one) != label and identity.label_value(_name(one)) == label)
    return found


async def others(reader: Reader, rollout: RolloutFacts) -> list[Json]:
    """Return the other Rollouts whose objects bear the same label as those of *rollout*: nearly always none."""
    label = identity.label_value(rollout.name)
    if not identity.may_be_shared(label):
        return []
    return [one for one in await named(reader, rollout.namespace, label) if _name(one) != rollout.name]


def _name(rollout: Json) -> str:
    return str(rollout["metadata"]["name"])


def of_others(service: ServiceFacts, others: Iterable[Json]) -> str:
    """Return which of the *others*, who have our label, a Service belongs to; an empty text: to none of them.

    It selects none of our own revisions.
    """
    return next((_name(one) for one in others if _has(one, service)), "")


def released(services: Iterable[ServiceFacts], others: list[Json], ours: Container[str]) -> tuple[ServiceFacts, ...]:
    """Return those of *services*, which bear our label and which we name no more, that are ours to release.

    Where *others* have the same label that is only what selects a revision of ours, and no revision of theirs.
    """
    if not others:
        return tuple(services)
    return tuple(
        one
        for one in services
        if (not one.selects or one.selects in ours) and not any(_has(other, one) for other in others)
    )


def claimed(service: ServiceFacts, holder: str) -> ServiceFacts:
    """Return *service* as one that belongs to *holder*, though it bears our label."""
    return dataclasses.replace(service, holder=holder, labelled=False)


def _has(rollout: Json, service: ServiceFacts) -> bool:
    """Return whether *service* selects a revision that is in use by *rollout*, or none and is named by it."""
    if service.selects:
        status = nesting.mapping(rollout.get("status"))
        return service.selects in {nesting.mapping(status.get(side)).get("hash") for side in _SIDES}
    traffic = nesting.mapping(nesting.mapping(rollout.get("spec")).get("traffic"))
    return service.name in (traffic.get("stableService"), traffic.get("canaryService"))
