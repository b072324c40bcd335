"""One pass over one Rollout: observe, decide, act, and carry out what `core.requeue` says of the next one.

Owns what is remembered between passes. When a Rollout is looked at again is not decided here.
"""

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from headgate.api.status import HistoryEntry, Phase
from headgate.core import requeue
from headgate.core.faults import Conflict, Refused, Unreachable
from headgate.core.model import Decision, Key, Kind, Observation, Unwritten
from headgate.core.requeue import Requeue, Result, Retries
from headgate.core.rollout import blockers
from headgate.core.traffic.cleanup import OrphanedServices
from headgate.reconcile.observation_dump import record
from headgate.reconcile.predicates import Named
from headgate.reconcile.queue import Queue
from headgate.telemetry.logs import about

PASS_SECONDS_MAX: Final = 120.0
"""Each of a pass's calls has its own limit; this one is for a call without one."""

HEAVY_BYTES: Final = 100_000
"""A template of this size or more makes a pass heavy; what people write has a tenth of it."""
HEAVY_BYTES_IN_ALL: Final = 4 * HEAVY_BYTES
"""So do templates on record that make up so much together: ten of them are kept by default."""
ANSWER_SECONDS: Final = 0.1
"""How long a pass that goes nowhere waits for a dry run, which takes 5 ms where no admission is slow."""
UNTOLD_SECONDS: Final = blockers.UNTOLD_SECONDS

_log = logging.getLogger(__name__)
_RANDOM: Final = random.SystemRandom()  # it keeps no state


class Observer(Protocol):
    """Gathers what a decision may know."""

    async def observe(self, key: Key, refusals: tuple[str, ...], written_at: float) -> Observation | None:
        """Return the Observation of *key*; None if there is no such Rollout."""

    async def answered(self, key: Key, seen: Observation, seconds: float) -> Observation:
        """Return *seen* with what the API server is being asked now, if it answers within so many *seconds*."""

    async def remains(self, key: Key) -> OrphanedServices:
        """Return what *key*, a Rollout that is no more, has left behind."""


class Actor(Protocol):
    """Carries out decisions."""

    async def act(self, observation: Observation, decision: Decision) -> Result:
        """Carry out *decision*; faults are part of the result."""

    async def give_back(self, remains: OrphanedServices) -> tuple[str, ...]:
        """Take what is ours off the Services of a Rollout that is no more, and return their names."""


