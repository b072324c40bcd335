"""Starting components in order, watching them until ready, ending them.

Owns the process records. There is no supervising process: whoever starts
a cluster writes down what runs and leaves, so nobody's death takes the cluster
along or leaves something unknown behind.
"""

import contextlib
import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from hack.cluster import deadlines, files, processes
from hack.cluster.components import Component, Say
from hack.cluster.errors import ClusterError
from hack.cluster.layout import Layout

# Measured: all ready after 4 s on 2 idle cores, 20 s beside a Go build.
READY_SECONDS = 120.0


@dataclasses.dataclass(frozen=True)
class _Recorded:
    process: processes.Process
    grace_seconds: float


def running(layout: Layout, name: str) -> processes.Process | None:
    """Return the process of component *name*, None if it does not run."""
    recorded = _read(layout, name)
    return recorded.process if recorded is not None and processes.is_running(recorded.process) else None


def start(components: Sequence[Component], layout: Layout, say: Say) -> list[str]:
    """Start what does not run yet, wait until all are ready, return the names of the started.

    If that fails, what was started here is ended again and its log stays.
    """
    pending = {component.name: component for component in components}
    ready: set[str] = set()
    started: list[str] = []

    def settled() -> bool:
        for component in list(pending.values()):
            if ready.issuperset(component.after) and _advance(component, layout, started):
                ready.add(component.name)
                del pending[component.name]
                if component.name in started:
                    say(f"{component.name} is ready")
        return not pending

    try:
        if not deadlines.wait_until(settled, READY_SECONDS):
            raise ClusterError(_what_is_missing(pending, ready, layout))
    except BaseException:
        for name in reversed(started):
            stop(layout, name)
        raise
    return started


def stop(layout: Layout, name: str) -> None:
    """End the component *name* if it runs; its record stays, so that it can be told from one never started."""
    recorded = _read(layout, name)
    if recorded is not None:
        processes.end(recorded.process, recorded.grace_seconds)


def stop_all(layout: Layout) -> int:
    """End every process of the cluster, recorded or not, latest first, and return how many ran."""
    names = [path.stem for path in layout.processes.glob("*.json")]
    records = [recorded for recorded in (_read(layout, name) for name in names) if recorded is not None]
    alive = [recorded for recorded in records if processes.is_running(recorded.process)]
    for recorded in sorted(alive, key=lambda one: one.process.started_ticks, reverse=True):
        processes.end(recorded.process, recorded.grace_seconds)
    count = len(alive)
    # Again and again: one of them may be just starting another.
    while strays := processes.marked(layout.mark):
        for stray in strays:
            processes.end(stray)
        count += len(strays)
    return count


def _advance(component: Component, layout: Layout, started: list[str]) -> bool:
    """Start *component* unless it runs; tell whether it is ready."""
    if running(layout, component.name) is None:
        if component.name in started:
            raise ClusterError(f"{component.name} ended right after its start: {_last_words(layout, component.name)}")
        component.prepare()
        started.append(component.name)
        _spawn(component, layout)
    return component.unready() is None


def _spawn(component: Component, layout: Layout) -> None:
    mark = layout.mark_of(component.name)
    if not _path(layout, component.name).exists():
        # Started, and its starter was killed before it could record that.
        for stray in processes.marked(mark):
            processes.end(stray)
    _path(layout, component.name).unlink(missing_ok=True)
    home = layout.data / component.name
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Nothing else of our environment: proxies, KUBECONFIG and the like would steer a component.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), **component.environment}
    process = processes.start(component.argv, environment, mark, layout.log(component.name))
    recorded = _Recorded(process, component.grace_seconds)
    files.write(_path(layout, component.name), json.dumps(dataclasses.asdict(recorded)))


def _what_is_missing(pending: dict[str, Component], ready: set[str], layout: Layout) -> str:
    for component in pending.values():
        if ready.issuperset(component.after):
            reason = component.unready() or "it became ready this moment"
            return f"{component.name} is not ready after {READY_SECONDS:.0f} s: {reason}; see {layout.logs}"
    return f"{', '.join(pending)} wait for each other: their 'after' is a circle"


def _last_words(layout: Layout, name: str) -> str:
    lines: list[str] = []
    with contextlib.suppress(OSError):
        lines = [line for line in layout.log(name).read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1].strip()[:300] if lines else 'it said nothing'} (all of it: {layout.log(name)})"


def _path(layout: Layout, name: str) -> Path:
    return layout.processes / f"{name}.json"


def _read(layout: Layout, name: str) -> _Recorded | None:
    try:
        content = json.loads(_path(layout, name).read_text())
    except FileNotFoundError:
        return None
    return _Recorded(processes.Process(**content["process"]), content["grace_seconds"])
