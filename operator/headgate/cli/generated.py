"""Files that are made from the models: printed, written, or compared with what would be written.

Owns how that is asked for and told, and how YAML is written. Must not know what is in any of them.
"""

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import yaml

from headgate.cli.command import FAILED, Command

_DIFFERENCES: Final = 20
_WIDTH: Final = 118


class _Dumper(yaml.SafeDumper):
    """Writes every rule out where it stands: anchors would save bytes and cost readers."""

    def ignore_aliases(self, _data: object) -> bool:
        """Say that nothing is to be written as an alias."""
        return True


def yaml_text(header: str, documents: Iterable[object]) -> str:
    """Return *documents* as YAML behind *header*, the same bytes every time."""
    return header + yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=True)


def command(name: str, what: str, file: str, text: Callable[[], str]) -> Command:
    """Return the command *name*, which prints *text* (of *what*) or keeps *file* of it up to date."""

    def add_arguments(parser: argparse.ArgumentParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--write", type=Path, metavar="DIR", help=f"write DIR/{file}")
        choice.add_argument(
            "--check", type=Path, metavar="DIR", help=f"fail where DIR/{file} is not what would be written"
        )

    def run(arguments: argparse.Namespace) -> int:
        if arguments.check is not None:
            remedy = f"run: headgate {name} --write {arguments.check}"
            return _check(arguments.check / file, text(), remedy)
        if arguments.write is not None:
            _write(arguments.write / file, text())
            return 0
        print(text(), end="")
        return 0

    summary = f"print the {what}, or keep a file of it up to date"
    return Command(name=name, summary=summary, add_arguments=add_arguments, run=run)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"{path} written")


def _check(path: Path, text: str, remedy: str) -> int:
    if not path.is_file():
        print(f"{path} is missing; {remedy}", file=sys.stderr)
        return FAILED
    found, wanted = path.read_text(encoding="utf-8").splitlines(), text.splitlines()
    if found == wanted:
        print(f"{path} is up to date")
        return 0
    print(f"{path} differs from the models (- the file, + the models); {remedy}", file=sys.stderr)
    changes = [
        line for line in difflib.unified_diff(found, wanted, lineterm="", n=0) if not line.startswith(("---", "+++"))
    ]
    print("\n".join(changes[:_DIFFERENCES]), file=sys.stderr)
    return FAILED
