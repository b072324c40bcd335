"""The one way out: from a Decision to writes, in the order that survives a crash after any of them.

Records first, because the status may speak only of what is on record; then the status, because actions follow from it;
then actions, stable before canary; at last what is said about it. Going back does not wait for the status: its actions
are carried out whatever becomes of that write, each whatever becomes of the others.
"""

import asyncio
import dataclasses

from headgate.act import traffic_writes, writes
from headgate.act.interfaces import Notices, Writer
from headgate.core import faults
from headgate.core.model import Decision, Json, Key, Notice, Observation, Unreadable, unknown_fields
from headgate.core.model.actions import AddFinalizer, RecordPolicy, RecordTemplate
from headgate.core.traffic.cleanup import OrphanedServices, given_back


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What became of a decision."""

    status_written: bool = False
    conflict: bool = False
    """Another client changed the object first: look again at once."""
    refusals: tuple[str, ...] = ()
    """What the server refused, each with the object and the server's words."""
    unreachable: str = ""
    """Why the server could not be asked; empty when it could."""
    retry_after_seconds: float = 0.0
    """For how long the server asked to be left alone."""


@dataclasses.dataclass(slots=True)
class _Tally:
    """What happens while a decision is carried out."""

    resource_version: str
    status_written: bool = False
    status_refused: str = ""
    conflict: bool = False
    refusals: list[str] = dataclasses.field(default_factory=list)
    unreachable: str = ""
    retry_after_seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.conflict or bool(self.refusals) or bool(self.unreachable)

    def note(self, subject: str, fault: faults.Fault) -> None:
        if isinstance(fault, faults.Conflict):
            self.conflict = True
        elif isinstance(fault, faults.Refused):
            self.refusals.append(f"{subject}: {fault}")
        elif isinstance(fault, faults.Unreachable):
            self.unreachable = f"{subject}: {fault}"
            self.retry_after_seconds = max(self.retry_after_seconds, fault.retry_after_seconds)

    def result(self) -> Result:
        refusals = tuple(self.refusals)
        return Result(self.status_written, self.conflict, refusals, self.unreachable, self.retry_after_seconds)


class Actor:
    """Carries out decisions."""

    def __init__(self, writer: Writer, notices: Notices) -> None:
        """Write through *writer*, say what was done through *notices*."""
        self._writer = writer
        self._notices = notices

    async def act(self, observation: Observation, decision: Decision) -> Result:
        """Carry out *decision* and return what became of it. Raises no fault."""
        tally = _Tally(observation.rollout.resource_version)
        if not decision.urgent:
            await self._record(observation, decision, tally)
        if not tally.failed:
            await self._write_status(observation, decision, tally)
        if tally.failed and not decision.urgent:
            self._say(observation, _unwritten(decision, tally))
            return tally.result()
        try:
            await self._carry_out(observation, decision, tally)
        except asyncio.CancelledError:
            # What the status says by now is said in no later pass.
            if tally.status_written:
                self._say(observation, decision.notices)
            raise
        if decision.urgent:
            # What is needed to remember comes after what is needed to go back.
            await self._record(observation, decision, tally)
            # What could not be read could not be put back either: the next look must not wait for the clock.
            tally.unreachable = tally.unreachable or _unread(observation)
        written = tally.status_written or not decision.write_status
        self._say(observation, decision.notices if written else _unwritten(decision, tally))
        return tally.result()

    def _say(self, observation: Observation, notices: tuple[Notice, ...]) -> None:
        key = Key(observation.rollout.namespace, observation.rollout.name)
        for notice in notices:
            self._notices.post(key, observation.rollout.uid, notice)

    async def give_back(self, remains: OrphanedServices) -> tuple[str, ...]:
        """Take our key and labels off the Services of a Rollout that is no more, and return their names.

        Raises:
            Unreachable, Refused, Conflict: as the cluster answers.
        """
        services = given_back(remains)
        for service in services:
            await traffic_writes.give_back(self._writer, remains.namespace, service)
        return tuple(service.name for service in services)

    async def _record(self, observation: Observation, decision: Decision, tally: _Tally) -> None:
        for record in decision.records:
            try:
                if isinstance(record, AddFinalizer):
                    stored = await writes.add_finalizer(self._writer, observation, tally.resource_version)
                    # The decision holds for this version too: the patch tested that nothing came between.
                    tally.resource_version = _version(stored) if stored else ""
                else:
                    await self._keep(observation, record)
            except faults.Fault as fault:
                tally.note(writes.subject(observation, record), fault)
                if not decision.urgent:
                    return

    async def _keep(self, observation: Observation, record: RecordTemplate | RecordPolicy) -> None:
        try:
            await writes.record(self._writer, observation, record)
        except faults.Conflict:
            # Its name is a hash of its content, and the name alone proves nothing: another object may have taken it.
            await writes.compare_record(self._writer, observation, record)

    async def _write_status(self, observation: Observation, decision: Decision, tally: _Tally) -> None:
        if not decision.write_status:
            return
        rollout = observation.rollout
        after = decision.status.written()
        whole = unknown_fields.with_stored(observation.stored, observation.status.written(), after)
        try:
            stored = await self._apply_status(observation, tally, whole, after)
        except faults.Fault as fault:
            tally.note(f"status of Rollout {rollout.name}", fault)
            tally.status_refused = str(fault) if isinstance(fault, faults.Refused) else ""
            return
        tally.status_written = stored is not None
        tally.conflict = tally.conflict or stored is None
        if stored is not None:
            # It tested the version before, so that what comes after may test this one.
            tally.resource_version = _version(stored)

    async def _apply_status(self, observation: Observation, tally: _Tally, whole: Json, plain: Json) -> Json | None:
        """Write the *whole* status; without what is not understood of it, in *plain*, where the server refuses that."""
        rollout = observation.rollout
        key = Key(rollout.namespace, rollout.name)
        try:
            return await self._writer.apply_status(key, rollout.uid, tally.resource_version, whole)
        except faults.Refused:
            if whole == plain:
                raise
            return await self._writer.apply_status(key, rollout.uid, tally.resource_version, plain)

    async def _carry_out(self, observation: Observation, decision: Decision, tally: _Tally) -> None:
        for action in decision.actions:
            try:
                await writes.write(self._writer, observation, action)
            except faults.Fault as fault:
                tally.note(writes.subject(observation, action), fault)
                if isinstance(fault, faults.Unreachable) and not decision.urgent:
                    return


def _version(stored: Json) -> str:
    """Return the resourceVersion of what was written; an empty text, which no object has, where it is not said."""
    metadata = stored.get("metadata")
    return str(metadata.get("resourceVersion", "")) if isinstance(metadata, dict) else ""


def _unread(observation: Observation) -> str:
    """Return why a way back to stable could not be read, if one could not."""
    traffic = observation.traffic
    ways = (traffic.stable, *traffic.routes.values()) if traffic else ()
    return next((way.why for way in ways if isinstance(way, Unreadable)), "")


def _unwritten(decision: Decision, tally: _Tally) -> tuple[Notice, ...]:
    """Return what is said where the status was not written: what it would say, if no later pass will write it."""
    if not tally.status_refused:
        return ()
    refused = Notice("StatusRefused", f"the status cannot be written: {tally.status_refused}", warning=True)
    return (refused, *(notice for notice in decision.notices if notice.warning))
