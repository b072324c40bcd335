"""Writes the table of values in the chart's README from the comments in values.yaml: `python -m` runs it.

Owns the table's form and its place. Must not know any value.
"""

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

CHART: Final = Path(__file__).resolve().parent.parent.parent / "charts" / "headgate"
_KEY: Final = re.compile(r"(?P<indent> *)(?P<key>[A-Za-z]+):")
_TABLE: Final = re.compile(r"(?<=\n)\| value \|.*?\n(?=\n|\Z)", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Value:
    """One value, or a group of them, as values.yaml has it."""

    path: tuple[str, ...]
    comment: str
    default: Any


def values(text: str) -> list[Value]:
    """Return what has a comment right above it in *text*, the values.yaml, in its order."""
    tree = yaml.safe_load(text)
    found: list[Value] = []
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.strip(" #"))
            continue
        if key := _KEY.match(line):
            path[len(key["indent"]) // 2 :] = [key["key"]]
            if comment:
                found.append(Value(tuple(path), " ".join(comment), _at(tree, path)))
        comment = []
    return found


def unexplained(text: str) -> Iterator[str]:
    """Yield each value in *text* that no comment explains."""
    explained = {value.path for value in values(text)}

    def descend(path: tuple[str, ...], node: Any) -> Iterator[str]:
        below = {known[: len(path) + 1] for known in explained if known[: len(path)] == path and known != path}
        if isinstance(node, dict) and (below or path not in explained):
            for key, child in node.items():
                yield from descend((*path, key), child)
        elif path not in explained:
            yield ".".join(path)

    return descend((), yaml.safe_load(text))


def table(text: str) -> str:
    """Return the Markdown table of the values in *text*; a group has no default of its own."""
    listed = values(text)
    groups = {value.path[:depth] for value in listed for depth in range(1, len(value.path))}
    rows = ["| value | default | |", "|---|---|---|"]
    for value in listed:
        default = "" if value.path in groups else f"`{json.dumps(value.default)}`"
        rows.append(f"| `{'.'.join(value.path)}` | {default} | {value.comment} |")
    return "\n".join(rows) + "\n"


def renewed(readme: str, text: str) -> str:
    """Return *readme* with the table of the values in *text* in place of the one that it has."""
    changed, count = _TABLE.subn(lambda _: table(text), readme)
    if count != 1:
        raise ValueError(f"README.md holds {count} tables that begin with '| value |', one is expected")
    return changed


def _at(tree: Any, path: list[str]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def main() -> int:
    """Write the chart's README anew and return the exit code."""
    readme = CHART / "README.md"
    changed = renewed(readme.read_text(encoding="utf-8"), (CHART / "values.yaml").read_text(encoding="utf-8"))
    readme.write_text(changed, encoding="utf-8")
    sys.stdout.write(f"{readme} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
