"""No file names a package registry's host or a path of somebody's machine: both are the reader's own business."""

import re

import pytest

from tests.house import tree

# Joined from their parts, so that this file does not name them either.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("crates", "io"),
        ("maven", "apache", "org"),
        ("maven", "org"),
        ("deb", "debian", "org"),
    )
]
HOST = re.compile("|".join(rf"(?<![\w-]){re.escape(host)}(?![\w-])" for host in HOSTS))
MACHINE_PATH = re.compile(r"(?<![\w.$}-])/(?:root|work|Users|home/\w[\w.-]*)/")


def test_no_file_names_one() -> None:
    """No text file of the project names one."""
    texts = tree.texts()
    hosts = [
        f"{name}: {match[0]}"
        for name, text in texts.items()
        if any(host in text for host in HOSTS)  # a plain search takes a tenth of the time
        for match in HOST.finditer(text)
    ]
    paths = [f"{name}: {match[0]}" for name, text in texts.items() for match in MACHINE_PATH.finditer(text)]

    assert [] == hosts + paths


@pytest.mark.parametrize("host", HOSTS)
def test_host_is_found(host: str) -> None:
    """A host is found in an address, behind a credential and in a subdomain."""
    assert all(HOST.search(f"x {prefix}{host}/simple") for prefix in ("https://", "https://me@", "index.", ""))


@pytest.mark.parametrize("folder", ["root", "work", "Users", "home/jane"])
def test_machine_path_is_found(folder: str) -> None:
    """A path of a machine is found in quotes, behind a scheme and after a space."""
    assert all(MACHINE_PATH.search(f"{before}/{folder}/x") for before in ('"', "file://", " "))


def test_relative_path_is_no_machine_path() -> None:
    """A folder of the project may have any name."""
    assert MACHINE_PATH.search("docs" + "/work" + "/x") is None
