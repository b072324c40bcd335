"""Asks the API server which revision a template is: two that it stores alike are the same.

The dry runs that it asks by are made beside the passes (`dry_runs`): as long as there is no answer nothing is known.
"""

import collections
from collections.abc import Iterable
from typing import Any, Final

from headgate.api import nesting
from headgate.api.status import RolloutStatus
from headgate.core import faults
from headgate.core.model import DeploymentFacts, Identity, Json, Key, Kind, RolloutFacts, Target, TemplateRecord
from headgate.core.revisions import identity, manifests
from headgate.observe import parse_workloads
from headgate.observe.dry_runs import BeingAsked, DryRuns
from headgate.observe.interfaces import Reader

_KEPT: Final = 512
"""Deployments whose templates were found to be as they should; losing one costs one dry run."""
_KEPT_OF_ONE: Final = 16
"""Identities that are remembered of one Rollout; one is a hash, and losing one costs one dry run."""


class Identifier:
    """Answers by dry run, and remembers the answers of this process."""

    def __init__(self, reader: Reader, dry_runs: DryRuns) -> None:
        """Ask *reader*, when *dry_runs* says."""
        self._reader = reader
        self._dry_runs = dry_runs
        self._known: dict[Key, collections.OrderedDict[str, str]] = {}
        self._verified: collections.OrderedDict[str, str] = collections.OrderedDict()

    def forget(self, key: Key) -> None:
        """Drop what is remembered and asked for *key*: it is gone."""
        self._known.pop(key, None)
        self._dry_runs.forget(key)

    async def settle(self, key: Key, seconds: float) -> None:
        """Wait for what is asked for *key* now, for so many *seconds* at most."""
        await self._dry_runs.settle(key, seconds)

    async def _identity(self, rollout: RolloutFacts, template: Json) -> str:
        hash_ = identity.template_hash(rollout.name, template)
        known = self._known.setdefault(_key(rollout), collections.OrderedDict())
        if hash_ not in known:
            probe = manifests.identity_probe(rollout, template)
            stored = await self._reader.try_create(Kind.DEPLOYMENT, rollout.namespace, probe)
            known[hash_] = identity.digest(identity.canonical(manifests.identity(stored)))
            _bounded(known, _KEPT_OF_ONE)
        return known[hash_]

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
        if words := _unaskable(rollout.template):
            return Target(Identity.REFUSED, message=words)
        subject = " ".join(["target", hash_, *(record.hash for record in candidates)])
        try:
            return await self._dry_runs.ask(_key(rollout), subject, lambda: self._asked(rollout, candidates))
        except BeingAsked as asked:
            return Target(Identity.UNKNOWN, message=str(asked), asked_seconds=asked.seconds)
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

    async def tampered(
        self, rollout: RolloutFacts, facts: DeploymentFacts, thing: Json, template: Json | None
    ) -> str | None:
        """Return who changed the Deployment's template, or an empty text if it still means its revision.

        The owner of an orphan is unknown: its template is compared with its revision's. None: the
        API server has not said yet what the revision's means.
        """
        writer = parse_workloads.template_writer(thing) or ("" if facts.owner else "its author")
        if not writer or template is None:
            return ""
        version = f"{facts.uid}/{thing['metadata'].get('generation')}"
        if self._verified.get(facts.uid) == version:
            return ""
        subject = f"template {facts.hash}"
        try:
            wanted = await self._dry_runs.ask(_key(rollout), subject, lambda: self._identity(rollout, template))
        except faults.Refused:
            return ""
        except faults.Fault:
            return None
        if identity.digest(identity.canonical(manifests.identity(thing))) != wanted:
            return writer
        self._verified[facts.uid] = version
        _bounded(self._verified, _KEPT)
        return ""


def confirmed_by(status: RolloutStatus, recorded: Iterable[str]) -> tuple[str, str] | None:
    """Return the template hash and the revision hash that *status* has as the same.

    A revision that is neither *recorded* nor named anywhere in the status is none that is known here: what a newer
    Headgate calls it, or makes of it, would take the place of a canary that is in flight.
    """
    named = (status.stable, status.canary, status.previous, status.rollback, *status.rejected, *status.history)
    known = {*recorded, *(one.hash for one in named if one is not None)}
    same = status.template
    return (same.hash, same.revision_hash) if same is not None and same.revision_hash in known else None


def _key(rollout: RolloutFacts) -> Key:
    return Key(rollout.namespace, rollout.name)


def _unaskable(template: Json) -> str:
    """Return why no API server needs to be asked about *template*; an empty text where one does."""
    if "spec" not in template:
        return "spec.template: it has no spec, or none that can be read"
    return nesting.problem(template, "spec.template")


def _bounded(kept: "collections.OrderedDict[Any, str]", most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
