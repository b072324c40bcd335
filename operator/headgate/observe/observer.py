"""The one way in: from a key to an Observation."""

import asyncio
import dataclasses
from collections.abc import Container, Iterable, Mapping

from headgate.api import names
from headgate.api.spec import Policy
from headgate.api.status import RolloutStatus
from headgate.core import faults
from headgate.core.analysis import fold, ticks
from headgate.core.analysis.providers import prometheus
from headgate.core.model import (
    AutoscalerFacts,
    DeploymentFacts,
    EndingPods,
    Identity,
    Key,
    Kind,
    Observation,
    Part,
    PodFacts,
    PodTrouble,
    Reading,
    RolloutFacts,
    Target,
    Unreadable,
)
from headgate.core.model.traffic import TrafficFacts
from headgate.core.revisions import identity
from headgate.core.rollout import commands, termination
from headgate.core.strategies import traits
from headgate.core.traffic.cleanup import OrphanedServices
from headgate.observe import (
    accepted_policy,
    autoscalers,
    cron,
    deployments,
    last_known,
    ownership,
    parse_rollout,
    parse_status,
    parse_workloads,
)
from headgate.observe import revision_records as recorded
from headgate.observe.clock_jumps import Jumps
from headgate.observe.dry_runs import BesidePasses, DryRuns, InPasses
from headgate.observe.interfaces import Clock, Measurements, Neighbours, Reader
from headgate.observe.overlapping_workloads import Others
from headgate.observe.template_identity import Identifier, confirmed_by
from headgate.observe.traffic_reader import TrafficReader


def _rests(
    rollout: RolloutFacts, status: RolloutStatus, target: Target, deployments: Mapping[str, DeploymentFacts]
) -> bool:
    """Return whether no other revision, and no further pod of the stable one, can be wanted by now."""
    facts = deployments.get(status.stable.hash) if status.stable else None
    moves = status.canary is not None or status.rollback is not None or status.restart is not None
    if facts is None or moves or rollout.annotations:
        return False
    known = {"", facts.hash, *(entry.hash for entry in status.rejected)}
    wanted = rollout.replicas if rollout.replicas is not None else status.min_replicas or 0
    return target.hash in known and wanted <= facts.replicas


