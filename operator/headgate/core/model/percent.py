"""Percent: the whole, which every share is a part of."""

from typing import Final

WHOLE: Final = 100
