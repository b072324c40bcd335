"""The demo on a terminal: one live screen, made of what is to be seen at a moment.

Owns how it looks. `picture` and `ending` depend on nothing but what they are given, so that a capture shows the same.
"""

from typing import Self

import rich.box
import rich.console
import rich.live
import rich.panel
import rich.table
import rich.text

from demo import lines
from demo.facts import View
from demo.summary import Summary
from headgate.cli.status import view as status_view
from headgate.cli.status.lines import Style
from tests.e2e import podinfo
from tests.e2e.load import NOBODY

DECISIONS_SHOWN = 7
LINES_BESIDES = 24
COLOURS = {podinfo.GOOD: "blue", podinfo.BETTER: "green", podinfo.BAD: "red", NOBODY: "yellow"}
STYLES = {
    Style.PLAIN: "",
    Style.FAINT: "dim",
    Style.BOLD: "bold",
    Style.GOOD: "green",
    Style.BAD: "bold red",
    Style.WAITING: "yellow",
    Style.ACTIVE: "bold cyan",
    Style.STABLE: "blue",
    Style.CANARY: "cyan",
}
_FRAME_CELLS = 4


class Screen:
    """The live screen; it is there while it is entered."""

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console
        self._live = rich.live.Live(console=console, refresh_per_second=4, vertical_overflow="crop")

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last picture standing."""
        self._live.stop()

    def show(self, view: View) -> None:
        """Show *view*."""
        room = self._console.height - LINES_BESIDES
        self._live.update(picture(view, self._console.width, max(2, min(DECISIONS_SHOWN, room))))


def picture(view: View, width: int, decisions_shown: int = DECISIONS_SHOWN) -> rich.console.RenderableType:
    """Return the whole screen, *width* cells wide."""
    title = rich.text.Text.assemble(
        ("Headgate ", "bold"), f"{lines.clock(view.elapsed_seconds)}  ", (view.title, "bold")
    )
    return rich.panel.Panel(
        rich.console.Group(_users(view), "", *_rollout(view, width - _FRAME_CELLS, decisions_shown)),
        title=title,
        title_align="left",
        box=rich.box.ROUNDED,
        border_style="dim",
    )


def ending(summary: Summary) -> rich.console.RenderableType:
    """Return the summary."""
    table = _table("version", "what became of it", ">took", ">requests", ">errors", ">failed", ">p99")
    took = {line.version: line for line in summary.lines}
    for version in sorted({*took, *summary.users.versions}):
        line, counts = took.get(version), summary.users.of(version)
        table.add_row(
            _named(version),
            rich.text.Text(line.outcome, style="" if line.right else "bold red") if line else "the gateway alone",
            f"{line.seconds:.0f} s" if line else "",
            str(counts.requests),
            str(counts.errors),
            lines.percent(counts.errors, counts.requests),
            f"{1000 * counts.latency_seconds(99):.0f} ms" if counts.requests else "–",
        )
    parts: list[rich.console.RenderableType] = [table, "", *_words(summary)]
    colour, word = ("green", "as it should be") if summary.right else ("red", "NOT as it should be")
    return rich.panel.Panel(
        rich.console.Group(*parts),
        title=rich.text.Text(f"The end: {word}", style=f"bold {colour}"),
        title_align="left",
        box=rich.box.ROUNDED,
        border_style=colour,
    )


def _words(summary: Summary) -> list[rich.text.Text]:
    back, users = summary.rollback, summary.users
    found = [f"{users.errors} of all {users.requests} requests failed: {summary.failed_percent:.2f} %."]
    if back.reason:
        found.append(f"Rolled back because {back.reason}.")
    if back.decided_seconds is not None and back.last_answer_seconds is not None:
        found.append(
            f"From the first measurement that failed: {back.decided_seconds:.0f} s to the decision,"
            f" {back.last_answer_seconds:.0f} s to the last answer of {podinfo.BAD}."
        )
    if back.hurt_seconds is not None:
        found.append(f"Users saw errors for {back.hurt_seconds:.0f} s.")
    checks = [
        rich.text.Text.assemble(
            ("yes  ", "green") if check.holds else ("NO   ", "bold red"),
            check.words,
        )
        for check in summary.checks
    ]
    return [*(rich.text.Text(words) for words in found), rich.text.Text(""), *checks]


def _rollout(view: View, width: int, decisions: int) -> list[rich.console.RenderableType]:
    """Return what `headgate status` shows."""
    if not view.state.name:
        return [rich.text.Text("no Rollout yet", style="dim")]
    drawn = status_view.screen(view.state, view.at, width, decisions)
    return [rich.text.Text.assemble(*((span.text, STYLES[span.style]) for span in line)) for line in drawn]


def _users(view: View) -> rich.console.RenderableType:
    table = _table("users of", ">requests", ">per second", ">errors", ">failed", ">p99")
    for version in sorted(view.users.versions) or [""]:
        counts = view.users.of(version)
        if not version:
            table.add_row("nobody yet", "", "", "", "", "")
            continue
        table.add_row(
            _named(version),
            str(counts.requests),
            f"{view.rate(version):.0f}",
            rich.text.Text(str(counts.errors), style="bold red" if counts.errors else ""),
            lines.percent(counts.errors, counts.requests),
            f"{1000 * counts.latency_seconds(99):.0f} ms",
        )
    return table


def _named(version: str) -> rich.text.Text:
    return rich.text.Text("no version" if version == NOBODY else version, style=COLOURS.get(version, ""))


def _table(*columns: str) -> rich.table.Table:
    """Return a table; a column whose name begins with > stands on the right."""
    table = rich.table.Table(
        box=rich.box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="dim", expand=False
    )
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.removeprefix(">"), justify="right" if right else "left")
    return table
