"""`python -m tests` tells the truth about what ran."""

from pathlib import Path

import pytest

from tests import __main__ as tiers

VERDICTS = {
    "all passed": (tiers.Tally(passed=3), "passed", "passed"),
    "one failed": (tiers.Tally(passed=2, failed=1), "failed", "failed"),
    "one skipped": (tiers.Tally(passed=2, skipped=1), "passed", "failed"),
    "the tier cannot run": (tiers.Tally(why_skipped="no Go"), "skipped", "failed"),
    "too little covered": (tiers.Tally(passed=3, gate_failed=True), "failed", "failed"),
}


@pytest.mark.parametrize(("tally", "at_home", "on_ci"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(tally: tiers.Tally, at_home: str, on_ci: str) -> None:
    """A skip is told at home, and fails in CI."""
    assert (at_home, on_ci) == (tally.verdict(on_ci=False), tally.verdict(on_ci=True))


def test_report_is_counted(tmp_path: Path) -> None:
    """Errors count as failures, and what was skipped did not pass."""
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>')

    assert tiers.Tally(passed=3, failed=3, skipped=3) == tiers.tally(report, gate_failed=False)


def test_no_report_is_a_failure(tmp_path: Path) -> None:
    """A pytest that fell over has not passed."""
    assert tiers.tally(tmp_path / "none.xml", gate_failed=False).verdict(on_ci=False) == "failed"


def test_unknown_tier_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped tier runs nothing and names those there are."""
    assert tiers.main(["cor"]) != 0
    assert "core" in capsys.readouterr().err


def test_every_tier_with_tests_is_known() -> None:
    """No folder of tests is forgotten."""
    folders = {
        path.parent.relative_to(tiers.ROOT / "tests").parts[0] for path in (tiers.ROOT / "tests").rglob("test_*.py")
    }

    assert folders <= set(tiers.TIERS)
