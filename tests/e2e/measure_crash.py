"""How soon users are back when the new side crashes right after the switch: `python -m tests.e2e.measure_crash [RUNS]`.

Owns the crash, the runs and the numbers. It is no test: how fast a machine is proves nothing about Headgate.
"""

import concurrent.futures
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.e2e import measure, nodes, podinfo, shops, ways
from tests.e2e.measure_strategies import say
from tests.e2e.nodes import Node
from tests.e2e.timeline import ROLLOUT, Timeline
from tests.e2e.ways import WAYS, Stage

RUNS: Final = 5
PER_SECOND: Final = 30
"""Requests of each of three kinds of users: so exact, 11 ms, are the times of the losses."""
SIDES: Final = ("blueGreen, Services", "blueGreen, routed")


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one crash did, in seconds from the first pod's end."""

    first_seconds: float
    """To the first request that was lost."""
    verdict_seconds: float
    """To the verdict in the status."""
    back_seconds: float
    """To the last request that was lost."""
    lost_seconds: float
    """For how long requests were lost."""
    lost: int
    requests: int
    said: str
    """Why it was taken back."""


def crashed(stage: Stage) -> Run:
    """Return what became of users when all pods of a new side crash, as often as they start, right after the switch."""
    shop = stage.shop
    crowd = ways.crowd(shop, PER_SECOND)
    try:
        stage.ship(holds=True, metric=ways.PASSES_LATE)
        stage.wait(stage.way.middle, "in preview")
        addresses = [pod["status"]["podIP"] for pod in shop.pods_by_version(stage.other)[stage.other]]
        stage.release()
        dataclasses.replace(stage, shop=shops.Shop(**vars(shop))).wait_met()
        began = time.time()
        with concurrent.futures.ThreadPoolExecutor(len(addresses)) as threads:
            running = [threads.submit(_crash, stage, address, began) for address in addresses]
        for one in running:
            one.result()
        message = shop.wait_rolled_back("PodsCannotStart", stage.stable)
        shop.wait_visits(2 * PER_SECOND)
    finally:
        window = crowd.stop()
    verdict = _verdict_at(stage, began) or began
    losses = sorted(response.at for _, response in crowd.lost())
    first, last = (losses[0], losses[-1]) if losses else (began, began)
    lost_seconds = ways.lost_seconds(losses)
    return Run(first - began, verdict - began, last - began, lost_seconds, window.lost, window.requests, message)


def _verdict_at(stage: Stage, since: float) -> float | None:
    """Return when the new side was taken back; None: not yet."""
    moments = stage.shop.timeline.of(stage.shop.namespace, ROLLOUT)
    return next((one.at for one in moments if one.at > since and one.facts.get("phase") == "RollingBack"), None)


def _crash(stage: Stage, address: str, since: float) -> None:
    """Crash the pod at an address whenever it runs, until its version is taken back."""
    while _verdict_at(stage, since) is None and time.time() < since + shops.PATIENCE_SECONDS:
        stage.shop.node.answer(f"http://{address}:{podinfo.PORT}/panic")


def sides(node: Node, timeline: Timeline, runs: int) -> Iterator[tuple[str, Run]]:
    """Yield what each crash did, by strategy."""
    for name in SIDES:
        spec = {**WAYS[name].spec(), "replicas": ways.REPLICAS, "metrics": [ways.PASSES_SOON]}
        stage = ways.staged(WAYS[name], shops.opened(node, timeline, ways.named(name), 1, **spec))
        for _ in range(runs):
            yield name, crashed(stage)
        node.kubectl("delete", "namespace", stage.shop.namespace, "--wait=false")


def report(name: str, runs: list[Run]) -> str:
    """Return a line for each number."""
    numbers = {
        "from the crash to the first request lost, s": [run.first_seconds for run in runs],
        "from the crash to the verdict, s": [run.verdict_seconds for run in runs],
        "from the crash to the last request lost, s": [run.back_seconds for run in runs],
        "with requests lost, s": [run.lost_seconds for run in runs],
        "requests lost": [float(run.lost) for run in runs],
    }
    return f"{name}\n" + "".join(measure.line(what, values) for what, values in numbers.items())


def main() -> int:
    """Measure, print, and return the exit code."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    runs: dict[str, list[Run]] = {name: [] for name in SIDES}
    with (
        tempfile.TemporaryDirectory(prefix="headgate-crash-") as folder,
        nodes.running(f"crash-{os.getpid()}") as node,
    ):
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, Path(folder)):
            for name, run in sides(node, timeline, wanted):
                runs[name].append(run)
                say(f"{name}: {run}\n")
    say("".join(report(name, found) for name, found in runs.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
