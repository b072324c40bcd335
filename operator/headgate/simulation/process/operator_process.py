"""An operator's process: wakes, passes, memory, and its death. Owns what `reconcile` owns in the real one.

When it looks again after a pass is what `core.requeue` says, as in the real one. What wakes it is told anew for virtual
time: layers forbid to share `headgate.reconcile`.
"""

import asyncio
import dataclasses
import json
import math
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from headgate.act import Actor
from headgate.api import names
from headgate.core import faults, pass_order, requeue
from headgate.core.model import Decision, Json, Key, Kind, Notice, Observation, Unwritten
from headgate.core.pass_order import PassOrder
from headgate.core.rollout import decide
from headgate.observe import Observer
from headgate.observe.clock_jumps import Jumps
from headgate.observe.dry_runs import InPasses
from headgate.simulation.cluster.server import Connection
from headgate.simulation.cluster.store import Change, Store
from headgate.simulation.metrics import Readings, Script
from headgate.simulation.process import fault_injection as troubles
from headgate.simulation.process import run_sync
from headgate.simulation.process.clock import Clock
from headgate.simulation.process.trace import Pass, Trace

RESYNC_SECONDS: Final = 600.0
SLEEP_SECONDS_MAX: Final = 30.0
SETTLE_SECONDS: Final = 20.0


@dataclasses.dataclass(slots=True)
class _Memory:
    """What a process keeps of a Rollout between passes."""

    retries: requeue.Retries = dataclasses.field(default_factory=requeue.Retries)
    written_at: float = 0.0
    unwritten: Unwritten | None = None
    wake_at: float | None = None
    urgent: bool = False
    """Whether it is hurried then."""
    timer: int = 0
    """Which timer counts; older ones ring in vain."""
    dirty: bool = False


@dataclasses.dataclass(slots=True)
class _Attempt:
    """The pass that runs, and when it has to end for something urgent."""

    key: Key
    began: float
    patience_seconds: float
    lasting: bool = False
    """Whether it makes way for nothing: it goes back to stable itself."""
    ends: float = math.inf


@dataclasses.dataclass(slots=True)
class Surroundings:
    """What outlives a process."""

    store: Store
    agenda: Clock
    script: Script
    journal: Trace
    dice: random.Random
    connect: Callable[[], Connection]
    loses: Callable[[Change], bool] = lambda _: False
    """Whether a watch loses this change."""
    clock_skew: float = 0.0
    """What the operator's wall clock is ahead of virtual time."""
    busy: bool = False
    """Whether some process speaks to the API server: their calls may take turns, but not within one."""


