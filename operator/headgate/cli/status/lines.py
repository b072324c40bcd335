"""Lines of styled text: how they are wrapped, set in columns, cut, and written for a terminal.

Owns width and colour. Must not know what is shown. Pure.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from headgate.cli import printing


class Style(enum.StrEnum):
    """What a piece of text means; how that looks is for who shows it."""

    PLAIN = ""
    FAINT = "faint"
    BOLD = "bold"
    GOOD = "good"
    BAD = "bad"
    WAITING = "waiting"
    ACTIVE = "active"
    STABLE = "stable"
    CANARY = "canary"


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]
EMPTY: Final[Line] = ()
GAP: Final = "  "
_WORD: Final = re.compile(r"kubectl [^;]*;?|[^ ]+")
_SGR: Final = {
    Style.FAINT: "2",
    Style.BOLD: "1",
    Style.GOOD: "32",
    Style.BAD: "1;31",
    Style.WAITING: "33",
    Style.ACTIVE: "1;36",
    Style.STABLE: "34",
    Style.CANARY: "36",
}


def wrapped(text: str, width: int, most: int, style: Style = Style.PLAIN) -> list[Line]:
    """Return *text* in lines of *width* cells, between words where it can be, and *most* of them."""
    rows, row = list[str](), ""
    for word in _words(text, width):
        longer = f"{row} {word}" if row else word
        if row and printing.cells(longer) > width:
            rows.append(row)
            row = word
        else:
            row = longer
    rows.append(row)
    if len(rows) > most:
        rows = [*rows[: most - 1], " ".join(rows[most - 1 :])]
    return [(Span(printing.cut(row, width), style),) for row in rows]


def _words(text: str, width: int) -> Iterable[str]:
    """Yield what stays in one line: words, and commands that people copy."""
    for word in _WORD.findall(text):
        yield from [word] if printing.cells(word) <= width else word.split(" ")


def table(rows: Sequence[Sequence[Span]], right: Iterable[int] = ()) -> list[Line]:
    """Return *rows* with their cells below each other; the columns *right* end, and do not begin, below each other."""
    widths = [max(printing.cells(row[column].text) for row in rows) for column in range(len(rows[0]))]
    ending = set(right)
    return [tuple(_padded(row, widths, ending)) for row in rows]


def _padded(row: Sequence[Span], widths: Sequence[int], right: set[int]) -> Iterable[Span]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        blanks = " " * (width - printing.cells(cell.text))
        gap = GAP if column < len(row) - 1 else ""
        if column in right:
            yield Span(f"{blanks}{cell.text}{gap}", cell.style)
        else:
            yield Span(f"{cell.text}{blanks if gap else ''}{gap}", cell.style)


def fitted(line: Line, width: int) -> Line:
    """Return *line* without what *width* cells cannot hold."""
    kept, left = list[Span](), width
    for span in line:
        text = printing.cut(span.text, left)
        kept.append(Span(text, span.style))
        left -= printing.cells(text)
        if text != span.text:
            break
    return tuple(kept)


def plain(line: Line) -> str:
    """Return *line* as text alone."""
    return "".join(printing.escaped(span.text) for span in line).rstrip()


def coloured(line: Line) -> str:
    """Return *line* with the codes by which a terminal shows its styles."""
    parts = []
    for text, style in line:
        shown = printing.escaped(text)
        parts.append(f"\x1b[{_SGR[style]}m{shown}\x1b[0m" if style in _SGR and shown.strip() else shown)
    return "".join(parts).rstrip()
