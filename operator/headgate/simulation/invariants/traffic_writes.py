"""The judge of manners behind a router: what an operator may write to Services and routes, and in which order.

What is the user's stays as it was; going back comes first and is never taken back; no selector moves under traffic.
"""

from typing import Any

from headgate.api import names
from headgate.core.model import Json, Kind, Part
from headgate.core.model.actions import SelectRevision, SetWeights
from headgate.simulation.cluster import json_values, patches
from headgate.simulation.controllers.gateway import ROUTES, copies
from headgate.simulation.invariants.context import RECENT_SECONDS, Context
from headgate.simulation.invariants.traffic_history import TrafficHistory, written_rules
from headgate.simulation.process.trace import Pass, Write

TRAFFIC = (Kind.SERVICE, *ROUTES)


class TrafficWrites:
    """Looks at every write about traffic."""

    def __init__(self, scene: Context, ways: TrafficHistory) -> None:
        self._scene = scene
        self._ways = ways
        scene.world.journal.wrote.append(self._wrote)
        scene.world.journal.decided.append(self._decided)

    def _wrote(self, write: Write) -> None:
        if self._ways.traffic is None:
            return
        done = self._scene.world.journal.passes[write.pass_number]
        if write.kind not in TRAFFIC or write.verb != "patch" or write.before is None:
            return
        try:
            after = patches.patched(write.before, write.body["operations"])
        except patches.Unfit:
            return  # it has no effect
        if write.kind is Kind.SERVICE:
            self._untouched(write, _without_key(write.before), _without_key(after))
            self._selects(write, after)
        else:
            both = self._ways.services
            self._untouched(write, _without_weights(write.before, both), _without_weights(after, both))
            self._sums(write, after)
            self._grows(done, write, after)

    def _untouched(self, write: Write, before: Any, after: Any) -> None:
        if before != after:
            self._scene.fail(f"touches what is the user's: {write}")

    # --- weights -----------------------------------------------------------------------------------------------------

    def _sums(self, write: Write, after: Json) -> None:
        canary = self._ways.services[1]
        pairs = zip(*(written_rules(_without_companions(one, canary)) for one in (write.before, after)), strict=True)
        for old, new in pairs:
            ours = set(self._ways.services)
            foreign = sum(weight for name, weight in old if name not in ours)
            sums = [sum(weight for name, weight in rule if name in ours) for rule in (old, new)]
            if foreign and sums[0] != sums[1]:
                self._scene.fail(f"takes from, or gives to, other backends: {write}")

    def _grows(self, done: Pass, write: Write, after: Json) -> None:
        canary, shares = done.decision.status.canary, self._ways.shares
        old, new = (shares(written_rules(route))[self._ways.services[1]] for route in (write.before, after))
        copied = [copies(route).get(self._ways.services[1], 0) for route in (write.before, after)]
        more = new > old or copied[1] > copied[0]
        if canary is not None and canary.abort is not None and more and not self._scene.rerouted:
            self._scene.fail(f"gives more to a canary that leaves: {write}")
        weight = done.decision.status.weight
        canary_service = self._ways.services[1]
        # How many requests have the header is unknown: they count as 1 %.
        told_apart = _without_companions(after, canary_service) != after
        if new > old and (weight is None or new > max(weight.desired, told_apart)):
            self._scene.fail(f"gives more than the step, {weight}: {write}")

    # --- selectors ---------------------------------------------------------------------------------------------------

    def _selects(self, write: Write, after: Json) -> None:
        scene, service = self._scene, write.name
        before = (write.before or {})["spec"]["selector"].get(names.POD_HASH, "")
        chosen = after["spec"]["selector"].get(names.POD_HASH, "")
        if chosen == before or scene.rerouted or 0 in scene.wanted(scene.world.now - RECENT_SECONDS):
            return
        if not chosen and scene.world.rollout is None and self._alone():
            return  # the Service is the user's again
        if chosen and not any(scene.world.pods_of(chosen)) and scene.living().get(before, (0, 0, 0))[1]:
            scene.fail(f"selects no pod in place of ready ones: {write}")
        done = scene.world.journal.passes[write.pass_number]
        leaving = done.decision.status.canary is not None and done.decision.status.canary.abort is not None
        share = self._ways.share(service)
        served = scene.living().get(before, (0, 0, 0))[1]
        if scene.switches and not scene.recreates and served and not leaving and not scene.world.pods.failed:
            self._enough(write, chosen)
        if served and share and not leaving:
            scene.fail(f"moves a selector under {share} % of the traffic: {write}")

    def _enough(self, write: Write, chosen: str) -> None:
        """Hold that a switch gives all users to pods that can carry them."""
        ready = self._scene.world.pods_of(chosen)[1]
        if write.name == self._ways.services[0] and ready < self._needed():
            self._scene.fail(f"switches users to {ready} pods of {self._needed()}: {write}")

    def _alone(self) -> bool:
        """Return whether a Service that selects all pods leads to those of one revision."""
        return len([count for count, _, _ in self._scene.living().values() if count]) <= 1

    # --- order -------------------------------------------------------------------------------------------------------

    def _decided(self, done: Pass) -> None:
        """Hold that a pass that begins to go back puts stable back before anything else about traffic or pods."""
        seen, after = done.observation.status, done.decision.status
        begins = after.canary is not None and after.canary.abort is not None
        begins = begins and not (seen.canary is not None and seen.canary.abort is not None)
        traffic = done.observation.traffic
        blind = traffic is None or len(traffic.known_routes) < len(traffic.routes)
        unnamed = Part.TRAFFIC in done.observation.unread and traffic is not None and not traffic.routes
        blind = blind or unnamed  # by no record and by no spec: there is nothing to begin with
        if not begins or blind or self._scene.rerouted or after.stable is None or self._ways.traffic is None:
            return
        switched = self._scene.switches and self._ways.selected(self._ways.services[0]) != after.stable.hash
        if (switched or self._written(self._ways.services[1])) and self._scene.world.pods_of(after.stable.hash)[
            1
        ] >= self._needed():
            first = done.decision.actions[0]
            if not isinstance(first, SelectRevision | SetWeights):
                self._scene.fail(f"before traffic goes back there is something else: {first}")

    def _written(self, service: str) -> int:
        routes = self._scene.world.store.peek(Kind.HTTP_ROUTE)
        ours = [route for route in routes if route["metadata"]["name"] in self._ways.routes()]
        shares = (self._ways.shares(written_rules(route))[service] + copies(route).get(service, 0) for route in ours)
        return max(shares, default=0)

    def _needed(self) -> int:
        return max(1, *(budget.least for budget in self._scene.budgets(self._scene.flight_began)))


