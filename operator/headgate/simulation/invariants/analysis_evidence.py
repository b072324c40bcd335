"""The judge of evidence: the new version gets no more traffic than the metric's script proves."""

import math

from headgate.api import values
from headgate.api.status import Canary, Outcome, RolloutStatus
from headgate.core.model import Json, Kind
from headgate.simulation.cluster.store import Change
from headgate.simulation.invariants.context import RECENT_SECONDS, Context
from headgate.simulation.invariants.pod_capacity import PodCapacity
from headgate.simulation.invariants.traffic_history import TrafficHistory
from headgate.simulation.process.operator_process import SETTLE_SECONDS

ROUNDING_SECONDS = 1.0
"""The status keeps whole seconds, and the Deployment's counts are a moment behind the pods."""
LATE_SECONDS = 10.0
"""How long after a tick has settled the operator may not know it yet, beyond one window."""


class AnalysisEvidence:
    """Looks at every status in which the weight grows or a canary becomes stable."""

    def __init__(self, scene: Context, capacity: PodCapacity, ways: TrafficHistory) -> None:
        self._scene = scene
        self._ways = ways
        self._capacity = capacity
        self._before = RolloutStatus()
        self.advances = 0
        scene.world.store.listeners.append(self._heard)

    def _heard(self, change: Change) -> None:
        if change.kind is not Kind.ROLLOUT:
            return
        before, after = self._before, self._scene.status
        self._before = after
        if before.canary is None or before.stable is None or before.weight is None:
            return
        attempt = (before.canary.hash, before.canary.started)
        same = after.canary is not None and (after.canary.hash, after.canary.started) == attempt
        if same and before.policy == after.policy and _index(after) > _index(before):
            self._asked(before)
        grows = same and after.weight is not None and after.weight.desired > before.weight.desired
        # What was stable before it was left may be stable once more.
        promoted = after.stable is not None and after.stable.hash == before.canary.hash and not _stood(before)
        if not grows and not promoted:
            return
        if before.canary.abort is not None:
            self._scene.fail(f"a canary that was leaving goes on: {after.phase}")
        self.advances += 1
        full = before.canary.promote_full or (after.canary is not None and after.canary.promote_full)
        full = full or (promoted and after.history[0].by == "promote-full")
        full = full or 0 in self._scene.wanted(
            self._scene.world.now - RECENT_SECONDS
        )  # no request is answered, nothing shows
        if not full:
            for metric in self._scene.spec.get("analysis", {}).get("metrics", ()):
                self._prove(metric, before)

    def _prove(self, metric: Json, before: RolloutStatus) -> None:
        if before.canary is None or before.weight is None or not self._due(metric, before.weight.desired):
            return
        if metric.get("noData", {}).get("then") == "Advance":
            return
        window = values.parse_duration(metric["window"])
        held = self._held(before.canary, before.weight.desired)
        if held is None:
            self._scene.fail(f"weight {before.weight.desired} was left and never held")
            return
        self._unbreached(metric, before.canary.hash, self._first(metric, before.canary, held, window))
        first = held - ROUNDING_SECONDS
        self._passed(metric, before.canary.hash, first, window, f"weight {before.weight.desired}")

    def _passed(self, metric: Json, revision_hash: str, held: float, window: float, what: str) -> None:
        best = run = 0
        for _, value in self._ticks(metric, revision_hash, held + window):
            if not isinstance(value, Outcome) and math.isfinite(value):
                run = run + 1 if value <= metric["threshold"]["max"] else 0
                best = max(best, run)
        if best < metric["passesToAdvance"]:
            needed = f"{best} passes of {metric['passesToAdvance']}"
            self._scene.fail(f"{what} was left with {needed} at it, held since {held - 1.8e9:.2f}")

    def _asked(self, before: RolloutStatus) -> None:
        """Hold that the metrics that a step asked for have passed before it was left."""
        canary, step, weight = before.canary, before.step, before.weight
        spec = self._scene.accepted(before.policy)
        steps = spec.get("strategy", {}).get("canary", {}).get("steps", ())
        if canary is None or step is None or weight is None or not 0 < step.index <= len(steps):
            return
        asked = steps[step.index - 1].get("analysis", {}).get("metrics", ())
        unused = 0 in self._scene.wanted(self._scene.world.now - RECENT_SECONDS)
        full = canary.promote_full or (self._scene.status.canary is not None and self._scene.status.canary.promote_full)
        for metric in spec.get("analysis", {}).get("metrics", ()):
            due = metric["name"] in asked and metric.get("noData", {}).get("then") != "Advance"
            if due and not unused and not full:
                window = values.parse_duration(metric["window"])
                held = math.inf if weight.since is None else weight.since - ROUNDING_SECONDS
                self._passed(metric, canary.hash, held, window, f"step {step.text}")

    def _held(self, canary: Canary, weight: int) -> float | None:
        if weight == 0:
            return canary.started  # a preview is there at some time after that
        where = self._ways.held if self._scene.routed else self._capacity.held
        return where.get((canary.started, weight))

    def _first(self, metric: Json, canary: Canary, held: float, window: float) -> float:
        """Return from when on failures count."""
        # Not before requests came to the new pods; and what goes back is not blamed for what it is to mend.
        if self._scene.recreates or "Background" not in _moments(metric) or canary.is_rollback:
            return held + ROUNDING_SECONDS + LATE_SECONDS + window
        again = canary.analysis_from  # of an earlier attempt: what its pods did then is not held against this one
        return again + window if again else canary.started + 1

    def _due(self, metric: Json, weight: int) -> bool:
        """Return whether *metric* has to pass before *weight* is left."""
        moments = _moments(metric)
        if "blueGreen" not in self._scene.strategy:
            return weight > 0 and "Background" in moments
        return "PrePromotion" in moments if weight == 0 else moments != ["PrePromotion"]

    def _ticks(self, metric: Json, revision_hash: str, first: float) -> list[tuple[int, float | Outcome]]:
        world = self._scene.world
        interval = int(values.parse_duration(metric["interval"]))
        start = -int(-first // interval) * interval
        last = int(world.now - SETTLE_SECONDS)
        found = range(start, last + 1, interval)
        return [(tick, world.script.value(metric["name"], revision_hash, tick)) for tick in found]

    def _unbreached(self, metric: Json, revision_hash: str, first: float) -> None:
        run, latest = 0, self._scene.world.now - SETTLE_SECONDS - LATE_SECONDS
        latest -= values.parse_duration(metric["window"]) + self._scene.world.script.answer_seconds
        for tick, value in self._ticks(metric, revision_hash, first):
            if tick > latest or isinstance(value, Outcome) or not math.isfinite(value):
                continue
            run = run + 1 if value > metric["threshold"]["max"] else 0
            if run >= metric["failuresToRollback"]:
                self._scene.fail(f"metric {metric['name']} was breached at tick {tick - 1_800_000_000}, and it goes on")


def _index(status: RolloutStatus) -> int:
    return status.step.index if status.step else 0


def _moments(metric: Json) -> list[str]:
    return metric.get("when") or ["Background"]


def _stood(status: RolloutStatus) -> bool:
    """Return whether the attempt that is in flight had made its revision stable before."""
    attempt = (status.canary.hash, status.canary.started) if status.canary else None
    return any((one.hash, one.started) == attempt for one in status.history if str(one.outcome) == "Promoted")
