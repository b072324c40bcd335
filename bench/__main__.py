"""Measure: `python -m bench`, or `make bench`; `FULL=1` or `--full` for everything.

Owns arguments, the order of sections, and where the table goes. The exit code is 0 if all could be measured: a budget
that is missed is a fact in the table, not a failure of the measuring.
"""

import argparse
import datetime
import os
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import rich.console

from bench import analysis, hostile, raw, react, scale, scope, soak, table, waves, writes
from bench.figures import Figure
from bench.scope import Scope
from bench.stage import Say

INTERRUPTED: Final = 130
WIDTH: Final = 180
Section = Callable[[Scope, Say], Iterator[Figure]]
SECTIONS: Final[dict[str, Section]] = {
    "raw": raw.measure,
    "react": react.measure,
    "writes": writes.measure,
    "scale": scale.measure,
    "waves": waves.measure,
    "analysis": analysis.measure,
    "hostile": hostile.measure,
    "soak": soak.measure,
}
ROOT: Final = Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and return the exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    console = rich.console.Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    if unknown := set(chosen.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        numbers = scope.PRESETS[chosen.scope].changed(chosen.set)
    except ValueError as error:
        parser.error(str(error))
    say = _clocked(console)
    before = machine(chosen.scope)
    figures: list[Figure] = []
    failed: list[str] = []
    try:
        wanted = chosen.sections or SECTIONS
        failed += [name for name in wanted if not _section(name, numbers, say, figures)]
    except KeyboardInterrupt:
        say("interrupted: all that was started has been ended")
        failed.append("interrupted")
    console.print(table.table(figures, _title(before)))
    table.write(chosen.json, {**before, "load_after": os.getloadavg(), "failed": failed}, figures)
    console.print(f"as JSON: {chosen.json}", markup=False)
    return INTERRUPTED if "interrupted" in failed else int(bool(failed))


def _section(name: str, numbers: Scope, say: Say, figures: list[Figure]) -> bool:
    """Measure one section; return whether that went well. What it had measured before it failed is kept."""
    began = time.monotonic()
    try:
        for figure in SECTIONS[name](numbers, lambda words: say(f"{name}: {words}")):
            figures.append(figure)
            say(f"{name}: {figure.name}: median {table.number(figure.value('median'))} {figure.unit}")
    except Exception:  # noqa: BLE001 - the other sections are worth measuring all the same
        say(f"{name} failed:\n{traceback.format_exc()}")
        return False
    say(f"{name}: done in {time.monotonic() - began:.0f} s")
    return True


def _parser() -> argparse.ArgumentParser:
    full = os.environ.get("FULL", "") not in ("", "0")
    parser = argparse.ArgumentParser(prog="python -m bench", description="Latency, API requests, memory and scale.")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"{', '.join(SECTIONS)}; all if none is named")
    parser.add_argument("--full", dest="scope", action="store_const", const="full", help="everything (or FULL=1)")
    parser.add_argument("--tiny", dest="scope", action="store_const", const="tiny", help="to see whether it works")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="another number (bench/scope.py)"
    )
    parser.add_argument("--json", type=Path, default=ROOT / ".cache" / "bench.json", metavar="FILE")
    parser.set_defaults(scope="full" if full else "quick")
    return parser


def machine(chosen: str) -> dict[str, object]:
    """Return what the figures depend on."""
    commit = subprocess.run(  # noqa: S603 - a fixed question
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],  # noqa: S607 - git, as the machine has it
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "scope": chosen,
        "commit": commit.stdout.strip(),
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": os.getloadavg(),
    }


def _title(machine: dict[str, object]) -> str:
    load = os.getloadavg()[0]
    words = f"Headgate {machine['commit']}, {machine['scope']}, {machine['cores']} cores, Python {machine['python']}"
    return f"{words}, load {load:.1f}"


def _clocked(console: rich.console.Console) -> Say:
    """Return what prints a line with the time since now."""
    started = time.monotonic()

    def say(words: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        console.print(f"{minutes:02}:{seconds:02} {words}", markup=False, soft_wrap=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
