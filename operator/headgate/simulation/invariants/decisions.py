"""The judge of conduct: what a pass may write, and what a status must say."""

import math
from typing import ClassVar

from headgate.api import names
from headgate.api.spec import Metric
from headgate.api.status import Phase, RolloutStatus
from headgate.core.model import Kind, Observation, Part
from headgate.core.model.actions import ScaleDeployment
from headgate.core.rollout import decide
from headgate.simulation.cluster.store import Change
from headgate.simulation.invariants.context import Context
from headgate.simulation.process.trace import Pass, Write
from headgate.simulation.world import KEY


class Decisions:
    """Looks at every decision, every write and every status."""

    decided_twice_every: ClassVar = 20
    """Of so many passes one is decided twice, the first one among them: to decide is an eighth of what passes cost."""

    def __init__(self, scene: Context) -> None:
        self._scene = scene
        self._rejected: set[str] = set()
        self._stood: set[str] = set()
        """What was stable at some time."""
        self._last = RolloutStatus()
        scene.world.journal.decided.append(self._decided)
        scene.world.journal.wrote.append(self._wrote)
        scene.world.store.listeners.append(self._heard)

    # --- decisions ---------------------------------------------------------------------------------------------------

    def _decided(self, done: Pass) -> None:
        seen, decision = done.observation, done.decision
        if done.number % self.decided_twice_every == 0 and decide.decide(seen) != decision:
            self._scene.fail("the same Observation gives another Decision")
        if decision.write_status or Part.STATUS not in seen.unread:
            self._explained(decision.status)  # what is neither understood nor written is explained by an Event
        status = seen.status
        going = status.canary is not None and status.stable is not None and status.canary.abort is None
        if not going or status.canary is None:
            return
        after = decision.status.canary
        leaves = after is None or after.abort is not None or after.hash != status.canary.hash
        why = _asked_back(seen) or _breach(seen)
        if why and not leaves and not seen.rollout.deleting and Part.STATUS not in seen.unread:
            self._scene.fail(f"{why}, and the canary stays: {decision.rule}")
        if after is not None and after.abort is not None and not decision.urgent:
            self._scene.fail("going back is not urgent")

    def _explained(self, status: RolloutStatus) -> None:
        conditions = {one.type: one for one in status.conditions}
        ready = conditions.get("Ready")
        if ready is None or "Available" not in conditions:
            if status.phase is Phase.PENDING and not status.conditions:
                return  # a deletion before anything was decided
            self._scene.fail(f"conditions are missing: {sorted(conditions)}")
            return
        others = [name for name in ("Reconciling", "Stalled") if name in conditions]
        if not ready.message or not ready.reason:
            self._scene.fail(f"nothing is explained: {ready}")
        if (ready.status == "True") == bool(others) or len(others) > 1:
            self._scene.fail(f"Ready is {ready.status} beside {others}")
        if (ready.status == "True") != (status.phase in (Phase.HEALTHY, Phase.DRILLING)):
            self._scene.fail(f"Ready is {ready.status} while {status.phase}")
        if status.step and status.phase is not Phase.ROLLING_BACK and not status.step.waiting_for:
            self._scene.fail("the step does not say what it waits for")

    # --- writes ------------------------------------------------------------------------------------------------------

    def _wrote(self, write: Write) -> None:
        if write.verb == "delete":
            self._deletes(write)
        labels = (write.before or {"metadata": {}})["metadata"].get("labels") or {}
        if write.kind is Kind.DEPLOYMENT and write.verb == "patch" and write.before and names.ROLLOUT not in labels:
            self._scene.fail(f"writes to what is not ours: {write}")
        replicas = write.replicas()
        if replicas is not None:
            self._sizes(write, replicas)
        done = self._scene.world.journal.passes[-1]
        before, after = done.observation.status.canary, done.decision.status.canary
        begins = before is not None and before.abort is None and after is not None and after.abort is not None
        if begins and done.observation.status.stable is not None and not done.observation.rollout.deleting:
            self._first_things(done, write)

    def _first_things(self, done: Pass, write: Write) -> None:
        earlier = Kind.DEPLOYMENT in done.attempts
        aside = write.kind not in (Kind.DEPLOYMENT, Kind.SERVICE, Kind.HTTP_ROUTE) and write.verb != "apply_status"
        scales = any(isinstance(action, ScaleDeployment) for action in done.decision.actions)
        if aside and scales and not earlier:
            self._scene.fail(f"before anything goes back there is another write: {write}")

    def _deletes(self, write: Write) -> None:
        thing, rollout = write.before, self._scene.world.rollout
        if thing is None:
            return
        owners = [one["uid"] for one in thing["metadata"].get("ownerReferences") or ()]
        labels = thing["metadata"].get("labels") or {}
        ours = labels.get(names.MANAGED) == "true" and labels.get(names.ROLLOUT) == KEY.name
        if not ours or rollout is None or (owners and rollout["metadata"]["uid"] not in owners):
            self._scene.fail(f"deletes what is not ours: {write}")
        if write.kind is Kind.DEPLOYMENT and self._scene.world.deployments.of(thing):
            self._scene.fail(f"deletes a Deployment that has pods: {write}")

    def _sizes(self, write: Write, replicas: int) -> None:
        scene = self._scene
        done = scene.world.journal.passes[write.pass_number]
        decided = done.decision.status
        before = int(write.before["spec"]["replicas"]) if write.before else 0
        hash_ = (write.before or write.body)["metadata"]["labels"][names.POD_HASH]
        stable, canary = decided.stable, decided.canary
        if canary is not None and canary.abort is not None and stable is not None and not scene.meddled:
            fewer = hash_ == stable.hash and replicas < before and replicas < min(scene.wanted(scene.flight_began))
            more = hash_ == canary.hash and replicas > before
            if fewer or more:
                scene.fail(f"while going back: {write}")
        weight = scene.status.weight.desired if scene.status.weight else 0
        known = scene.status.stable
        zero = (
            known is not None and hash_ == known.hash and replicas == 0 and 0 not in scene.wanted(scene.world.now - 5)
        )
        meant = weight == 100 or (scene.recreates and scene.status.restart is not None)  # noqa: PLR2004  # the whole
        if zero and not meant:
            scene.fail(f"stable is scaled to nothing at weight {weight}: {write}")
        if (
            hash_ in self._rejected
            and replicas > before
            and not (stable and stable.hash == hash_)
            and not scene.meddled
        ):
            scene.fail(f"revision {hash_} was rejected and is tried again: {write}")

    # --- what is stored ----------------------------------------------------------------------------------------------

    def _heard(self, change: Change) -> None:
        if change.kind is not Kind.ROLLOUT or change.after is None:
            return
        if change.before is None:
            self._remembers()
        status = self._scene.status
        self._skips(status)
        self._rejected |= {entry.hash for entry in status.rejected}
        if status.stable is not None:
            self._stood.add(status.stable.hash)
            self._rejected.discard(status.stable.hash)  # gone back to
        retried = (change.after["metadata"].get("annotations") or {}).get(names.RETRY)
        self._rejected.discard(retried or "")

    def _remembers(self) -> None:
        """Forget what a new Rollout cannot know of an older one of its name: all but what orphans tell."""
        orphans = {}
        for thing in self._scene.world.store.peek(Kind.DEPLOYMENT, {names.ROLLOUT: KEY.name}):
            metadata = thing["metadata"]
            if not metadata.get("ownerReferences"):
                orphans[metadata["labels"][names.POD_HASH]] = metadata.get("annotations") or {}
        told = {hash_ for hash_, marks in orphans.items() if marks.get(names.REJECTED, "").startswith(f"{hash_}/")}
        self._rejected &= told
        self._stood &= orphans.keys()

    def _skips(self, status: RolloutStatus) -> None:
        """Hold that steps are skipped for nothing but what was stable before and was not rejected."""
        canary, before = status.canary, self._last.canary
        self._last = status
        if canary is None or not canary.is_rollback or (before is not None and before.started == canary.started):
            return
        if canary.hash not in self._stood - self._rejected:
            self._scene.fail(f"revision {canary.hash} gets all users at once and was never stable, or is rejected")


