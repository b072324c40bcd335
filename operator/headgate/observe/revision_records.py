"""Reads a Rollout's ControllerRevisions, and what stands where the next ones are to be.

Records are listed by label. One that lacks the label, or that something else owns, is not in that list, and its name
is taken all the same: what the spec needs recorded and the list lacks is asked for by name.
"""

import asyncio
import dataclasses
from typing import Final

from headgate.api.status import RolloutStatus
from headgate.core.model import Json, Kind, RolloutFacts, Unreadable
from headgate.core.revisions import identity
from headgate.core.rollout import record_conflicts
from headgate.observe import last_known, ownership, parse_workloads
from headgate.observe.interfaces import Reader

_NONE: Final = ownership.Records({}, {})


async def read(
    reader: Reader, rollout: RolloutFacts, status: RolloutStatus
) -> tuple[ownership.Records, Unreadable | None]:
    """Return what is on record, and why that could not be read."""
    try:
        things = await reader.select(Kind.CONTROLLER_REVISION, rollout.namespace, ownership.label(rollout.name))
        # What an older Rollout of this name left goes with it, and must not be counted on.
        found = ownership.records((one for one in things if _may_be_ours(one, rollout.uid)), rollout.name)
    except last_known.FAILED as error:
        return _NONE, last_known.unreadable(error)
    taken = await asyncio.gather(*(_taken(reader, rollout, name) for name in _lacking(rollout, status, found)))
    strangers = {*found.strangers, *(words for words in taken if words)}
    return dataclasses.replace(found, strangers=tuple(sorted(strangers))), None


def _may_be_ours(thing: Json, uid: str) -> bool:
    """Return whether a record has no other owner; a malformed one is looked at further on."""
    try:
        return parse_workloads.owner(thing) in ("", uid)
    except last_known.MISSHAPEN:
        return True


def _lacking(rollout: RolloutFacts, status: RolloutStatus, found: ownership.Records) -> list[str]:
    """Return the names of records that the spec needs, that are not there, and that are not known to be taken."""
    if rollout.invalid:
        return []
    lacking = []
    if rollout.policy_hash not in found.policies and rollout.policy_hash not in found.unread:
        lacking.append(identity.policy_name(rollout.name, rollout.policy_hash))
    known, hash_ = status.template, rollout.template_hash
    another = known is not None and known.hash == hash_ and known.revision_hash != hash_  # what it means is on record
    if hash_ not in found.templates and not another:
        lacking.append(identity.deployment_name(rollout.name, hash_))
    return [name for name in lacking if not record_conflicts.in_place_of(found.strangers, name)]


async def _taken(reader: Reader, rollout: RolloutFacts, name: str) -> str:
    """Return what is said of a record that stands under *name* and is not ours; empty if none does, as far as known."""
    try:
        thing = await reader.get(Kind.CONTROLLER_REVISION, rollout.namespace, name)
        return ownership.said_of_record(thing, rollout) if thing is not None else ""
    except last_known.FAILED:
        return ""  # the writer there is told of it
