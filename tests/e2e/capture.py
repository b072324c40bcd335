"""What `kubectl get hg -w` shows on the real node, by strategy: `python -m tests.e2e.capture [WAY …]`.

Owns the manifests and the form in which lines are printed, which is that of docs/. It is no test: nothing is judged.
"""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.e2e import nodes, podinfo, shops
from tests.e2e.nodes import Json, Node
from tests.e2e.shops import PATIENCE_SECONDS
from tests.e2e.timeline import Timeline

NAME: Final = "shop"
COLUMNS: Final[Mapping[str, str]] = {
    "NAME": ".metadata.name",
    "PHASE": ".status.phase",
    "STEP": ".status.step.text",
    "WEIGHT": ".status.weight.achieved",
    "STABLE": ".status.stable.hash",
    "CANARY": ".status.canary.hash",
    "READY": ".status.ready",
    "MESSAGE": '.status.conditions[?(@.type=="Ready")].message',
}
"""Those that the kind prints with `-o wide`, but for AGE. Named here, because a watch does not keep them in line."""
_SERVICES: Final[Json] = {"stableService": NAME, "canaryService": f"{NAME}-canary", "drain": "5s"}
_ROUTED: Final[Json] = {**_SERVICES, "gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": NAME}]}}
_STEPS: Final[list[Json]] = [{"setWeight": 10}, {"pause": {"duration": "10s"}}, {"setWeight": 50}]
WAYS: Final[Mapping[str, Json]] = {
    "canary": {"strategy": {"canary": {"steps": _STEPS, "scaleDownDelay": "20s"}}, "traffic": _ROUTED},
    "rollingUpdate": {"strategy": {"rollingUpdate": {"maxSurge": "20%"}}, "minReadySeconds": 5},
    "blueGreen": {
        "strategy": {"blueGreen": {"previewReplicas": 1, "autoPromotion": {"after": "10s"}, "scaleDownDelay": "30s"}},
        "traffic": _SERVICES,
    },
    "recreate": {"strategy": {"recreate": {}}},
}
METRIC: Final[Json] = podinfo.error_rate(interval="5s", window="15s", passesToAdvance=3)


@dataclasses.dataclass
class Watch:
    """Lines of kubectl as they come, each with its time."""

    process: subprocess.Popen[str]
    lines: list[tuple[float, list[str]]] = dataclasses.field(default_factory=list)

    def read(self) -> None:
        """Read until the process ends; columns are three spaces apart or more, and none is empty."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            fields = re.split(r" {3,}", line.strip(), maxsplit=len(COLUMNS) - 1)
            self.lines.append((time.time(), ["" if field == "<none>" else field for field in fields]))

    def table(self, begins: float) -> str:
        """Return the lines since then: no two in a row that differ by a number, or a pod's words, alone."""
        rows = [["", *COLUMNS]]
        last: list[str] = []
        for at, fields in self.lines:
            # What a pod says of itself comes a moment later, behind the same words.
            known = [*fields[:-1], re.sub(r"\d+", "0", fields[-1].partition(f": {NAME}-")[0])]
            if at >= begins and known != last:
                rows.append([f"{at - begins:.1f}", *fields])
                last = known
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        lines = [
            "   ".join(
                [row[0].rjust(widths[0]), *(f.ljust(w) for f, w in zip(row[1:-1], widths[1:], strict=True)), row[-1]]
            )
            for row in rows
        ]
        return "".join(f"{line.rstrip()}\n" for line in lines)


def watch(node: Node, namespace: str) -> Watch:
    """Return the lines about the Rollouts of a namespace from now on."""
    columns = ",".join(f"{name}:{path}" for name, path in COLUMNS.items())
    command = node.command("get", "rollouts", "-n", namespace, "-w", "--no-headers", "-o", f"custom-columns={columns}")
    found = Watch(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    threading.Thread(target=found.read, daemon=True).start()
    return found


def captured(node: Node, timeline: Timeline, way: str) -> Iterator[tuple[str, str]]:
    """Yield what is seen of a promotion, and of an abort of the same version on its second way."""
    usual: Json = {"metrics": [METRIC], **WAYS[way]}
    shop = shops.opened(node, timeline, f"{way.lower()}-capture", per_second=30, name=NAME, **usual)
    shop.wait_stable(podinfo.GOOD)
    with shop.visitors:
        shop.wait_visits(60)
        lines = watch(node, shop.namespace)
        began = time.time()
        shop.ship(podinfo.BETTER)
        shop.wait_stable(podinfo.BETTER)
        yield f"{way}: promotion", lines.table(began)
        shop.wait(lambda: "previous" not in shop.status, "nothing is warm", PATIENCE_SECONDS)
        again = shop.manifest(podinfo.GOOD)
        again["spec"]["template"]["metadata"]["annotations"]["headgate.test/mark"] = "again"
        shop.apply(again)
        half = "50 % rolled out" if way == "rollingUpdate" else "error-rate passed"
        shop.wait(lambda: half in shop.condition("Ready")["message"], "half way", PATIENCE_SECONDS)
        began = time.time()
        shop.command("abort", "now")
        shop.wait_rolled_back("Aborted", back=podinfo.BETTER)
        shop.wait(lambda: shop.status["ready"] == "4/4", "all are back", PATIENCE_SECONDS)
        yield f"{way}: abort", lines.table(began)
    lines.process.terminate()
    lines.process.wait()
    node.kubectl("delete", "namespace", shop.namespace, "--wait=false")


def main() -> int:
    """Print the tables, and return the exit code."""
    with (
        tempfile.TemporaryDirectory(prefix="headgate-capture-") as folder,
        nodes.running(f"e2e-capture-{os.getpid()}") as node,
    ):
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, Path(folder)):
            for way in sys.argv[1:] or WAYS:
                for title, table in captured(node, timeline, way):
                    sys.stdout.write(f"\n{title}\n{table}")
                    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
