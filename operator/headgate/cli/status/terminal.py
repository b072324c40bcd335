"""Where a Rollout is shown: a terminal that is drawn over, or lines that stay.

Owns what a terminal can do and how it is told. Must not know what is shown.
"""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TextIO

from headgate.cli.status import changes, lines, view
from headgate.cli.status.facts import State
from headgate.cli.status.lines import Line

UNBOUNDED: Final = 10_000
"""Cells in a line that goes into a file or a pipe: nothing is cut there."""
_LINES_BESIDES: Final = 18
"""Of a screen without its decisions, as they come: so many rows are not for these."""
_UP: Final = "\x1b[{}A"
_TO_END_OF_LINE: Final = "\x1b[K"
_TO_END: Final = "\x1b[J"


class Show(Protocol):
    """Where it is shown."""

    def show(self, state: State) -> None:
        """Show *state*."""


def is_screen(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether *stream* is a terminal that can be drawn over."""
    return stream.isatty() and environment.get("TERM", "") not in ("", "dumb")


def has_colours(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether *stream* is shown in colours; NO_COLOR, with whichever value, asks for none."""
    return is_screen(stream, environment) and not environment.get("NO_COLOR")


def print_once(state: State, stream: TextIO | None = None) -> None:
    """Print *state* once: within the width of a terminal, else without cutting anything."""
    out = stream or sys.stdout
    width = shutil.get_terminal_size().columns if out.isatty() else UNBOUNDED
    out.write(_text(view.screen(state, time.time(), width), coloured=has_colours(out)))


def following(stream: TextIO | None = None) -> "Show":
    """Return what shows a Rollout that is followed."""
    out = stream or sys.stdout
    return Screen(out) if is_screen(out) else Log(out)


class Screen:
    """Draws each view over the last one; the last one stays."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._height = 0

    def show(self, state: State) -> None:
        """Draw *state* over what was drawn before."""
        size = shutil.get_terminal_size()
        decisions = max(2, min(view.DECISIONS, size.lines - _LINES_BESIDES))
        # The last row stays free: a line break in it would move all others up.
        drawn = view.screen(state, time.time(), size.columns - 1, decisions)[: max(1, size.lines - 1)]
        back = _UP.format(self._height) if self._height else ""
        text = _text(drawn, coloured=has_colours(self._out)).replace("\n", f"{_TO_END_OF_LINE}\n")
        self._out.write(f"{back}{text}{_TO_END}")
        self._out.flush()
        self._height = len(drawn)


class Log:
    """Prints a line for each change, with the time of day."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._changes = changes.Changes()

    def show(self, state: State) -> None:
        """Print what is new in *state*."""
        for line in self._changes.since_last(state):
            self._out.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        self._out.flush()


def _text(drawn: Sequence[Line] | Iterable[Line], *, coloured: bool) -> str:
    write = lines.coloured if coloured else lines.plain
    return "".join(f"{write(line)}\n" for line in drawn)
