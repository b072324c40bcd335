"""How far the wall clock has jumped ahead, told by a clock that never does."""

import dataclasses

import pytest

from headgate.core.model import Key
from headgate.observe.clock_jumps import Jumps

KEY = Key("prod", "web")


@dataclasses.dataclass
class Clocks:
    """A wall clock that is set, beside one that only runs."""

    wall: float = 1_800_000_000.0
    steady: float = 5.0

    def run(self, seconds: float, ahead: float = 0.0) -> None:
        """Let time pass, in which the wall clock gains something."""
        self.steady += seconds
        self.wall += seconds + ahead


def watched() -> tuple[Clocks, Jumps]:
    """Return clocks and who watches them, for a Rollout that was seen."""
    clocks = Clocks()
    jumps = Jumps(lambda: clocks.wall, lambda: clocks.steady)
    assert jumps.of(KEY, 0.0) == 0.0
    return clocks, jumps


@pytest.mark.parametrize(
    ("ahead", "found"), [(0.0, 0.0), (4.9, 0.0), (5.0, 5.0), (3600.0, 3600.0), (-3600.0, 0.0), (-1.0, 0.0)]
)
def test_h27_a_jump_is_what_the_wall_clock_gains(ahead: float, found: float) -> None:
    """H27: time that passes is no jump, however long nobody looks; a clock that is slowly put right is none either."""
    clocks, jumps = watched()
    clocks.run(7200.0, ahead)

    assert jumps.of(KEY, 0.0) == pytest.approx(found)


def test_it_counts_until_the_status_was_written() -> None:
    """Each Rollout counts those that its status does not know of yet; several add up."""
    clocks, jumps = watched()
    before = clocks.wall
    clocks.run(10.0, 60.0)
    assert jumps.of(KEY, before) == pytest.approx(60.0)
    clocks.run(10.0, 600.0)
    assert jumps.of(KEY, before) == pytest.approx(660.0)
    assert jumps.of(KEY, clocks.wall - 1) == pytest.approx(600.0)
    assert jumps.of(KEY, clocks.wall) == 0.0


def test_what_was_before_a_rollout_was_seen_is_no_matter_of_its_waits() -> None:
    """As where another process wrote its status meanwhile, or it is seen again after it was gone."""
    clocks, jumps = watched()
    clocks.run(10.0, 3600.0)

    assert jumps.of(KEY, 0.0) == pytest.approx(3600.0)
    assert jumps.of(Key("prod", "other"), 0.0) == 0.0
    jumps.forget(KEY)
    assert jumps.of(KEY, 0.0) == 0.0


def test_a_clock_that_is_set_back_takes_its_jump_back() -> None:
    """An hour ahead and back again is no hour that anything begins later by, and the next one counts as ever."""
    clocks, jumps = watched()
    clocks.run(10.0, 3600.0)
    jumps.of(KEY, 0.0)
    written = clocks.wall
    clocks.run(10.0, -3600.0)
    assert jumps.of(KEY, 0.0) == 0.0
    clocks.run(10.0, 60.0)

    assert jumps.of(KEY, 0.0) == pytest.approx(60.0)
    assert jumps.of(KEY, written) == 0.0
