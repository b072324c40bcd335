"""Dry runs beside the passes: admission may take ten seconds, and no way back to stable waits for it.

    a pass asks        the dry run starts, and the pass goes on without its answer (`BeingAsked`)
    the answer comes   the Rollout is woken, and its next pass has it
    it is a refusal    it holds for the passes that follow, and is asked for again beside them

Few run at a time, and few of them of one namespace. What waits for its turn is a Rollout's name and no template, of
which a hundred may be a gigabyte: the Rollout is woken when it may ask.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, TypeVar

from headgate.core.faults import Refused, Unreachable
from headgate.core.model import Key
from headgate.core.round_robin import RoundRobin

RUNNING_MAX: Final = 16
NAMESPACE_MAX: Final = 4
"""Of these for Rollouts of one namespace."""
KEPT_MAX: Final = 8
"""Inquiries that are kept for one Rollout: a new template, and one for each Deployment that was edited."""
AGAIN_SECONDS: Final = 5.0
"""How soon at the earliest what was refused, or could not be asked, is asked again."""

_Found = TypeVar("_Found")
_Inquire = Callable[[], Coroutine[Any, Any, _Found]]


class BeingAsked(Unreachable):
    """The API server has been asked, and has not answered yet."""

    def __init__(self, seconds: float, last: str = "") -> None:
        super().__init__(f"the API server has not answered a dry run of its Deployment for {seconds:.0f} s{last}")
        self.seconds = seconds
        """For how long."""


class DryRuns(Protocol):
    """Who makes dry runs."""

    async def ask(self, key: Key, subject: str, inquire: "_Inquire[_Found]") -> _Found:
        """Return what *inquire* finds out about *subject* for the Rollout *key*, or raise what it raises.

        Raises:
            BeingAsked: if that is not known yet.
        """

    async def settle(self, key: Key, seconds: float) -> None:
        """Wait until what is asked for *key* now is answered, for so many *seconds* at most."""

    def owes(self, key: Key) -> bool:
        """Return whether there is something by now that a pass over *key* has asked for in vain."""

    def forget(self, key: Key) -> None:
        """Drop what is asked and known for *key*."""


class InPasses:
    """Makes each dry run in the pass that asks: where nothing is slow, or nothing may be asked at all."""

    async def ask(self, key: Key, subject: str, inquire: "_Inquire[_Found]") -> _Found:  # noqa: ARG002 - as DryRuns
        """Return what *inquire* finds out, or raise what it raises."""
        return await inquire()

    async def settle(self, key: Key, seconds: float) -> None:
        """There is nothing to wait for."""

    def owes(self, key: Key) -> bool:  # noqa: ARG002 - as DryRuns
        """Nothing is ever owed."""
        return False

    def forget(self, key: Key) -> None:
        """There is nothing to drop."""


@dataclasses.dataclass(slots=True, eq=False)
class _Inquiry:
    """What is being asked, and what the last answer was."""

    since: float
    """When it was asked first, by the loop's clock."""
    found: Any = None
    error: Exception | None = None
    answered_at: float | None = None
    task: asyncio.Task[None] | None = None
    missed: bool = False
    """Whether it was asked for last while there was no answer, or none but an old one."""


class BesidePasses:
    """Makes dry runs in tasks of their own, and wakes who asked."""

    def __init__(self, woken: Callable[[Key], None] = lambda _: None) -> None:
        """Call *woken* with the Rollout that has an answer that a pass missed, or may ask now."""
        self._woken = woken
        self._inquiries: dict[Key, collections.OrderedDict[str, _Inquiry]] = {}
        self._running: collections.Counter[str] = collections.Counter()
        self._waiting: RoundRobin[Key] = RoundRobin()

    async def ask(self, key: Key, subject: str, inquire: "_Inquire[_Found]") -> _Found:
        """Return the answer if there is one, or raise what it was; ask if it was not asked yet."""
        now = asyncio.get_running_loop().time()
        inquiry = self._inquiry(key, subject, now)
        over = inquiry.error is not None and now - (inquiry.answered_at or now) >= AGAIN_SECONDS
        if inquiry.task is None and (inquiry.answered_at is None or over):
            self._start(key, inquiry, inquire)
            await asyncio.sleep(0)  # what needs no answer has been found by then
        inquiry.missed = inquiry.task is not None or inquiry.answered_at is None
        if isinstance(inquiry.error, Unreachable) and inquiry.task is not None:
            raise BeingAsked(now - inquiry.since, f"; before that: {inquiry.error}")
        if inquiry.error is not None:
            raise inquiry.error
        if inquiry.answered_at is None:
            raise BeingAsked(now - inquiry.since)
        found: _Found = inquiry.found
        return found

    async def settle(self, key: Key, seconds: float) -> None:
        """Wait until what is asked for *key* now is answered, for so many *seconds* at most."""
        tasks = [one.task for one in self._inquiries.get(key, {}).values() if one.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def owes(self, key: Key) -> bool:
        """Return whether an answer has come that a pass missed, or its turn to ask."""
        missed = any(one.missed and one.task is None for one in self._inquiries.get(key, {}).values())
        return missed and not self._waiting.holds(key.namespace, key)

    def forget(self, key: Key) -> None:
        """Drop what is asked and known for *key*."""
        self._waiting.discard(key.namespace, key)
        for inquiry in self._inquiries.pop(key, {}).values():
            _cancel(inquiry)

    def close(self) -> None:
        """Drop everything."""
        for key in list(self._inquiries):
            self.forget(key)
        self._waiting.clear()

    def _inquiry(self, key: Key, subject: str, now: float) -> _Inquiry:
        kept = self._inquiries.setdefault(key, collections.OrderedDict())
        inquiry = kept.setdefault(subject, _Inquiry(now))
        kept.move_to_end(subject)
        while len(kept) > KEPT_MAX:
            _cancel(kept.popitem(last=False)[1])
        return inquiry

    def _start(self, key: Key, inquiry: _Inquiry, inquire: "_Inquire[Any]") -> None:
        if not self._may_run(key.namespace):
            self._waiting.add(key.namespace, key)
            return
        self._waiting.discard(key.namespace, key)
        self._running[key.namespace] += 1
        name = f"dry run for {key.namespace}/{key.name}"
        inquiry.task = asyncio.create_task(self._run(key, inquiry, inquire), name=name)
        inquiry.task.add_done_callback(lambda _: self._ended(key.namespace))

    async def _run(self, key: Key, inquiry: _Inquiry, inquire: "_Inquire[Any]") -> None:
        before = (inquiry.answered_at is None, repr(inquiry.error))
        try:
            found, error = await inquire(), None
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is raised in the pass that asked
            found, error = None, raised.with_traceback(None)
        inquiry.found, inquiry.error, inquiry.task = found, error, None
        inquiry.answered_at = now = asyncio.get_running_loop().time()
        if error is None or isinstance(error, Refused):
            inquiry.since = now
        if before == (False, repr(error)):
            inquiry.missed = False  # the caller has been told so before
        elif inquiry.missed:
            self._woken(key)

    def _ended(self, namespace: str) -> None:
        self._running[namespace] -= 1
        if not self._running[namespace]:
            del self._running[namespace]
        key = self._waiting.take(self._may_run) if len(self._waiting) else None
        if key is not None:
            self._woken(key)

    def _may_run(self, namespace: str) -> bool:
        return self._running.total() < RUNNING_MAX and self._running[namespace] < NAMESPACE_MAX


def _cancel(inquiry: _Inquiry) -> None:
    if inquiry.task is not None:
        inquiry.task.cancel()
