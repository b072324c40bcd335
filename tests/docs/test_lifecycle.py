"""The picture of a rollout's life: it is the table of transitions, line by line."""

from pathlib import Path

import pytest

from headgate.core.rollout.lifecycle import TRANSITIONS, State
from tests.docs import lifecycle
from tests.house import tree

PAGE = tree.ROOT / "docs" / lifecycle.PAGE


def test_the_picture_in_the_tree_is_up_to_date() -> None:
    """Each transition is an arrow, and each state has a row."""
    text = PAGE.read_text(encoding="utf-8")

    assert lifecycle.main(["--check", str(PAGE.parent)]) == 0
    assert all(f"    {way.before} --> {way.after}: {way.when}\n" in text for way in TRANSITIONS)
    assert not any(mark in way.when for way in TRANSITIONS for mark in ":;")
    assert all(f"| `{state}` | " in text for state in State)


def test_a_difference_is_told_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture that was edited by hand is refused, and written anew with all else as it was."""
    text = PAGE.read_text(encoding="utf-8")
    edited = text.replace(f" --> {State.LEAVING}: ", f" --> {State.AT_REST}: ")
    (tmp_path / lifecycle.PAGE).write_text(edited, encoding="utf-8")

    assert lifecycle.main(["--check", str(tmp_path)]) == 1
    assert "make crds" in capsys.readouterr().err
    assert lifecycle.main(["--write", str(tmp_path)]) == 0
    assert (tmp_path / lifecycle.PAGE).read_text(encoding="utf-8") == text


def test_a_page_without_a_place_is_told() -> None:
    """Nothing is written where there is no diagram to replace."""
    with pytest.raises(ValueError, match="must have one state diagram, and has 0"):
        lifecycle.drawn("# Concepts\n")
