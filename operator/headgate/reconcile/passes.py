"""One pass over one Rollout: observe, decide, act, and when to look again. Owns what is remembered between passes.

| how it ended | looked at again |
|---|---|
| well | when the decision says |
| somebody was faster | at once; from the sixth time in a row after 50 ms, 100 ms, … |
| the API server cannot be reached | after 1 s, 2 s, … 60 s |
| the API server refused something | as decided, but within a minute |
| it refused a step back to stable | after 1 s, 2 s, … 60 s |
| a command came, and the pass did not go back | at once, half a second after it began |
| a dry run is not answered yet | with its answer, or when it is time to say that there is none |
| a bug of ours | as if unreachable, and logged with the Observation |
"""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from headgate.api.status import HistoryEntry, Phase
from headgate.core import forward
from headgate.core.faults import Conflict, Refused, Unreachable
from headgate.core.model import Decision, Key, Kind, Observation, Unwritten
from headgate.core.remains import Remains
from headgate.reconcile.queue import Queue
from headgate.reconcile.record import record
from headgate.reconcile.sightings import Named
from headgate.telemetry.logs import about

REFUSED_SECONDS: Final = 60.0
FAILURES_TOLD: Final = 3
CONFLICTS_AT_ONCE: Final = 5
CONFLICT_SECONDS: Final = 0.05
CONFLICT_SECONDS_MAX: Final = 5.0
PASS_SECONDS_MAX: Final = 120.0
"""Each of a pass's calls has its own limit; this one is for what nobody thought of."""
OVERTAKEN_SECONDS: Final = 0.5
"""How long a pass may run on when something urgent comes: admission may hold up a new Deployment, but no abort of it.
To be ended between two writes, or in one, is what a restart does to a pass, and as safe. Each that is ended gives the
next one twice the time, so that commands without end, to a server that is slow, end no pass for ever."""

HEAVY_BYTES: Final = 100_000
"""A template of this size or more makes a pass heavy; what people write has a tenth of it."""
HEAVY_BYTES_IN_ALL: Final = 4 * HEAVY_BYTES
"""So do templates on record that make up so much together: ten of them are kept by default."""
ANSWER_SECONDS: Final = 0.1
"""How long a pass that goes nowhere waits for a dry run, which takes 5 ms where no admission is slow."""
UNTOLD_SECONDS: Final = forward.UNTOLD_SECONDS

_log = logging.getLogger(__name__)


class Result(Protocol):
    """What became of a Decision."""

    @property
    def status_written(self) -> bool:
        """Whether the status was written."""

    @property
    def conflict(self) -> bool:
        """Whether somebody was faster with something."""

    @property
    def refusals(self) -> tuple[str, ...]:
        """What the API server refused, in its words."""

    @property
    def unreachable(self) -> str:
        """Why something could not be written, or empty."""


class Observes(Protocol):
    """Gathers what a decision may know."""

    async def observe(self, key: Key, refusals: tuple[str, ...], written_at: float) -> Observation | None:
        """Return the Observation of *key*; None if there is no such Rollout."""

    async def answered(self, key: Key, seen: Observation, seconds: float) -> Observation:
        """Return *seen* with what the API server is being asked now, if it answers within so many *seconds*."""

    async def remains(self, key: Key) -> Remains:
        """Return what *key*, a Rollout that is no more, has left behind."""


class Acts(Protocol):
    """Carries out decisions."""

    async def act(self, observation: Observation, decision: Decision) -> Result:
        """Carry out *decision*; faults are part of the result."""

    async def give_back(self, remains: Remains) -> tuple[str, ...]:
        """Take what is ours off the Services of a Rollout that is no more, and return their names."""


class Measures(Protocol):
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


class Report(Protocol):
    """Hears how passes end."""

    def passed(self, key: Key, rule: str, result: str, seconds: float) -> None:
        """Hear of a pass: the rule that decided (if any), the result, how long it took."""

    def stands(self, key: Key, phase: Phase | None) -> None:
        """Hear in which phase a Rollout stands; None: it is gone."""

    def recorded(self, key: Key, entry: HistoryEntry) -> None:
        """Hear how a rollout or a drill ended."""


