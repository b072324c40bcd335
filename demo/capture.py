"""A picture of what the demo showed: the screen as the rollback began, and the summary.

Owns how it becomes an SVG that stands alone: nothing is fetched from anywhere.
"""

import io
import re
from pathlib import Path

import rich.console

from demo import screen
from demo.facts import View
from demo.summary import Summary

WIDTH = 110
_ADDRESSES = re.compile(r"@font-face\s*\{[^}]*\}\s*|<!-- Generated with Rich [^>]*-->\s*")


def write(path: Path, turning_point: View | None, summary: Summary) -> None:
    """Write the picture to *path*."""
    console = rich.console.Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    if turning_point is not None:
        console.print(screen.picture(turning_point, WIDTH))
    console.print(screen.ending(summary))
    picture = console.export_svg(title="make demo", unique_id="demo")
    path.write_text(_ADDRESSES.sub("", picture).replace("Fira Code", "ui-monospace, monospace"), encoding="utf-8")
