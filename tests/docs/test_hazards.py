"""The catalogue of hazards is complete, real, and what the tests say."""

from pathlib import Path

import pytest

from tests import hazards

PROOFS = hazards.proofs()


@pytest.mark.parametrize("number", hazards.SITUATIONS, ids=lambda number: f"H{number}")
def test_every_hazard_is_shown_on_something_real(number: int) -> None:
    """Each has a test on a real API server or a real node that bears its id."""
    assert {proof.tier for proof in PROOFS if proof.number == number} & set(hazards.REAL)


def test_no_test_bears_an_unknown_id() -> None:
    """An id that is not in the catalogue is a slip."""
    assert {proof.number for proof in PROOFS} == set(hazards.SITUATIONS)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: f"H{proof.number}-{proof.tier}")
def test_every_proof_says_what_is_owed(proof: hazards.Proof) -> None:
    """Its docstring is a sentence for users, without the id."""
    assert proof.truth.endswith(".")
    assert not proof.truth.startswith("H")


def test_the_page_is_what_the_tests_say(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is written from the docstrings, and a page that differs is told."""
    assert hazards.main(["--check", str(hazards.ROOT / "docs")]) == 0
    assert hazards.main(["--check", str(tmp_path)]) == 1
    assert "is not what the tests say" in capsys.readouterr().err
    assert hazards.main(["--write", str(tmp_path)]) == 0
    assert hazards.main(["--check", str(tmp_path)]) == 0
