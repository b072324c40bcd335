"""The headgate command: the registry of its commands, and how each one ends.

To add a command, write a module with a COMMAND and add it to COMMANDS.
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Final

from headgate.cli import crds, policies, printing, reference, run, status
from headgate.cli.command import FAILED, Command, CommandError

COMMANDS: Final = (crds.COMMAND, policies.COMMAND, reference.COMMAND, run.COMMAND, status.COMMAND)
"""Sorted by name."""
INTERRUPTED: Final = 130
"""As a shell says it of a command that SIGINT ended."""


def main(argv: Sequence[str] | None = None, commands: Sequence[Command] = COMMANDS) -> int:
    """Do what *argv* says and return the exit code."""
    parser = argparse.ArgumentParser(prog="headgate", description="Progressive delivery for Kubernetes.")
    parser.add_argument("--traceback", action="store_true", help="show where an error that is a bug comes from")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in commands:
        command.add_to(subparsers)
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # what a terminal's encoding lacks is no reason to fail
    chosen: Command = arguments.chosen
    return _run(chosen, arguments)


def _run(command: Command, arguments: argparse.Namespace) -> int:
    """Run *command*; whatever stops it is told in one line."""
    try:
        code = command.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as `head` does. Python would say so once more when it closes the stream at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except CommandError as error:
        return _failed(command, str(error))
    except OSError as error:
        return _failed(command, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        if arguments.traceback:
            raise
        kind = type(error).__name__
        return _failed(command, f"a bug: {kind}: {error} (headgate --traceback {command.name} … shows where)")
    return code


def _failed(command: Command, words: str) -> int:
    sys.stderr.write(f"headgate {command.name}: {printing.one_line(words)}\n")
    return FAILED
