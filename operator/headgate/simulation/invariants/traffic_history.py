"""What users may be getting: every weight and every selection that was in effect, until it has drained.

The truth that judges share, told from the objects and the Gateways alone: a weight that was replaced is in effect until
every Gateway that answers has accepted the next one, and then for the drain time; a selection until no slice names its
pods any more, and then for the drain time.
"""

import dataclasses

from headgate.api import names, values
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.store import Change
from headgate.simulation.controllers.gateway import ROUTES, Rules, copies
from headgate.simulation.invariants.context import Context

_DRAIN = "30s"
_LEAD_SOMEWHERE = (Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.POD)


@dataclasses.dataclass(slots=True)
class _Span:
    """Something that is, or was, in effect."""

    what: dict[str, int] | str
    """Shares by Service in percent, or the revision that is selected."""
    until: float | None = None


class TrafficHistory:
    """Follows all routes and Services of the Rollout."""

    def __init__(self, scene: Context) -> None:
        self._scene = scene
        self._traffic: Json | None = None
        self._weights: dict[str, list[_Span]] = {}
        """By route."""
        self._copies: dict[str, list[_Span]] = {}
        """By route, what is copied to each Service."""
        self._selections: dict[str, list[_Span]] = {}
        """By Service."""
        self.held: dict[tuple[int, int], float] = {}
        """By attempt's start and weight: when every Gateway that answers had first accepted that weight."""
        scene.world.store.listeners.append(self._heard)
        scene.idle = self._idle

    # --- what the spec names -----------------------------------------------------------------------------------------

    @property
    def traffic(self) -> Json | None:
        """What is said of traffic by the spec that the present rollout began with."""
        return self._traffic

    @property
    def services(self) -> tuple[str, str]:
        """The names of the stable and the canary Service."""
        traffic = self.traffic or {}
        return str(traffic.get("stableService", "")), str(traffic.get("canaryService", ""))

    @property
    def drain_seconds(self) -> float:
        """How long what was replaced is in effect."""
        return values.parse_duration((self.traffic or {}).get("drain", _DRAIN))

    def routes(self) -> list[str]:
        """Return the names of the routes."""
        return [str(route["name"]) for route in (self.traffic or {}).get("gatewayAPI", {}).get("routes", ())]

    def shares(self, rules: Rules) -> dict[str, int]:
        """Return what *rules* give to each of our Services of what they give to both, the most in any rule, up."""
        most = dict.fromkeys(self.services, 0)
        for rule in rules:
            if {name for name, _ in rule} == {self.services[1]}:
                most[self.services[1]] = max(most[self.services[1]], 1)  # for requests with a header: some
            if self.services[0] not in dict(rule):
                continue
            ours = {name: sum(weight for one, weight in rule if one == name) for name in self.services}
            whole = sum(ours.values())
            for name, weight in ours.items():
                most[name] = max(most[name], -(-100 * weight // whole) if whole else 0)
        return most

    # --- what is in effect -------------------------------------------------------------------------------------------

    def _effective(self, spans: list[_Span]) -> list[_Span]:
        now, drain = self._scene.world.now, self.drain_seconds
        return [span for span in spans if span.until is None or now < span.until + drain]

    def share(self, service: str) -> int:
        """Return the most that any route may be giving to a Service, in percent."""
        return self._most(self._weights, service)

    def _most(self, of_routes: dict[str, list[_Span]], service: str) -> int:
        spans = [span for name in self.routes() for span in self._effective(of_routes.get(name, []))]
        return max((span.what.get(service, 0) for span in spans if isinstance(span.what, dict)), default=0)

    def load(self, service: str) -> int:
        """Return the same with what may be copied to it: that takes pods just as well."""
        return self.share(service) + self._most(self._copies, service)

    def selections(self, service: str) -> set[str]:
        """Return the revisions that a Service may be leading to."""
        return {str(span.what) for span in self._effective(self._selections.get(service, []))}

    def burden(self, revision_hash: str) -> int:
        """Return the most that a revision may be getting of the traffic of the routes, or of the switch, in percent."""
        if self._scene.switches:
            return 100 if revision_hash in self.selections(self.services[0]) else 0
        return min(100, sum(self.load(name) for name in self.services if revision_hash in self.selections(name)))

    def _idle(self, revision_hash: str) -> bool:
        led_to = revision_hash in self.selections(self.services[0])
        return self.traffic is not None and not led_to and self.burden(revision_hash) == 0

    def given(self, revision_hash: str) -> int:
        """Return what the data planes give to the Services that select a revision, at this moment, in percent."""
        selecting = [name for name in self.services if self.selected(name) == revision_hash]
        found = [0]
        for gateway in self._scene.world.gateways:
            for rules in gateway.programmed.values():
                shares = self.shares(rules)
                found.append(sum(shares[name] for name in selecting))
        return max(found)

    def selected(self, service: str) -> str:
        """Return the revision that a Service selects."""
        spans = self._selections.get(service, [])
        return str(spans[-1].what) if spans else ""

    # --- what happens ------------------------------------------------------------------------------------------------

    def _heard(self, change: Change) -> None:
        status = self._scene.status
        if status.stable is None or (status.canary is None and status.previous is None):
            self._traffic = self._scene.traffic
        if self.traffic is None:
            return
        name = change.thing["metadata"]["name"]
        if change.kind in ROUTES and name in self.routes():
            self._heard_route(name, change.after)
        if change.kind is Kind.ROLLOUT:
            for service in self._scene.world.store.peek(Kind.SERVICE):
                self._heard_service(service["metadata"]["name"], service)
        if change.kind is Kind.SERVICE:
            self._heard_service(name, change.after)
        if change.kind in _LEAD_SOMEWHERE:
            self._heard_endpoints()

    def _heard_service(self, name: str, service: Json | None) -> None:
        if name in self.services:
            self._note_held()
            selector = (service or {"spec": {}})["spec"].get("selector") or {}
            self._follow(self._selections.setdefault(name, []), selector.get(names.POD_HASH, ""))

    def _follow(self, spans: list[_Span], what: dict[str, int] | str) -> None:
        if not spans or spans[-1].what != what:
            spans[:] = [*self._effective(spans), _Span(what)]

    def _heard_endpoints(self) -> None:
        world = self._scene.world
        for service, spans in self._selections.items():
            ready = world.services.ready(service)
            pods = world.store.peek(Kind.POD)
            led = {pod["metadata"]["labels"][names.POD_HASH] for pod in pods if pod["metadata"]["uid"] in ready}
            for span in spans[:-1]:
                if span.until is None and span.what not in led:
                    span.until = world.now

    def _heard_route(self, name: str, route: Json | None) -> None:
        spans, copied = self._weights.setdefault(name, []), self._copies.setdefault(name, [])
        self._follow(spans, self.shares(written_rules(route)))
        self._follow(copied, copies(route))
        answers = (route.get("status") or {}).get("parents", ()) if route else ()
        generation = route["metadata"]["generation"] if route else 0
        if all(one["observedGeneration"] >= generation for answer in answers for one in answer["conditions"]):
            for span in (*spans[:-1], *copied[:-1]):
                span.until = self._scene.world.now if span.until is None else span.until
            self._note_held()

    def _note_held(self) -> None:
        status, canary = self._scene.status, self._scene.status.canary
        if canary is None or status.weight is None or status.stable is None:
            return
        if self._scene.switches:
            if self.selected(self.services[0]) == canary.hash:
                self.held.setdefault((canary.started, status.weight.desired), self._scene.world.now)
            return
        spans = [self._weights.get(name, [_Span({})])[-1] for name in self.routes()]
        shares = [span.what.get(self.services[1], 0) for span in spans if isinstance(span.what, dict)]
        if shares and set(shares) == {status.weight.desired} and self.selected(self.services[1]) == canary.hash:
            self.held.setdefault((canary.started, status.weight.desired), self._scene.world.now)


def written_rules(route: Json | None) -> Rules:
    """Return the rules of a route as they are written."""
    rules = route["spec"].get("rules") or () if route else ()
    return [[(one["name"], one.get("weight", 1)) for one in rule.get("backendRefs") or ()] for rule in rules]