class Measurements(Protocol):
    """Measures for Rollouts, and wakes them."""

    def quiet(self, key: Key, until: int) -> None:
        """Do not wake *key* for ticks up to *until* that pass."""

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key*."""


class Answers(Protocol):
    """Knows of answers that passes have not waited for."""

    def owes(self, key: Key) -> bool:
        """Return whether there is something by now that a pass over *key* has asked for in vain."""


class Follows(Protocol):
    """Knows which changes of routes are worth a pass."""

    def follow(self, key: Key, routes: Iterable[Named]) -> None:
        """Take in which routes a pass over *key* looked at."""


class _Prompt:
    """Answers all within the pass."""

    def owes(self, key: Key) -> bool:  # noqa: ARG002 - as Answers
        return False


class ReconcileMetrics(Protocol):
    """Hears how passes end."""

    def passed(self, key: Key, rule: str, result: str, seconds: float) -> None:
        """Hear of a pass: the rule that decided (if any), the result, how long it took."""

    def stands(self, key: Key, phase: Phase | None) -> None:
        """Hear in which phase a Rollout stands; None: it is gone."""

    def recorded(self, key: Key, entry: HistoryEntry) -> None:
        """Hear how a rollout or a drill ended."""


@dataclasses.dataclass(slots=True)
class _RetryState:
    """What is kept of a Rollout between passes. All of it may be lost at any time."""

    retries: Retries = dataclasses.field(default_factory=Retries)
    written_at: float = 0.0
    unwritten: Unwritten | None = None


class Reconciler:
    """Makes passes. One key is never passed over twice at a time: the queue sees to that."""

    def __init__(  # noqa: PLR0913 - all that a pass consists of
        self,
        queue: Queue,
        observer: Observer,
        decide: Callable[[Observation], Decision],
        actor: Actor,
        measurements: Measurements,
        report: ReconcileMetrics,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = _RANDOM.random,
        answers: Answers = _Prompt(),  # noqa: B008 - it has no state
        routes: Follows | None = None,
    ) -> None:
        self._queue = queue
        self._observer = observer
        self._decide = decide
        self._actor = actor
        self._measurements = measurements
        self._report = report
        self._clock = clock
        self._jitter = jitter
        self._answers = answers
        self._routes = routes
        self._memories: dict[Key, _RetryState] = {}
        self._attempts: dict[Key, _Attempt] = {}
        queue.overtaken = self._overtaken

    def keys(self) -> set[Key]:
        """Return the Rollouts of which something is remembered."""
        return set(self._memories)

    async def settled(self, key: Key, observer: Observer) -> bool:
        """Return whether *observer*, who may be behind, sees nothing to do over *key*: then no pass is needed now."""
        try:
            observation = await observer.observe(key, (), 0.0)
            if observation is None:
                return False
            self._take_in(key, observation)
            decision = self._decide(observation)
        except Exception:  # noqa: BLE001 - whatever it is, the pass that follows meets it too, or it is none
            return False
        if decision.write_status or decision.records or decision.actions or decision.notices:
            return False
        self._memories.setdefault(key, _RetryState())
        self._report.stands(key, decision.status.phase)
        if decision.recheck_at is not None:
            self._queue.add_at(key, decision.recheck_at)
        return True

    async def run(self, key: Key) -> None:
        """Make a pass over *key* and arrange for the next one. Raises nothing but cancellation."""
        started = time.perf_counter()
        attempt = _Attempt()
        try:
            async with asyncio.timeout(PASS_SECONDS_MAX) as attempt.limit:
                attempt.began = asyncio.get_running_loop().time()
                self._attempts[key] = attempt
                result = await self._attempt(key, attempt)
        except (Conflict, Unreachable, Refused) as fault:
            result = self._after(key, fault)
        except TimeoutError:
            late = Unreachable(f"the pass took more than {PASS_SECONDS_MAX:g} s")
            result = self._after(key, requeue.Early.OVERTAKEN if attempt.overtaken else late)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            result = self._bug(key, attempt)  # something that the pass waited for was cancelled from outside
        except Exception:  # noqa: BLE001 - whatever it is, it must stay this one Rollout's trouble
            result = self._bug(key, attempt)
        finally:
            self._left(key)
        self._report.passed(key, attempt.rule, result, time.perf_counter() - started)

    def _left(self, key: Key) -> None:
        self._attempts.pop(key, None)
        if self._answers.owes(key):
            self._queue.add_urgent(key)

    def answered(self, key: Key) -> None:
        """Take in that there is an answer for *key*; a pass that runs may still take it."""
        if key not in self._attempts:
            self._queue.add_urgent(key)

    async def _attempt(self, key: Key, attempt: "_Attempt") -> str:
        memory = self._memories.setdefault(key, _RetryState())
        attempt.patience_seconds = memory.retries.patience_seconds
        observation = await self._observer.observe(key, memory.retries.refusals, memory.written_at)
        if observation is None:
            return await self._gone(key)
        observation = dataclasses.replace(observation, unwritten=memory.unwritten)
        attempt.observation = observation
        self._take_in(key, observation)
        decision = self._decide(observation)
        if observation.target.asked_seconds is not None and not decision.urgent:
            attempt.observation = observation = await self._observer.answered(key, observation, ANSWER_SECONDS)
            decision = self._decide(observation)
        attempt.rule = decision.rule
        if decision.urgent:
            attempt.last()
        elif (asked_seconds := observation.target.asked_seconds) is not None and asked_seconds < UNTOLD_SECONDS:
            return self._after(key, requeue.Asked(UNTOLD_SECONDS - asked_seconds))
        result = await self._actor.act(observation, decision)
        memory.unwritten = decision.unwritten
        if result.status_written:
            memory.written_at = self._clock()
            if decision.status.history and decision.status.history != observation.status.history:
                self._report.recorded(key, decision.status.history[0])
        self._report.stands(key, decision.status.phase)
        return self._after(key, requeue.Acted(decision, result))

    def _take_in(self, key: Key, observation: Observation) -> None:
        kept_bytes = sum(record.template_bytes for record in observation.templates.values())
        if observation.rollout.template_bytes >= HEAVY_BYTES or kept_bytes >= HEAVY_BYTES_IN_ALL:
            self._queue.weigh(key)
        # Without a policy nothing is known of routes, which is not the same as that there are none.
        if self._routes is not None and observation.policy is not None:
            ways = observation.traffic.routes if observation.traffic is not None else ()
            self._routes.follow(key, [(Kind(kind), key.namespace, name) for kind, name in ways])

    def _overtaken(self, key: Key) -> None:
        """Take in that something urgent has come for *key* while a pass over it runs."""
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.limit is not None and not (attempt.lasting or attempt.overtaken):
            attempt.overtaken = True
            ends = max(attempt.began + attempt.patience_seconds, asyncio.get_running_loop().time())
            attempt.limit.reschedule(min(ends, attempt.began + PASS_SECONDS_MAX))

    def _after(self, key: Key, ending: requeue.Ending, extra: Mapping[str, Any] = MappingProxyType({})) -> str:
        """Carry out what follows from how the pass over *key* ended, and return what it is counted as."""
        memory = self._memories.setdefault(key, _RetryState())
        follows = requeue.after(memory.retries, ending, self._clock(), self._jitter())
        memory.retries = follows.retries
        self._requeue(key, follows)
        if follows.quiet_until:
            self._measurements.quiet(key, follows.quiet_until)
        if follows.message:
            told = {**about(key), **extra}
            _log.log(follows.level, "%s", follows.message, extra=told, exc_info=ending is requeue.Early.BUG)
        return follows.result

    def _requeue(self, key: Key, follows: Requeue) -> None:
        if follows.at_once:
            (self._queue.add_urgent if follows.urgent else self._queue.add)(key)
        elif follows.at is not None:
            self._queue.add_at(key, follows.at, urgent=follows.urgent)

    def retry_now(self, spread_seconds: float) -> None:
        """Look at all Rollouts that back off within *spread_seconds*: what they waited for has come.

        They start from the beginning: of a server that has just come back the first answer may well be 429, and no
        Rollout is to sit out a minute for that.
        """
        for key, memory in self._memories.items():
            if memory.retries.failures:
                memory.retries = dataclasses.replace(memory.retries, failures=0)
                self._queue.add_sooner(key, spread_seconds * self._jitter())

    def _bug(self, key: Key, attempt: "_Attempt") -> str:
        seen = attempt.observation
        return self._after(key, requeue.Early.BUG, {"observation": _recorded(seen)} if seen is not None else {})

    async def _gone(self, key: Key) -> str:
        if self._routes is not None:
            self._routes.follow(key, ())
        self._measurements.forget(key)
        self._report.stands(key, None)
        for name in await self._actor.give_back(await self._observer.remains(key)):
            _log.info("Service %s is the user's again: its Rollout is gone", name, extra=about(key))
        # Not before: what could not be given back is tried again, later and later.
        self._memories.pop(key, None)
        self._queue.drop(key)
        return "gone"


@dataclasses.dataclass(slots=True)
class _Attempt:
    """How far a pass came, for telling what happened to it, and when it has to end."""

    observation: Observation | None = None
    rule: str = ""
    limit: asyncio.Timeout | None = None
    began: float = 0.0
    """By the loop's clock."""
    patience_seconds: float = 0.0
    """After how long it ends for something urgent."""
    lasting: bool = False
    """Whether it makes way for nothing."""
    overtaken: bool = False
    """Whether something urgent came meanwhile, for which it is to end soon."""

    def last(self) -> None:
        """Make way for nothing: it goes back to stable itself."""
        self.lasting, self.overtaken = True, False
        if self.limit is not None:
            self.limit.reschedule(self.began + PASS_SECONDS_MAX)


def _recorded(observation: Observation) -> str:
    try:
        return record(observation)
    except Exception as error:  # noqa: BLE001 - a bug in telling of a bug must not hide the first one
        return f"not recordable: {type(error).__name__}"
