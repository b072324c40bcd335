"""The judge of numbers: users are served, the cluster is not flooded, the new version gets no more than its weight."""

import fractions
import math

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.store import Change
from headgate.simulation.invariants.context import RECENT_SECONDS, Context

PATIENCE_SECONDS = 25.0
"""How long a canary waits for the next stable pod before it goes, or grows, without it; less what a pass may take."""


class PodCapacity:
    """Looks at every pod that comes, goes, or begins to serve."""

    def __init__(self, scene: Context) -> None:
        self._scene = scene
        self._ready: dict[str, float] = {}
        self.least_serving = math.inf
        """The fewest pods that ever served while a canary was in flight or leaving."""
        self.least_stable = math.inf
        self.most_canary = 0
        self._canaries = 0
        self._stable_grew = -math.inf
        self.most_share = fractions.Fraction(0)
        self.held: dict[tuple[int, int], float] = {}
        """By attempt's start and weight: when the pods first were as the weight wants them."""
        scene.world.store.listeners.append(self._heard)

    def _heard(self, change: Change) -> None:
        if change.kind is Kind.ROLLOUT:
            self._note_held()
        if change.kind is not Kind.POD:
            return
        thing = change.thing
        uid = thing["metadata"]["uid"]
        if change.before is None:
            self._created(thing)
            self._grew(thing)
        since = self._scene.world.pods.ready_since.get(uid)
        leaves = change.after is None or thing["metadata"].get("deletionTimestamp") is not None
        if leaves:
            served = self._ready.pop(uid, None)
            if served is not None and change.by != "garbage-collector":
                self._removed(thing, served)
        elif since is None:
            self._ready.pop(uid, None)
        elif uid not in self._ready:
            self._ready[uid] = since
            self._grew(thing)
        self._shares()
        self._note_held()

    def _grew(self, pod: Json) -> None:
        stable = self._scene.status.stable
        if stable is not None and pod["metadata"]["labels"][names.POD_HASH] == stable.hash:
            self._stable_grew = self._scene.world.now

    def _created(self, pod: Json) -> None:
        scene = self._scene
        if scene.meddled:
            return
        if scene.recreates:
            self._alone(pod)
        if scene.status.stable is None:
            return
        living = scene.living()
        total = sum(count for count, _, _ in living.values())
        since = scene.flight_began if scene.status.canary else scene.world.now - RECENT_SECONDS
        most = max(budget.most for budget in scene.budgets(min(since, scene.world.now - RECENT_SECONDS)))
        restarts = scene.status.restart is not None and scene.status.canary is None
        if (scene.in_flight or restarts) and total > most:
            scene.fail(f"{total} pods exist, at most {most} may: {living}")
        canary = scene.status.canary
        if (
            canary
            and scene.in_flight
            and not scene.rerouted
            and pod["metadata"]["labels"].get(names.POD_HASH) == canary.hash
        ):
            allowed = self._allowed_canaries()
            if living[canary.hash][0] > allowed:
                scene.fail(f"{living[canary.hash][0]} canary pods exist, at most {allowed} may: {living}")

    def _alone(self, pod: Json) -> None:
        """Hold that no pod of another revision is there, not even one that terminates."""
        mine = pod["metadata"]["labels"][names.POD_HASH]
        every = self._scene.world.store.peek(Kind.POD)
        others = [one["metadata"]["name"] for one in every if one["metadata"]["labels"][names.POD_HASH] != mine]
        if others:
            self._scene.fail(f"{pod['metadata']['name']} was created while these are there: {others}")

    def _allowed_canaries(self) -> int:
        scene = self._scene
        weight = scene.status.weight.desired if scene.status.weight else 0
        return max(budget.split(weight)[1] for budget in scene.budgets(scene.flight_began))

    def _removed(self, pod: Json, served: float) -> None:
        scene = self._scene
        owner = pod["metadata"]["ownerReferences"][0]["name"]
        thing = scene.world.store.held(Kind.DEPLOYMENT, pod["metadata"]["namespace"], owner)
        if thing is None or scene.meddled or not scene.totals:
            return
        # A decision of a moment ago cannot know a pod that became available just now.
        fresh = scene.world.now < served + thing["spec"].get("minReadySeconds", 0) + RECENT_SECONDS
        if fresh or scene.idle(pod["metadata"]["labels"][names.POD_HASH]) or self._impatient():
            return
        living = scene.living()
        serving = sum(count + failed for _, count, failed in living.values())
        least = min(budget.least for budget in scene.budgets(scene.world.now - RECENT_SECONDS))
        if serving < least:
            name = pod["metadata"]["name"]
            scene.fail(f"{serving} pods serve after {name} was removed, at least {least} must: {living}")

    def _impatient(self) -> bool:
        """Return whether a canary that leaves has waited long enough for stable pods that do not come."""
        canary = self._scene.status.canary
        leaves = canary is not None and canary.abort is not None
        return leaves and self._scene.world.now > self._stable_grew + PATIENCE_SECONDS

    def _shares(self) -> None:
        scene, status = self._scene, self._scene.status
        if status.canary is None or status.stable is None:
            return
        living = scene.living()
        _, canary, _ = living.get(status.canary.hash, (0, 0, 0))
        stables, stable, failed = living.get(status.stable.hash, (0, 0, 0))
        self.least_serving = min(self.least_serving, sum(count for _, count, _ in living.values()))
        self.least_stable = min(self.least_stable, stable)
        self.most_canary = max(self.most_canary, canary)
        if scene.routed:
            return
        share, before = fractions.Fraction(canary, max(1, canary + stable + failed)), self._canaries
        self.most_share, self._canaries = max(self.most_share, share), canary
        late = stables > stable + failed and scene.world.now > self._stable_grew + PATIENCE_SECONDS
        if late or canary <= before or not scene.in_flight or scene.meddled or status.weight is None:
            return  # to be less takes its time
        allowed = [budget.split(status.weight.desired) for budget in scene.budgets(scene.flight_began)]
        if not any(share * sum(sizes) <= sizes[1] for sizes in allowed):
            scene.fail(f"the canary's share of the serving pods is {share}, {allowed} was allowed: {living}")

    def _note_held(self) -> None:
        scene, status = self._scene, self._scene.status
        if status.canary is None or status.stable is None or status.weight is None or not scene.totals:
            return
        place = (status.canary.started, status.weight.desired)
        if place in self.held:
            return
        living = scene.living()
        stables, serving, failed = living.get(status.stable.hash, (0, 0, 0))
        canaries, ready, broken = living.get(status.canary.hash, (0, 0, 0))
        for budget in scene.budgets(scene.flight_began):
            goal = budget.split(status.weight.desired)
            enough = serving + failed + ready + broken >= budget.least
            if stables <= goal[0] and canaries >= goal[1] and ready + broken >= goal[1] and enough:
                self.held[place] = scene.world.now
