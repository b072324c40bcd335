"""Programs that stand in for `docker` and `kind`: they write down how they were called, and say what they are told to.

Owns the folder that is put on the PATH, alone or before others, and the list of calls.
"""

import os
from pathlib import Path

import pytest


class StandIns:
    """A folder of stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls = folder / "calls"
        folder.mkdir()

    def add(self, name: str, *cases: str) -> None:
        """Add the program *name*. Each of *cases* is one of a shell's `case "$*"`: `PATTERN) COMMANDS`."""
        program = self.folder / name
        # A child writes down nothing of the environment, and no line is split: one write each.
        lines = ("#!/bin/sh", f'echo "{name} $*" >> "{self._calls}"', 'case "$*" in', *(f"{one};;" for one in cases))
        program.write_text("\n".join((*lines, "esac", "")), encoding="utf-8")
        program.chmod(0o755)

    def alone(self, patch: pytest.MonkeyPatch) -> None:
        """Have nothing else on the PATH."""
        patch.setenv("PATH", str(self.folder))

    def before_others(self, patch: pytest.MonkeyPatch, *others: Path) -> None:
        """Have *others* and what this machine has on the PATH, behind them."""
        patch.setenv("PATH", os.pathsep.join(map(str, (self.folder, *others, os.environ["PATH"]))))

    def calls(self, beginning: str = "") -> list[str]:
        """Return the calls that start with *beginning*, oldest first."""
        text = self._calls.read_text(encoding="utf-8") if self._calls.exists() else ""
        return [line for line in text.splitlines() if line.startswith(beginning)]
