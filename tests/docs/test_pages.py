"""Links lead somewhere, tables are tables, and examples are valid."""

from typing import Any

import pytest
import yaml

from headgate.api import names
from headgate.api.spec import RolloutSpec
from tests.docs import pages

PAGES = pages.pages()
GUIDES = pages.guides()
EXAMPLES = [
    pytest.param(document, id=f"{name} {document.get('metadata', {}).get('name', '')}")
    for name, text in GUIDES.items()
    for block in pages.fences(text, "yaml")
    for document in yaml.safe_load_all(block)
    if isinstance(document, dict) and document.get("kind") == names.KIND
]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings(name: str) -> None:
    """Every relative link names a file that exists and, behind a #, one of its headings."""
    broken = []
    for link in pages.links(PAGES[name]):
        path, _, anchor = link.partition("#")
        target = pages.where(name) / path if path else pages.where(name) / name.rpartition("/")[2]
        known = target.exists() and (not anchor or anchor in pages.anchors(target.read_text(encoding="utf-8")))
        broken += [] if known else [link]

    assert [] == broken


@pytest.mark.parametrize("name", GUIDES)
def test_headings_of_a_page_differ(name: str) -> None:
    """An anchor leads to one heading."""
    anchors = pages.anchors(GUIDES[name])

    assert sorted(set(anchors)) == sorted(anchors)


@pytest.mark.parametrize("name", GUIDES)
def test_tables_are_even(name: str) -> None:
    """Every row of a table has as many cells as its head: no stray `|` cuts a row short."""
    uneven = [row for table in pages.tables(GUIDES[name]) for row in table if len(row) != len(table[0])]

    assert [] == uneven


def test_there_is_an_example() -> None:
    """The README shows a whole Rollout."""
    assert EXAMPLES


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_valid(example: dict[str, Any]) -> None:
    """What people copy from a page is a Rollout that Headgate takes."""
    assert example["apiVersion"] == names.API_VERSION
    assert RolloutSpec.model_validate(example["spec"]).template
