"""`headgate reference`, and the page that it keeps."""

from pathlib import Path

import pytest

from headgate import cli
from headgate.api import cel, reference
from headgate.cli import reference as command
from tests.api import samples
from tests.api import test_schema as schemas
from tests.docs import pages

TEXT = reference.text()
TABLES = tuple(pages.tables(TEXT))
FIELDS = {node.path: node for node in schemas.NODES if node.path not in ("spec", "status")}
PLAIN = {path: node for path, node in FIELDS.items() if not path.endswith(("[]", ".*"))}


def test_the_page_in_the_tree_is_up_to_date() -> None:
    """What users read is what the models say; `headgate reference --write docs` makes it so."""
    assert pages.page("reference") == TEXT


@pytest.mark.parametrize("path", PLAIN)
def test_every_field_has_a_row(path: str) -> None:
    """No field of the resource is left out, and each row has the field's description."""
    rows = [row for table in TABLES for row in table if f"`{path}`" in row[0]]
    told = PLAIN[path].schema["description"].partition(" Default: ")[0].partition("$(")[0]

    assert rows
    assert any(told[:30].replace("<", "&lt;") in cell for row in rows for cell in row)


@pytest.mark.parametrize("rule", samples.RULES, ids=str)
def test_every_rule_is_told(rule: cel.Rule) -> None:
    """A rule stands beside what it guards and, in CEL, in the table of rules."""
    beginning = rule.message.partition("$(")[0].replace("_", r"\_").replace("*", r"\*")

    assert TEXT.count(beginning) >= 2
    assert rule.rule.replace("|", r"\|") in TEXT


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("spec.replicas", ["integer", "", "0 to 100,000"]),
        ("spec.paused", ["true or false", "`false`, stored", ""]),
        ("spec.strategy.canary.maxUnavailable", ["number or percentage", "`0`", ""]),
        ("spec.analysis.metrics[].window", ["duration", "`1m`", "up to 32 characters"]),
        ("spec.analysis.metrics[].name", ["text", "*required*", "1 to 63 characters"]),
        ("spec.analysis.metrics", ["list of objects, merged by `name`", "", "up to 20 entries"]),
        (
            "spec.template.metadata.annotations",
            ["map of texts, or null", "", "up to 256 entries, each up to 262,144 characters"],
        ),
        ("status.canary.analysisFrom", ["time", "", ""]),
    ],
)
def test_rows_are_in_words(path: str, cells: list[str]) -> None:
    """Type, default and bounds are what people write, not what a schema does."""
    fields = [table for table in TABLES if table[0][0] == "field" and table[0][1] == "type"]
    rows = {row[0].split("`")[1]: row for table in fields for row in table[1:]}

    assert rows[path][1:4] == cells


def test_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without options the page goes to stdout."""
    assert cli.main(["reference"]) == 0
    assert capsys.readouterr().out == TEXT


def test_it_is_written_and_then_up_to_date(tmp_path: Path) -> None:
    """What was written passes the check."""
    folder = str(tmp_path / "new")

    assert cli.main(["reference", "--write", folder]) == 0
    assert cli.main(["reference", "--check", folder]) == 0


def test_a_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check fails on a changed file, shows the change and the command that mends it."""
    changed = TEXT.replace("0 to 100,000", "0 to 5")
    (tmp_path / command.FILE).write_text(changed, encoding="utf-8")

    assert cli.main(["reference", "--check", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "0 to 5" in told
    assert f"headgate reference --write {tmp_path}" in told


def test_a_missing_file_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So is a file that is not there."""
    assert cli.main(["reference", "--check", str(tmp_path)]) == 1
    assert "is missing" in capsys.readouterr().err
