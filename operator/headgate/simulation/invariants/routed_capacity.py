"""The judge of capacity behind a router: no request meets an empty or dead backend, and nothing goes that carries some.

Looks at what the data planes do, at every moment, and at every pod that goes.
"""

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.store import Change
from headgate.simulation.controllers.gateway import Gateway
from headgate.simulation.controllers.pods import is_ready
from headgate.simulation.invariants.context import RECENT_SECONDS, Context
from headgate.simulation.invariants.traffic_history import TrafficHistory
from headgate.simulation.world import KEY

SCALING_SECONDS = 60.0
"""How long pods that were asked for of late may need to come."""


class RoutedCapacity:
    """Watches the data planes of all Gateways, and callers inside the cluster."""

    def __init__(self, scene: Context, ways: TrafficHistory) -> None:
        self._scene = scene
        self._ways = ways
        self._shares: dict[str, dict[str, int]] = {}
        self._served: set[tuple[str, str]] = set()
        """By whom which Services were found alive."""
        self.most_given = 0
        """The most that a canary in flight ever got, in percent."""
        scene.world.store.listeners.append(self._heard)
        for gateway in scene.world.gateways:
            self.watch(gateway)

    def watch(self, gateway: Gateway) -> None:
        """Watch another Gateway as well."""
        gateway.listeners.append(lambda _: self._look())

    def _heard(self, change: Change) -> None:
        if self._ways.traffic is None:
            return
        if change.kind is Kind.POD and change.before is not None and change.by != "garbage-collector":
            leaves = change.after is None or change.thing["metadata"].get("deletionTimestamp") is not None
            if leaves and is_ready(change.before):
                self._gone(change.before)
        if change.kind in (Kind.POD, Kind.ENDPOINT_SLICE):
            self._look()

    # --- every moment ------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        scene, ways = self._scene, self._ways
        if ways.traffic is None or scene.status.stable is None or scene.recreates:
            return
        canary = scene.status.canary
        if canary is not None and scene.in_flight:
            self.most_given = max(self.most_given, ways.given(canary.hash))
            self._strays(canary.hash)
        self._inside()
        for gateway in scene.world.gateways:
            for (kind, route), rules in gateway.programmed.items():
                copied = gateway.copying[kind, route]
                shares = {name: min(100, share + copied.get(name, 0)) for name, share in ways.shares(rules).items()}
                before = self._shares.get(f"{gateway.name}/{route}", shares)
                self._shares[f"{gateway.name}/{route}"] = shares
                for service, share in shares.items():
                    if share and route in ways.routes():
                        self._alive(service, gateway.endpoints.get(service, set()), f"Gateway {gateway.name}")
                        if share > before.get(service, 0):
                            self._carried(service, share)

    def _inside(self) -> None:
        stable = self._ways.services[0]
        if not self._scene.world.store.free(Kind.SERVICE, self._namespace(), stable):
            self._alive(stable, self._scene.world.services.ready(stable), "the cluster")

    def _namespace(self) -> str:
        return KEY.namespace if self._scene.world.exists else ""

    def _alive(self, service: str, uids: set[str], who: str) -> None:
        scene, pods, place = self._scene, self._scene.world.pods, (who, service)
        if any(uid in pods.ready_since for uid in uids):
            self._served.add(place)
            return
        unused = 0 in scene.wanted(scene.world.now - SCALING_SECONDS)
        if unused or pods.failed or scene.rerouted or scene.meddled:
            self._served.discard(place)  # until there are pods again
        elif place in self._served:
            scene.fail(f"requests from {who} to Service {service} meet no ready pod: it leads to {sorted(uids)}")

    def _strays(self, revision_hash: str) -> None:
        scene, world = self._scene, self._scene.world
        ready = world.services.ready(self._ways.services[0])
        pods = world.store.peek(Kind.POD, {names.POD_HASH: revision_hash})
        strays = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["uid"] in ready]
        if strays and not scene.switches and not scene.rerouted and not scene.meddled:
            scene.fail(f"the stable Service leads to pods of the canary: {strays}")

    def _carried(self, service: str, share: int) -> None:
        """Hold that the revision that a Service selects can carry a *share* that has grown."""
        scene = self._scene
        if scene.rerouted or scene.meddled or not scene.totals:
            return
        chosen = self._ways.selections(service)
        serving = sum(self._serves(hash_) for hash_ in (scene.living() if "" in chosen else chosen))
        going_back = scene.status.canary is not None and not scene.in_flight
        bounds = min(scene.budgets(scene.world.now - SCALING_SECONDS), key=lambda one: one.total)
        needed = min(bounds.carriers(share), max(0, bounds.most - 1))
        if service == self._ways.services[0]:
            rescued = going_back or bool(scene.world.pods.failed) or scene.blind
            needed = min(needed, 1) if rescued else needed - bounds.unavailable
        if serving < needed:
            scene.fail(f"Service {service} gets {share} %, {serving} pods serve there of {needed} that it takes")

    def _serves(self, revision_hash: str) -> int:
        _, serving, failed = self._scene.living().get(revision_hash, (0, 0, 0))
        return serving + failed

    # --- every pod that goes -----------------------------------------------------------------------------------------

    def _gone(self, pod: Json) -> None:
        scene, ways = self._scene, self._ways
        hash_ = pod["metadata"]["labels"][names.POD_HASH]
        burden = ways.burden(hash_)
        inside = hash_ in ways.selections(ways.services[0])
        if scene.meddled or scene.rerouted or scene.recreates or not scene.totals or not (burden or inside):
            return
        bounds = min(scene.budgets(scene.world.now - RECENT_SECONDS), key=lambda one: one.total)
        least = bounds.carriers(burden) - bounds.unavailable
        least = max(least, 1 if bounds.total else 0)
        serving = self._serves(hash_)
        if serving < least:
            name = pod["metadata"]["name"]
            scene.fail(f"{name} went and {serving} pods are left for {burden} % of the traffic, at least {least} must")
