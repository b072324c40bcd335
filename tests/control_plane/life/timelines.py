"""What Deployments were asked for and had over time, as a watch tells it."""

import contextlib
import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.cluster import Cluster, wait_until

_COLUMNS: Final = (
    r"{.metadata.labels.headgate\.dev/pod-hash} {.spec.replicas} {.status.availableReplicas}{'\n'}".replace("'", '"')
)


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


@contextlib.contextmanager
def watching(cluster: Cluster, namespace: str, folder: Path) -> Iterator[Timeline]:
    """Watch the Deployments of a namespace that has some already."""
    timeline = Timeline(folder / "deployments")
    command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", "get", "deployments", "-n", namespace]
    with timeline.file.open("wb") as file:
        process = subprocess.Popen([*command, "--watch", f"-o=jsonpath={_COLUMNS}"], stdout=file)
        try:
            assert wait_until(lambda: timeline.file.stat().st_size > 0, deadline_seconds=10)
            yield timeline
        finally:
            process.terminate()
            process.wait()
