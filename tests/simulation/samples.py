"""Which cases of a product of parameters are played: a sample that covers all pairs, or with the profile `deep` all.

A fault of two things that meet is in each such sample. One of three things that meet may be in none, and is in the
whole product.
"""

import functools
import itertools
import os
from collections.abc import Sequence
from typing import Any, Final, TypeVar

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "ci")
WHOLE: Final = PROFILE == "deep"
"""Whether nothing is left out."""

_Value = TypeVar("_Value")
_Pair = tuple[tuple[int, int], tuple[int, int]]
"""Of two parameters: which one, and which of its values."""


def covering(*values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return cases of the product of *values* in which each two values of two parameters meet; with `deep` all."""
    every = list(itertools.product(*(range(len(some)) for some in values)))
    chosen = every if WHOLE else _pairwise(every)
    return [tuple(some[at] for some, at in zip(values, case, strict=True)) for case in chosen]


def some(values: Sequence[_Value], every: int) -> Sequence[_Value]:
    """Return the first of *values* and each *every*-th one after it; with `deep` all."""
    return values if WHOLE else values[::every]


def halved(first: Sequence[Any], second: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return half of the product of two parameters: each value meets every other one; with `deep` all of it."""
    numbered = itertools.product(enumerate(first), enumerate(second))
    return [(one, other) for (at, one), (place, other) in numbered if WHOLE or (at + place) % 2 == 0]


def _pairs(case: tuple[int, ...]) -> set[_Pair]:
    return set(itertools.combinations(enumerate(case), 2))


def _new(missing: set[_Pair], case: tuple[int, ...]) -> int:
    return len(_pairs(case) & missing)


def _pairwise(every: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Return the cases that a greedy choice takes: each time the first of those that show most new pairs."""
    missing = {pair for case in every for pair in _pairs(case)}
    chosen: list[tuple[int, ...]] = []
    while missing:
        best = max(every, key=functools.partial(_new, missing))
        chosen.append(best)
        missing -= _pairs(best)
    return sorted(chosen)
