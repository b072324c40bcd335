"""How figures are shown and kept: one table for people, one JSON document for machines."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import rich.box
import rich.table
import rich.text

from bench.figures import Beside, Figure

WHOLE = 100
"""From here on no decimals are shown, from a tenth of it on one."""


def number(value: float) -> str:
    """Return *value* as precisely as anybody wants to read it."""
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.0f}" if value >= WHOLE else f"{value:.1f}" if value >= WHOLE / 10 else f"{value:.2f}"


def table(figures: Sequence[Figure], title: str) -> rich.table.Table:
    """Return the table of *figures*."""
    made = rich.table.Table(title=title, box=rich.box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
    made.add_column("section")
    made.add_column("figure", ratio=3, min_width=24)
    for name in ("n", "min", "median", "p99"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("unit", no_wrap=True)
    made.add_column("budget", no_wrap=True)
    made.add_column("measured against (median), and notes", ratio=4, min_width=24)
    for before, figure in zip([None, *figures], figures, strict=False):
        begins = before is None or before.section != figure.section
        made.add_row(*_cells(figure, figure.section if begins else ""))
    return made


def _cells(figure: Figure, section: str) -> tuple[str | rich.text.Text, ...]:
    statistics = [number(figure.value(name)) for name in ("min", "median", "p99")]
    besides = [_beside(one, figure.unit) for one in figure.beside]
    words = "; ".join([*besides, *([figure.note] if figure.note else [])])
    return section, figure.name, str(len(figure.samples)), *statistics, figure.unit, _budget(figure), words


def _beside(beside: Beside, unit: str) -> str:
    return f"{beside.words}: {number(beside.median)} {beside.unit or unit}"


def _budget(figure: Figure) -> rich.text.Text:
    if figure.budget is None:
        return rich.text.Text("")
    words = f"{figure.budget.of} ≤ {number(figure.budget.limit)}"
    return rich.text.Text(f"{words} {'kept' if figure.within else 'MISSED'}", style="green" if figure.within else "red")


def write(file: Path, machine: Mapping[str, object], figures: Sequence[Figure]) -> None:
    """Write *figures* as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": dict(machine), "figures": [figure.document() for figure in figures]}
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
