"""The pages that people read, taken apart: links, anchors, tables and examples.

Owns the little of Markdown that our pages use; must not know what any page is about.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.house import tree

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\((?P<target>[^)\s]+)\)|(?<=src=\")(?P<source>[^\"]+)")
HEADING = re.compile(r"^(?P<level>#{1,6}) (?P<title>.+)$", re.MULTILINE)
CODE = re.compile(r"`(?P<body>[^`\n]+)`")
CELL_END = re.compile(r"(?<!\\)\|")


def pages() -> dict[str, str]:
    """Return every page of the project by its path from the root."""
    return {
        path.relative_to(tree.ROOT).as_posix(): path.read_text(encoding="utf-8") for path in tree.files(ending=".md")
    }


def guides() -> dict[str, str]:
    """Return the pages for users: the README and docs/."""
    return {name: text for name, text in pages().items() if name == "README.md" or name.startswith("docs/")}


def page(name: str) -> str:
    """Return the text of one page in docs/."""
    return (tree.ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def fences(text: str, language: str) -> list[str]:
    """Return the fenced blocks of *language*."""
    return [found["body"] for found in FENCE.finditer(text) if found["language"] == language]


def prose(text: str) -> str:
    """Return *text* without its fenced blocks."""
    return FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Return where the links and images of *text* lead, the addresses of other hosts apart."""
    found = [match["target"] or match["source"] for match in LINK.finditer(CODE.sub("code", prose(text)))]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def headings(text: str) -> list[str]:
    """Return the titles of *text*, without code marks."""
    return [found["title"].replace("`", "") for found in HEADING.finditer(prose(text))]


def anchors(text: str) -> list[str]:
    """Return the anchors that the headings of *text* get on a forge."""
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings(text)]


def section(text: str, title: str) -> str:
    """Return what stands under the heading *title*, up to the next one of its level."""
    found = re.search(
        rf"^(?P<level>#+) {re.escape(title)}\n(?P<body>.*?)(?=^(?P=level) |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found is not None, f"no heading {title}"
    return found["body"]


def code(text: str) -> list[str]:
    """Return what *text* sets as code within its lines."""
    return [found["body"] for found in CODE.finditer(prose(text))]


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield each table as rows of cells, the head first and without the rule beneath it."""
    for block in re.findall(r"(?:^\|.*\|\n)+", prose(text) + "\n", re.MULTILINE):
        rows = [[cell.strip() for cell in CELL_END.split(line)[1:-1]] for line in block.splitlines()]
        yield [row for row in rows if not all(re.fullmatch(r"-+", cell) for cell in row)]


def where(name: str) -> Path:
    """Return the folder that links of the page *name* start from."""
    return (tree.ROOT / name).parent
