"""Text of others on its way to a terminal. What a cluster holds must not move the cursor or hide a line.

Owns which characters are shown as they are. Must not know what the text is about.
"""

import unicodedata
from typing import Final

_BLANKS: Final = "\t\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_WIDE: Final = frozenset("WF")


def one_line(text: str) -> str:
    """Return *text* in one line, its words one blank apart, `escaped`."""
    return escaped(" ".join(text.translate(dict.fromkeys(map(ord, _BLANKS), " ")).split()))


def escaped(text: str) -> str:
    r"""Return *text* with a code such as ``\x1b`` for each character that a terminal would act upon."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _shown(character) else _code(character) for character in text)


def cells(text: str) -> int:
    """Return how many cells of a terminal *text* takes."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def cut(text: str, width: int) -> str:
    """Return *text* if *width* cells can hold it, else its beginning and ``…``."""
    if cells(text) <= width:
        return text
    kept, left = [], width - 1
    for character in text:
        left -= _cells(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + "…" if width > 0 else ""


def _shown(character: str) -> bool:
    # Control characters, those without a look of their own (some of which turn the line around), half a surrogate pair
    # and what is no character yet.
    return not unicodedata.category(character).startswith("C")


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
