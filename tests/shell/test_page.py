"""The page of metrics under load: written beside the loop, once for all who ask, and never for most of the time."""

import asyncio
import itertools
import threading
import time

import pytest

from headgate.api.status import Phase
from headgate.core.model import Key
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.page import Page

DEADLINE_SECONDS = 10.0


class Slow:
    """A page that is written when it is let, and counts how often it was."""

    def __init__(self) -> None:
        self.writes = 0
        self.may = threading.Event()
        self.begun = threading.Event()

    def __call__(self) -> bytes:
        """Write the page."""
        self.writes += 1
        number = self.writes
        self.begun.set()
        assert self.may.wait(DEADLINE_SECONDS)
        return b"%d" % number


async def one_turn() -> None:
    """Let everything run once that the loop has to run."""
    turned = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(turned.set_result, None)
    await turned


async def test_who_asks_meanwhile_shares_the_next_page() -> None:
    """Fifty who ask while a page is written get the one after it, which knows all that they knew; the loop goes on."""
    slow = Slow()
    page = Page(slow)
    first = asyncio.create_task(page.text())
    await asyncio.to_thread(slow.begun.wait, DEADLINE_SECONDS)
    others = [asyncio.create_task(page.text()) for _ in range(50)]
    await one_turn()
    others[0].cancel()
    slow.may.set()

    assert await first == b"1"
    assert set(await asyncio.gather(*others[1:])) == {b"2"}
    assert slow.writes == 2
    page.close()


async def test_writing_takes_a_tenth_of_the_time_at_most() -> None:
    """However many ask as fast as they can, most of the processor is left for the way back."""
    waits = threading.Event()
    writes: list[float] = []

    def write() -> bytes:
        writes.append(time.monotonic())
        waits.wait(0.02)
        return b""

    page = Page(write)

    async def hammer() -> None:
        while len(writes) < 5:
            await page.text()

    await asyncio.gather(*(hammer() for _ in range(6)))
    page.close()
    assert all(after - before >= 0.19 for before, after in itertools.pairwise(writes))


async def test_a_page_that_fails_fails_alone() -> None:
    """What one writing raises is told to who asked for it; the next one is written."""
    numbers = iter([0, 1])

    def write() -> bytes:
        return b"%d" % (1 // next(numbers))

    page = Page(write)
    with pytest.raises(ZeroDivisionError):
        await page.text()
    assert await page.text() == b"1"
    page.close()


async def test_a_page_that_is_closed_holds_nobody() -> None:
    """Who waits for a page that will not be written is told so."""
    slow = Slow()
    page = Page(slow)
    first = asyncio.create_task(page.text())
    await asyncio.to_thread(slow.begun.wait, DEADLINE_SECONDS)
    waiting = asyncio.create_task(page.text())
    await one_turn()
    page.close()
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(asyncio.CancelledError):
            await waiting
    slow.may.set()
    assert await first == b"1"


def test_phases_are_counted_as_they_change() -> None:
    """What is shown is how many Rollouts stand in each phase, whatever they went through before."""
    metrics = Metrics()
    for number in range(10):
        metrics.stands(Key("shop", f"web-{number}"), Phase.PROGRESSING)
        metrics.stands(Key("shop", f"web-{number}"), Phase.HEALTHY)
        metrics.stands(Key("shop", f"web-{number}"), Phase.HEALTHY)
    for number in range(4):
        metrics.stands(Key("shop", f"web-{number}"), None)
        metrics.stands(Key("shop", f"web-{number}"), None)
    text = metrics.expose().decode()

    assert 'headgate_rollouts{phase="Healthy"} 6.0' in text
    assert 'headgate_rollouts{phase="Progressing"} 0.0' in text
    assert 'headgate_rollouts{phase="Paused"} 0.0' in text
