"""What the image is made of, and what of this machine its build may see. The build itself is proven on a real node."""

import re
from pathlib import Path

import pytest

from tests.chart import images

INSIDE = ["operator/headgate/api/spec.py", "requirements/runtime.txt", "pyproject.toml", "Dockerfile", ".dockerignore"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of all ingredients, and of a folder that is none."""
    images.copy_ingredients(tmp_path)
    (tmp_path / "operator" / "headgate" / "__pycache__").mkdir()
    return tmp_path


def final_stage() -> str:
    """Return the Dockerfile from its last FROM on."""
    return re.split(r"(?m)^(?=FROM )", (images.ROOT / "Dockerfile").read_text(encoding="utf-8"))[-1]


def test_same_content_is_the_same_image(copy: Path) -> None:
    """Neither the place of the tree, nor what Python leaves in it, nor a test, makes another image."""
    (copy / "operator" / "headgate" / "__pycache__" / "spec.pyc").write_bytes(b"x")
    (copy / "tests").mkdir()

    assert images.key() == images.key(copy)


@pytest.mark.parametrize("name", INSIDE)
def test_other_content_is_another_image(copy: Path, name: str) -> None:
    """A change of source, pins or instructions is never answered from the cache."""
    with (copy / name).open("a") as file:
        file.write("\n")

    assert images.key() != images.key(copy)


def test_last_stage_runs_nothing() -> None:
    """What is shipped is the base and our folder: no layer can keep what a command left there."""
    instructions = [line.split()[0] for line in final_stage().splitlines() if re.match(r"[A-Z]+ ", line)]

    assert ["FROM", "LABEL", "COPY", "ENV", "USER", "ENTRYPOINT", "CMD"] == instructions


def test_user_is_a_number() -> None:
    """The user is none that a node would have to look up to see that it is not root."""
    assert re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", final_stage())


def test_pip_sees_where_packages_come_from(tmp_path: Path) -> None:
    """Addresses and certificates reach the build, the environment's before the files', and nothing else does."""
    authority = tmp_path / "ca.pem"
    authority.touch()
    listed = "\n".join(
        (
            f":env:.cert='{authority}'",
            ":env:.index-url='https://one.example/simple'",
            "global.index-url='https://two.example/simple'",
            "global.require-virtualenv='true'",
            "install.user='true'",
        )
    )

    settings, named = images.pip_settings(listed)

    assert f"[global]\ncert = {authority}\nindex-url = https://one.example/simple\n" == settings
    assert [str(authority)] == named