@dataclasses.dataclass(slots=True)
class _Memory:
    """What is kept of a Rollout between passes. All of it may be lost at any time."""

    refusals: tuple[str, ...] = ()
    written_at: float = 0.0
    unwritten: Unwritten | None = None
    conflicts: int = 0
    """In a row."""
    made_way: int = 0
    """How many passes in a row were ended for something urgent."""


class Passes:
    """Makes passes. One key is never passed over twice at a time: the queue sees to that."""

    def __init__(  # noqa: PLR0913 - all that a pass consists of
        self,
        queue: Queue,
        observer: Observes,
        decide: Callable[[Observation], Decision],
        actor: Acts,
        measurements: Measures,
        report: Report,
        *,
        clock: Callable[[], float] = time.time,
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
        self._answers = answers
        self._routes = routes
        self._memories: dict[Key, _Memory] = {}
        self._attempts: dict[Key, _Attempt] = {}
        queue.overtaken = self._overtaken

    def keys(self) -> set[Key]:
        """Return the Rollouts of which something is remembered."""
        return set(self._memories)

    async def settled(self, key: Key, observer: Observes) -> bool:
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
        self._memories.setdefault(key, _Memory())
        self._report.stands(key, decision.status.phase)
        if decision.recheck_at is not None:
            self._queue.wake_at(key, decision.recheck_at)
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
        except Conflict:
            result = self._conflict(key, urgent=False)
        except Unreachable as fault:
            result = self._unreachable(key, str(fault), getattr(fault, "retry_after_seconds", 0.0))
        except Refused as fault:
            result = self._refused(key, (str(fault),))
        except TimeoutError:
            result = self._ended(key, attempt)
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            result = self._bug(key, attempt)  # something that the pass waited for was cancelled by somebody else
        except Exception:  # noqa: BLE001 - whatever it is, it must stay this one Rollout's trouble
            result = self._bug(key, attempt)
        finally:
            self._left(key)
        self._report.passed(key, attempt.rule, result, time.perf_counter() - started)

    def _left(self, key: Key) -> None:
        self._attempts.pop(key, None)
        if self._answers.owes(key):
            self._queue.hurry(key)

    def answered(self, key: Key) -> None:
        """Take in that there is an answer for *key*; a pass that runs may still take it."""
        if key not in self._attempts:
            self._queue.hurry(key)

    async def _attempt(self, key: Key, attempt: "_Attempt") -> str:
        memory = self._memories.setdefault(key, _Memory())
        attempt.made_way, memory.made_way = memory.made_way, 0
        observation = await self._observer.observe(key, memory.refusals, memory.written_at)
        if observation is None:
            self._forget(key)
            for name in await self._actor.give_back(await self._observer.remains(key)):
                _log.info("Service %s is the user's again: its Rollout is gone", name, extra=about(key))
            return "gone"
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
            self._queue.wake_at(key, self._clock() + UNTOLD_SECONDS - asked_seconds)
            return "asked"
        result = await self._actor.act(observation, decision)
        memory.unwritten = decision.unwritten
        if result.status_written:
            memory.written_at = self._clock()
            if decision.status.history and decision.status.history != observation.status.history:
                self._report.recorded(key, decision.status.history[0])
        self._report.stands(key, decision.status.phase)
        return self._conclude(key, memory, decision, result)

    def _take_in(self, key: Key, observation: Observation) -> None:
        kept_bytes = sum(record.template_bytes for record in observation.templates.values())
        if observation.rollout.template_bytes >= HEAVY_BYTES or kept_bytes >= HEAVY_BYTES_IN_ALL:
            self._queue.weigh(key)
        # Without a policy nothing is known of routes, which is not the same as that there are none.
        if self._routes is not None and observation.policy is not None:
            ways = observation.traffic.routes if observation.traffic is not None else ()
            self._routes.follow(key, [(Kind(kind), key.namespace, name) for kind, name in ways])

    def _conclude(self, key: Key, memory: _Memory, decision: Decision, result: Result) -> str:
        memory.refusals = tuple(result.refusals)
        if result.conflict:
            return self._conflict(key, urgent=decision.urgent)
        memory.conflicts = 0
        if result.unreachable:
            return self._unreachable(key, result.unreachable, 0.0)
        if not (result.refusals and decision.urgent):
            self._queue.recover(key)
        if decision.recheck_at is not None:
            self._queue.wake_at(key, decision.recheck_at)
        if decision.quiet_until and not result.refusals:
            self._measurements.quiet(key, decision.quiet_until)
        if result.refusals and decision.urgent:
            return self._refused_urgently(key, memory.refusals)
        if result.refusals:
            return self._refused(key, memory.refusals)
        return "ok"

    def _overtaken(self, key: Key) -> None:
        """Take in that something urgent has come for *key* while a pass over it runs."""
        attempt = self._attempts.get(key)
        if attempt is not None and attempt.limit is not None and not (attempt.lasting or attempt.overtaken):
            attempt.overtaken = True
            patience_seconds = OVERTAKEN_SECONDS * 2.0 ** min(attempt.made_way, 8)
            ends = max(attempt.began + patience_seconds, asyncio.get_running_loop().time())
            attempt.limit.reschedule(min(ends, attempt.began + PASS_SECONDS_MAX))

    def _ended(self, key: Key, attempt: "_Attempt") -> str:
        if not attempt.overtaken:
            return self._unreachable(key, f"the pass took more than {PASS_SECONDS_MAX:g} s", 0.0)
        self._memories.setdefault(key, _Memory()).made_way = attempt.made_way + 1
        self._queue.hurry(key)
        return "overtaken"

    def _conflict(self, key: Key, *, urgent: bool) -> str:
        memory = self._memories.setdefault(key, _Memory())
        memory.conflicts += 1
        storm = memory.conflicts - CONFLICTS_AT_ONCE
        if storm <= 0:
            (self._queue.hurry if urgent else self._queue.wake)(key)
        else:
            delay_seconds = min(CONFLICT_SECONDS * 2.0 ** min(storm - 1, 16), CONFLICT_SECONDS_MAX)
            self._queue.wake_after(key, delay_seconds)
        return "conflict"

    def _unreachable(self, key: Key, why: str, retry_after_seconds: float) -> str:
        delay_seconds = self._queue.back_off(key, retry_after_seconds)
        # Of an outage the log hears once (outage.py); one call that keeps failing is a Rollout's own trouble.
        level = logging.WARNING if self._queue.failures(key) == FAILURES_TOLD else logging.DEBUG
        _log.log(level, "no answer, trying again in %.0f s: %s", delay_seconds, why, extra=about(key))
        return "unreachable"

    def _refused(self, key: Key, words: tuple[str, ...]) -> str:
        self._memories.setdefault(key, _Memory()).refusals = words
        self._queue.recover(key)
        self._queue.wake_after(key, REFUSED_SECONDS)
        _log.warning("the API server refused: %s", "; ".join(words), extra=about(key))
        return "refused"

    def _refused_urgently(self, key: Key, words: tuple[str, ...]) -> str:
        delay_seconds = self._queue.back_off(key)
        _log.warning(
            "the API server refused a step back, trying again in %.0f s: %s",
            delay_seconds,
            "; ".join(words),
            extra=about(key),
        )
        return "refused"

    def _bug(self, key: Key, attempt: "_Attempt") -> str:
        delay_seconds = self._queue.back_off(key)
        extra = about(key)
        if attempt.observation is not None:
            extra["observation"] = _recorded(attempt.observation)
        _log.exception(
            "a bug in Headgate stopped this pass; please report it. Trying again in %.0f s", delay_seconds, extra=extra
        )
        return "bug"

    def _forget(self, key: Key) -> None:
        self._memories.pop(key, None)
        if self._routes is not None:
            self._routes.follow(key, ())
        self._queue.forget(key)
        self._measurements.forget(key)
        self._report.stands(key, None)


@dataclasses.dataclass(slots=True)
class _Attempt:
    """How far a pass came, for telling what happened to it, and when it has to end."""

    observation: Observation | None = None
    rule: str = ""
    limit: asyncio.Timeout | None = None
    began: float = 0.0
    """By the loop's clock."""
    made_way: int = 0
    """How many passes before it in a row were ended for something urgent."""
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