class Observer:
    """Gathers Observations of Rollouts."""

    def __init__(  # noqa: PLR0913 - all that an Observation consists of
        self,
        reader: Reader,
        measurements: Measurements,
        clock: Clock,
        *,
        settle_seconds: float,
        allowed_addresses: Container[str] = (),
        dry_runs: DryRuns | None = None,
        jumps: Jumps | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Read from *reader* and *measurements*.

        Args:
            reader: the cluster.
            measurements: the metrics.
            clock: seconds since the epoch.
            settle_seconds: how long after a tick every sample that it looks at has been scraped.
            allowed_addresses: the Prometheus servers that a Rollout may name.
            dry_runs: who makes dry runs; they are made beside the passes unless said otherwise.
            jumps: what *clock* has jumped ahead; None: it never does.
            neighbours: who knows what Rollouts have in common; None: they have nothing.
        """
        self._reader = reader
        self._measurements = measurements
        self._clock = clock
        self._settle_seconds = settle_seconds
        self._allowed = allowed_addresses
        self._neighbours = neighbours
        self._jumps = jumps or Jumps(clock, clock)
        self._identifier = Identifier(reader, dry_runs or BesidePasses())
        self._roads = TrafficReader(reader, clock)
        self._autoscalers = autoscalers.Autoscalers(reader, clock)
        self._others = Others(reader, clock, neighbours)
        self._memory = last_known.Memory(clock)

    async def observe(self, key: Key, refusals: tuple[str, ...] = (), written_at: float = 0.0) -> Observation | None:
        """Return all that is known of the Rollout *key*, or None if there is no such Rollout.

        Args:
            key: which Rollout.
            refusals: what the API server refused in the last pass, in its words.
            written_at: when this process last wrote its status.

        Raises:
            Unreachable, Refused: if the Rollout itself cannot be read.
        """
        thing = await self._reader.get(Kind.ROLLOUT, key.namespace, key.name)
        if thing is None:
            self._jumps.forget(key)
            self._roads.forget(key)
            self._autoscalers.forget(key)
            self._identifier.forget(key)
            self._memory.forget(key)
            self._others.forget(key)
            return None
        try:
            rollout, read = parse_rollout.facts(thing, self._allowed), parse_status.read(thing.get("status"))
        except last_known.MISSHAPEN as error:
            raise faults.Unreachable(f"Rollout {key}: {last_known.unreadable(error).why}") from error
        if any(path[:1] == ("handledCommands",) for path in read.lost):
            heard = {"handled_commands": commands.carried_out(rollout.annotations)}
            read = dataclasses.replace(read, status=read.status.model_copy(update=heard))
        seen = await self._with_others(key, await self._gathered(key, rollout, read, refusals, written_at))
        # The clock is looked at last: what it has gained by then counts, so that no wait ends by a jump.
        return dataclasses.replace(seen, jumped_seconds=self._jumps.of(key, written_at))

    def over(self, reader: Reader) -> "Observer":
        """Return one like this that reads from *reader*."""
        return Observer(
            reader,
            self._measurements,
            self._clock,
            settle_seconds=self._settle_seconds,
            allowed_addresses=self._allowed,
            dry_runs=InPasses(),
            jumps=self._jumps,
            neighbours=self._neighbours,
        )

    async def answered(self, key: Key, seen: Observation, seconds: float) -> Observation:
        """Return *seen*, or what is seen anew if it is answered within so many *seconds* which revision is meant.

        What else matters hangs on that: whose a Deployment of its name is, and which autoscalers there are.
        """
        await self._identifier.settle(key, seconds)
        status = seen.status
        confirmed = confirmed_by(status, {seen.rollout.template_hash, *seen.templates})
        target = await self._identifier.target(seen.rollout, confirmed, seen.templates.values())
        if target.asked_seconds is not None:
            return dataclasses.replace(seen, target=target)
        again = await self.observe(key, seen.refusals, seen.written_at)
        return seen if again is None else dataclasses.replace(again, unwritten=seen.unwritten)

    async def remains(self, key: Key) -> OrphanedServices:
        """Return what *key*, a Rollout that is no more, has left behind.

        Raises:
            Unreachable, Refused: if it cannot be read.
        """
        try:
            return await self._remains(key)
        except last_known.MISSHAPEN as error:
            raise faults.Unreachable(f"what Rollout {key} left: {last_known.unreadable(error).why}") from error

    async def _remains(self, key: Key) -> OrphanedServices:
        services, label = await self._roads.left_by(key), ownership.label(key.name)
        if not services:
            return OrphanedServices(key.namespace)
        things = await self._reader.select(Kind.DEPLOYMENT, key.namespace, label)
        asked = [last_known.asked_for(thing, label) for thing in things]
        left = [
            parse_workloads.deployment(thing, {names.POD_HASH: thing["metadata"]["labels"].get(names.POD_HASH, "")})
            for thing in asked
        ]
        return OrphanedServices(key.namespace, services, tuple(left))

    async def _gathered(
        self, key: Key, rollout: RolloutFacts, read: parse_status.Read, refusals: tuple[str, ...], written_at: float
    ) -> Observation:
        status, known = read.status, self._memory.deployments(key)
        owned, (records, unlisted) = await asyncio.gather(
            deployments.read(self._reader, rollout, status, known), recorded.read(self._reader, rollout, status)
        )
        unread = {**read.unread, **owned.unread, **({Part.RECORDS: unlisted} if unlisted else {})}
        wanted = None if rollout.invalid else parse_rollout.parsed_policy(rollout.policy)
        chosen = accepted_policy.found(key, rollout, status, wanted, records, unread, self._memory)
        unread |= chosen.unread
        target, checked, traffic = await asyncio.gather(
            self._target(rollout, status, records, unlisted),
            self._checked(rollout, owned, records),
            self._traffic(rollout, status, chosen, owned),
        )
        self._memory.keep(key, checked, {status.policy: chosen.last} if chosen.last else {})
        now, policy = self._clock(), chosen.policy
        return Observation(
            now=now,
            rollout=rollout,
            status=status,
            stored=read.stored,
            policy=policy,
            accepted=chosen.last,
            target=target,
            deployments=checked,
            templates=records.templates,
            policies=records.policies,
            readings=self._readings(key, rollout, status, policy),
            refusals=refusals,
            settle_seconds=self._settle_seconds,
            written_at=written_at,
            foreign=owned.foreign(status, target),
            strangers=(*owned.aside(status, target), *records.strangers),
            traffic=traffic,
            policy_waits=chosen.waits,
            next_drill=cron.following(policy.drill if policy else None, now),
            unread=unread,
        )

    async def _with_others(self, key: Key, seen: Observation) -> Observation:
        """Return what is *seen* with pods and autoscalers, as far as these matter, and since when what is unread."""
        rollout, status, found = seen.rollout, seen.status, seen.deployments
        scalers = await self._scalers(key, rollout, status, seen.target, found)
        pods, unseen = await self._pods(rollout, status, found)
        lacking = ((Part.AUTOSCALERS, self._autoscalers.unread(key)), (Part.PODS, unseen))
        unread = {**seen.unread, **{part: why for part, why in lacking if why is not None}}
        return dataclasses.replace(
            seen,
            overlaps=await self._others.of(key, rollout, status, seen.target),
            trouble=await self._trouble(rollout, status, found),
            autoscalers=scalers,
            present=await self._present(rollout, status, seen.target, seen.policy, found, seen.templates),
            pods=pods,
            ending=await self._ending(seen),
            unread=self._memory.dated(key, unread),
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
    ) -> tuple[tuple[PodFacts, ...] | None, Unreadable | None]:
        """Return the pods of the stable revision; None where no restart is going on, or with why they are unread."""
        facts = deployments.get(status.stable.hash) if status.stable else None
        if facts is None or status.restart is None or status.canary is not None:
            return None, None
        try:
            pods = await self._reader.select(Kind.POD, rollout.namespace, {names.POD_HASH: facts.hash})
            return parse_workloads.pods_of(facts.name, pods), None
        except last_known.FAILED as error:
            return None, last_known.unreadable(error)

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
        if not traits.recreates(policy) or _rests(rollout, status, target, deployments):
            return None
        try:
            pods = await self._reader.select(Kind.POD, rollout.namespace, rollout.match_labels)
            asked = [last_known.asked_for(pod, rollout.match_labels) for pod in pods]
            return parse_workloads.present(asked, rollout.name, {*deployments, *templates})
        except last_known.FAILED as error:
            return last_known.unreadable(error)

    async def _ending(self, seen: Observation) -> Mapping[str, EndingPods] | Unreadable | None:
        """Return which pods of revisions that may be told as gone can still answer; None where none may be."""
        if traits.recreates(seen.policy):
            return None  # there all of them are counted anyway
        hashes = termination.counted(seen.status, seen.deployments, seen.templates, seen.traffic, seen.now)
        found, slack, rollout = {}, termination.SLACK_SECONDS, seen.rollout
        try:
            for one in hashes:
                pods = await self._reader.select(Kind.POD, rollout.namespace, {names.POD_HASH: one})
                found[one] = parse_workloads.ending(identity.deployment_name(rollout.name, one), pods, slack)
        except last_known.FAILED as error:
            return last_known.unreadable(error)
        return found or None

    async def _traffic(
        self, rollout: RolloutFacts, status: RolloutStatus, chosen: accepted_policy.Accepted, owned: deployments.Owned
    ) -> TrafficFacts | None:
        policy = chosen.policy
        sides = (status.stable, status.canary, status.previous)
        hashes = {*owned.ours, *(side.hash for side in sides if side is not None)}
        homes = {hash_: identity.deployment_name(rollout.name, hash_) for hash_ in hashes}
        return await self._roads.read(
            rollout,
            policy.traffic if policy else None,
            homes,
            routed=status.traffic is not None,
            resting=status.canary is None,
            mirrors=policy is not None and traits.mirrors(policy),
            accepted=not chosen.unread,
        )

    async def _target(
        self, rollout: RolloutFacts, status: RolloutStatus, records: ownership.Records, unread: Unreadable | None
    ) -> Target:
        """Return the revision that the spec means; without all records only what is a known one word for word."""
        confirmed = confirmed_by(status, {rollout.template_hash, *records.templates})
        known = {side.hash for side in (status.stable, status.canary, status.previous) if side is not None}
        if unread is not None and (confirmed is None or confirmed[0] != rollout.template_hash):
            if rollout.template_hash in known:
                return Target(Identity.KNOWN, rollout.template_hash)
            return Target(Identity.UNKNOWN, message=f"the ControllerRevisions cannot be read: {unread.why}")
        try:
            return await self._identifier.target(rollout, confirmed, records.templates.values())
        except last_known.MISSHAPEN as error:
            return Target(Identity.UNKNOWN, message=last_known.unreadable(error).why)

    async def _checked(
        self, rollout: RolloutFacts, owned: deployments.Owned, records: ownership.Records
    ) -> dict[str, DeploymentFacts]:
        checked = {}
        for hash_, (facts, thing) in owned.ours.items():
            known = records.templates.get(hash_)
            template = known.template if known else rollout.template if hash_ == rollout.template_hash else None
            if facts.stale:
                checked[hash_] = facts
                continue
            try:
                writer = await self._identifier.tampered(rollout, facts, thing, template)
            except last_known.MISSHAPEN:
                writer = None  # nothing is put back that cannot be compared
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
            return dataclasses.replace(
                parse_workloads.trouble(parse_workloads.belonging(facts.name, pods)), of=facts.hash
            )
        except last_known.FAILED as error:
            why = f"its pods could not be read: {last_known.unreadable(error).why}"
            return PodTrouble(why, hopeless=False, slow=facts.pods, of=facts.hash)

    def _readings(
        self, key: Key, rollout: RolloutFacts, status: RolloutStatus, policy: Policy | None
    ) -> Mapping[str, Reading]:
        pair = fold.watched(status)
        if pair is None or policy is None:
            self._measurements.forget(key)
            return {}
        canary, stable = pair
        texts = {
            metric.name: prometheus.render(
                metric.prometheus.query,
                prometheus.variables_for(
                    namespace=rollout.namespace,
                    name=rollout.name,
                    window_seconds=metric.window_seconds,
                    canary_hash=canary.hash,
                    canary_deployment=identity.deployment_name(rollout.name, canary.hash),
                    stable_hash=stable.hash if stable else "",
                    stable_deployment=identity.deployment_name(rollout.name, stable.hash) if stable else "",
                ),
            )
            for metric in policy.analysis.metrics
        }
        requests = ticks.unread(policy.analysis.metrics, status.analysis, texts, self._clock(), self._settle_seconds)
        return self._measurements.read(key, requests)
