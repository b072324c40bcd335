"""`headgate reference`: the reference of the resource as a Markdown file, printed, written or compared.

Owns the file's name and how a difference is told. Must not know what the resource looks like.
"""

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headgate.api import reference

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

FILE: Final = "reference.md"
_DIFFERENCES: Final = 20


def add_parser(subparsers: "Subparsers") -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "reference", help="print the reference of the resource, or keep a file of it up to date"
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", type=Path, metavar="DIR", help=f"write DIR/{FILE}")
    choice.add_argument("--check", type=Path, metavar="DIR", help=f"fail where DIR/{FILE} is not what would be written")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the command line says and return the exit code."""
    if arguments.check is not None:
        return _check(arguments.check / FILE)
    if arguments.write is not None:
        path = arguments.write / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(reference.text(), encoding="utf-8")
        print(f"{path} written")
        return 0
    print(reference.text(), end="")
    return 0


def _check(path: Path) -> int:
    remedy = f"run: headgate reference --write {path.parent}"
    if not path.is_file():
        print(f"{path} is missing; {remedy}", file=sys.stderr)
        return 1
    found, wanted = path.read_text(encoding="utf-8").splitlines(), reference.text().splitlines()
    if found == wanted:
        print(f"{path} is up to date")
        return 0
    print(f"{path} differs from the models (- the file, + the models); {remedy}", file=sys.stderr)
    changes = [
        line for line in difflib.unified_diff(found, wanted, lineterm="", n=0) if not line.startswith(("---", "+++"))
    ]
    print("\n".join(changes[:_DIFFERENCES]), file=sys.stderr)
    return 1