def _asked_back(seen: Observation) -> str:
    canary, stable = seen.status.canary, seen.status.stable
    wanted = seen.rollout.annotations.get(names.ROLLBACK_TO, "").strip()
    unheard = f"rollback-to={wanted}" not in seen.status.handled_commands
    if stable is not None and wanted in (stable.hash, str(stable.revision)) and unheard:
        return f"rollback-to={wanted} was given"
    asked = seen.rollout.annotations.get(names.ABORT, "").strip()
    heard = f"abort={asked}" in seen.status.handled_commands
    if canary is not None and asked in (canary.hash, names.ABORT_NOW) and not heard:
        return f"abort={asked} was given"
    return ""


def _breach(seen: Observation) -> str:
    """Return which metric the readings of this very pass show to be breached, told from the raw values."""
    canary = seen.status.canary
    if canary is None or seen.policy is None or canary.analysis_from:
        return ""
    states = {state.name: state for state in seen.status.analysis}
    for metric in seen.policy.analysis.metrics:
        state, reading = states.get(metric.name), seen.readings.get(metric.name)
        if state is None or reading is None or metric.threshold.max is None:
            continue
        run, first = state.failures, _counts_from(seen, metric) + metric.window_seconds
        for sample in reading.samples:
            if sample.value is not None and math.isfinite(sample.value) and sample.at > max(state.last_tick, first - 1):
                run = run + 1 if sample.value > metric.threshold.max else 0
                if run >= metric.failures_to_rollback:
                    return f"metric {metric.name} is breached"
    return ""


def _counts_from(seen: Observation, metric: Metric) -> float:
    """Return from when on measurements count: where no request reaches the new pods before, once all of them are up."""
    weight, strategy = seen.status.weight, seen.policy.strategy if seen.policy else None
    preview = strategy is not None and strategy.blue_green and weight is not None and weight.desired == 0
    tested = preview and "PrePromotion" in metric.when and "Background" not in metric.when
    tested = tested or ("Step" in metric.when and "Background" not in metric.when)
    if not tested and not (strategy and strategy.recreate):
        return -math.inf
    return math.inf if weight is None or weight.since is None else weight.since
