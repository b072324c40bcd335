"""Run the demo: `python -m demo`, or `make demo`; KEEP=1 leaves the cluster up.

Owns arguments, signals, where it is shown, and the exit code: 0 if all was as it should be.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import rich.console

from demo import by_hand, capture, lines, screen
from demo.stage import CLUSTER, Stage, reserved
from demo.story import Story
from hack import cluster as clusters
from hack.cluster import layout

INTERRUPTED = 130
STILL_SECONDS = 15.0
WIDTH = 110
Say = Callable[[str], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo and return the exit code."""
    chosen = _parser().parse_args(arguments)
    console = rich.console.Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    say = _clocked(console)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with reserved() as taken:
        if why := clusters.lacking("node") or taken:
            say(f"the demo cannot run now: {why}")
            return 1
        return _guarded(console, say, chosen)


def _guarded(console: rich.console.Console, say: Say, chosen: argparse.Namespace) -> int:
    try:
        return _run(console, say, chosen)
    except KeyboardInterrupt:
        say("interrupted: all that was started has been ended")
        return INTERRUPTED
    except (clusters.ClusterError, AssertionError, OSError, subprocess.SubprocessError) as error:
        say(f"the demo failed: {error}")
        say(f"all that was started has been ended; its logs are in {layout.of(CLUSTER).logs}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="A good version promoted, a bad one taken back."
    )
    keep = os.environ.get("KEEP", "") not in ("", "0")
    parser.add_argument("--keep", action="store_true", default=keep, help="leave the cluster up at the end (or KEEP=1)")
    parser.add_argument("--capture", type=Path, metavar="FILE.svg", help="write a picture of the rollback and the end")
    return parser


def _run(console: rich.console.Console, say: Say, chosen: argparse.Namespace) -> int:
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        with _still_at_it(say) as busy:
            busy(f"starting the cluster {CLUSTER}; the first time here it is built, which takes about 20 minutes")
            stage = stack.enter_context(Stage(busy))
        if console.is_terminal and not console.is_dumb_terminal:
            with screen.Screen(console) as show:
                story = Story(stage, show, started)
                summary = story.tell()
        else:
            story = Story(stage, lines.Lines(say), started)
            summary = story.tell()
        console.print(screen.ending(summary))
        stage.keep, stage.failed = chosen.keep, not summary.right and not chosen.keep
        if chosen.capture:
            capture.write(chosen.capture, story.turning_point, summary)
        if chosen.keep:
            console.print(by_hand.words(stage.cluster), markup=False, soft_wrap=True)
    if stage.failed:
        say(f"the logs are in {layout.of(CLUSTER).logs}")
    return 0 if summary.right else 1


def _clocked(console: rich.console.Console) -> Say:
    """Return what prints a line with the time since now."""
    started = time.monotonic()

    def say(words: str) -> None:
        console.print(f"{lines.clock(time.monotonic() - started)} {words}", markup=False, soft_wrap=True)

    return say


@contextlib.contextmanager
def _still_at_it(say: Say) -> Iterator[Say]:
    """Give what says a line, and says now and then that the last one still goes on: a build is silent for minutes."""
    over, spoken = threading.Event(), [time.monotonic()]
    last = [""]

    def busy(words: str) -> None:
        last[0], spoken[0] = words, time.monotonic()
        say(words)

    def remind() -> None:
        while not over.wait(STILL_SECONDS):
            silent = time.monotonic() - spoken[0]
            if silent >= STILL_SECONDS:
                say(f"  … still at it, for {lines.clock(silent)} now, since: {last[0]}")

    reminder = threading.Thread(target=remind, name="reminder", daemon=True)
    reminder.start()
    try:
        yield busy
    finally:
        over.set()
        reminder.join()


if __name__ == "__main__":
    sys.exit(main())
