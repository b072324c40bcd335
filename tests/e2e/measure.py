"""How long a bad version stays and how many users it hurts: `python -m tests.e2e.measure`, about four minutes.

Owns the runs and the numbers. It is no test: how fast a machine is proves nothing about Headgate.
"""

import dataclasses
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.e2e import nodes, podinfo, shops
from tests.e2e.nodes import Node
from tests.e2e.shops import Shop
from tests.e2e.timeline import ROLLOUT, SLICE, Moment, Timeline

RUNS: Final = 10
AT_A_TIME: Final = 2
PER_SECOND: Final = 25
REPLICAS: Final = 10
STEPS: Final = ({"setWeight": 10}, {"setWeight": 30}, {"setWeight": 60})
METRIC: Final = podinfo.error_rate("[45]..")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one bad version did."""

    verdict_seconds: float
    """From the first failing sample in Prometheus to the verdict."""
    gone_seconds: float
    """From the first failing sample in Prometheus to no canary pod in the Service."""
    failed_percent: float
    """The share of users' requests that failed, from the moment at which the version was shipped to its end."""
    failed: int
    requests: int


def first_failure(shop: Shop) -> float:
    """Return the time of the first sample in Prometheus that counts a failed request."""
    query = f'http_requests_total{{namespace="{shop.namespace}",status!="200"}}[10m]'
    return min(float(at) for one in shop.node.series(query) for at, count in one["values"] if float(count) > 0)


def gone(moments: list[Moment], hash_: str) -> float:
    """Return since when no pod of the revision *hash_* has been in the Service."""
    serving = [any(f"-{hash_}-" in name for name in moment.facts.get("serving", ())) for moment in moments]
    last = max(at for at, present in enumerate(serving) if present)
    return moments[last + 1].at


def batch(node: Node, timeline: Timeline, first: int) -> Iterator[Run]:
    """Ship bad versions to a few shops at once, and yield what they did."""
    names = [f"run-{number}" for number in range(first, min(first + AT_A_TIME, RUNS))]
    wanted: dict[str, Any] = {"replicas": REPLICAS, "steps": STEPS, "metrics": [METRIC]}
    opened = [shops.opened(node, timeline, name, PER_SECOND, **wanted) for name in names]
    for shop in opened:
        shops.serving(shop)
    before = {shop.namespace: shop.visitors.snapshot() for shop in opened}
    for shop in opened:
        shop.ship(podinfo.BAD)
    for shop in opened:
        shop.wait_rolled_back("MetricFailed")
        after, start = shop.visitors.stop(), before[shop.namespace]
        failed, requests = after.errors - start.errors, after.requests - start.requests
        sample, hash_ = first_failure(shop), shop.status["history"][0]["hash"]
        verdict = next(one.at for one in timeline.of(shop.namespace, ROLLOUT) if one.facts["phase"] == "RollingBack")
        left = gone(timeline.of(shop.namespace, SLICE), hash_)
        yield Run(verdict - sample, left - sample, 100 * failed / requests, failed, requests)
        node.kubectl("delete", "namespace", shop.namespace, "--wait=false")


def line(name: str, numbers: list[float]) -> str:
    """Return number of runs, least, median and most of *numbers*."""
    least, middle, most = min(numbers), statistics.median(numbers), max(numbers)
    return f"{name:<75} n={len(numbers)} min={least:.2f} median={middle:.2f} max={most:.2f}\n"


def main() -> int:
    """Measure, print, and return the exit code."""
    runs: list[Run] = []
    with (
        tempfile.TemporaryDirectory(prefix="headgate-measure-") as folder,
        nodes.running(f"e2e-measure-{os.getpid()}") as node,
    ):
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, Path(folder)):
            for first in range(0, RUNS, AT_A_TIME):
                for run in batch(node, timeline, first):
                    runs.append(run)
                    sys.stdout.write(f"{run}\n")
                    sys.stdout.flush()
    sys.stdout.write(line("first failing sample to verdict, s", [run.verdict_seconds for run in runs]))
    sys.stdout.write(
        line("first failing sample to no canary pod in the Service, s", [run.gone_seconds for run in runs])
    )
    sys.stdout.write(
        line("users' requests that failed, from shipping to the end, %", [run.failed_percent for run in runs])
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
