"""What users lose by each strategy, whatever happens to a rollout: `python -m tests.e2e.measure_strategies [WAY …]`.

Owns the runs and the table. It is no test: how fast a machine is proves nothing about Headgate.
"""

import concurrent.futures
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hack import cluster
from tests.control_plane.life.operators import Operator, settle
from tests.e2e import evidence, nodes, shops, ways
from tests.e2e.nodes import Node
from tests.e2e.soak import Crowd, Window
from tests.e2e.timeline import Timeline
from tests.e2e.ways import Act, Stage

AT_A_TIME: Final = 3
PER_SECOND: Final = 20
"""Requests of each of three kinds of users."""
DEAD_SECONDS: Final = 5
"""How long nobody starts the operator again."""
REST_SECONDS: Final = 2
"""How long users still come when a play is over."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """What users got in one play by one strategy."""

    seconds: float
    window: Window
    down_seconds: float
    """For how long requests were lost."""
    back_seconds: float
    """From an abort to the last request that the new version answered, or that was lost; 0 without an abort."""
    failure: str = ""

    def __str__(self) -> str:
        """Return it as the words of a table."""
        if self.failure:
            return f"**{self.failure}**"
        lost = f"{self.window.lost} of {self.window.requests:,} lost"
        down = f", down {self.down_seconds:.1f} s" if self.window.lost else ""
        back = f"; back in {self.back_seconds:.1f} s" if self.back_seconds else ""
        return f"{lost}{down}{back}; p99 {self.window.latency_ms(99):.0f} ms; {self.seconds:.0f} s"


def played(stage: Stage, crowd: Crowd, began: float) -> Cell:
    """Return what the users of a play got that is over."""
    stage.shop.wait_visits(REST_SECONDS * PER_SECOND)
    new = stage.other if stage.acted_at >= began else ""
    window = crowd.stop()
    losses = [response.at for _, response in crowd.lost()]
    last = [one.snapshot().of(new).last_at for one in crowd.loads] + losses
    back = max(0.0, *last, stage.acted_at) - stage.acted_at if new else 0.0
    return Cell(stage.ended_at - began, window, ways.lost_seconds(losses), back)


@dataclasses.dataclass
class Company:
    """Some stages that play the same at the same time."""

    node: Node
    operator: Operator
    stages: dict[str, Stage]
    folder: Path

    def play(self, name: str) -> dict[str, Cell]:
        """Return what users got, by strategy; the operator dies between the acts of the play that says so."""
        stages = {way: one for way, one in self.stages.items() if name != "abort while warm" or one.way.keeps_warm}
        for one in stages.values():
            one.look()
        began = time.time()
        crowds = {way: ways.crowd(one.shop, PER_SECOND) for way, one in stages.items()}
        failed: dict[str, str] = {}
        for at, act in enumerate(ways.PLAYS[name]):
            if at:
                self._kill()
            failed |= self._act(act, {way: one for way, one in stages.items() if way not in failed})
        cells = {way: played(one, crowds[way], began) for way, one in stages.items()}
        for way, one in stages.items():
            if cells[way].window.lost and one.way.key != "recreate":
                say("".join(f"{way}: {name}: lost: {version} {loss}\n" for version, loss in crowds[way].lost()))
        for way, words in failed.items():
            evidence.keep(stages[way].shop, self.folder / f"{way} {name}", self.operator.log)
            cells[way] = dataclasses.replace(cells[way], failure=words)
        return cells

    def _kill(self) -> None:
        self.operator.kill()
        settle(DEAD_SECONDS)
        with cluster.entered(self.node.cluster):
            self.operator.start()

    def _act(self, act: Act, stages: dict[str, Stage]) -> dict[str, str]:
        """Let all do the same, and return in what words some failed."""
        with concurrent.futures.ThreadPoolExecutor(max(1, len(stages))) as threads:
            running = {way: threads.submit(self._timed, act, one) for way, one in stages.items()}
        errors = {way: one.exception() for way, one in running.items()}
        return {way: str(error).split(";")[0].split("\n")[0] for way, error in errors.items() if error is not None}

    @staticmethod
    def _timed(act: Act, stage: Stage) -> None:
        try:
            act(stage)
        finally:
            stage.ended_at = time.time()


def company(node: Node, timeline: Timeline, operator: Operator, names: Sequence[str], folder: Path) -> Company:
    """Return the stages of strategies, each with users let in."""
    opened = {}
    for name in names:
        way = ways.WAYS[name]
        spec = {**way.spec(), "replicas": ways.REPLICAS, "metrics": [ways.PASSES_SOON]}
        opened[name] = shops.opened(node, timeline, ways.named(name), 1, **spec)
    return Company(node, operator, {name: ways.staged(ways.WAYS[name], shop) for name, shop in opened.items()}, folder)


def table(cells: dict[str, dict[str, Cell]]) -> str:
    """Return plays by strategies as Markdown; plays are the rows, for they are more."""
    names = list(cells)
    rows = [("", *names), ("---",) * (len(names) + 1)]
    rows += [(play, *(str(cells[name].get(play, "–")) for name in names)) for play in ways.PLAYS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def say(words: str) -> None:
    """Print at once."""
    sys.stdout.write(words)
    sys.stdout.flush()


def main() -> int:
    """Play all, print the table, and return the exit code."""
    wanted = [name for name in ways.WAYS if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]
    cells: dict[str, dict[str, Cell]] = {name: {} for name in wanted}
    folder = Path(tempfile.mkdtemp(prefix="headgate-strategies-"))
    with nodes.running(f"strategies-{os.getpid()}") as node:
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, folder) as operator:
            for first in range(0, len(wanted), AT_A_TIME):
                group = company(node, timeline, operator, wanted[first : first + AT_A_TIME], folder)
                for play in ways.PLAYS:
                    for name, cell in group.play(play).items():
                        cells[name][play] = cell
                        say(f"{name}: {play}: {cell}\n")
                for stage in group.stages.values():
                    node.kubectl("delete", "namespace", stage.shop.namespace, "--wait=false")
    say(f"\n{table(cells)}\nlogs, and what is known of failures: {folder}\n")
    return int(any(cell.failure for row in cells.values() for cell in row.values()))


if __name__ == "__main__":
    sys.exit(main())
