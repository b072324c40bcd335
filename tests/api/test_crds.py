"""`headgate crds`, and the file that it keeps."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from headgate import cli
from headgate.api import crd
from headgate.cli import crds

ROOT = Path(__file__).resolve().parents[2]


def test_the_file_in_the_tree_is_up_to_date() -> None:
    """What users install is what the models say."""
    assert (ROOT / "crds" / crds.FILE).read_text(encoding="utf-8") == crds.text()


def test_the_file_is_the_definition() -> None:
    """The text is the definition, without anchors, under a header that says where it comes from."""
    text = crds.text()

    assert yaml.safe_load(text) == crd.definition()
    assert "do not edit" in text.splitlines()[0].lower()
    assert "&id" not in text


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the CRD goes to stdout, for `kubectl apply -f -`."""
    assert cli.main(["crds"]) == 0
    assert capsys.readouterr().out == crds.text()


def test_it_is_written_and_then_up_to_date(tmp_path: Path) -> None:
    """What was written passes the check."""
    folder = str(tmp_path / "new")

    assert cli.main(["crds", "--write", folder]) == 0
    assert cli.main(["crds", "--check", folder]) == 0


def test_a_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check fails on a changed file, shows the change and the command that mends it."""
    changed = crds.text().replace("maximum: 100000", "maximum: 5")
    (tmp_path / crds.FILE).write_text(changed, encoding="utf-8")

    assert cli.main(["crds", "--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "maximum: 5" in told
    assert f"headgate crds --write {tmp_path}" in told


def test_a_missing_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So is a file that is not there."""
    assert cli.main(["crds", "--check", str(tmp_path)]) == 1
    assert "is missing" in capsys.readouterr().err


def test_the_module_is_a_command() -> None:
    """`python -m headgate.cli` does the same, as the Makefile calls it."""
    command = [sys.executable, "-m", "headgate.cli", "crds", "--check", str(ROOT / "crds")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT / "operator")

    assert (result.returncode, result.stderr) == (0, "")
