"""The demo where there is no terminal: plain lines, each with the time since the start.

Owns the words; the screen uses those for numbers and times too.
"""

import time
from collections.abc import Callable
from typing import Final

from demo.facts import Decision, Metric, Pods, View

EVERY_SECONDS: Final = 5.0


def clock(seconds: float) -> str:
    """Return minutes and seconds: ``01:05``."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def number(text: str) -> str:
    """Return a measured value with the digits that matter: ``0.333``."""
    try:
        return f"{float(text):.3g}"
    except ValueError:
        return text or "–"


def percent(part: int, whole: int) -> str:
    """Return a share: ``33.3 %``."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def progress(metric: Metric) -> str:
    """Return how far *metric* has come: ``2 of 3 passes``, or failures if there are any."""
    if metric.failures:
        return f"{metric.failures} of {metric.failures_allowed} failures"
    return f"{metric.passes} of {metric.passes_needed} passes"


class Lines:
    """Prints what is new at once, and where everything stands every few seconds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._title = ""
        self._told: set[Decision] = set()
        self._last: tuple[object, ...] = ()
        self._last_at = 0.0

    def show(self, view: View) -> None:
        """Print what has changed."""
        if view.title != self._title:
            self._title = view.title
            self._say(f"── {view.title}")
        for decision in view.decisions:
            if decision not in self._told:
                self._told.add(decision)
                self._say(f"   {'!' if decision.warning else '*'} {decision.reason}: {decision.message}")
        state, now = view.state, time.monotonic()
        here = (view.title, state.phase, state.step, state.weight_achieved, state.stable, state.canary)
        if here != self._last or now - self._last_at >= EVERY_SECONDS:
            self._last, self._last_at = here, now
            self._say(f"   {standing(view)}")


def standing(view: View) -> str:
    """Return in one line where everything stands."""
    state = view.state
    parts = [state.phase]
    if state.weight_wanted is not None and state.canary:
        parts.append(f"step {state.step}, weight {state.weight_wanted} % ({state.weight_achieved} % achieved)")
    parts.append(f"pods {', '.join(_pods(version, one) for version, one in sorted(view.pods.items())) or 'none'}")
    parts += [f"{one.name} {number(one.value)} ({one.bound}; {progress(one)})" for one in state.metrics if state.canary]
    users = (
        f"{version} {counts.requests} requests {counts.errors} errors"
        for version, counts in sorted(view.users.versions.items())
    )
    parts.append(f"users: {', '.join(users) or 'none yet'}")
    return " | ".join(parts)


def _pods(version: str, pods: Pods) -> str:
    leaving = f" +{pods.leaving} leaving" if pods.leaving else ""
    return f"{version} {pods.ready}/{pods.ready + pods.starting}{leaving}"
