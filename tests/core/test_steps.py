"""Strategies as ordered steps, and where a rollout goes on when they are edited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core import steps
from headgate.core.steps import Step
from tests.core.worlds import policy

WRITTEN = st.lists(st.integers(0, 100), max_size=8).map(sorted)
PAUSED = st.lists(st.sampled_from(["2m", "pause"]), max_size=3)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ((), (Step(100),)),
        ((20,), (Step(20), Step(100))),
        ((100,), (Step(100),)),
        (("2m", 20), (Step(0, waits=True, pause_seconds=120), Step(20), Step(100))),
        ((20, "pause", 100, "1s"), (Step(20), Step(20, waits=True), Step(100), Step(100, waits=True, pause_seconds=1))),
    ],
)
def test_planned(written: tuple[int | str, ...], expected: tuple[Step, ...]) -> None:
    """A pause holds the weight before it, and the last step holds the whole, written or not."""
    assert expected == steps.planned(policy(*written))


def test_only_people_end_a_pause_without_length() -> None:
    """A weight waits for nobody, a pause of some length for the clock, one without for people."""
    assert [step.waits_for_people for step in steps.planned(policy(20, "2m", "pause"))] == [False, False, True, False]


@pytest.mark.parametrize(
    ("new", "index", "weight", "expected"),
    [
        ((20, "2m", 50, "pause", 80), 3, 50, 3),
        ((20, "2m", 50, "pause", 80, 90), 3, 50, 3),
        ((20, "2m", 50, "pause"), 4, 80, 4),
        ((20, 50, 80), 3, 50, 1),
        ((20, "1m", 50), 1, 20, 0),
        ((30, 60), 1, 20, 0),
        ((10, 30, 60), 1, 20, 1),
        ((10, 20), 2, 50, 2),
        ((), 2, 50, 0),
        ((10, "pause", 50, 60), 2, 50, 2),
    ],
)
def test_resumed(new: tuple[int | str, ...], index: int, weight: int, expected: int) -> None:
    """H16: where nothing before has changed it stays; otherwise the next weight that is not below the present one."""
    old = steps.planned(policy(20, "2m", 50, "pause", 80))

    assert expected == steps.resumed(old, steps.planned(policy(*new)), index, weight)


@pytest.mark.parametrize(("index", "weight", "expected"), [(0, 5, 0), (4, 50, 1), (40, 100, 2)])
def test_resumed_without_a_record(index: int, weight: int, expected: int) -> None:
    """Where the old steps are lost, the weight alone says where to go on."""
    assert expected == steps.resumed((), steps.planned(policy(20, 60)), index, weight)


@given(WRITTEN, WRITTEN, PAUSED, st.data())
def test_resumed_never_jumps(old: list[int], new: list[int], pauses: list[str], data: st.DataObject) -> None:
    """H16: the weight never falls by an edit, and no step's weight between the present and the next is left out."""
    before, plan = steps.planned(policy(*old, *pauses)), steps.planned(policy(*new, *pauses))
    index = data.draw(st.integers(0, len(before) - 1))
    weight = before[index].weight_percent
    at = steps.resumed(before, plan, index, weight)

    assert plan[at].weight_percent >= weight
    assert not [step for step in plan[:at] if step.weight_percent > weight]
