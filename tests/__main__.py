"""Run tiers of tests, those that mostly wait beside the others: `python -m tests core house`.

Owns the order, what makes a tier impossible on this machine, what each took, and the total. Must not know what any test
does. SIGTERM ends all tiers, and each takes down its clusters; what a tier's processes leave is taken down after it.
With CI=true nothing may be skipped: there a skip, of a tier or of a test, is a failure.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO
from xml.etree import ElementTree as ET

from tests import clusters

ROOT = Path(__file__).resolve().parent.parent
YIELDING = ("nice", "-n", "5")


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """How many tests ended how. A tier whose *gate* failed has failed, whatever its tests say."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    gate_failed: bool = False
    why_skipped: str = ""
    failures: tuple[str, ...] = ()
    """Names of the tests that failed: what they print stands far above the closing table."""
    cost: "Cost | None" = None

    def verdict(self, *, on_ci: bool) -> str:
        """Return one word: passed, failed or skipped."""
        if self.gate_failed or self.failed or (on_ci and (self.skipped or self.why_skipped)):
            return "failed"
        return "skipped" if self.why_skipped else "passed"


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What a tier took: time that passed, and time of processors for all processes that it started and waited for."""

    wall_seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        return f"{self.wall_seconds:.0f} s, {self.cpu_seconds:.0f} s of CPU"


Output = IO[str] | None
"""Where a tier says what it does; None is our own output, as it comes."""


def nothing_missing(_output: Output) -> str:
    """Return "": Python is enough."""
    return ""


def control_plane_missing(output: Output) -> str:
    """Build what the control plane needs and return "", or why that cannot be done here."""
    return _missing("control-plane", output)


def node_missing(output: Output) -> str:
    """Build what a whole node needs and return "", or why that cannot be done here."""
    return _missing("node", output)


def _missing(size: str, output: Output) -> str:
    if sys.platform != "linux":
        return "the local clusters run on Linux"
    command = [sys.executable, "-m", "hack.cluster", "build", "--size", size]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as build:
        for line in build.stderr or ():
            print(line, end="", flush=True, file=output)  # it takes minutes the first time: show that it moves
            last = line.strip() or last
    return f"the {size} cannot be built: {last}" if build.returncode else ""


@dataclasses.dataclass(frozen=True, slots=True)
class Tier:
    """Some tests, and what they stand on."""

    paths: tuple[str, ...]
    """Folders and files within tests/."""
    missing: Callable[[Output], str] = nothing_missing
    """Prepares what the tier stands on and returns why that is not to be had."""
    lane: int = 0
    """Tiers of one lane run one after another, the lanes beside each other; what is said in lane 0 is shown at once.

    In the others are tiers that wait for pods, windows and drains most of their time.
    """
    processes: int = 1
    """How many of pytest's processes share its tests; each has a control plane and an operator of its own."""
    yielding: bool = False
    """Whether it takes only those moments of the processors that other tiers leave: nothing in it has a deadline."""

    def pytest(self) -> list[str]:
        """Return pytest's arguments."""
        paths = [f"tests/{path}" for path in self.paths]
        # Tests move to a process that has none left: some files of one tier take a hundred times as long as others.
        return [*paths, *(["-n", str(self.processes), "--dist", "worksteal"] if self.processes > 1 else [])]


_ON_API_SERVER = ("test_bad_input.py", "test_consent.py", "proxy")
TIERS = {
    "core": Tier(("core",)),
    "api": Tier(("api",)),
    "house": Tier(("house",)),
    "docs": Tier(("docs",)),
    "adapters": Tier(("adapters",)),
    "cluster": Tier(("cluster",), node_missing),
    "shell": Tier(("shell",), control_plane_missing),
    "chart": Tier(("chart",), control_plane_missing),
    "admission": Tier(tuple(f"control_plane/{name}" for name in _ON_API_SERVER), control_plane_missing),
    "simulation": Tier(("simulation",), yielding=True),
    "life": Tier(("control_plane/life",), control_plane_missing, lane=1, processes=2),
    "hazards": Tier(("control_plane/hazards",), control_plane_missing, lane=1),
    "e2e": Tier(("e2e",), node_missing, lane=2),
}
_running: set[subprocess.Popen[bytes]] = set()
_told_to_end = threading.Event()


def run(tier: str, output: Output = None) -> Tally:
    """Run *tier* with pytest, under the coverage gate if it is core."""
    if why := TIERS[tier].missing(output):
        print(f"skipped: {why}", flush=True, file=output)
        return Tally(why_skipped=why)
    tool = ["coverage", "run", "-m", "pytest"] if tier == "core" else ["pytest"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        began = time.monotonic()
        named = {clusters.RUN: clusters.run_of(tier)}
        arguments = (*tool, *TIERS[tier].pytest(), f"--junit-xml={report}")
        code, cpu_seconds = call(*arguments, output=output, more=named, yielding=TIERS[tier].yielding)
        cost = Cost(time.monotonic() - began, cpu_seconds)
        gate = call("coverage", "report", output=output)[0] if tier == "core" and code == 0 else 0
        for name in clusters.left_by(clusters.run_of(tier)):
            print(f"a process of {tier} left the cluster {name}", flush=True, file=output)
            clusters.take_down(name)
        return dataclasses.replace(tally(report, gate_failed=code != 0 or gate != 0), cost=cost)


def call(
    *module_and_arguments: str, output: Output, more: Mapping[str, str] | None = None, yielding: bool = False
) -> tuple[int, float]:
    """Run a module with this Python at the root of the tree and return its exit code and its seconds of CPU.

    *more* is added to its environment. One that is *yielding* has a lower priority than what runs beside it.
    """
    command = [*(YIELDING if yielding else ()), sys.executable, "-m", *module_and_arguments]
    errors = None if output is None else subprocess.STDOUT
    if _told_to_end.is_set():
        return -signal.SIGTERM, 0.0
    environment = {**os.environ, **(more or {})}
    with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=errors, env=environment) as program:
        _running.add(program)
        if _told_to_end.is_set():
            _interrupt(program)
        try:
            return _ended(program)
        except KeyboardInterrupt:
            # It has heard of that as well, and takes its clusters down, for seconds. subprocess.run would kill it after
            # 0.25 s, and leave them.
            program.wait()
            raise
        finally:
            _running.discard(program)


