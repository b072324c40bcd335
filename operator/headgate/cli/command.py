"""What a command is: its name, its arguments, and what it does. One file holds one, and the registry has a line for it.

Owns how a command fails: one line, without a stack trace. Must not know any command.
"""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Final

FAILED: Final = 1
"""The exit code where a command could not do what it was told; 2 says that the arguments are wrong."""


class CommandError(Exception):
    """A command cannot do what it was told. The message is one line: what is wrong, and what would be right."""


def _without_arguments(_parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of the command line."""

    name: str
    summary: str
    """One line for the list of commands."""
    run: Callable[[argparse.Namespace], int]
    """Does what the arguments say, and returns the exit code."""
    add_arguments: Callable[[argparse.ArgumentParser], None] = _without_arguments
    description: str = ""
    """What `--help` says before the arguments; the summary where it is empty."""
    epilog: Callable[[], str] = str
    """Returns what `--help` says after the arguments."""

    def add_to(self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
        """Add the command to the command line."""
        summary = f"{self.summary[:1].upper()}{self.summary[1:]}."
        parser = subparsers.add_parser(
            self.name,
            help=self.summary,
            description=self.description or summary,
            epilog=self.epilog(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_arguments(parser)
        parser.set_defaults(chosen=self)
