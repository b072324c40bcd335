"""Strategies as ordered steps, and where a rollout goes on when they are edited."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.strategies import planning, steps
from headgate.core.strategies.steps import Step
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
    assert expected == planning.planned(policy(*written))


def test_only_people_end_a_pause_without_length() -> None:
    """A weight waits for nobody, a pause of some length for the clock, one without for people."""
    assert [step.waits_for_people for step in planning.planned(policy(20, "2m", "pause"))] == [
        False,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("new", "index", "weight", "expected"),
    [
        ((20, "2m", 50, "pause", 80), 4, 50, 4),
        ((20, "2m", 50, "pause", 80, 90), 4, 50, 4),
        ((20, "2m", 50, "pause"), 5, 80, 4),
        ((20, 50, 80), 4, 50, 2),
        ((20, "1m", 50), 2, 20, 1),
        ((30, 60), 2, 20, 0),
        ((10, 30, 60), 2, 20, 1),
        ((10, 20), 3, 50, 2),
        ((), 3, 50, 0),
        ((10, "pause", 50, 60), 3, 50, 3),
    ],
)
def test_resumed(new: tuple[int | str, ...], index: int, weight: int, expected: int) -> None:
    """H16: where nothing before has changed it stays; else it goes on at its own weight, or before the next higher."""
    old = planning.planned(policy(20, "2m", 50, "pause", 80))

    assert expected == steps.resumed(old, planning.planned(policy(*new)), index, weight)


@pytest.mark.parametrize(("index", "weight", "expected"), [(1, 5, 0), (5, 50, 1), (41, 100, 3)])
def test_resumed_without_a_record(index: int, weight: int, expected: int) -> None:
    """Where the old steps are lost, the weight alone says where to go on."""
    assert expected == steps.resumed((), planning.planned(policy(20, 60)), index, weight)


@given(WRITTEN, WRITTEN, PAUSED, st.data())
def test_resumed_never_jumps(old: list[int], new: list[int], pauses: list[str], data: st.DataObject) -> None:
    """H16: the weight never falls by an edit, and no step's weight between the present and the next is left out."""
    before, plan = planning.planned(policy(*old, *pauses)), planning.planned(policy(*new, *pauses))
    index = data.draw(st.integers(0, len(before) - 1))
    weight = before[index].weight_percent
    number = steps.resumed(before, plan, index + 1, weight)

    assert not [step for step in plan[:number] if step.weight_percent > weight]
    assert number == len(plan) or plan[number].waits or plan[number].weight_percent >= weight
