"""Files that are made from the models: printed, written, or compared with what would be written.

Owns how that is asked for and told. Must not know what is in any of them.
"""

import argparse
import difflib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

_DIFFERENCES: Final = 20


def add_parser(subparsers: "Subparsers", command: str, what: str, file: str, text: Callable[[], str]) -> None:
    """Add *command*, which prints *text* (of *what*) or keeps *file* of it up to date, to the command line."""
    parser = subparsers.add_parser(command, help=f"print the {what}, or keep a file of it up to date")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", type=Path, metavar="DIR", help=f"write DIR/{file}")
    choice.add_argument("--check", type=Path, metavar="DIR", help=f"fail where DIR/{file} is not what would be written")

    def run(arguments: argparse.Namespace) -> int:
        if arguments.check is not None:
            remedy = f"run: headgate {command} --write {arguments.check}"
            return _check(arguments.check / file, text(), remedy)
        if arguments.write is not None:
            _write(arguments.write / file, text())
            return 0
        print(text(), end="")
        return 0

    parser.set_defaults(run=run)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"{path} written")


def _check(path: Path, text: str, remedy: str) -> int:
    if not path.is_file():
        print(f"{path} is missing; {remedy}", file=sys.stderr)
        return 1
    found, wanted = path.read_text(encoding="utf-8").splitlines(), text.splitlines()
    if found == wanted:
        print(f"{path} is up to date")
        return 0
    print(f"{path} differs from the models (- the file, + the models); {remedy}", file=sys.stderr)
    changes = [
        line for line in difflib.unified_diff(found, wanted, lineterm="", n=0) if not line.startswith(("---", "+++"))
    ]
    print("\n".join(changes[:_DIFFERENCES]), file=sys.stderr)
    return 1
