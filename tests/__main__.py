"""Run tiers of tests, those that mostly wait beside the others: `python -m tests core house`.

Owns the order, what makes a tier impossible on this machine, and the total. Must not know what any test does.
With CI=true nothing may be skipped: there a skip, of a tier or of a test, is a failure.
"""

import concurrent.futures
import contextlib
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parent.parent


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

    def verdict(self, *, on_ci: bool) -> str:
        """Return one word: passed, failed or skipped."""
        if self.gate_failed or self.failed or (on_ci and (self.skipped or self.why_skipped)):
            return "failed"
        return "skipped" if self.why_skipped else "passed"


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
    command = [sys.executable, "-m", "tests.cluster", "build", "--size", size]
    last = ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as build:
        for line in build.stderr or ():
            print(line, end="", flush=True, file=output)  # it takes minutes the first time: show that it moves
            last = line.strip() or last
    return f"the {size} cannot be built: {last}" if build.returncode else ""


# A tier is a folder of tests/. Its function prepares what the tier stands on and returns why that is not to be had.
TIERS: dict[str, Callable[[Output], str]] = {
    "core": nothing_missing,
    "api": nothing_missing,
    "simulation": nothing_missing,
    "house": nothing_missing,
    "docs": nothing_missing,
    "adapters": nothing_missing,
    "cluster": node_missing,
    "shell": control_plane_missing,
    "chart": control_plane_missing,
    "control_plane": control_plane_missing,
    "e2e": node_missing,
}
# These wait for pods, windows and drains most of their time: on 2 cores everything together takes half an hour, which
# is what control_plane takes alone.
BESIDE = ("control_plane", "e2e")


def run(tier: str, output: Output = None) -> Tally:
    """Run *tier* with pytest, under the coverage gate if it is core."""
    if why := TIERS[tier](output):
        print(f"skipped: {why}", flush=True, file=output)
        return Tally(why_skipped=why)
    tool = ["coverage", "run", "-m", "pytest"] if tier == "core" else ["pytest"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        code = call(*tool, f"tests/{tier}", f"--junit-xml={report}", output=output)
        gate = call("coverage", "report", output=output) if tier == "core" and code == 0 else 0
        return tally(report, gate_failed=code != 0 or gate != 0)


def call(*module_and_arguments: str, output: Output) -> int:
    """Run a module with this Python at the root of the tree and return its exit code."""
    command = [sys.executable, "-m", *module_and_arguments]
    errors = None if output is None else subprocess.STDOUT
    with subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=errors) as program:
        try:
            return program.wait()
        except KeyboardInterrupt:
            # It has heard of that as well, and takes its clusters down, for seconds. subprocess.run would kill it after
            # 0.25 s, and leave them.
            program.wait()
            raise


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
    """Run *tiers* in order, each of BESIDE meanwhile, and return how each ended, in the order of *tiers*.

    What the latter say is printed when they and the others are done.
    """
    titles = {tier: f"\n=== tier {number} of {len(tiers)}: {tier}" for number, tier in enumerate(tiers, start=1)}
    beside = [tier for tier in tiers if tier in BESIDE and len(tiers) > 1]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        outputs = {tier: stack.enter_context(Path(folder, tier).open("w+", encoding="utf-8")) for tier in beside}
        background = stack.enter_context(concurrent.futures.ThreadPoolExecutor(max_workers=len(BESIDE)))
        waiting = {
            tier: background.submit(_titled, f"{titles[tier]}, beside the others", tier, output)
            for tier, output in outputs.items()
        }
        ended = {tier: _titled(titles[tier], tier, None) for tier in tiers if tier not in waiting}
        for tier, future in waiting.items():
            print(f"\n=== waiting for {tier}, begun beside the others", flush=True)
            ended[tier] = future.result()
            outputs[tier].seek(0)
            print(outputs[tier].read(), end="", flush=True)
    return {tier: ended[tier] for tier in tiers}


def _titled(title: str, tier: str, output: Output) -> Tally:
    print(title, flush=True, file=output)
    return run(tier, output)


def describe(tier: str, result: Tally, *, on_ci: bool) -> str:
    """Return the line about *tier* in the closing table."""
    detail = result.why_skipped or f"{result.passed} passed, {result.failed} failed, {result.skipped} skipped"
    if result.gate_failed and not result.failed:
        detail += "; too little is covered, or pytest itself failed: see above"
    return f"{tier:<14} {result.verdict(on_ci=on_ci):<8} {detail}"


def main(arguments: Sequence[str]) -> int:
    """Run the tiers named in *arguments*, or all, and return the exit code."""
    tiers = list(arguments) or list(TIERS)
    if unknown := [tier for tier in tiers if tier not in TIERS]:
        print(f"no such tier: {', '.join(unknown)} (there are {', '.join(TIERS)})", file=sys.stderr)
        return 2
    on_ci = os.environ.get("CI") == "true"
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
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped")
    return int(any(result.verdict(on_ci=on_ci) == "failed" for result in results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
