"""Two operators are at work on the same Rollout, each sure that it is the only one."""

import dataclasses
import enum
import functools
import os
import random
import signal
import threading
import time

import pytest

from tests.control_plane.hazards import plays
from tests.control_plane.hazards.plays import Company, Outcome, Playing, Plot
from tests.control_plane.hazards.stages import House, staged
from tests.control_plane.proxy import Call, Fault, Hold

pytestmark = [pytest.mark.control_plane, pytest.mark.slow]

WRITES_TO_THAW = 3
SHOWN = plays.PLOTS if plays.THOROUGH else tuple(plot for plot in plays.PLOTS if plot.routed)


class Thaws(enum.Enum):
    """When a frozen operator goes on."""

    SOON = "soon"
    """When the other has made a few writes."""
    LATE = "late"
    """When the other has finished."""


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    """At which of its writes an operator freezes, and for how long."""

    number: int
    thaws: Thaws


def both(house: House, plot: Plot) -> Outcome:
    """Play *plot* with two operators that are awake all the time."""
    with staged(house, 2) as stage:
        stage.open(routed=plot.routed)
        for actor in stage.actors:
            actor.proxy.count_from_here()
        started = time.monotonic()
        plays.played(stage, plot)
        return plays.finished(stage, started)


def frozen(house: House, plot: Plot, point: Point) -> Outcome:
    """Play *plot* with two operators, one of which freezes at a write that reaches the server when it thaws."""
    with staged(house, 2) as stage:
        stage.open(routed=plot.routed)
        (stale, other), released = stage.actors, threading.Event()
        tried: list[Call] = []
        other.proxy.count_from_here()

        def freeze(call: Call) -> Fault | None:
            if not call.write:
                return None
            tried.append(call)
            if len(tried) != point.number:
                return None
            os.kill(stale.pid, signal.SIGSTOP)
            other.proxy.count_from_here()
            return Hold(released)

        def thaw() -> None:
            if not released.is_set():
                released.set()
                os.kill(stale.pid, signal.SIGCONT)

        def meanwhile() -> None:
            if len(tried) >= point.number and point.thaws is Thaws.SOON and len(other.proxy.writes) >= WRITES_TO_THAW:
                thaw()

        stale.proxy.faults = freeze
        started = time.monotonic()
        plays.played(stage, plot, meanwhile)
        thaw()
        stage.wait(stale.operator.ready, "the frozen one is back")
        return plays.finished(stage, started, str(tried[point.number - 1]) if len(tried) >= point.number else "")


def judged(company: Company, plot: Plot, outcome: Outcome) -> list[str]:
    """Return what is wrong with *outcome*."""
    wrong = plays.wrongs(plot, company.undisturbed(plot).result(), outcome)
    return [f"{plot.name}, {outcome.killed_after} late, in {outcome.namespace}: {one}" for one in wrong]


@functools.cache
def begun(company: Company) -> tuple[dict[Plot, Playing], dict[tuple[Plot, Point], Playing]]:
    """Start to play: with two that are awake, and with one that freezes."""
    dice = random.Random(plays.SEED)
    points = [
        (plot, Point(number, thaws))
        for plot in SHOWN
        for thaws in Thaws
        for number in (range(1, plot.writes + 1) if plays.THOROUGH else [dice.randint(1, plot.writes // 3)])
    ]
    awake = {plot: company.start(functools.partial(both, company.house, plot)) for plot in SHOWN}
    late = {
        (plot, point): company.start(functools.partial(frozen, company.house, plot, point)) for plot, point in points
    }
    return awake, late


def test_h25_two_operators(company: Company) -> None:
    """H25: two operators at once make one rollout of it: no weight and no size flaps, and nothing is doubled."""
    awake, _ = begun(company)

    for plot, playing in awake.items():
        assert [] == judged(company, plot, playing.result())


def test_h25_frozen_with_a_write_on_its_way(company: Company) -> None:
    """H25: frozen at any write, which arrives when the other is further or has finished: it is refused or harmless."""
    _, late = begun(company)
    found, reached = [], 0
    for (plot, point), playing in late.items():
        try:
            outcome = playing.result()
        except Exception as error:  # noqa: BLE001 - it is told beside what became of the others
            found.append(f"{plot.name}, {point}: {error}")
            continue
        reached += bool(outcome.killed_after)
        found += judged(company, plot, outcome)
    for wrong in found:
        plays.tell(wrong)
    plays.tell(f"{reached} of {len(late)} late writes, {len(found)} violations")

    assert [] == found
    assert reached >= len(late) // 2
