"""How a Rollout is shown: a screen of lines, made of what is to be seen at one moment.

Owns the order, the words and what is left out where there is no room. Must not know where it is shown. Pure.
"""

from collections.abc import Mapping
from typing import Final

from headgate.api.status import Outcome, Phase
from headgate.cli import printing
from headgate.cli.status.facts import Decision, Metric, Side, State
from headgate.cli.status.lines import EMPTY, GAP, Line, Span, Style, fitted, table, wrapped

DECISIONS: Final = 6
MESSAGE_LINES: Final = 4
BAR_CELLS: Final = 40
PODS_DRAWN: Final = 10
PHASES: Final[Mapping[str, Style]] = {
    Phase.HEALTHY: Style.GOOD,
    Phase.ROLLING_BACK: Style.BAD,
    Phase.ROLLED_BACK: Style.BAD,
    Phase.DEGRADED: Style.BAD,
    Phase.HOLDING: Style.WAITING,
    Phase.PAUSED: Style.WAITING,
}
VERDICTS: Final[Mapping[str, Style]] = {Outcome.PASSED: Style.GOOD, Outcome.FAILED: Style.BAD}
_ROLES: Final = {"stable": Style.STABLE, "canary": Style.CANARY}
_HEADED: Final = 11
"""The cells before what stands behind a heading."""


def screen(state: State, now: float, width: int, decisions: int = DECISIONS) -> list[Line]:
    """Return all that is shown of *state*, no line wider than *width* cells.

    Args:
        state: what is to be seen.
        now: seconds since the epoch, for how long ago something was decided.
        width: how many cells there are.
        decisions: how many of the newest decisions are shown.
    """
    parts = [
        _head(state, width),
        _progress(state, width),
        _revisions(state),
        _metrics(state, width),
        _decisions(state, now, decisions, width),
        [line for note in state.notes for line in wrapped(f"! {note}", width, MESSAGE_LINES, Style.WAITING)],
    ]
    found: list[Line] = []
    for part in filter(None, parts):
        found += [EMPTY, *part] if found else part
    return [fitted(line, width) for line in found]


def phase(state: State) -> Span:
    """Return the phase in its colour."""
    return Span(state.phase, PHASES.get(state.phase, Style.ACTIVE))


def number(text: str) -> str:
    """Return a measured value with the digits that matter: ``0.333``."""
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text or "–"


def progress(metric: Metric) -> str:
    """Return how far *metric* has come: ``2 of 3 passes``, or failures if there are any."""
    if metric.failures:
        return f"{metric.failures} of {metric.failures_allowed} failures"
    return f"{metric.passes} of {metric.passes_needed} passes"


def age(seconds: float) -> str:
    """Return a length of time as kubectl does: ``45s``, ``12m``, ``3h``, ``8d``."""
    left = max(0, int(seconds))
    for unit, length, most in (("s", 1, 120), ("m", 60, 120 * 60), ("h", 3600, 48 * 3600)):
        if left < most:
            return f"{left // length}{unit}"
    return f"{left // 86400}d"


def _head(state: State, width: int) -> list[Line]:
    name = Span(f"{state.namespace}/{state.name}", Style.BOLD)
    stale = Span("  (the newest spec has not been read yet)" if not state.fresh else "", Style.WAITING)
    message = state.message or "nothing is known yet: is the operator running?"
    return [(Span("Rollout "), name, Span(GAP), phase(state), stale), *wrapped(message, width, MESSAGE_LINES)]


def _progress(state: State, width: int) -> list[Line]:
    found: list[Line] = []
    at = f", step {state.step_index} of {state.step_count}" if state.step_count and state.canary else ""
    if state.strategy:
        found.append((_heading("strategy"), Span(f"{state.strategy}{at}")))
    if state.steps:
        found += _steps(state, width)
    if state.weight_desired is not None and state.canary:
        found.append((_heading("wanted"), *bar(state.weight_desired)))
        found.append((_heading("achieved"), *bar(state.weight_achieved)))
    if state.reason_to_leave:
        words = wrapped(state.reason_to_leave, width - _HEADED, MESSAGE_LINES, Style.BAD)
        found += [(_heading("" if row else "because"), *line) for row, line in enumerate(words)]
    return found