def _ended(program: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Wait for *program* and return its exit code, and its seconds of CPU with those of what it waited for."""
    _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    return program.returncode, used.ru_utime + used.ru_stime


def _end(_number: int, _frame: FrameType | None) -> None:
    """Let all tiers take down what they have started: pytest does so on SIGINT, and knows nothing of SIGTERM."""
    _told_to_end.set()
    for program in list(_running):
        _interrupt(program)


def _interrupt(program: subprocess.Popen[bytes]) -> None:
    # Not by Popen.send_signal, which would wait for it beside `_ended`.
    if program.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(program.pid, signal.SIGINT)


def tally(report: Path, *, gate_failed: bool) -> Tally:
    """Read pytest's *report*; there is none if pytest itself fell over."""
    if not report.exists():
        return Tally(gate_failed=True)
    root = ET.parse(report).getroot()  # noqa: S314 - pytest wrote it a moment ago
    total, bad, skipped = 0, 0, 0
    for suite in root.iter("testsuite"):
        total += int(suite.get("tests", 0))
        bad += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    failures = tuple(
        f"{case.get('classname')}::{case.get('name')}"
        for case in root.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    )
    return Tally(max(0, total - bad - skipped), bad, skipped, gate_failed=gate_failed, failures=failures)


def run_all(tiers: Sequence[str]) -> dict[str, Tally]:
    """Run the lanes of *tiers* beside each other, and return how each tier ended, in the order of *tiers*.

    What tiers say in lanes other than the first is printed when all are done.
    """
    titles = {tier: f"\n=== tier {number} of {len(tiers)}: {tier}" for number, tier in enumerate(tiers, start=1)}
    lanes = collections.defaultdict(list)
    for tier in tiers:
        lanes[TIERS[tier].lane].append(tier)
    shown = lanes.pop(min(lanes))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outputs = {
            tier: stack.enter_context(Path(folder, tier).open("w+", encoding="utf-8"))
            for lane in lanes.values()
            for tier in lane
        }
        background = stack.enter_context(concurrent.futures.ThreadPoolExecutor(max_workers=len(TIERS)))
        waiting = [background.submit(_lane, lane, titles, outputs) for lane in lanes.values()]
        ended = _lane(shown, titles, {})
        for future, lane in zip(waiting, lanes.values(), strict=True):
            print(f"\n=== waiting for {', '.join(lane)}, begun beside the others", flush=True)
            ended.update(future.result())
            for tier in lane:
                outputs[tier].seek(0)
                print(outputs[tier].read(), end="", flush=True)
    return {tier: ended[tier] for tier in tiers}


def _lane(tiers: Sequence[str], titles: Mapping[str, str], outputs: Mapping[str, IO[str]]) -> dict[str, Tally]:
    """Run *tiers* one after another; those without an output of their own say what they do as they do it."""
    return {tier: _titled(titles[tier], tier, outputs.get(tier)) for tier in tiers}


def _titled(title: str, tier: str, output: Output) -> Tally:
    print(title, flush=True, file=output)
    return run(tier, output)


def describe(tier: str, result: Tally, *, on_ci: bool) -> str:
    """Return the line about *tier* in the closing table."""
    detail = result.why_skipped or f"{result.passed} passed, {result.failed} failed, {result.skipped} skipped"
    if result.gate_failed and not result.failed:
        detail += "; too little is covered, or pytest itself failed: see above"
    return f"{tier:<14} {result.verdict(on_ci=on_ci):<8} {detail}{f'; {result.cost}' if result.cost else ''}"


def main(arguments: Sequence[str]) -> int:
    """Run the tiers named in *arguments*, or all, and return the exit code."""
    tiers = list(arguments) or list(TIERS)
    if unknown := [tier for tier in tiers if tier not in TIERS]:
        print(f"no such tier: {', '.join(unknown)} (there are {', '.join(TIERS)})", file=sys.stderr)
        return 2
    on_ci = os.environ.get("CI") == "true"
    signal.signal(signal.SIGTERM, _end)
    # In the background of a script, or under nohup, SIGINT is ignored, and would be by all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    results = run_all(tiers)
    print()
    for tier, result in results.items():
        print(describe(tier, result, on_ci=on_ci))
    passed, failed, skipped = (
        sum(getattr(r, word) for r in results.values()) for word in ("passed", "failed", "skipped")
    )
    for tier, result in results.items():
        for name in result.failures:
            print(f"failed in {tier}: {name}")
    cpu_seconds = sum(result.cost.cpu_seconds for result in results.values() if result.cost)
    took = Cost(time.monotonic() - began, cpu_seconds)
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped; {took}")
    if _told_to_end.is_set():
        print("ended by SIGTERM: the tests that were left did not run", file=sys.stderr)
        return 128 + signal.SIGTERM
    return int(any(result.verdict(on_ci=on_ci) == "failed" for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
