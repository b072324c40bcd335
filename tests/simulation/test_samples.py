"""What is left out of a product of parameters is in the whole of it, and each pair of values is played."""

import itertools

import pytest

from tests.simulation import samples

VALUES = (("a", "b", "c"), (True, False), (1, 2, 3, 4), (None, "x"))


def test_each_pair_of_values_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any two values of two parameters meet in some case, and there are far fewer cases than in the product."""
    monkeypatch.setattr(samples, "WHOLE", False)
    cases = samples.covering(*VALUES)
    for (one, some), (other, more) in itertools.combinations(enumerate(VALUES), 2):
        assert set(itertools.product(some, more)) == {(case[one], case[other]) for case in cases}
    assert (12, 48) == (len(cases), len(list(itertools.product(*VALUES))))
    assert samples.covering(*VALUES) == cases


def test_half_a_product_and_a_part_of_a_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value of either parameter is among the half, and a part of a series begins with its first."""
    monkeypatch.setattr(samples, "WHOLE", False)
    half = samples.halved(VALUES[0], VALUES[2])
    assert (6, set(VALUES[0]), set(VALUES[2])) == (len(half), *(set(one) for one in zip(*half, strict=True)))
    assert [0, 4, 8] == list(samples.some(range(9), 4))


def test_the_deep_profile_leaves_nothing_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it all cases of the product are played, each once."""
    monkeypatch.setattr(samples, "WHOLE", True)
    assert list(itertools.product(*VALUES)) == samples.covering(*VALUES)
    assert list(itertools.product(*VALUES[:2])) == samples.halved(*VALUES[:2])
    assert range(9) == samples.some(range(9), 4)
