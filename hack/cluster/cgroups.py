"""The control groups of one cluster's node: one folder in each hierarchy.

Owns their name, and what runs in them. Every process of a container is in one,
also where the shim that started it is gone and nothing else tells whose it is.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

from hack.cluster import deadlines, mounts, processes
from hack.cluster.errors import ClusterError
from hack.cluster.layout import Layout

# A group is busy until the kernel has buried the last process of it.
REMOVE_SECONDS = 10.0


def name(place: Layout) -> str:
    """Return the name of the cluster's groups: two clusters of one name may lie in different state folders."""
    return f"headgate-{place.name}-{hashlib.sha256(str(place.state).encode()).hexdigest()[:8]}"


def create(place: Layout) -> None:
    """Make the cluster's group in each hierarchy: the kubelet wants to find it."""
    for hierarchy in mounts.of_type("cgroup", "cgroup2"):
        (hierarchy / name(place)).mkdir(exist_ok=True)


def end(place: Layout) -> int:
    """End every process in the cluster's groups, remove the groups, and return how many processes it ended."""
    count = 0
    while running := {process for group in groups(place) for process in _processes(group)}:
        for process in running:
            processes.end(process)
        count += len(running)
    if not deadlines.wait_until(lambda: _remove(place), REMOVE_SECONDS):
        raise ClusterError(f"cannot remove the control groups {', '.join(map(str, groups(place)))}")
    return count


def groups(place: Layout) -> list[Path]:
    """Return every group of the cluster, innermost first."""
    found: list[Path] = []
    for hierarchy in mounts.of_type("cgroup", "cgroup2"):
        top = hierarchy / name(place)
        if top.is_dir():
            found += [path for path in sorted(top.rglob("*"), reverse=True) if path.is_dir()] + [top]
    return found


def _processes(group: Path) -> Iterator[processes.Process]:
    # The group may have gone meanwhile.
    with contextlib.suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            process = processes.identify(int(pid))
            if processes.is_running(process):
                yield process


def _remove(place: Layout) -> bool:
    for group in groups(place):
        with contextlib.suppress(OSError):
            group.rmdir()
    return not groups(place)
