"""Reads the Deployments that stand where a Rollout's should, and what is known of those that cannot be read now.

The list shows all of ours. Where it cannot be read, or shows none for a revision that serves, that revision's own is
asked for by its name. What cannot be read in either way is what was read last, or else what the status says of it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final

from headgate.api import names
from headgate.api.status import RolloutStatus, Side
from headgate.core.model import DeploymentFacts, Json, Kind, Part, RolloutFacts, Target, Unreadable
from headgate.core.revisions import identity, manifests
from headgate.observe import last_known, ownership, parse_workloads, rollout_label
from headgate.observe.interfaces import Reader

_NOTHING: Final[Json] = {}


@dataclasses.dataclass(slots=True)
class Owned:
    """The Deployments that stand where a Rollout's should."""

    ours: dict[str, tuple[DeploymentFacts, Json]] = dataclasses.field(default_factory=dict)
    in_the_way: dict[str, str] = dataclasses.field(default_factory=dict)
    """What is said of those that stand where one of ours would, by hash."""
    strangers: tuple[str, ...] = ()
    namesakes: frozenset[str] = frozenset()
    """Those in the way that another Rollout with the same label controls."""
    unread: dict[Part, Unreadable] = dataclasses.field(default_factory=dict)

    def foreign(self, status: RolloutStatus, target: Target) -> tuple[str, ...]:
        """Return what is said of those that stand where a Deployment is needed now."""
        sides = (status.stable, status.canary, status.previous, status.rollback)
        needed = {target.hash, *(side.hash for side in sides if side is not None)}
        return tuple(words for hash_, words in self.in_the_way.items() if hash_ in needed)

    def aside(self, status: RolloutStatus, target: Target) -> tuple[str, ...]:
        """Return what is said of all others."""
        foreign = self.foreign(status, target)
        others = (words for hash_, words in self.in_the_way.items() if hash_ not in self.namesakes)
        return (*self.strangers, *(words for words in others if words not in foreign))


def _labels(rollout: RolloutFacts, revision_hash: str) -> dict[str, str]:
    return {**manifests.labels(rollout), names.POD_HASH: revision_hash}


def _in_the_way(name: str) -> str:
    return f"Deployment {name} exists and is not ours: it lacks the label {names.ROLLOUT}; rename or delete it"


async def read(
    reader: Reader, rollout: RolloutFacts, status: RolloutStatus, known: Mapping[str, DeploymentFacts]
) -> Owned:
    """Return what stands there; *known* is what was read before."""
    owned = Owned()
    try:
        things = await reader.select(Kind.DEPLOYMENT, rollout.namespace, ownership.label(rollout.name))
    except last_known.FAILED as error:
        owned.unread[Part.DEPLOYMENTS] = last_known.unreadable(error)
        things = []
    for thing in things:
        try:
            _listed(rollout, thing, owned)
        except last_known.MISSHAPEN as error:
            owned.unread[Part.DEPLOYMENTS] = last_known.unreadable(error)
    await _leave_orphans(reader, rollout, status, owned)
    for side in (status.stable, status.canary, status.previous):
        if side is not None and side.hash not in owned.ours:
            await _look_for(reader, rollout, side, owned, known.get(side.hash))
    return owned


def _listed(rollout: RolloutFacts, thing: Json, owned: Owned) -> None:
    found = ownership.deployments(rollout, [last_known.asked_for(thing, ownership.label(rollout.name))])
    owned.in_the_way |= found.in_the_way
    owned.namesakes |= found.namesakes
    owned.strangers = tuple(sorted((*owned.strangers, *found.strangers)))
    for hash_ in found.ours:
        owned.ours[hash_] = (parse_workloads.deployment(thing, _labels(rollout, hash_)), thing)


async def _leave_orphans(reader: Reader, rollout: RolloutFacts, status: RolloutStatus, owned: Owned) -> None:
    """Leave out what no Rollout controls and another one with the same label may have lost, but for what is in use."""
    sides = (status.stable, status.canary, status.previous, status.rollback)
    known = {rollout.template_hash, *(side.hash for side in sides if side is not None)}
    orphans = {hash_ for hash_, (facts, _) in owned.ours.items() if not facts.owner} - known
    if not orphans:
        return
    try:
        if not await rollout_label.others(reader, rollout):
            return
    except last_known.FAILED as error:
        owned.unread[Part.DEPLOYMENTS] = last_known.unreadable(error)
    for hash_ in orphans:
        del owned.ours[hash_]


async def _look_for(
    reader: Reader, rollout: RolloutFacts, side: Side, owned: Owned, known: DeploymentFacts | None
) -> None:
    """Add what stands where the Deployment of *side* should: ours without its labels, or another owner's."""
    name = identity.deployment_name(rollout.name, side.hash)
    try:
        thing = await reader.get(Kind.DEPLOYMENT, rollout.namespace, name)
        ours = thing is not None and ownership.stands_for(thing, rollout.name) == side.hash
        if thing is not None and ours and parse_workloads.owner(thing) == rollout.uid:
            owned.ours[side.hash] = (parse_workloads.deployment(thing, _labels(rollout, side.hash)), thing)
        elif thing is not None:
            owned.in_the_way.setdefault(side.hash, _in_the_way(name))
    except last_known.FAILED as error:
        why = last_known.unreadable(error)
        owned.unread[Part.SIDES] = dataclasses.replace(why, why=f"{name}: {why.why}")
        facts = dataclasses.replace(known or _as_recorded(rollout, side), settled=False, stale=True)
        owned.ours[side.hash] = (facts, _NOTHING)


def _as_recorded(rollout: RolloutFacts, side: Side) -> DeploymentFacts:
    """Return what the status says of a revision's Deployment."""
    return DeploymentFacts(
        name=identity.deployment_name(rollout.name, side.hash),
        uid="",
        resource_version="",
        hash=side.hash,
        revision=side.revision,
        owner=rollout.uid,
        references=1,
        labelled=True,
        settled=False,
        replicas=side.replicas,
        pods=side.replicas,
        ready=min(side.ready, side.replicas),
        answering=min(side.ready, side.replicas),
        min_ready_seconds=0,
        rejected="",
        refusal="",
        tampered="",
        scaled_by="",
        deleting=False,
    )
