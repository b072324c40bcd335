"""The life of a Rollout behind a Gateway in which anything may happen to Services, routes and Gateways as well."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.cluster import store
from headgate.simulation.controllers.gateway import Gateway
from headgate.simulation.world import Pace
from tests.simulation import lives, shops

STRATEGIES: tuple[Json, ...] = (
    {},
    {"maxSurge": 1, "maxUnavailable": 0},
    {"maxSurge": 0, "maxUnavailable": 2},
    {"maxSurge": "50%", "maxUnavailable": "20%"},
    {"minReadySeconds": 7},
)
SWITCH: Json = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "10s"}
PREVIEWED: Json = {"blueGreen": {"autoPromotion": {"after": "20s"}, "previewReplicas": 1, "scaleDownDelay": "30s"}}
WAYS: tuple[Json, ...] = (
    *lives.WAYS,
    {"strategy": PREVIEWED},
    {"strategy": {"blueGreen": {"autoPromotion": {}, "scaleDownDelay": "0s"}}},
    {"strategy": PREVIEWED, "traffic": SWITCH},
    {"strategy": {"recreate": {}}, "traffic": SWITCH},
)
"""Instead of a canary."""
STEPS: tuple[tuple[Json, ...], ...] = (
    (specs.scale(replicas=2), specs.pause("20s"), specs.weight(30), specs.scale(weight=70), specs.weight(60)),
    (specs.header(), specs.pause("20s"), specs.weight(30), specs.header("staff"), specs.no_header(), specs.weight(60)),
)
"""Steps that need a router, beside the others."""
FOREIGN = "legacy"
ROUTES = (
    specs.route(),
    specs.route(specs.rule(), specs.rule(specs.backend(), timeouts={"request": "5s"})),
    specs.route(specs.rule(specs.backend(weight=300), specs.backend(FOREIGN, weight=100))),
)
TWO_PARENTS = ("public", "private")
SERVICES = (specs.STABLE_SERVICE, specs.CANARY_SERVICE)
MOST_PROGRAMMING_SECONDS = 8.0
"""Less than the drain of 10 s: a Gateway that is later than that is beyond what can be promised."""


class AnythingHappensBehindARouter(lives.AnythingHappens):
    """A Rollout's life behind a Gateway: in the end it has all its traffic on stable, and is left alone."""

    route: Json = ROUTES[0]
    ways = WAYS

    @initialize(
        seed=st.integers(0, 2**16),
        replicas=st.integers(1, 12),
        steps=st.sampled_from((*lives.STEPS, *STEPS)),
        strategy=st.tuples(st.sampled_from(STRATEGIES), st.sampled_from(WAYS)),
        route=st.sampled_from(ROUTES),
        warm=st.sampled_from(("0s", "30s", "5m")),
        flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    )
    def begin(self, seed: int, replicas: int, steps: Any, strategy: Any, route: Json, warm: str, flags: Any) -> None:
        """Begin with any strategy and any route, at any pace."""
        (slow, measured, second), (canary, way) = flags, strategy
        parents = TWO_PARENTS if second else TWO_PARENTS[:1]
        self.route = specs.route(*route["spec"]["rules"], parents=parents)
        self.play = shops.shop(
            seed,
            pace=Pace(call=0.3, lag=0.5) if slow else Pace(),
            route=self.route,
            others=(FOREIGN,),
            replicas=replicas,
            steps=steps,
            measured=(specs.metric(),) if measured else (),
            scaleDownDelay=warm,
            **canary,
        )
        if second:
            other = Gateway(TWO_PARENTS[1], self.world.server, self.world.agenda, self.world.dice)
            self.world.gateways.append(other)
            self.play.judges.serving.watch(other)
            other.wake()
            self.world.run(30)
        self.fields = {"replicas": replicas, **way}
        self.images()

    def _gateways(self, change: Callable[[Gateway], None]) -> None:
        for gateway in self.world.gateways:
            change(gateway)
            gateway.wake()

    @rule(accepts=st.sampled_from((0.1, 2.0, 30.0)), programs=st.sampled_from((0.1, 3.0, MOST_PROGRAMMING_SECONDS)))
    def gateway_pace(self, accepts: float, programs: float) -> None:
        """Let Gateways be as fast or slow as that from now on."""
        for gateway in self.world.gateways:
            gateway.habits.accepts, gateway.habits.programs = accepts, programs

    @rule(deaf=st.booleans())
    def gateway_hears(self, *, deaf: bool) -> None:
        """Let the last Gateway neither answer nor follow, or do so again."""
        gateway = self.world.gateways[-1]
        gateway.habits.deaf = deaf
        gateway.wake()

    @rule(words=st.sampled_from(("", "too many rules")))
    def gateway_refuses(self, words: str) -> None:
        """Let the last Gateway accept no route, or accept them again."""
        gateway = self.world.gateways[-1]
        gateway.habits.refuses = words
        gateway.wake()

    @rule(canary=st.sampled_from((0, 1, 30, 100)))
    def somebody_weighs(self, canary: int) -> None:
        """Let somebody set the weights of all rules."""

        def weigh(thing: Json) -> None:
            for one in thing["spec"]["rules"]:
                for reference in one.get("backendRefs") or ():
                    if reference["name"] in SERVICES:
                        share = canary if reference["name"] == specs.CANARY_SERVICE else 100 - canary
                        reference["weight"] = share

        self.world.change(Kind.HTTP_ROUTE, specs.ROUTE, weigh)

    @rule()
    def gitops_applies_the_route(self) -> None:
        """Let GitOps put its own route back, or create it anew."""
        self._put(Kind.HTTP_ROUTE, self.route)

    def _put(self, kind: Kind, body: Json) -> None:
        name = body["metadata"]["name"]
        if self.world.store.get(kind, "shop", name) is None:
            self.world.put(kind, body)
        else:
            self.world.change(kind, name, lambda thing: thing.update(spec=body["spec"]), "argocd")

    @rule(service=st.sampled_from(SERVICES), whole=st.booleans())
    def gitops_applies_a_service(self, service: str, *, whole: bool) -> None:
        """Let GitOps put its own Service back, or somebody take our key out of its selector."""
        if whole:
            self._put(Kind.SERVICE, specs.service(service))
        else:
            self.world.change(Kind.SERVICE, service, lambda thing: thing["spec"]["selector"].pop(names.POD_HASH, None))

    @rule(what=st.sampled_from(((Kind.HTTP_ROUTE, specs.ROUTE), *((Kind.SERVICE, name) for name in SERVICES))))
    def somebody_deletes(self, what: tuple[Kind, str]) -> None:
        """Let somebody delete a route or a Service."""
        self.world.drop(*what)

    @precondition(lambda self: self.play is not None and self.world.store.get(Kind.HTTP_ROUTE, "shop", "web") is None)
    @rule()
    def route_comes_back(self) -> None:
        """Let the route come back with the weights that GitOps knows."""
        self._put(Kind.HTTP_ROUTE, self.route)

    def collected(self) -> None:
        """Put back Services that Headgate had created: without a route nobody can tell it which ports they had."""
        self.world.run(store.COLLECTED_AFTER_SECONDS + 1)
        self.mended()

    def mended(self) -> None:
        """Let all be well again, with Gateways and what they need."""
        super().mended()
        self._put(Kind.HTTP_ROUTE, self.route)  # whose weights may be such that no step can follow
        for name in SERVICES:
            if self.world.store.get(Kind.SERVICE, "shop", name) is None:
                self.world.put(Kind.SERVICE, specs.service(name))
        for gateway in self.world.gateways:
            gateway.habits.deaf, gateway.habits.refuses = False, ""
            gateway.habits.accepts, gateway.habits.programs = 0.4, 1.0
            gateway.wake()

    def rested(self) -> None:
        """Hold that all weight is on stable, that both Services lead there, and that nothing is written any more."""
        assert self.play is not None
        shops.rested(self.play)
