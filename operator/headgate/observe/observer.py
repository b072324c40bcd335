"""The one way in: from a key to an Observation."""

import asyncio
import dataclasses
from collections.abc import Container, Iterable, Mapping
from typing import Final

from headgate.api import names
from headgate.api.spec import Policy
from headgate.api.status import RolloutStatus, Side
from headgate.core import analysis, departures, faults, manifests, policies, queries, revisions, strategies
from headgate.core.model import (
    AutoscalerFacts,
    DeploymentFacts,
    EndingPods,
    Json,
    Key,
    Kind,
    Observation,
    PodFacts,
    PodTrouble,
    Reading,
    RolloutFacts,
    Target,
)
from headgate.core.paths import TrafficFacts, Unreadable
from headgate.core.remains import Remains
from headgate.observe import autoscalers, belongings, cron, objects, rollouts
from headgate.observe.dry_runs import BesidePasses, DryRuns, InPasses
from headgate.observe.identity import Identifier
from headgate.observe.roads import Roads
from headgate.observe.sources import Clock, Measurements, Reader

_NO_RECORDS: Final = belongings.Records({}, {})


@dataclasses.dataclass(frozen=True, slots=True)
class _Owned:
    """The Deployments that stand where a Rollout's should."""

    ours: dict[str, tuple[DeploymentFacts, Json]]
    in_the_way: Mapping[str, str]
    """What is said of those that stand where one of ours would, by hash."""
    strangers: tuple[str, ...]

    def foreign(self, status: RolloutStatus, target: Target) -> tuple[str, ...]:
        """Return what is said of those that stand where a Deployment is needed now."""
        sides = (status.stable, status.canary, status.warm, status.rollback)
        needed = {target.hash, *(side.hash for side in sides if side is not None)}
        return tuple(words for hash_, words in self.in_the_way.items() if hash_ in needed)

    def aside(self, status: RolloutStatus, target: Target) -> tuple[str, ...]:
        """Return what is said of all others."""
        foreign = self.foreign(status, target)
        return (*self.strangers, *(words for words in self.in_the_way.values() if words not in foreign))


def _labels(rollout: RolloutFacts, revision_hash: str) -> dict[str, str]:
    return {**manifests.labels(rollout), names.POD_HASH: revision_hash}


def _label(rollout_name: str) -> dict[str, str]:
    return {names.ROLLOUT: revisions.label_value(rollout_name)}


def _in_the_way(name: str) -> str:
    return f"Deployment {name} exists and is not ours: it lacks the label {names.ROLLOUT}; rename or delete it"


def _rests(
    rollout: RolloutFacts, status: RolloutStatus, target: Target, deployments: Mapping[str, DeploymentFacts]
) -> bool:
    """Return whether no other revision, and no further pod of the stable one, can be wanted by now."""
    facts = deployments.get(status.stable.hash) if status.stable else None
    moves = status.canary is not None or status.rollback is not None or status.restart is not None
    if facts is None or moves or rollout.annotations:
        return False
    known = {"", facts.hash, *(entry.hash for entry in status.rejected)}
    wanted = rollout.replicas if rollout.replicas is not None else status.scale_floor or 0
    return target.hash in known and wanted <= facts.replicas


