"""Gathers the ways by which users reach a Rollout's pods. What cannot be read is Unreadable, and hides nothing else."""

import asyncio
import dataclasses
from collections.abc import Container, Mapping, Sequence

from headgate.api import names
from headgate.api.traffic import Route, Traffic
from headgate.core.model import Json, Key, Kind, RolloutFacts, Unreadable
from headgate.core.model.traffic import RouteFacts, ServiceFacts, TrafficFacts
from headgate.core.revisions import identity
from headgate.observe import last_known, rollout_label
from headgate.observe import parse_traffic as facts
from headgate.observe.gateways import Gateways
from headgate.observe.interfaces import Clock, Reader
from headgate.observe.route_ownership import RouteOwnership

_Former = tuple[tuple[ServiceFacts, ...], Unreadable | None]
"""Services that are to be released, and why these could not be read."""


async def _nothing_former() -> _Former:
    return (), None


class TrafficReader:
    """Reads Services, their endpoints, and routes."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        """Read from *reader*."""
        self._reader = reader
        self._gateways = Gateways(reader, clock)
        self._released: dict[Key, str] = {}

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key*."""
        self._released.pop(key, None)

    async def left_by(self, key: Key) -> tuple[ServiceFacts, ...]:
        """Return the Services that bear the label of *key*, a Rollout that is no more.

        Raises:
            Unreachable, Refused: if they cannot be read.
            one of MISSHAPEN: if one of them does not look like a Service of that label.
        """
        label = identity.label_value(key.name)
        labels = {names.MANAGED: "true", names.ROLLOUT: label}
        answer = await self._reader.select(Kind.SERVICE, key.namespace, labels)
        things = [last_known.asked_for(thing, labels) for thing in answer]
        # Where a name is too long for a label, that of another Rollout may look the same.
        if not things or await self._exists(key.namespace, label):
            return ()
        return facts.former(things, None, label)

    async def read(
        self,
        rollout: RolloutFacts,
        traffic: Traffic | None,
        deployments: Mapping[str, str],
        *,
        routed: bool,
        resting: bool,
        mirrors: bool = False,
        accepted: bool = True,
    ) -> TrafficFacts | None:
        """Return what is known; None where routes do not, and did not, decide who gets what.

        Args:
            rollout: the Rollout.
            traffic: the Services and routes in force.
            deployments: the name of each revision's Deployment by its hash.
            routed: whether routes decided it before.
            resting: whether nothing is in flight: only then may it matter who had a rule first.
            mirrors: whether it matters what the Gateways of the routes can do.
            accepted: whether *traffic* is known to be in force, so that what it does not name is not needed any more.
        """
        if traffic is None and not accepted:
            return None
        if traffic is None:
            former, unread = await self._former(rollout, None, deployments) if routed else ((), None)
            return TrafficFacts(None, None, {}, former, former_unread=unread) if former or unread else None
        claims = RouteOwnership(self._reader, rollout) if resting else None
        asked_for = traffic.gateway_api.routes if traffic.gateway_api else ()
        stable, canary, routes, (former, unread) = await asyncio.gather(
            self._service(rollout, traffic.stable_service, deployments),
            self._service(rollout, traffic.canary_service, deployments),
            asyncio.gather(*(self._route(rollout, asked, traffic, claims) for asked in asked_for)),
            self._former(rollout, traffic, deployments) if accepted else _nothing_former(),
        )
        by_name = {(asked.kind, asked.name): route for asked, route in zip(asked_for, routes, strict=True)}
        found = TrafficFacts(stable, canary, by_name, former, former_unread=unread)
        gateways = await self._gateways.of(found.known_routes, rollout.namespace) if mirrors else ()
        return dataclasses.replace(found, gateways=gateways)

    async def _former(self, rollout: RolloutFacts, traffic: Traffic | None, hashes: Container[str]) -> _Former:
        """Return the Services that are to be released: asked for until there are none, and then once a policy."""
        key, ours = Key(rollout.namespace, rollout.name), identity.label_value(rollout.name)
        of_what = identity.digest(traffic.model_dump_json()) if traffic else ""
        if self._released.get(key) == of_what:
            return (), None
        try:
            things = await self._reader.select(
                Kind.SERVICE, rollout.namespace, {names.MANAGED: "true", names.ROLLOUT: ours}
            )
            found = facts.former(things, traffic, ours)
            if found:
                found = rollout_label.released(found, await rollout_label.others(self._reader, rollout), hashes)
        except last_known.FAILED as error:
            return (), last_known.unreadable(error)
        if not found:
            self._released[key] = of_what
        return found, None

    async def _service(
        self, rollout: RolloutFacts, name: str, deployments: Mapping[str, str]
    ) -> ServiceFacts | Unreadable | None:
        try:
            thing, slices = await asyncio.gather(
                self._reader.get(Kind.SERVICE, rollout.namespace, name), self._slices(rollout, name)
            )
            if thing is None:
                return None
            if isinstance(slices, Unreadable):
                return await self._held(rollout, thing, slices, deployments)
            found = await self._held(rollout, thing, facts.endpoints(slices, deployments), deployments)
            return dataclasses.replace(found, ending=facts.ending(slices, deployments))
        except last_known.FAILED as error:
            return last_known.unreadable(error)

    async def _slices(self, rollout: RolloutFacts, service: str) -> Sequence[Json] | Unreadable:
        try:
            slices = await self._reader.select(Kind.ENDPOINT_SLICE, rollout.namespace, {names.SERVICE_NAME: service})
            return [last_known.complete(one, "endpoints") for one in slices]  # without any it has an empty list
        except last_known.FAILED as error:
            return last_known.unreadable(error)

    async def _held(
        self, rollout: RolloutFacts, thing: Json, endpoints: Mapping[str, int] | Unreadable, hashes: Container[str]
    ) -> ServiceFacts:
        """Return what *thing* says; a claim of a Rollout that is no more is none."""
        ours = identity.label_value(rollout.name)
        found = facts.service(thing, ours, endpoints)
        if found.holder == ours:
            known = not found.selects or found.selects in hashes
            other = "" if known else await self._other(rollout, found)
            return rollout_label.claimed(found, other) if other else found
        if not found.holder or await self._exists(rollout.namespace, found.holder):
            return found
        labels = {key: value for key, value in thing["metadata"]["labels"].items() if key != names.ROLLOUT}
        unheld = {**thing, "metadata": {**thing["metadata"], "labels": labels}}
        return facts.service(unheld, ours, endpoints)

    async def _exists(self, namespace: str, holder: str) -> bool:
        """Return whether there is a Rollout with that value of the Rollout label; True while that is unknown."""
        try:
            return bool(await rollout_label.named(self._reader, namespace, holder))
        except last_known.FAILED:
            return True

    async def _other(self, rollout: RolloutFacts, service: ServiceFacts) -> str:
        """Return which other Rollout with the same label *service* belongs to; an empty text while that is unread."""
        try:
            return rollout_label.of_others(service, await rollout_label.others(self._reader, rollout))
        except last_known.FAILED:
            return ""

    async def _route(
        self, rollout: RolloutFacts, asked: Route, traffic: Traffic, claims: RouteOwnership | None
    ) -> RouteFacts | Unreadable | None:
        try:
            thing = await self._reader.get(Kind(asked.kind), rollout.namespace, asked.name)
            if thing is None:
                return None
            found = facts.route(thing, asked, traffic)
        except last_known.FAILED as error:
            return last_known.unreadable(error)
        return await claims.of(found) if claims is not None else found