def _without_key(service: Json) -> Any:
    spec = json_values.copied(service["spec"])
    spec["selector"].pop(names.POD_HASH, None)
    return spec, _without_marks(service)


def _without_marks(thing: Json) -> Any:
    ours = (names.MANAGED, names.ROLLOUT, names.REJECTED)
    return [
        {name: text for name, text in (thing["metadata"].get(field) or {}).items() if name not in ours}
        for field in ("labels", "annotations")
    ]


def _without_companions(route: Json | None, canary: str) -> Json:
    """Return a route without the rules by which only requests with a header reach the canary."""
    spec = (route or {})["spec"]
    kept = [rule for rule in spec.get("rules") or () if not _companion(rule, canary)]
    return {**(route or {}), "spec": {**spec, "rules": kept}}


def _companion(rule: Json, canary: str) -> bool:
    alone = {one["name"] for one in rule.get("backendRefs") or ()} == {canary}
    matches: list[Json] = rule.get("matches") or [{}]
    return alone and all(match.get("headers") for match in matches)


def _copies_to(one: Json, service: str) -> bool:
    return one["type"] == "RequestMirror" and bool(one["requestMirror"]["backendRef"]["name"] == service)


def _without_weights(route: Json, services: tuple[str, str]) -> Any:
    """Return a route without our two weights in rules that name stable, and without what we may have added."""
    stable, canary = services
    spec = json_values.copied(_without_companions(route, canary)["spec"])
    for rule in spec.get("rules") or ():
        references = rule.get("backendRefs") or []
        if not any(one["name"] == stable for one in references):
            continue
        for one in references:
            if one["name"] in services:
                one.pop("weight", None)
        rule["backendRefs"] = [one for one in references if one["name"] != canary]
        filters = [one for one in rule.pop("filters", []) if not _copies_to(one, canary)]
        rule.update({"filters": filters} if filters else {})
    return spec, _without_marks(route)
