"""An outage is noticed once, and its end ends all waiting."""

import asyncio
import logging

import pytest

from headgate.core.faults import Refused, Unreachable
from headgate.core.model import Key
from headgate.reconcile.outage import PROBE_SECONDS, Outage
from headgate.reconcile.queue import Queue
from tests.shell import virtual

KEY = Key("shop", "web")


class Setting:
    """An API server that can be away, and a Rollout that backs off because of it."""

    def __init__(self) -> None:
        self.away = True
        self.forbidden = False
        self.probes = 0
        self.queue = Queue(clock=virtual.clock, jitter=lambda: 0.5)
        self.outage = Outage(self.queue, self.probe, clock=virtual.clock)
        self.running = asyncio.create_task(self.outage.run())

    async def probe(self) -> None:
        """Ask as the cluster adapter does: the outcome is noted on the way."""
        self.probes += 1
        self.outage.note("unreachable" if self.away else "refused" if self.forbidden else "ok")
        if self.away:
            raise Unreachable("away")
        if self.forbidden:
            raise Refused("rollouts.headgate.dev is forbidden at the cluster scope")


def test_end_of_an_outage_ends_backoffs(caplog: pytest.LogCaptureFixture) -> None:
    """Seconds after the server is back every Rollout is looked at, and the log holds two lines."""

    async def main() -> None:
        setting = Setting()
        for _ in range(7):
            setting.queue.back_off(KEY)
        setting.queue.forget(KEY)
        setting.outage.note("unreachable")
        for _ in range(7):
            setting.queue._failures[KEY] = 7
        setting.queue.wake_at(KEY, virtual.EPOCH + 60)
        await virtual.elapse(30)
        assert setting.outage.problem() == "no answer from the API server for 30 s"
        setting.away = False
        assert await setting.queue.take() == KEY
        assert virtual.clock() <= virtual.EPOCH + 30 + PROBE_SECONDS + 1
        assert setting.outage.problem() == ""
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert len(caplog.records) == 2


def test_single_failure_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """One failed request among good ones changes nothing, and nobody is asked."""

    async def main() -> None:
        setting = Setting()
        setting.queue.back_off(KEY)
        setting.outage.note("unreachable")
        setting.outage.note("cancelled")
        assert setting.outage.problem()
        setting.outage.note("refused")
        assert not setting.outage.problem()
        await virtual.elapse(0.5)
        assert len(setting.queue) == 0
        await virtual.elapse(60)
        assert setting.probes == 0
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert caplog.records == []


def test_a_rollouts_own_trouble_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """One whose every request fails, on a server that answers others, backs off further and further, and alone."""

    async def main() -> None:
        setting = Setting()
        setting.away = False
        setting.queue._failures[KEY] = 7
        setting.queue.wake_at(KEY, virtual.EPOCH + 60)
        setting.outage.note("unreachable")
        await virtual.elapse(30)
        assert (setting.outage.problem(), setting.probes) == ("", 1)
        assert (len(setting.queue), setting.queue.failures(KEY)) == (0, 7)
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert caplog.records == []


def test_after_an_outage_backing_off_begins_anew() -> None:
    """The first answer of a server that has come back may be 429: then nobody waits for a minute again."""

    async def main() -> None:
        setting = Setting()
        for _ in range(7):
            setting.queue.back_off(KEY)
        setting.outage.note("unreachable")
        await virtual.elapse(10)
        setting.away = False
        await virtual.elapse(PROBE_SECONDS)
        assert setting.queue.back_off(KEY) <= 1
        setting.running.cancel()

    virtual.run(main)


def test_refused_probe_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A server that says no is there: who may read one namespace alone hears of no outage where there is none."""

    async def main() -> None:
        setting = Setting()
        setting.away, setting.forbidden = False, True
        setting.outage.note("unreachable")
        await virtual.elapse(30)
        assert (setting.outage.problem(), setting.probes) == ("", 1)
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert caplog.records == []
