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

from demo import facts, lines
from demo.facts import State, View
from demo.summary import Summary
from tests.e2e import podinfo
from tests.e2e.load import NOBODY

DECISIONS_SHOWN = 9
LINES_BESIDES = 24
BAR_CELLS = 40
COLOURS = {podinfo.GOOD: "blue", podinfo.BETTER: "green", podinfo.BAD: "red", NOBODY: "yellow"}
PHASES = {"Healthy": "green", "RollingBack": "red", "RolledBack": "red", "Degraded": "red", "Holding": "yellow"}
VERDICTS = {"Passed": "green", "Failed": "bold red"}


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
        self._live.update(picture(view, max(2, min(DECISIONS_SHOWN, room))))


def picture(view: View, decisions_shown: int = DECISIONS_SHOWN) -> rich.console.RenderableType:
    """Return the whole screen."""
    title = rich.text.Text.assemble(
        ("Headgate ", "bold"), f"{lines.clock(view.elapsed_seconds)}  ", (view.title, "bold")
    )
    return rich.panel.Panel(
        rich.console.Group(
            _rollout(view), "", _metrics(view.state), "", _users(view), "", _decisions(view, decisions_shown)
        ),
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


def _rollout(view: View) -> rich.console.RenderableType:
    state = view.state
    table = rich.table.Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("rollout", rich.text.Text(state.phase, style=f"bold {PHASES.get(state.phase, 'cyan')}"))
    table.add_row("steps", _steps(state))
    wanted = 0 if state.weight_wanted is None or not state.canary else state.weight_wanted
    achieved = state.weight_achieved if state.canary else 0
    table.add_row("wanted", _bar(state, wanted))
    table.add_row("achieved", _bar(state, achieved))
    table.add_row("pods", _pods(view))
    return table


def _now(state: State) -> rich.text.Text:
    # Last of all, since its length changes, and nothing may jump with it.
    return rich.text.Text(f"now: {state.message or '…'}", style="italic")


def _steps(state: State) -> rich.text.Text:
    at = int(state.step.partition("/")[0]) if state.step and state.canary else 0
    back = state.phase in ("RollingBack", "RolledBack")
    words = rich.text.Text()
    for index, weight in enumerate(state.weights, start=1):
        style = "dim" if index > at else "green" if index < at else "bold red" if back else "bold cyan"
        mark = "○" if index > at else "●"
        words.append(f"{mark} {weight} %", style=style)
        words.append("  ──  " if index < len(state.weights) else "", style="dim")
    return words


def _bar(state: State, weight: int) -> rich.text.Text:
    cells = round(BAR_CELLS * weight / 100)
    return rich.text.Text.assemble(
        ("█" * cells, COLOURS.get(state.canary, "white")),
        ("█" * (BAR_CELLS - cells), COLOURS.get(state.stable, "dim")),
        f"  {weight} % to {state.canary}" if state.canary else f"  all to {state.stable or 'nobody yet'}",
    )


def _pods(view: View) -> rich.text.Text:
    words = rich.text.Text()
    for version, pods in sorted(view.pods.items()):
        words.append(f"{version} ", style=COLOURS.get(version, ""))
        words.append("■" * pods.ready, style=COLOURS.get(version, ""))
        words.append("□" * pods.starting)
        words.append("×" * pods.leaving, style="dim")
        words.append(_counted(pods), style="dim")
    return words if view.pods else rich.text.Text("none yet", style="dim")


def _counted(pods: facts.Pods) -> str:
    leaving = f", {pods.leaving} leaving" if pods.leaving else ""
    return f" {pods.ready} of {pods.ready + pods.starting} ready{leaving}   "


def _metrics(state: State) -> rich.console.RenderableType:
    table = _table("metric", ">value", "bound", "verdict", "so far")
    for metric in state.metrics:
        style = VERDICTS.get(metric.verdict, "yellow")
        table.add_row(
            metric.name,
            rich.text.Text(lines.number(metric.value), style=style),
            metric.bound,
            rich.text.Text(metric.verdict, style=style),
            lines.progress(metric),
        )
    if not state.metrics:
        table.add_row("nothing to measure yet", "", "", "", "")
    return table


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


def _decisions(view: View, shown: int) -> rich.console.RenderableType:
    table = rich.table.Table.grid(padding=(0, 2))
    for one in view.decisions[-shown:]:
        reason = rich.text.Text(one.reason, style="bold red" if one.warning else "bold")
        at = rich.text.Text(lines.clock(view.elapsed_at(one.at)), style="dim")
        table.add_row(at, reason, rich.text.Text(one.message))
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
