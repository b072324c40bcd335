"""What a rollout costs the API server, call by call, out of its own audit log.

`python -m tests.control_plane.hazards.ledger [--rest-seconds 600]` plays one canary of five steps through a route, one
abort, one promotion by command, and a rest, with the real operator, and prints every write with the milliseconds since
the first. Owns the reading of the log and the playing; judges nothing.
"""

import argparse
import collections
import contextlib
import dataclasses
import datetime
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from hack.cluster import Cluster
from tests.control_plane.conftest import running
from tests.control_plane.hazards.stages import Stage, opened, staged
from tests.control_plane.life import operators

Json = dict[str, Any]

STEPS: Final[Json] = {
    "canary": {"steps": [{"setWeight": weight} for weight in (5, 20, 40, 60, 80)], "scaleDownDelay": "0s"}
}
READING: Final = frozenset({"get", "list", "watch"})
REST_SECONDS: Final = 600.0
LAG_SECONDS: Final = 40.0


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """One call of the operator."""

    at: float
    """When the server received it, in seconds since the epoch."""
    verb: str
    what: str
    """Resource and name."""
    code: int
    write: bool
    """Whether it changed something that is no Event."""

    def line(self, first: float) -> str:
        """Return it as it is printed, timed since *first*."""
        return f"{(self.at - first) * 1000:8.0f} ms  {self.verb:<7} {self.what}" + ("" if self.code < 300 else self.bad)

    @property
    def bad(self) -> str:
        """What the server said to it, if it was no success."""
        return f"  -> {self.code}"


def entries(cluster: Cluster, since: int, namespace: str) -> Iterator[Entry]:
    """Yield the operator's calls in *namespace* after the audit log's first *since* lines."""
    for line in cluster.audit_log.read_text().splitlines()[since:]:
        found = json.loads(line)
        target = found.get("objectRef", {})
        ours = found["user"]["username"] == operators.SERVICE_ACCOUNT and target.get("namespace") == namespace
        if not ours:
            continue
        name = "/".join(filter(None, (target["resource"], target.get("name"), target.get("subresource"))))
        dry = "dryRun=All" in found["requestURI"]
        yield Entry(
            at=datetime.datetime.fromisoformat(found["requestReceivedTimestamp"]).timestamp(),
            verb=found["verb"],
            what=f"{name} (dry run)" if dry else name,
            code=found.get("responseStatus", {}).get("code", 0),
            write=found["verb"] not in READING and not dry and target["resource"] != "events",
        )


@dataclasses.dataclass
class Ledger:
    """Notes what the operator calls on one stage, and prints it."""

    stage: Stage

    def __post_init__(self) -> None:
        self._begin = operators.audited(self.stage.house.cluster)
        self._began = time.time()

    def note(self, title: str, *, whole: bool = True) -> None:
        """Print what was called since the last note: each write if *whole*, and how many calls of which kind."""
        cluster = self.stage.house.cluster
        found = sorted(entries(cluster, self._begin, self.stage.namespace), key=lambda entry: entry.at)
        written = [entry for entry in found if entry.write]
        said = collections.Counter(entry.verb if entry.verb in READING else "create and patch" for entry in found)
        others = ", ".join(f"{count} {verb}" for verb, count in sorted(said.items()))
        seconds = time.time() - self._began
        sys.stdout.write(f"\n{title}: {len(written)} writes in {seconds:.0f} s; all calls, Events too: {others or 0}\n")
        for entry in found if whole else []:
            if entry.verb not in READING:
                sys.stdout.write(f"{entry.line(written[0].at)}\n")
        self.__post_init__()

    def play(self, title: str, act: Callable[[], None], phase: str) -> None:
        """Do *act*, wait until the Rollout rests in *phase*, and note it."""
        act()
        self.stage.wait(lambda: self.stage.status.get("phase") == phase and self.stage.at_rest(), title)
        operators.settle(1.0)
        self.note(title)


def ship(stage: Stage, version: str, step: int = 0) -> None:
    """Ship *version*; return once the weight of *step* holds, if there is one."""
    stage.ship(version, routed=True, strategy=STEPS)

    def holds() -> bool:
        return stage.status.get("step", {}).get("index") == step and "since" in stage.status.get("weight", {})

    if step:
        stage.wait(holds, f"step {step}")


def command(stage: Stage, name: str, value: str) -> None:
    """Give a command by annotation."""
    access = stage.house.access
    url = access.url("rollouts", stage.namespace, "web")
    body = json.dumps({"metadata": {"annotations": {f"headgate.dev/{name}": value}}})
    said = access.session().patch(url, data=body, headers={"Content-Type": "application/merge-patch+json"}, timeout=30)
    assert said.ok, said.text


def main() -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.control_plane.hazards.ledger", description=__doc__)
    parser.add_argument("--rest-seconds", type=float, default=REST_SECONDS, help="how long the rest is watched")
    rest_seconds: float = parser.parse_args().rest_seconds
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(running("ledger")).cluster
        stage = stack.enter_context(staged(stack.enter_context(opened(cluster, folder))))
        stage.open(routed=True)
        ledger = Ledger(stage)
        ledger.play("A canary of five steps, from its apply to its rest", lambda: ship(stage, "v2"), "Healthy")
        ship(stage, "v3", step=2)
        ledger.note("On the way to the second step", whole=False)
        ledger.play(
            "An abort there, from its command to its rest", lambda: command(stage, "abort", "now"), "RolledBack"
        )
        ship(stage, "v4", step=1)
        ledger.note("On the way to the first step", whole=False)
        fully = stage.status["canary"]["hash"]
        ledger.play("A promotion from there", lambda: command(stage, "promote-full", fully), "Healthy")
        # Numbers that only follow the pods, such as status.replicas, are written at most every 30 s: once more here.
        operators.settle(LAG_SECONDS)
        ledger.note("After it")
        operators.settle(rest_seconds)
        ledger.note("At rest")
    return 0


if __name__ == "__main__":
    sys.exit(main())
