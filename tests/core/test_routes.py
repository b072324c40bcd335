"""Route weights: percent in, two integers out, and nobody else loses a share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.model.traffic import RuleFacts
from headgate.core.traffic.routers.gateway_api import route_weights
from tests.core.ways import route, rule


@pytest.mark.parametrize(
    ("stable", "canary", "foreign", "percent", "expected"),
    [
        (1, 0, 0, 20, (80, 20)),
        (1, None, 0, 0, (100, 0)),
        (100, 0, 0, 100, (0, 100)),
        (50, 0, 50, 20, (40, 10)),
        (80, 20, 7, 33, (67, 33)),
        (10, 0, 1, 25, (8, 2)),
        (0, 0, 5, 50, (0, 0)),
    ],
)
def test_percent_becomes_two_weights(
    stable: int, canary: int | None, foreign: int, percent: int, expected: tuple[int, int]
) -> None:
    """Alone the sum becomes 100; beside others it stays, and the canary's part is rounded down."""
    assert route_weights.weights(rule(stable, canary, foreign), percent) == expected


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 500), st.integers(0, 100))
def test_others_keep_their_share(stable: int, canary: int, foreign: int, percent: int) -> None:
    """Beside other backends our sum never changes, and no weight is negative."""
    ours = route_weights.weights(rule(stable, canary, foreign), percent)

    assert sum(ours) == stable + canary
    assert min(ours) >= 0


@given(st.integers(1, 500), st.integers(0, 100))
def test_what_was_written_is_recognised(total: int, percent: int) -> None:
    """A rule that holds what was written for a percentage needs no other write for it."""
    stable, canary = route_weights.weights(rule(total, 0, 1), percent)

    assert route_weights.at(rule(stable, canary, 1), percent)


@pytest.mark.parametrize(
    ("stable", "canary", "expected"), [(100, 0, 0), (99, 1, 1), (999, 1, 1), (0, 5, 100), (0, 0, 0)]
)
def test_a_little_share_is_not_none(stable: int, canary: int, expected: int) -> None:
    """The share is rounded up: a thousandth of the traffic is traffic."""
    assert route_weights.share(rule(stable, canary)) == expected


@pytest.mark.parametrize(
    ("found", "percent", "expected"),
    [
        (rule(1, None), 0, True),
        (rule(7, 0), 0, True),
        (rule(1, None), 20, False),
        (rule(80, 20), 20, True),
        (rule(8, 2), 20, False),
        (rule(8, 2, 1), 20, True),
        (rule(1, 0, 9), 20, True),
    ],
)
def test_at_rest_any_sum_will_do(found: RuleFacts, percent: int, *, expected: bool) -> None:
    """Without weight for the canary a rule stays as its user wrote it."""
    assert route_weights.at(found, percent) == expected


@pytest.mark.parametrize(
    ("sum_", "percent", "expected"), [(100, 33, True), (10, 5, False), (20, 5, True), (1, 100, True)]
)
def test_coarse_weights_are_known(sum_: int, percent: int, *, expected: bool) -> None:
    """Whether a step can be met exactly follows from our sum alone."""
    assert route_weights.exact(rule(sum_, 0, 1), percent) == expected


def test_several_rules_have_a_range() -> None:
    """Rules that differ, as in the middle of a write that was cut off, count with their least and their most."""
    mixed = [route(rule(100, 0), rule(50, 50)), route(rule(80, 20))]

    assert (route_weights.lowest(mixed), route_weights.highest(mixed)) == (0, 50)
    assert (route_weights.lowest([]), route_weights.highest([])) == (0, 0)
