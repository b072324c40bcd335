"""The import contracts hold, and fail when somebody imports what they may not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import tree

LINT = (
    "import sys; from importlinter import cli; sys.exit(cli.lint_imports(config_filename=sys.argv[1], no_cache=True))"
)
# An import planted in a module, and what the report must then name.
FORBIDDEN = {
    "a clock in core": ("core/model.py", "import time", "headgate.core is not allowed to import time"),
    "a socket in api": ("api/__init__.py", "import socket", "headgate.api is not allowed to import socket"),
    "core looks up": ("core/model.py", "import headgate.act", "headgate.core is not allowed to import headgate.act"),
    "api looks up": ("api/__init__.py", "import headgate.core", "headgate.api is not allowed to import headgate.core"),
    "kopf in act": ("act.py", "import kopf", "headgate.act -> kopf"),
    "kubernetes in observe": ("observe.py", "import kubernetes.client", "headgate.observe -> kubernetes"),
    "prometheus in observe": (
        "observe.py",
        "import prometheus_api_client",
        "headgate.observe -> prometheus_api_client",
    ),
    "act and observe": ("act.py", "import headgate.observe", "headgate.act is not allowed to import headgate.observe"),
    "a room without a layer": ("attic.py", "", "headgate.attic"),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts against the package in *folder*: the current folder comes first on the path."""
    command = [sys.executable, "-c", LINT, str(tree.ROOT / "pyproject.toml")]
    wide = {**os.environ, "COLUMNS": "200"}  # the report wraps at the terminal's width
    return subprocess.run(command, cwd=folder, env=wide, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the package that a test may spoil."""
    shutil.copytree(tree.ROOT / "operator" / "headgate", tmp_path / "headgate")
    return tmp_path


def test_contracts_hold(copy: Path) -> None:
    """The package as it is keeps every contract."""
    result = lint(copy)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("module", "line", "named"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_forbidden_import_is_named(copy: Path, module: str, line: str, named: str) -> None:
    """A forbidden import breaks a contract, and the report says which import it was."""
    with (copy / "headgate" / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")

    result = lint(copy)

    assert result.returncode == 1
    assert named in " ".join(result.stdout.split())
