"""An outage is noticed once, and its end ends all waiting."""

import asyncio
import logging

import pytest

from headgate.core.faults import Refused, Unreachable
from headgate.reconcile.api_health import PROBE_SECONDS, ApiHealth
from tests.shell import virtual
from tests.shell.observations import KEY, observation
from tests.shell.surroundings import World


class Setting:
    """An API server that can be away, and a Rollout that backs off because of it."""

    def __init__(self) -> None:
        self.away = True
        self.forbidden = False
        self.probes = 0
        self.world = World([*[Unreachable("away")] * 7, observation()])
        self.queue = self.world.queue
        self.outage = ApiHealth(self.world.passes.retry_now, self.probe, clock=virtual.clock)
        self.running = asyncio.create_task(self.outage.run())

    async def fail(self, times: int) -> None:
        """Make passes that cannot reach the server, without a wait between them."""
        for _ in range(times):
            await self.world.first_pass()

    def failures(self) -> int:
        """Return how many delays in a row were backed off."""
        return self.world.passes._memories[KEY].retries.failures

    async def probe(self) -> None:
        """Ask as the cluster adapter does: the outcome is noted on the way."""
        self.probes += 1
        self.outage.note("unreachable" if self.away else "refused" if self.forbidden else "ok")
        if self.away:
            raise Unreachable("away")
        if self.forbidden:
            raise Refused("rollouts.headgate.dev is forbidden at the cluster scope")


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged of the server; what single passes say of themselves apart."""
    return [line.getMessage() for line in caplog.records if line.name == ApiHealth.__module__]


def test_end_of_an_outage_ends_backoffs(caplog: pytest.LogCaptureFixture) -> None:
    """Seconds after the server is back every Rollout is looked at, and the log holds two lines."""

    async def main() -> None:
        setting = Setting()
        await setting.fail(7)
        setting.outage.note("unreachable")
        await virtual.elapse(30)
        assert setting.outage.problem() == "no answer from the API server for 30 s"
        setting.away = False
        assert await setting.queue.get() == KEY
        assert virtual.clock() <= virtual.EPOCH + 30 + PROBE_SECONDS + 1
        assert setting.outage.problem() == ""
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert len(told(caplog)) == 2


def test_single_failure_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """One failed request among good ones changes nothing, and nobody is asked."""

    async def main() -> None:
        setting = Setting()
        await setting.fail(1)
        setting.outage.note("unreachable")
        setting.outage.note("cancelled")
        assert setting.outage.problem()
        setting.outage.note("refused")
        assert not setting.outage.problem()
        await virtual.elapse(0.5)
        assert len(setting.queue) == 0
        assert setting.failures() == 1
        await virtual.elapse(60)
        assert setting.probes == 0
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert told(caplog) == []


def test_a_rollouts_own_trouble_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    """One whose every request fails, on a server that answers others, backs off further and further, and alone."""

    async def main() -> None:
        setting = Setting()
        setting.away = False
        await setting.fail(7)
        setting.outage.note("unreachable")
        await virtual.elapse(30)
        assert (setting.outage.problem(), setting.probes) == ("", 1)
        assert (len(setting.queue), setting.failures()) == (0, 7)
        setting.running.cancel()

    with caplog.at_level(logging.INFO):
        virtual.run(main)
    assert told(caplog) == []


def test_after_an_outage_backing_off_begins_anew() -> None:
    """The first answer of a server that has come back may be 429: then nobody waits for a minute again."""

    async def main() -> None:
        setting = Setting()
        await setting.fail(7)
        setting.outage.note("unreachable")
        await virtual.elapse(10)
        setting.away = False
        await virtual.elapse(PROBE_SECONDS)
        assert setting.failures() == 0
        setting.world.seen = iter([Unreachable("429"), observation()])
        await setting.world.first_pass()
        assert await setting.world.next_pass() <= 1
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
    assert told(caplog) == []
