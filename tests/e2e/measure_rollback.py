"""How fast users are back on an earlier version: `python -m tests.e2e.measure_rollback [RUNS] [CASE…]`, half an hour.

Owns the runs and the numbers. It is no test: how fast a machine is proves nothing about Headgate.
"""

import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.e2e import measure, nodes, podinfo, routed, shops
from tests.e2e.load import NOBODY
from tests.e2e.nodes import Json, Node
from tests.e2e.shops import Shop
from tests.e2e.timeline import ROLLOUT, Timeline

RUNS: Final = 5
PER_SECOND: Final = 60
"""A request every 17 ms: so exact are the times."""
_SERVICES: Final[Json] = {key: value for key, value in routed.spec()["traffic"].items() if key != "gatewayAPI"}


def _blue_green(scale_down_delay: str, traffic: Json = _SERVICES) -> Json:
    way = {"autoPromotion": {}, "scaleDownDelay": scale_down_delay}
    return {"strategy": {"blueGreen": way}, "traffic": traffic}


CASES: Final[dict[str, Json]] = {
    "canary-route-warm": routed.spec(50, scale_down_delay="10m"),
    "canary-route-cold": routed.spec(50),
    "canary-pods-cold": {"strategy": {"canary": {"steps": [{"setWeight": 50}]}}},
    "blue-green-services-warm": _blue_green("10m"),
    "blue-green-services-cold": _blue_green("0s"),
    "blue-green-route-warm": _blue_green("10m", routed.spec()["traffic"]),
    "blue-green-route-cold": _blue_green("0s", routed.spec()["traffic"]),
    "rolling-update-cold": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
    "recreate-cold": {"strategy": {"recreate": {}}},
}
"""Where the earlier version is warm by strategy; a cold one has no pods any more."""


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """What one rollback did, in seconds from before the command was given."""

    first_seconds: float
    """To the first request that the earlier version answered."""
    last_seconds: float
    """To the last request that the later version answered: from then on all users are back."""
    stable_seconds: float
    """To the status that says that it is over."""
    unserved_seconds: float
    """From the first request that nobody answered to the last one; 0 if there were none."""
    lost: int
    """Requests without an answer, or with one from nowhere, or with an error."""


def on_the_later(shop: Shop, *, warm: bool) -> None:
    """Bring the later version to rest, with the earlier one warm, or without a pod of it."""
    shop.ship(podinfo.BETTER)
    shop.wait_stable(podinfo.BETTER)
    if warm:
        shop.wait(lambda: "until" in shop.status.get("previous", {}), "the earlier one is warm", shops.PATIENCE_SECONDS)
    else:
        alone = {podinfo.BETTER}
        shop.wait(lambda: set(shop.pods_by_version()) == alone, "the earlier one is gone", shops.PATIENCE_SECONDS)


def rolled_back(shop: Shop) -> Run:
    """Give the command, and return what users had of it."""
    shop.visitors.start()
    shop.wait_visits(PER_SECOND)
    start = time.time()
    shop.command("rollback-to", "1")
    shop.wait_rolled_back("RolledBackTo")
    shop.wait_visits(PER_SECOND)
    counts = shop.visitors.stop()
    phases = shop.timeline.of(shop.namespace, ROLLOUT)
    over = next(one.at for one in phases if one.facts.get("phase") == "RolledBack")
    failed = [response.at for version, response in counts.failures if version == NOBODY]
    return Run(
        counts.of(podinfo.GOOD).first_at - start,
        counts.of(podinfo.BETTER).last_at - start,
        over - start,
        max(failed) - min(failed) if failed else 0.0,
        routed.lost(counts),
    )


def measured(node: Node, timeline: Timeline, case: str, runs: int) -> Iterator[Run]:
    """Yield what rollbacks of one kind did, each in a shop of its own."""
    for number in range(runs):
        wanted: Json = {"metrics": [], **CASES[case]}
        shop = shops.opened(node, timeline, f"{case}-{number}", PER_SECOND, **wanted)
        shop.wait_stable(podinfo.GOOD)
        on_the_later(shop, warm=case.endswith("-warm"))
        yield rolled_back(shop)
        node.kubectl("delete", "namespace", shop.namespace, "--wait=false")


def report(case: str, runs: list[Run]) -> str:
    """Return a line for each number of one kind."""
    named = {
        "command to the first request of the earlier version, s": [run.first_seconds for run in runs],
        "command to the last request of the later version, s": [run.last_seconds for run in runs],
        "command to RolledBack, s": [run.stable_seconds for run in runs],
        "nobody answered for, s": [run.unserved_seconds for run in runs],
        "requests lost": [float(run.lost) for run in runs],
    }
    return "".join(measure.line(f"{case}: {name}", numbers) for name, numbers in named.items())


def main() -> int:
    """Measure, print, and return the exit code."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    cases = sys.argv[2:] or list(CASES)
    reports = []
    with (
        tempfile.TemporaryDirectory(prefix="headgate-measure-") as folder,
        nodes.running(f"e2e-measure-{os.getpid()}") as node,
    ):
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, Path(folder)):
            for case in cases:
                found = []
                for run in measured(node, timeline, case, runs):
                    found.append(run)
                    sys.stdout.write(f"{case} {run}\n")
                    sys.stdout.flush()
                reports.append(report(case, found))
    sys.stdout.write("".join(reports))
    return 0


if __name__ == "__main__":
    sys.exit(main())
