"""What is installed is pinned by hash, and what is declared is what is pinned."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.house import tree

PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<marker> ;.*?)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)
DECLARED = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pins(name: str) -> dict[str, str]:
    """Return the versions pinned in requirements/*name*.txt, by package."""
    text = (tree.ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return {match["name"]: match["version"] for match in PIN.finditer(text)}


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_line_is_a_hashed_pin(name: str) -> None:
    """Nothing is installed that was not seen when the file was made: no option, no address, no open version."""
    text = (tree.ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    rest = [line for line in PIN.sub("", text).splitlines() if line and not line.lstrip().startswith("#")]

    assert [] == rest


def test_dev_pins_agree_with_runtime() -> None:
    """What is tested is what is shipped."""
    runtime, dev = pins("runtime"), pins("dev")

    assert runtime == {name: dev.get(name) for name in runtime}


@pytest.mark.parametrize(
    ("line", "name"),
    [(line, "runtime") for line in DECLARED["project"]["dependencies"]]
    + [(line, "dev") for line in DECLARED["dependency-groups"]["dev"]],
)
def test_declared_is_pinned(line: str, name: str) -> None:
    """Each declared dependency has a pin within its bounds; `make requirements` makes it so."""
    wanted = Requirement(line)
    version = pins(name).get(wanted.name.lower())

    assert version is not None
    assert wanted.specifier.contains(version, prereleases=True)


def test_every_entry_has_a_reason() -> None:
    """Each dependency, ignored rule and tolerated warning has its reason beside it."""
    text = (tree.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    rule, dependency, warning = r'"[A-Z]{1,4}\d*"', r'"[a-z][\w.-]+(?:>=|==|~=)[^"]*"', r'"(?:ignore|default):[^"]*"'
    entries = re.compile(rf"^ +(?:{rule}|{dependency}|{warning}),(?P<comment>.*)$", re.MULTILINE).finditer(text)
    comments = {match[0].strip(): match["comment"].strip() for match in entries}

    assert len(comments) > len(DECLARED["project"]["dependencies"])
    assert [] == [entry for entry, comment in comments.items() if not re.match(r"# \S+ \S+", comment)]