class Observer:
    """Gathers Observations of Rollouts."""

    def __init__(
        self,
        reader: Reader,
        measurements: Measurements,
        clock: Clock,
        *,
        settle_seconds: float,
        allowed_addresses: Container[str] = (),
        dry_runs: DryRuns | None = None,
    ) -> None:
        """Read from *reader* and *measurements*.

        Args:
            reader: the cluster.
            measurements: the metrics.
            clock: seconds since the epoch.
            settle_seconds: how long after a tick every sample that it looks at has been scraped.
            allowed_addresses: the Prometheus servers that a Rollout may name.
            dry_runs: who makes dry runs; they are made beside the passes unless said otherwise.
        """
        self._reader = reader
        self._measurements = measurements
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._allowed = allowed_addresses
        self._identifier = Identifier(reader, dry_runs or BesidePasses())
        self._roads = Roads(reader, clock)
        self._autoscalers = autoscalers.Autoscalers(reader, clock)

    async def observe(self, key: Key, refusals: tuple[str, ...] = (), written_at: float = 0.0) -> Observation | None:
        """Return all that is known of the Rollout *key*, or None if there is no such Rollout.

        Args:
            key: which Rollout.
            refusals: what the API server refused in the last pass, in its words.
            written_at: when this process last wrote its status.

        Raises:
            Unreachable, Refused: if the Rollout or its Deployments cannot be read.
        """
        thing = await self._reader.get(Kind.ROLLOUT, key.namespace, key.name)
        if thing is None:
            self._roads.forget(key)
            self._autoscalers.forget(key)
            self._identifier.forget(key)
            return None
        rollout, status = rollouts.facts(thing, self._allowed), rollouts.parsed_status(thing.get("status"))
        seen = await self._gathered(key, rollout, status, refusals, written_at)
        return dataclasses.replace(seen, ending=await self._ending(seen))

    def over(self, reader: Reader) -> "Observer":
        """Return one like this that reads from *reader*."""
        return Observer(
            reader,
            self._measurements,
            self._clock,
            settle_seconds=self._settle_seconds,
            allowed_addresses=self._allowed,
            dry_runs=InPasses(),
        )

    async def answered(self, key: Key, seen: Observation, seconds: float) -> Observation:
        """Return *seen* with the revision that is meant, if that is answered within so many *seconds*."""
        await self._identifier.settle(key, seconds)
        status = seen.status
        confirmed = (status.template.hash, status.template.revision_hash) if status.template else None
        target = await self._identifier.target(seen.rollout, confirmed, seen.templates.values())
        return dataclasses.replace(seen, target=target)

    async def remains(self, key: Key) -> Remains:
        """Return what *key*, a Rollout that is no more, has left behind.

        Raises:
            Unreachable, Refused: if it cannot be read.
        """
        services = await self._roads.left_by(key)
        if not services:
            return Remains(key.namespace)
        things = await self._reader.select(Kind.DEPLOYMENT, key.namespace, _label(key.name))
        deployments = [
            objects.deployment(thing, {names.POD_HASH: thing["metadata"]["labels"].get(names.POD_HASH, "")})
            for thing in things
        ]
        return Remains(key.namespace, services, tuple(deployments))

    async def _gathered(
        self, key: Key, rollout: RolloutFacts, status: RolloutStatus, refusals: tuple[str, ...], written_at: float
    ) -> Observation:
        owned, records = await asyncio.gather(self._deployments(rollout, status), self._records(rollout))
        last = record.policy if (record := records.policies.get(status.policy)) else None
        wanted = None if rollout.invalid else rollouts.parsed_policy(rollout.policy)
        chosen = policies.in_force(status, wanted, last)
        confirmed = (status.template.hash, status.template.revision_hash) if status.template else None
        target, deployments, traffic = await asyncio.gather(
            self._identifier.target(rollout, confirmed, records.templates.values()),
            self._checked(rollout, owned, records),
            self._traffic(rollout, status, chosen.policy, owned),
        )
        now = self._clock()
        return Observation(
            now=now,
            rollout=rollout,
            status=status,
            policy=chosen.policy,
            accepted=last,
            target=target,
            deployments=deployments,
            templates=records.templates,
            policies=records.policies,
            trouble=await self._trouble(rollout, status, deployments),
            readings=self._readings(key, rollout, status, chosen.policy),
            refusals=refusals,
            settle_seconds=self._settle_seconds,
            written_at=written_at,
            foreign=owned.foreign(status, target),
            strangers=(*owned.aside(status, target), *records.strangers),
            traffic=traffic,
            autoscalers=await self._scalers(key, rollout, status, target, deployments),
            policy_waits=chosen.waits,
            next_drill=cron.following(chosen.policy.drill if chosen.policy else None, now),
            present=await self._present(rollout, status, target, chosen.policy, deployments, records.templates),
            pods=await self._pods(rollout, status, deployments),
        )

    async def _scalers(
        self,
        key: Key,
        rollout: RolloutFacts,
        status: RolloutStatus,
        target: Target,
        deployments: Mapping[str, DeploymentFacts],
    ) -> tuple[AutoscalerFacts, ...]:
        if not autoscalers.matters(status, target, deployments):
            self._autoscalers.forget(key)
            return ()
        return await self._autoscalers.read(key, rollout)

    async def _pods(
        self, rollout: RolloutFacts, status: RolloutStatus, deployments: Mapping[str, DeploymentFacts]
    ) -> tuple[PodFacts, ...] | None:
        """Return the pods of the stable revision; None where no restart is going on, or they cannot be read."""
        facts = deployments.get(status.stable.hash) if status.stable else None
        if facts is None or status.restart is None or status.canary is not None:
            return None
        try:
            pods = await self._reader.select(Kind.POD, rollout.namespace, {names.POD_HASH: facts.hash})
        except faults.Fault:
            return None
        return objects.pods_of(facts.name, pods)

    async def _present(
        self,
        rollout: RolloutFacts,
        status: RolloutStatus,
        target: Target,
        policy: Policy | None,
        deployments: Mapping[str, DeploymentFacts],
        templates: Iterable[str],
    ) -> Mapping[str, int] | Unreadable | None:
        """Return how many objects there are of each revision's pods; None where it does not matter."""
        if not strategies.recreates(policy) or _rests(rollout, status, target, deployments):
            return None
        try:
            pods = await self._reader.select(Kind.POD, rollout.namespace, rollout.match_labels)
        except faults.Fault as fault:
            return Unreadable(str(fault), passing=isinstance(fault, faults.Unreachable))
        return objects.present(pods, rollout.name, {*deployments, *templates})

    async def _ending(self, seen: Observation) -> Mapping[str, EndingPods] | Unreadable | None:
        """Return which pods of revisions that may be told as gone can still answer; None where none may be."""
        if strategies.recreates(seen.policy):
            return None  # there all of them are counted anyway
        hashes = departures.counted(seen.status, seen.deployments, seen.templates, seen.traffic, seen.now)
        found, slack, rollout = {}, departures.SLACK_SECONDS, seen.rollout
        try:
            for one in hashes:
                pods = await self._reader.select(Kind.POD, rollout.namespace, {names.POD_HASH: one})
                found[one] = objects.ending(revisions.deployment_name(rollout.name, one), pods, slack)
        except faults.Fault as fault:
            return Unreadable(str(fault), passing=isinstance(fault, faults.Unreachable))
        return found or None

    async def _traffic(
        self, rollout: RolloutFacts, status: RolloutStatus, policy: Policy | None, owned: _Owned
    ) -> TrafficFacts | None:
        sides = (status.stable, status.canary, status.warm)
        hashes = {*owned.ours, *(side.hash for side in sides if side is not None)}
        deployments = {hash_: revisions.deployment_name(rollout.name, hash_) for hash_ in hashes}
        return await self._roads.read(
            rollout,
            policy.traffic if policy else None,
            deployments,
            routed=status.traffic is not None,
            resting=status.canary is None,
            mirrors=policy is not None and strategies.mirrors(policy),
        )

    async def _deployments(self, rollout: RolloutFacts, status: RolloutStatus) -> _Owned:
        things = await self._reader.select(Kind.DEPLOYMENT, rollout.namespace, _label(rollout.name))
        sorted_ = belongings.deployments(rollout, things)
        ours = {
            hash_: (objects.deployment(thing, _labels(rollout, hash_)), thing) for hash_, thing in sorted_.ours.items()
        }
        for side in (status.stable, status.canary, status.warm):
            if side is not None and side.hash not in ours:
                await self._look_for(rollout, side, ours, sorted_.in_the_way)
        return _Owned(ours, sorted_.in_the_way, sorted_.strangers)

    async def _look_for(
        self,
        rollout: RolloutFacts,
        side: Side,
        ours: dict[str, tuple[DeploymentFacts, Json]],
        in_the_way: dict[str, str],
    ) -> None:
        """Add what stands where the Deployment of *side* should: ours without its labels, or somebody else's."""
        name = revisions.deployment_name(rollout.name, side.hash)
        thing = await self._reader.get(Kind.DEPLOYMENT, rollout.namespace, name)
        ours_by_name = thing is not None and belongings.stands_for(thing, rollout.name) == side.hash
        if thing is not None and ours_by_name and objects.owner(thing) == rollout.uid:
            ours[side.hash] = (objects.deployment(thing, _labels(rollout, side.hash)), thing)
        elif thing is not None:
            in_the_way.setdefault(side.hash, _in_the_way(name))

    async def _records(self, rollout: RolloutFacts) -> belongings.Records:
        try:
            things = await self._reader.select(Kind.CONTROLLER_REVISION, rollout.namespace, _label(rollout.name))
        except faults.Fault:
            # Going back needs no record; going forward finds that there is none.
            return _NO_RECORDS
        # What an older Rollout of this name left goes with it, and must not be counted on.
        ours = (thing for thing in things if objects.owner(thing) in ("", rollout.uid))
        return belongings.records(ours, rollout.name)

    async def _checked(
        self, rollout: RolloutFacts, owned: _Owned, records: belongings.Records
    ) -> dict[str, DeploymentFacts]:
        checked = {}
        for hash_, (facts, thing) in owned.ours.items():
            known = records.templates.get(hash_)
            template = known.template if known else rollout.template if hash_ == rollout.template_hash else None
            writer = await self._identifier.tampered(rollout, facts, thing, template)
            checked[hash_] = dataclasses.replace(facts, tampered=writer or "", verified=writer is not None)
        return checked

    async def _trouble(
        self, rollout: RolloutFacts, status: RolloutStatus, deployments: Mapping[str, DeploymentFacts]
    ) -> PodTrouble | None:
        side = status.canary or status.stable
        facts = deployments.get(side.hash) if side else None
        if facts is None or facts.ready >= facts.replicas:
            return None
        try:
            pods = await self._reader.select(Kind.POD, rollout.namespace, {names.POD_HASH: facts.hash})
        except faults.Fault as fault:
            return PodTrouble(f"its pods could not be read: {fault}", hopeless=False, slow=facts.pods)
        return objects.trouble(objects.belonging(facts.name, pods))

    def _readings(
        self, key: Key, rollout: RolloutFacts, status: RolloutStatus, policy: Policy | None
    ) -> Mapping[str, Reading]:
        pair = analysis.watched(status)
        if pair is None or policy is None:
            self._measurements.forget(key)
            return {}
        canary, stable = pair
        texts = {
            metric.name: queries.render(
                metric.prometheus.query,
                queries.variables_for(
                    namespace=rollout.namespace,
                    name=rollout.name,
                    window_seconds=metric.window_seconds,
                    canary_hash=canary.hash,
                    canary_deployment=revisions.deployment_name(rollout.name, canary.hash),
                    stable_hash=stable.hash if stable else "",
                    stable_deployment=revisions.deployment_name(rollout.name, stable.hash) if stable else "",
                ),
            )
            for metric in policy.analysis.metrics
        }
        requests = analysis.unread(policy.analysis.metrics, status.analysis, texts, self._clock(), self._settle_seconds)
        return self._measurements.read(key, requests)
