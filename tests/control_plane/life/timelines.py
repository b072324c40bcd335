"""What Deployments were asked for and had over time, and which pods there were, as a watch tells it."""

import collections
import contextlib
import dataclasses
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hack.cluster import Cluster, wait_until

_COLUMNS: Final = (
    r"{.metadata.labels.headgate\.dev/pod-hash} {.spec.replicas} {.status.availableReplicas}{'\n'}".replace("'", '"')
)

_POD_COLUMNS: Final = r'{.type} {.object.metadata.uid} {.object.metadata.labels.headgate\.dev/pod-hash}{"\n"}'


@dataclasses.dataclass(frozen=True, slots=True)
class Sizes:
    """What a Deployment was asked for, and how many of its pods were available, at one moment."""

    wanted: int
    available: int


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """The changes of all Deployments of a namespace, in their order."""

    file: Path

    def of(self, revision_hash: str) -> list[Sizes]:
        """Return what one revision's Deployment went through."""
        lines = [line.split(" ") for line in self.file.read_text().splitlines()]
        return [Sizes(int(line[1]), int(line[2] or 0)) for line in lines if line[0] == revision_hash]

    def wait_available(self, revision_hash: str, count: int) -> None:
        """Wait until so many pods of a revision are available."""
        assert wait_until(lambda: self.of(revision_hash)[-1].available >= count, deadline_seconds=30)


@dataclasses.dataclass(frozen=True, slots=True)
class PodTimeline:
    """The pods of a namespace that came and went, in their order; one that terminates is there until it is gone."""

    file: Path

    def met(self) -> list[set[str]]:
        """Return which revisions had pods at the same time, each time that this changed and any had."""
        found: list[set[str]] = []
        for alive in self._alive():
            here = set(alive.values())
            if here and found[-1:] != [here]:
                found.append(here)
        return found

    def emptied(self) -> int:
        """Return how often the last pod that there was went."""
        counts = [len(alive) for alive in self._alive()]
        return sum(before > 0 and after == 0 for before, after in itertools.pairwise(counts))

    def wait_alive(self, counts: dict[str, int]) -> None:
        """Wait until the watch has told of so many pods by revision, and of no others."""

        def there() -> bool:
            alive = list(self._alive())[-1:]
            return [collections.Counter(one.values()) for one in alive] == [counts]

        assert wait_until(there, deadline_seconds=30)

    def _alive(self) -> Iterator[dict[str, str]]:
        alive: dict[str, str] = {}
        whole, _, _ = self.file.read_text().rpartition("\n")  # kubectl may be in the middle of a line
        for line in whole.splitlines():
            kind, uid, revision_hash = line.split(" ")
            alive = {key: value for key, value in alive.items() if key != uid}
            if kind != "DELETED":
                alive[uid] = revision_hash
            yield alive


@contextlib.contextmanager
def watching(cluster: Cluster, namespace: str, folder: Path) -> Iterator[Timeline]:
    """Watch the Deployments of a namespace that has some already."""
    timeline = Timeline(folder / "deployments")
    with _watching(cluster, namespace, timeline.file, f"-o=jsonpath={_COLUMNS}"):
        assert wait_until(lambda: timeline.file.stat().st_size > 0, deadline_seconds=60)
        yield timeline


@contextlib.contextmanager
def watching_pods(cluster: Cluster, namespace: str, folder: Path) -> Iterator[PodTimeline]:
    """Watch the pods of a namespace."""
    timeline = PodTimeline(folder / "pods")
    with _watching(cluster, namespace, timeline.file, f"-o=jsonpath={_POD_COLUMNS}", "--output-watch-events"):
        yield timeline


@contextlib.contextmanager
def _watching(cluster: Cluster, namespace: str, file: Path, *flags: str) -> Iterator[None]:
    """Have kubectl write what changes of the kind that *file* is named after into it."""
    command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", "get", file.name, "-n", namespace]
    with file.open("wb") as written:
        process = subprocess.Popen([*command, "--watch", *flags], stdout=written)
        try:
            yield
        finally:
            process.terminate()
            process.wait()
