"""Writes the picture of a rollout's life into docs/concepts.md from the table of transitions: `python -m` runs it.

`--write docs/` writes it, `--check docs/` tells whether it is what the table says. Owns the picture's place. Must not
know any state.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from headgate.core.rollout import lifecycle

PAGE: Final = "concepts.md"
_PLACE: Final = re.compile(r"(?<=\n)```mermaid\nstateDiagram.*?\n(?=\n[^|\n])", re.DOTALL)


def drawn(text: str) -> str:
    """Return *text*, the page, with the picture as the table has it.

    Raises:
        ValueError: if the page has no place for it, or several.
    """
    page, found = _PLACE.subn(lambda _: lifecycle.picture(), text)
    if found != 1:
        raise ValueError(f"{PAGE} must have one state diagram, and has {found}")
    return page


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page or compare it; return the exit code."""
    parser = argparse.ArgumentParser(description="Keep the picture of a rollout's life up to date.")
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--write", type=Path, metavar="DIR")
    choice.add_argument("--check", type=Path, metavar="DIR")
    arguments = parser.parse_args(argv)
    path: Path = (arguments.write or arguments.check) / PAGE
    text = path.read_text(encoding="utf-8")
    if arguments.write is not None:
        path.write_text(drawn(text), encoding="utf-8")
        sys.stdout.write(f"{path} written\n")
        return 0
    if text != drawn(text):
        sys.stderr.write(f"{path} differs from core/rollout/lifecycle.py; run: make crds\n")
        return 1
    sys.stdout.write(f"{path} is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
