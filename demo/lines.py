"""The demo where there is no terminal: plain lines, each with the time since the start.

Owns when a line is due; the words about the Rollout are those of `headgate status --watch`.
"""

import time
from collections.abc import Callable
from typing import Final

from demo.facts import View
from headgate.cli.status.changes import Changes

EVERY_SECONDS: Final = 5.0


def clock(seconds: float) -> str:
    """Return minutes and seconds: ``01:05``."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def percent(part: int, whole: int) -> str:
    """Return a share: ``33.3 %``."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


class Lines:
    """Prints what is new at once, and what the users get every few seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._title = ""
        self._changes = Changes()
        self._last_at = 0.0

    def show(self, view: View) -> None:
        """Print what has changed."""
        if view.title != self._title:
            self._title = view.title
            self._say(f"── {view.title}")
        for line in self._changes.since_last(view.state) if view.state.name else ():
            self._say(f"   {line}")
        now = time.monotonic()
        if now - self._last_at >= EVERY_SECONDS:
            self._last_at = now
            self._say(f"   users: {_users(view)}")


def _users(view: View) -> str:
    parts = (
        f"{version} {counts.requests} requests {counts.errors} errors"
        for version, counts in sorted(view.users.versions.items())
    )
    return ", ".join(parts) or "none yet"