def _heading(text: str) -> Span:
    return Span(text.ljust(_HEADED), Style.FAINT)


def _steps(state: State, width: int) -> list[Line]:
    """Return the steps in as many lines as they need."""
    at = state.step_index if state.canary else 0
    back = state.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    rows: list[list[Span]] = [[_heading("steps")]]
    room = width - _HEADED
    for index, text in enumerate(state.steps, start=1):
        here = Style.BAD if back else Style.ACTIVE
        style = Style.FAINT if index > at else Style.GOOD if index < at else here
        span = Span(f"{'○' if index > at else '●'} {text}{GAP}", style)
        room -= printing.cells(span.text)
        if room < 0 and len(rows[-1]) > 1:
            rows.append([_heading("")])
            room = width - _HEADED - printing.cells(span.text)
        rows[-1].append(span)
    return [tuple(row) for row in rows]


def bar(percent: int) -> Line:
    """Return a share of the traffic as a bar, with the number behind it."""
    cells = round(BAR_CELLS * min(max(percent, 0), 100) / 100)
    words = f"{GAP}{percent} % to the canary"
    return (Span("█" * cells, Style.CANARY), Span("░" * (BAR_CELLS - cells), Style.STABLE), Span(words))


def _revisions(state: State) -> list[Line]:
    if not state.sides:
        return []
    heads = [Span(text, Style.FAINT) for text in ("", "revision", "hash", "pods ready", "image")]
    return table([heads, *map(_revision, state.sides)], right=(1,))


def _revision(side: Side) -> list[Span]:
    style = _ROLES.get(side.role, Style.PLAIN)
    images = ", ".join(image.rpartition("/")[2] for image in side.images)  # versions differ at the end
    return [Span(side.role, style), Span(str(side.revision)), Span(side.hash), Span(pods(side), style), Span(images)]


def pods(side: Side) -> str:
    """Return the pods of one revision: drawn where they are few, and counted."""
    leaving = max(0, side.existing - side.wanted)
    counted = f"{side.ready} of {side.wanted}" + (f", {leaving} leaving" if leaving else "")
    if not 0 < max(side.wanted, side.ready) <= PODS_DRAWN:
        return counted
    return f"{'■' * side.ready}{'□' * max(0, side.wanted - side.ready)} {counted}"


def _metrics(state: State, width: int) -> list[Line]:
    if not state.metrics:
        return []
    heads = [Span(text, Style.FAINT) for text in ("metric", "value", "bound", "verdict", "so far")]
    rows = [heads]
    for metric in state.metrics:
        style = VERDICTS.get(metric.verdict, Style.WAITING)
        name = printing.cut(metric.name, max(8, width // 3))
        value = Span(number(metric.value), style)
        rows.append([Span(name), value, Span(metric.bound), Span(metric.verdict, style), Span(progress(metric))])
    found = table(rows, right=(1,))
    for metric in state.metrics:
        if metric.message:
            found += wrapped(f"{metric.name}: {metric.message}", width, MESSAGE_LINES, Style.WAITING)
    return found


def _decisions(state: State, now: float, most: int, width: int) -> list[Line]:
    shown: tuple[Decision, ...] = state.decisions[-most:] if most > 0 else ()
    found: list[Line] = []
    for decision in shown:
        style = Style.BAD if decision.warning else Style.BOLD
        at = Span(f"{age(now - decision.at):>4}{GAP}", Style.FAINT)
        # Under the reason where one line does not hold both: a message may hold a command that people copy.
        whole = f"{decision.reason}{GAP}{decision.message}"
        if printing.cells(whole) + printing.cells(at.text) <= width:
            found.append((at, Span(decision.reason, style), Span(f"{GAP}{decision.message}")))
            continue
        found.append((at, Span(decision.reason, style)))
        found += [(Span(" " * 6), *line) for line in wrapped(decision.message, width - 6, MESSAGE_LINES)]
    return found
