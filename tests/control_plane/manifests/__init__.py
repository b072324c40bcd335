"""Manifests that people might write: `accepted/`, and `refused/` with what the refusal must say.

Owns how these files are read. A refused one begins with comments: the path that the message names, a part of what it
says and, where the model takes it all the same, why.
"""

import dataclasses
import re
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
_EXPECTED = re.compile(
    r"# path: (?P<path>.+)\n# says: (?P<says>.+)\n(?:# only the server refuses it: (?P<reason>.+)\n)?"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """One file with one Rollout."""

    file: Path

    @property
    def text(self) -> str:
        """What stands in the file."""
        return self.file.read_text(encoding="utf-8")

    @property
    def rollout(self) -> dict[str, Any]:
        """The Rollout as it is written."""
        loaded = yaml.safe_load(self.text)
        assert isinstance(loaded, dict)
        return loaded


@dataclasses.dataclass(frozen=True, slots=True)
class Refused(Manifest):
    """A Rollout that is refused."""

    path: str
    says: str
    only_the_server: str
    """Why the model takes it; empty where the model refuses it too."""


def accepted() -> dict[str, Manifest]:
    """Return the good Rollouts by name."""
    return {file.stem: Manifest(file) for file in sorted((FOLDER / "accepted").glob("*.yaml"))}


def refused() -> dict[str, Refused]:
    """Return the bad Rollouts by name."""
    return {file.stem: _refused(file) for file in sorted((FOLDER / "refused").glob("*.yaml"))}


def _refused(file: Path) -> Refused:
    expected = _EXPECTED.match(file.read_text(encoding="utf-8"))
    assert expected is not None, f"{file} must begin with '# path: …' and '# says: …'"
    return Refused(file, expected["path"], expected["says"], expected["reason"] or "")
