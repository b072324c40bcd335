"""What lies where, and what of it is shipped."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.house import tree

BUILD = "import hatchling.build; print(hatchling.build.build_wheel('dist'))"


def test_operator_has_no_init() -> None:
    """operator/ is a source root: as a package it would shadow the standard library's operator."""
    assert not (tree.ROOT / "operator" / "__init__.py").exists()


def test_wheel_contains_only_headgate(tmp_path: Path) -> None:
    """Users get the package, typed, and its licence: no tests and no operator."""
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(tree.ROOT / name, tmp_path)
    shutil.copytree(tree.ROOT / "operator", tmp_path / "operator", ignore=shutil.ignore_patterns("__pycache__"))

    built = subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(tmp_path / "dist" / built.stdout.split()[-1]) as wheel:
        names = wheel.namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"headgate"}
    assert "headgate/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_ci_runs_the_documented_command() -> None:
    """CI runs the README's test command and no other."""
    command = "make test"
    readme = (tree.ROOT / "README.md").read_text(encoding="utf-8")
    script = (tree.ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()

    assert f"\n{command}\n" in readme
    assert script[-1] == command
