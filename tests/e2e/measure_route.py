"""How fast a bad version is out of the route: `python -m tests.e2e.measure_route [RUNS]`, about ten minutes for 20.

Owns the runs and the numbers. It is no test: how fast a machine is proves nothing about Headgate.
"""

import dataclasses
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.e2e import measure, nodes, podinfo, routed, shops
from tests.e2e.nodes import Node
from tests.e2e.shops import Shop
from tests.e2e.timeline import ROLLOUT, Timeline

RUNS: Final = 20
AT_A_TIME: Final = 2
PER_SECOND: Final = 60
"""At 50 % one of these meets the bad version every 33 ms: so exact is the time of its last response."""
WEIGHT: Final = 50
METRIC: Final = podinfo.error_rate("[45]..")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one bad version did, in seconds."""

    verdict_seconds: float
    """From the first failing sample in Prometheus to the verdict in the status."""
    routed_seconds: float
    """From the first failing sample in Prometheus to the route without weight for it."""
    write_seconds: float
    """From the verdict in the status to the route without weight for it."""
    followed_seconds: float
    """From the route without weight for it to the last request that it answered."""
    last_seconds: float
    """From the first failing sample in Prometheus to the last request that it answered."""
    lost: int
    """Requests without an answer, or with one from nowhere."""


def measured(shop: Shop) -> Run:
    """Return what the bad version did that was taken back from *shop*."""
    counts = shop.visitors.stop()
    sample, written = measure.first_failure(shop), routed.withdrawn_at(shop)
    moments = shop.timeline.of(shop.namespace, ROLLOUT)
    verdict = next(one.at for one in moments if one.facts.get("phase") == "RollingBack")
    last = counts.of(podinfo.BAD).last_at
    lost = routed.lost(counts)
    return Run(verdict - sample, written - sample, written - verdict, last - written, last - sample, lost)


def batch(node: Node, timeline: Timeline, numbers: range) -> Iterator[Run]:
    """Ship bad versions to a few shops at once, and yield what they did."""
    wanted = {"metrics": [METRIC], **routed.spec(WEIGHT)}
    opened = [shops.opened(node, timeline, f"run-{number}", PER_SECOND, **wanted) for number in numbers]
    for shop in opened:
        shops.serving(shop)
    for shop in opened:
        shop.ship(podinfo.BAD)
    for shop in opened:
        shop.wait_rolled_back("MetricFailed")
        yield measured(shop)
        node.kubectl("delete", "namespace", shop.namespace, "--wait=false")


def report(runs: list[Run]) -> str:
    """Return a line for each number."""
    named = {
        "first failing sample to verdict, s": [run.verdict_seconds for run in runs],
        "first failing sample to the route written, s": [run.routed_seconds for run in runs],
        "verdict to the route written, s": [run.write_seconds for run in runs],
        "the route written to the last request of the bad version, s": [run.followed_seconds for run in runs],
        "first failing sample to the last request of the bad version, s": [run.last_seconds for run in runs],
        "requests lost": [float(run.lost) for run in runs],
    }
    return "".join(measure.line(name, numbers) for name, numbers in named.items())


def main() -> int:
    """Measure, print, and return the exit code."""
    runs: list[Run] = []
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with (
        tempfile.TemporaryDirectory(prefix="headgate-measure-") as folder,
        nodes.running(f"e2e-measure-{os.getpid()}") as node,
    ):
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, Path(folder)):
            for first in range(0, wanted, AT_A_TIME):
                for run in batch(node, timeline, range(first, min(first + AT_A_TIME, wanted))):
                    runs.append(run)
                    sys.stdout.write(f"{run}\n")
                    sys.stdout.flush()
    sys.stdout.write(report(runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
