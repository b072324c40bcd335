"""What every command keeps to: those of the registry, and one that a test adds in a few lines."""

import argparse
import dataclasses
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from headgate import cli
from headgate.cli.command import FAILED, Command, CommandError
from headgate.core.faults import Unreachable

WRONG_USAGE = 2


def _add_count(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=1, help="how many")


def _greet(arguments: argparse.Namespace) -> int:
    sys.stdout.write(f"{' '.join(['hello'] * arguments.count)}\n")
    return 0


TOY = Command(name="greet", summary="print a greeting", run=_greet, add_arguments=_add_count)
"""All that a new command consists of."""
COMMANDS = (TOY, *cli.COMMANDS)
FAILURES: dict[str, Callable[[], Exception]] = {
    "a command's own words": lambda: CommandError("the Rollout shop/web is missing: apply one"),
    "words in several lines": lambda: CommandError("no\nsuch\x1b[31mthing"),
    "a missing tool": lambda: FileNotFoundError(2, "No such file or directory", "kubectl"),
    "a missing right": lambda: PermissionError(13, "Permission denied", "/etc/shadow"),
    "an API server that is away": lambda: Unreachable("no answer within 10 s"),
    "a bug": lambda: ZeroDivisionError("division by zero"),
    "a bug in text": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
}


each_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


def failing(command: Command, make: Callable[[], BaseException]) -> Command:
    """Return *command*, which fails by what *make* returns."""

    def run(_arguments: argparse.Namespace) -> int:
        raise make()

    # Without its own arguments, one of which may be required.
    return dataclasses.replace(command, run=run, add_arguments=lambda _: None)


def test_the_registry_is_sorted() -> None:
    """Two people who add a command each change different lines."""
    names = [command.name for command in cli.COMMANDS]

    assert names == sorted(set(names))


def test_each_module_of_a_command_is_registered() -> None:
    """A COMMAND that the registry does not know would never run."""
    folder = Path(cli.__file__).parent
    files = [*folder.glob("*.py"), *folder.glob("*/__init__.py")]
    written = {path for path in files if "\nCOMMAND: Final" in path.read_text(encoding="utf-8")}

    assert len(written) == len(cli.COMMANDS)


def test_a_command_is_one_file_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The toy runs with its arguments and is in the list: nothing else had to know it."""
    assert cli.main(["greet", "--count", "2"], COMMANDS) == 0
    assert capsys.readouterr().out == "hello hello\n"

    with pytest.raises(SystemExit):
        cli.main(["--help"], COMMANDS)
    assert "greet" in capsys.readouterr().out


@each_command
def test_help_says_what_it_does(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """`headgate COMMAND --help` ends with 0 and says what the command does; the list has one short line for it."""
    with pytest.raises(SystemExit) as ended:
        cli.main([command.name, "--help"], COMMANDS)

    printed = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert f"usage: headgate {command.name}" in printed
    assert (command.description or command.summary[1:]) in printed
    assert command.summary[0].islower()
    assert not command.summary.endswith(".")
    assert "\n" not in command.summary


@each_command
def test_wrong_arguments_end_with_2(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """An option that does not exist is told with the usage, and nothing is done."""
    with pytest.raises(SystemExit) as ended:
        cli.main([command.name, "--no-such-option"], [failing(one, AssertionError) for one in COMMANDS])

    assert ended.value.code == WRONG_USAGE
    assert "--no-such-option" in capsys.readouterr().err


@each_command
@pytest.mark.parametrize("failure", FAILURES)
def test_what_stops_it_is_one_line(command: Command, failure: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever goes wrong is told in one line with the command's name: no stack trace, no control characters."""
    assert cli.main([command.name], [failing(command, FAILURES[failure])]) == FAILED

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"headgate {command.name}: ")
    assert printed.err.count("\n") == 1
    assert printed.err[:-1].isprintable()


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The line about a file says which one."""
    cli.main(["greet"], [failing(TOY, FAILURES["a missing tool"])])

    assert capsys.readouterr().err == "headgate greet: kubectl: No such file or directory\n"


def test_a_bug_can_be_traced(capsys: pytest.CaptureFixture[str]) -> None:
    """The line about a bug says how to see where it is, and that shows it."""
    commands = [failing(TOY, FAILURES["a bug"])]
    cli.main(["greet"], commands)

    assert "headgate --traceback greet" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        cli.main(["--traceback", "greet"], commands)


@each_command
def test_an_interruption_is_silent(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends a command with the code by which a shell knows it, and without a word."""
    assert cli.main([command.name], [failing(command, KeyboardInterrupt)]) == cli.INTERRUPTED
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`headgate crds | head` ends without a stack trace."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "headgate.cli", "crds"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)

    assert (ended.returncode, ended.stderr) == (FAILED, "")


def test_output_that_cannot_show_a_character(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal that knows ASCII alone, another character becomes a question mark and not an error."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    speaking = dataclasses.replace(TOY, run=lambda _: 0 * sys.stdout.write("25 % ● ok\n"))

    assert cli.main(["greet"], [speaking]) == 0
    assert raw.getvalue() == b"25 % ? ok\n"
