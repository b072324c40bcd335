"""The story in three acts: version 1 becomes stable, version 2 is promoted, version 3 is taken back.

Owns what is shipped when, and the facts that each act waits for. Must not know how it is shown.
"""

import collections
import dataclasses
import time
from collections.abc import Callable
from typing import Final, Protocol

from demo import facts, summary
from demo.facts import View
from demo.stage import NAMESPACE, Stage
from hack import cluster as clusters
from headgate.cli.status.facts import State
from headgate.cli.status.facts import state as read_state
from tests.e2e import podinfo
from tests.e2e.load import Snapshot

POLL_SECONDS: Final = 0.4
LATELY_SECONDS: Final = 5.0
SERVED_SECONDS: Final = 30.0
QUIET_REQUESTS: Final = 180
"""So many requests, after the rollback, are to meet nothing but the good version: three seconds of them."""
WARM_REQUESTS: Final = 240
"""So many requests meet a version that has become stable before the next one is shipped."""
STEPS: Final = tuple({"setWeight": weight} for weight in (20, 40, 60, 80))
METRICS: Final = [podinfo.error_rate("[45].."), podinfo.latency_p99(0.5)]


@dataclasses.dataclass(frozen=True, slots=True)
class Act:
    """One version, what is to become of it, and by when."""

    version: str
    title: str
    outcome: str
    right: Callable[[State], bool]
    wrong: Callable[[State], bool]
    deadline_seconds: float


def _healthy(version: str) -> Callable[[State], bool]:
    return lambda state: state.phase == "Healthy" and facts.version(state.stable) == version


def _back(state: State) -> bool:
    return state.phase in ("RolledBack", "Degraded")


def _never(_: State) -> bool:
    return False


ACTS: Final = (
    Act(podinfo.GOOD, "version 1 is the first one, and becomes stable", "stable", _healthy(podinfo.GOOD), _never, 90),
    Act(podinfo.BETTER, "version 2 is good, and is promoted", "promoted", _healthy(podinfo.BETTER), _back, 300),
    Act(podinfo.BAD, "version 3 answers errors, and is taken back", "rolled back", _back, _healthy(podinfo.BAD), 180),
)


class Show(Protocol):
    """Where the story is shown."""

    def show(self, view: View) -> None:
        """Show what is to be seen now."""


class Story:
    """Tells it, on *stage*, to *show*."""

    def __init__(self, stage: Stage, show: Show, started: float) -> None:
        self._stage = stage
        self._show = show
        self._started = started
        self._title = ""
        self._views: collections.deque[tuple[float, Snapshot]] = collections.deque()
        self.view: View | None = None
        self.turning_point: View | None = None
        """What was to be seen when the rollback began."""

    def tell(self) -> summary.Summary:
        """Play all acts and return what became of them. An act that ends wrong is the last one."""
        lines = []
        for number, act in enumerate(ACTS, start=1):
            self._title = f"act {number} of {len(ACTS)}: {act.title}"
            lines.append(self._play(act))
            if not lines[-1].right:
                break
            if act.version == podinfo.GOOD:
                self._stage.let_users_in()
            if act.version != podinfo.BAD and not self._serve(WARM_REQUESTS):
                break
        quiet = lines[-1].version == podinfo.BAD and lines[-1].right and self._quiet()
        users = self._stage.load.stop() if self._stage.load else Snapshot({}, ())
        turning = self.turning_point.state if self.turning_point else None
        return summary.Summary(tuple(lines), users, summary.rollback(self._look().state, turning, users), quiet)

    def _play(self, act: Act) -> summary.Line:
        began = time.monotonic()
        self._stage.apply(podinfo.rollout(NAMESPACE, act.version, steps=STEPS, metrics=METRICS))

        def over() -> bool:
            state = self._look().state
            return state.fresh and (act.right(state) or act.wrong(state))

        in_time = clusters.wait_until(over, act.deadline_seconds, POLL_SECONDS)
        state = self.view.state if self.view else State()
        right = in_time and act.right(state)
        words = act.outcome if right else f"{state.phase}, {facts.version(state.stable) or 'nothing'} stable"
        if not in_time:
            words = f"not {act.outcome} in {act.deadline_seconds:.0f} s: {state.message}"
        return summary.Line(act.version, words, right=right, seconds=time.monotonic() - began)

    def _serve(self, requests: int) -> bool:
        """Let users come, and return whether so many *requests* were ended in a reasonable time."""
        enough = requests + (self._stage.load.snapshot().requests if self._stage.load else 0)
        return clusters.wait_until(lambda: self._look().users.requests >= enough, SERVED_SECONDS, POLL_SECONDS)

    def _quiet(self) -> bool:
        """Return whether users meet version 2 alone, now that it is over."""
        self._title = "the end: users meet version 2 alone"
        before = self._look().users
        if not self._serve(QUIET_REQUESTS):
            return False
        after = self._look().users
        met = {name for name in after.versions if after.of(name).requests > before.of(name).requests}
        return met == {podinfo.BETTER}

    def _look(self) -> View:
        objects = self._stage.objects()
        now, users = time.monotonic(), self._stage.load.snapshot() if self._stage.load else Snapshot({}, ())
        self._views.append((now, users))
        while len(self._views) > 1 and self._views[1][0] <= now - LATELY_SECONDS:
            self._views.popleft()
        before_at, before = self._views[0]
        self.view = View(
            at=time.time(),
            elapsed_seconds=now - self._started,
            title=self._title,
            state=read_state(objects) if objects else State(),
            users=users,
            users_before=before,
            before_seconds=now - before_at,
        )
        if self.turning_point is None and self.view.state.phase == "RollingBack":
            self.turning_point = self.view
        self._show.show(self.view)
        return self.view
