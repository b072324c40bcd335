"""A resync finds what no watch told."""

import asyncio
from typing import Any

import pytest

from headgate import kinds
from headgate.core.faults import Unreachable
from headgate.core.model import Json, Key, Kind
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import observed
from headgate.reconcile.queue import Queue
from headgate.reconcile.resync import GRACE_SECONDS, RETRY_SECONDS, Resync
from tests.shell import virtual


def rollout(name: str, version: str = "1") -> Json:
    """Return the metadata of a Rollout."""
    return {"metadata": {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": version}}


class Setting:
    """A resync and what it works on."""

    def __init__(self, **options: Any) -> None:
        self.rollouts: list[Json] = []
        self.down = False
        self.fault: Exception = Unreachable("down")
        self.asked: list[tuple[Kind, str]] = []
        self.restarts = 0
        self.expected: list[str] = []
        self.remembered: set[Key] = set()
        self.queue = Queue(clock=virtual.clock)
        self.triggers = EventMapper()
        self.resync = Resync(
            self,
            self.queue,
            self.triggers,
            first_look=self.look,
            remembered=lambda: self.remembered,
            restart_watches=self.restart,
            expect=self.expected.extend,
            clock=virtual.clock,
            jitter=lambda: 0.5,
            **options,
        )

    async def look(self) -> list[str]:
        """See the Rollouts for the first time."""
        if self.down:
            raise self.fault
        for body in self.rollouts:
            self.triggers.woken_by(observed(Kind.ROLLOUT, body))
        return [body["metadata"]["uid"] for body in self.rollouts]

    async def list_metadata(self, kind: Kind, namespace: str = "", labels: dict[str, str] | None = None) -> list[Json]:
        """List the Rollouts; there is nothing else."""
        self.asked.append((kind, namespace))
        assert (labels is None) == (kind is Kind.ROLLOUT)
        if self.down:
            raise self.fault
        return self.rollouts if kind is Kind.ROLLOUT else []

    def restart(self) -> None:
        """Count it."""
        self.restarts += 1

    def drained(self) -> set[Key]:
        """Return the keys that wait, and let them wait no more."""
        found = set(self.queue._turns.ready)
        self.queue._turns.ready.clear()
        self.queue._dirty.clear()
        return found


def test_first_resync_is_the_first_look() -> None:
    """At the start there is one look at everything, and what it saw the watches must show."""

    async def main() -> None:
        setting = Setting()
        setting.rollouts = [rollout("a"), rollout("b")]
        assert await setting.resync.once()
        assert setting.expected == ["uid-a", "uid-b"]
        assert setting.asked == []

    virtual.run(main)


def test_later_resyncs_spread_the_work() -> None:
    """Later every Rollout gets its pass within half a period, not all in the same moment."""

    async def main() -> None:
        setting = Setting(period_seconds=600.0)
        setting.rollouts = [rollout("a")]
        await setting.resync.once()
        setting.drained()
        await setting.resync.once()
        assert setting.drained() == set()
        await virtual.elapse(301)
        assert setting.drained() == {Key("shop", "a")}

    virtual.run(main)


def test_vanished_rollout_is_looked_at_once_more() -> None:
    """A Rollout that went without a word gets a pass, which finds nothing and forgets it."""

    async def main() -> None:
        setting = Setting()
        setting.rollouts = [rollout("a")]
        await setting.resync.once()
        setting.drained()
        setting.rollouts = []
        setting.remembered = {Key("shop", "b")}
        await setting.resync.once()
        assert setting.drained() == {Key("shop", "a"), Key("shop", "b")}

    virtual.run(main)


def test_others_hear_of_a_rollout_that_vanished() -> None:
    """One that had labels in common with it gets a pass, in which it is said no more."""

    async def main() -> None:
        setting = Setting()
        labels = {"app": "web"}
        spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}
        setting.rollouts = [{**rollout(name), "spec": spec} for name in ("a", "b", "c")]
        await setting.resync.once()
        setting.triggers.stirred()
        setting.drained()
        setting.rollouts = setting.rollouts[1:]
        await setting.resync.once()
        assert setting.drained() == {Key("shop", "a"), Key("shop", "b"), Key("shop", "c")}

    virtual.run(main)


@pytest.mark.parametrize(("shown", "restarts"), [(True, 0), (False, 1)], ids=["late", "dead"])
def test_dead_watch_is_found(*, shown: bool, restarts: int) -> None:
    """A watch that has not shown within half a minute what a list showed is started anew; a late one is left alone."""

    async def main() -> None:
        setting = Setting()
        setting.rollouts = [rollout("a", "1")]
        await setting.resync.once()
        setting.rollouts = [rollout("a", "2")]
        await setting.resync.once()
        if shown:
            setting.triggers.woken_by(observed(Kind.ROLLOUT, rollout("a", "2")))
        await virtual.elapse(GRACE_SECONDS + 1)
        assert setting.restarts == restarts

    virtual.run(main)


def test_unreachable_server_is_asked_again() -> None:
    """While nothing can be listed, nothing is concluded, and it is tried again soon."""

    async def main() -> None:
        setting = Setting()
        setting.down = True
        running = asyncio.create_task(setting.resync.run())
        await virtual.elapse(RETRY_SECONDS / 2)
        assert not setting.resync.listed.is_set()
        setting.down = False
        await virtual.elapse(RETRY_SECONDS)
        assert setting.resync.listed.is_set()
        running.cancel()

    virtual.run(main)


@pytest.mark.parametrize("later", [False, True])
def test_h23_no_exception_ends_the_resync(caplog: pytest.LogCaptureFixture, *, later: bool) -> None:
    """H23: what one object of a shape that was not thought of raises is told, and everything is listed again."""

    async def main() -> None:
        setting = Setting(period_seconds=30.0)
        setting.fault = AttributeError("'list' object has no attribute 'get'")
        setting.down = not later
        running = asyncio.create_task(setting.resync.run())
        await virtual.elapse(1)
        setting.down = True
        await virtual.elapse(40)
        assert "a bug in Headgate stopped a look at all Rollouts" in caplog.text
        asked = len(setting.asked)
        setting.down = False
        await virtual.elapse(40)
        assert setting.resync.listed.is_set()
        assert len(setting.asked) > asked
        assert not running.done()
        running.cancel()

    virtual.run(main)


def test_resync_can_be_called_for() -> None:
    """Restarted watches do not wait for the end of the period."""

    async def main() -> None:
        setting = Setting(period_seconds=600.0)
        running = asyncio.create_task(setting.resync.run())
        await virtual.elapse(1)
        assert setting.asked == []
        setting.resync.soon()
        await virtual.elapse(1)
        assert len(setting.asked) == len(kinds.WATCHES)
        running.cancel()

    virtual.run(main)


def test_each_namespace_is_listed() -> None:
    """An operator that serves some namespaces lists these and no others."""

    async def main() -> None:
        setting = Setting(namespaces=("one", "two"))
        await setting.resync.once()
        await setting.resync.once()
        assert {namespace for _, namespace in setting.asked} == {"one", "two"}

    virtual.run(main)


def test_silence_is_a_problem() -> None:
    """A resync that has not come round for two periods is reported."""

    async def main() -> None:
        setting = Setting(period_seconds=600.0)
        running = asyncio.create_task(setting.resync.run())
        await virtual.elapse(1000)
        assert setting.resync.problem() == ""
        running.cancel()
        await virtual.elapse(1300)
        assert setting.resync.problem().startswith("none for")

    virtual.run(main)


def test_lists_that_hang_are_no_problem_of_ours() -> None:
    """An API server whose lists never end is given up and asked again: a restart of the operator would not help."""

    async def main() -> None:
        setting = Setting(period_seconds=600.0)

        async def hangs() -> list[str]:
            await virtual.elapse(1e6)
            return []

        setting.resync._first_look = hangs
        running = asyncio.create_task(setting.resync.run())
        for _ in range(100):
            await virtual.elapse(100)
            assert setting.resync.problem() == ""
        running.cancel()

    virtual.run(main)