class Operator:
    """One process from its start to its death."""

    def __init__(self, around: Surroundings, stall: Callable[[], float] = lambda: 0.0) -> None:
        """Start in *around* and look at every Rollout; after each decision stand still for as long as *stall* says."""
        self._around = around
        self._stall = stall
        self._memories: dict[Key, _Memory] = {}
        self._stalled: set[Key] = set()
        # Not from the world's dice: what else happens does not hang on how often a pass ended.
        self._jitter = random.Random(around.agenda.now).random
        self.alive = True
        self._turns = PassOrder()
        self._attempt: _Attempt | None = None
        self._readings = Readings(around.script, around.agenda, self.wake, self.clock, hurry=self.hurry)
        connection = around.connect()
        connection.ends = lambda: self._attempt.ends if self._attempt is not None else math.inf
        # Dry runs are answered in the pass: nothing here runs beside it.
        self._observer = Observer(
            connection,
            self._readings,
            self.clock,
            settle_seconds=SETTLE_SECONDS,
            dry_runs=InPasses(),
            jumps=Jumps(self.clock, lambda: around.agenda.now),
        )
        self._actor = Actor(connection, self)
        around.store.listeners.append(self._heard)
        self._resync()

    def clock(self) -> float:
        """Return the time as this process believes it to be."""
        return self._around.agenda.now + self._around.clock_skew

    @property
    def queries(self) -> int:
        """How often this process asked for measurements."""
        return self._readings.asked

    def die(self) -> None:
        """End: all memory is lost, no timer rings any more."""
        self.alive = False
        self._readings.closed = True
        self._around.store.listeners.remove(self._heard)

    def post(self, _key: Key, _uid: str, notice: Notice) -> None:
        """Keep a notice: fits `act.Notices`."""
        self._around.journal.notices.append((self._around.agenda.now, notice))

    # --- waking ------------------------------------------------------------------------------------------------------

    def wake(self, key: Key) -> None:
        """Look at *key* as soon as possible, and after any pass that is running."""
        memory = self._memories.setdefault(key, _Memory())
        if self.alive and not memory.dirty:
            memory.dirty = True
            self._turns.add(key.namespace, key)
            self._around.agenda.after(0.0, self._work)

    def hurry(self, key: Key) -> None:
        """Wake *key* before those that are only woken; a pass over it that runs makes way, if it does not go back."""
        self.wake(key)
        self._turns.hurry(key.namespace, key)
        attempt, now = self._attempt, self._around.agenda.now
        if attempt is not None and attempt.key == key and not attempt.lasting and attempt.ends == math.inf:
            attempt.ends = max(attempt.began + attempt.patience_seconds, now)

    def _wake_at(self, key: Key, at: float, *, urgent: bool = False) -> None:
        memory = self._memories.setdefault(key, _Memory())
        memory.urgent = memory.urgent or urgent
        if memory.wake_at is None or at < memory.wake_at:
            memory.wake_at = at
            memory.timer += 1
            self._arm(key, memory.timer)

    def _arm(self, key: Key, timer: int) -> None:
        at = self._memories[key].wake_at
        if at is not None:
            seconds = min(max(at - self.clock(), 0.0), SLEEP_SECONDS_MAX)
            self._around.agenda.after(seconds, lambda: self._due(key, timer))

    def _due(self, key: Key, timer: int) -> None:
        memory = self._memories.get(key)
        if not self.alive or memory is None or memory.timer != timer or memory.wake_at is None:
            return
        if self.clock() < memory.wake_at:
            self._arm(key, timer)
        else:
            (self.hurry if memory.urgent else self.wake)(key)

    def _resync(self) -> None:
        if self.alive:
            for thing in self._around.store.peek(Kind.ROLLOUT):
                self.wake(_key(thing))
            self._around.agenda.after(RESYNC_SECONDS, self._resync)

    def _heard(self, change: Change) -> None:
        for key in _worth_a_pass(change, self._around.store):
            if not self._around.loses(change):
                (self.hurry if _is_wish(change) else self.wake)(key)

    # --- working -----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Make a pass over the Rollout whose turn it is; called once for each that waits."""
        if not self.alive:
            return
        key = None if self._around.busy else self._turns.take(_free, _free)
        memory = self._memories.get(key) if key is not None else None
        if key is not None and key in self._stalled:
            self._turns.add(key.namespace, key)
        if self._around.busy or key in self._stalled:
            self._around.agenda.after(0.01, self._work)
            return
        if key is None or memory is None:
            return
        memory.dirty, memory.urgent, memory.wake_at = False, False, None
        memory.timer += 1
        self._alone(self._pass(key, memory))

    def _alone(self, work: Coroutine[Any, Any, None]) -> None:
        self._around.busy = True
        try:
            run_sync.completed(work)
        except troubles.Crash:
            self._around.journal.crashes += 1
            self.die()
        finally:
            self._around.busy = False

    async def _pass(self, key: Key, memory: _Memory) -> None:
        self._around.journal.failed_reads.clear()
        self._attempt = _Attempt(key, self._around.agenda.now, memory.retries.patience_seconds)
        try:
            await self._looked(key, memory, self._attempt)
        except (faults.Conflict, faults.Unreachable, faults.Refused) as fault:
            self._after(key, memory, fault)
        except asyncio.CancelledError:
            self._after(key, memory, requeue.Early.OVERTAKEN)
        finally:
            self._attempt = None

    async def _looked(self, key: Key, memory: _Memory, attempt: _Attempt) -> None:
        observation = await self._observed(key, memory)
        if observation is None:
            return
        decision = decide.decide(observation)
        if decision.urgent:
            attempt.lasting, attempt.ends = True, math.inf
        seconds = self._stall()
        if not seconds:
            await self._act(key, memory, observation, decision)
            return
        self._stalled.add(key)
        self._around.agenda.after(seconds, lambda: self._awake(key, memory, observation, decision))

    async def _observed(self, key: Key, memory: _Memory) -> Observation | None:
        found = await self._observer.observe(key, memory.retries.refusals, memory.written_at)
        observation = dataclasses.replace(found, unwritten=memory.unwritten) if found is not None else None
        if observation is None:
            self._readings.forget(key)
            await self._actor.give_back(await self._observer.remains(key))
            if not memory.dirty:
                self._memories.pop(key, None)
        return observation

    def _awake(self, key: Key, memory: _Memory, observation: Observation, decision: Decision) -> None:
        if self.alive and self._around.busy:
            self._around.agenda.after(0.01, lambda: self._awake(key, memory, observation, decision))
        elif self.alive:
            self._stalled.discard(key)
            self._alone(self._act(key, memory, observation, decision))

    async def _act(self, key: Key, memory: _Memory, observation: Observation, decision: Decision) -> None:
        done = self._noted(observation, decision)
        result = await self._actor.act(observation, decision)
        done.result = result
        memory.unwritten = decision.unwritten
        if result.status_written:
            memory.written_at = self.clock()
        self._after(key, memory, requeue.Acted(decision, result))

    def _noted(self, observation: Observation, decision: Decision) -> Pass:
        journal = self._around.journal
        done = Pass(len(journal.passes), self._around.agenda.now, observation, decision)
        journal.passes.append(done)
        for listener in journal.decided:
            listener(done)
        return done

    def _after(self, key: Key, memory: _Memory, ending: requeue.Ending) -> None:
        follows = requeue.after(memory.retries, ending, self.clock(), self._jitter())
        memory.retries = follows.retries
        if follows.at_once:
            (self.hurry if follows.urgent else self.wake)(key)
        elif follows.at is not None:
            self._wake_at(key, follows.at, urgent=follows.urgent)
        if follows.quiet_until:
            self._readings.quiet(key, follows.quiet_until)


