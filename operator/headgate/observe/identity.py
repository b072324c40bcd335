"""Asks the API server which revision a template is: two that it stores alike are the same."""

import collections
from collections.abc import Iterable
from typing import Any, Final

from headgate.core import faults, manifests, revisions
from headgate.core.model import DeploymentFacts, Identity, Json, Kind, RolloutFacts, Target, TemplateRecord
from headgate.observe import objects
from headgate.observe.sources import Reader

_KEPT: Final = 512
"""Identities that are remembered; one is a hash, so this is little, and losing one costs one dry run."""


class Identifier:
    """Answers by dry run, and remembers the answers of this process."""

    def __init__(self, reader: Reader) -> None:
        """Ask *reader*."""
        self._reader = reader
        self._known: collections.OrderedDict[tuple[str, str, str], str] = collections.OrderedDict()
        self._verified: collections.OrderedDict[str, str] = collections.OrderedDict()

    async def _identity(self, rollout: RolloutFacts, template: Json) -> str:
        hash_ = revisions.template_hash(rollout.name, template)
        place = (rollout.namespace, rollout.name, hash_)
        if place not in self._known:
            probe = manifests.identity_probe(rollout, template)
            stored = await self._reader.try_create(Kind.DEPLOYMENT, rollout.namespace, probe)
            self._known[place] = revisions.digest(revisions.canonical(manifests.identity(stored)))
            _bounded(self._known)
        return self._known[place]

    async def target(
        self, rollout: RolloutFacts, confirmed: tuple[str, str] | None, records: Iterable[TemplateRecord]
    ) -> Target:
        """Return the revision that the spec's template means.

        Args:
            rollout: the Rollout.
            confirmed: the template hash and the revision hash that the status has on record as the same.
            records: the revisions that it may be equal to.
        """
        hash_ = rollout.template_hash
        if confirmed is not None and confirmed[0] == hash_:
            return Target(Identity.KNOWN, confirmed[1])
        candidates = sorted(records, key=lambda record: -record.revision)
        if any(record.hash == hash_ for record in candidates):
            return Target(Identity.KNOWN, hash_)
        try:
            return await self._asked(rollout, candidates)
        except faults.Refused as refusal:
            return Target(Identity.REFUSED, message=str(refusal))
        except (faults.Unreachable, faults.Conflict) as fault:
            return Target(Identity.UNKNOWN, message=str(fault))

    async def _asked(self, rollout: RolloutFacts, candidates: Iterable[TemplateRecord]) -> Target:
        mine = await self._identity(rollout, rollout.template)
        for record in candidates:
            try:
                theirs = await self._identity(rollout, record.template)
            except faults.Refused:
                # What was accepted once may be refused today; then it is not what was just accepted.
                continue
            if theirs == mine:
                return Target(Identity.KNOWN, record.hash)
        return Target(Identity.KNOWN, rollout.template_hash)

    async def tampered(self, rollout: RolloutFacts, facts: DeploymentFacts, thing: Json, template: Json | None) -> str:
        """Return who changed the Deployment's template, or an empty text if it still means its revision.

        Of an orphan nobody knows whose it is: its template is held against its revision's, whoever wrote it.
        """
        writer = objects.template_writer(thing) or ("" if facts.owner else "its author")
        if not writer or template is None:
            return ""
        version = f"{facts.uid}/{thing['metadata'].get('generation')}"
        if self._verified.get(facts.uid) == version:
            return ""
        try:
            wanted = await self._identity(rollout, template)
        except faults.Fault:
            return ""
        if revisions.digest(revisions.canonical(manifests.identity(thing))) != wanted:
            return writer
        self._verified[facts.uid] = version
        _bounded(self._verified)
        return ""


def _bounded(kept: "collections.OrderedDict[Any, str]") -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