def _free(_line: str) -> bool:
    return True


def _key(thing: Json) -> Key:
    return Key(thing["metadata"]["namespace"], thing["metadata"]["name"])


def _is_wish(change: Change) -> bool:
    """Return whether users of a Rollout want something new by *change*: a template, a command, a deletion."""
    if change.kind is not Kind.ROLLOUT:
        return False
    before, after = (pass_order.wishes(one["metadata"]) if one else None for one in (change.before, change.after))
    return before is None or before != after


def _rollout_facts(thing: Json) -> Any:
    return [thing["metadata"].get(field) for field in ("generation", "annotations", "finalizers", "deletionTimestamp")]


def _deployment_facts(thing: Json) -> Any:
    metadata = thing["metadata"]
    fields = ("generation", "deletionTimestamp", "labels", "ownerReferences")
    return [*(metadata.get(field) for field in fields), names.ours(metadata.get("annotations")), thing.get("status")]


def _traffic_facts(thing: Json) -> Any:
    return {name: value for name, value in thing.items() if name != "metadata"}, [
        thing["metadata"].get(field) for field in ("labels", "annotations", "deletionTimestamp", "uid")
    ]


_FACTS: Final[Mapping[Kind, Callable[[Json], Any]]] = {
    Kind.ROLLOUT: _rollout_facts,
    Kind.DEPLOYMENT: _deployment_facts,
    Kind.SERVICE: _traffic_facts,
    Kind.ENDPOINT_SLICE: _traffic_facts,
    Kind.HTTP_ROUTE: _traffic_facts,
}


def _claimants(change: Change, store: Store) -> list[Key]:
    """Return the Rollouts that *change* is about, as far as watches by label tell."""
    metadata = change.thing["metadata"]
    # Who loses a label goes out of the sight of a watch by it, and that is an event, too.
    both = [thing["metadata"].get("labels") or {} for thing in (change.before, change.after) if thing]
    labels = {**both[0], **both[-1]}
    match change.kind:
        case Kind.ROLLOUT:
            return [_key(change.thing)]
        case Kind.DEPLOYMENT | Kind.SERVICE | Kind.ENDPOINT_SLICE if names.ROLLOUT in labels:
            return [Key(metadata["namespace"], labels[names.ROLLOUT])]
        case Kind.HTTP_ROUTE if labels.get(names.MANAGED) == "true":
            return [_key(one) for one in store.peek(Kind.ROLLOUT) if metadata["name"] in _routes(one)]
        case _:
            return []


def _routes(rollout: Json) -> list[str]:
    try:
        return [str(route["name"]) for route in rollout["spec"]["traffic"]["gatewayAPI"]["routes"]]
    except (KeyError, TypeError):
        return []  # there are none, or they make no sense


def _worth_a_pass(change: Change, store: Store) -> list[Key]:
    """Return the Rollouts over which *change* is worth a pass."""
    facts = _FACTS.get(change.kind)
    if facts is None:
        return []
    if change.before is not None and change.after is not None:
        before, after = facts(change.before), facts(change.after)
        if json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True):
            return []
    return _claimants(change, store)
