"""`python -m tests` tells the truth about what ran."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hack.cluster import layout, processes
from tests import __main__ as tiers

VERDICTS = {
    "all passed": (tiers.Tally(passed=3), "passed", "passed"),
    "one failed": (tiers.Tally(passed=2, failed=1), "failed", "failed"),
    "one skipped": (tiers.Tally(passed=2, skipped=1), "passed", "failed"),
    "the tier cannot run": (tiers.Tally(why_skipped="no Go"), "skipped", "failed"),
    "too little covered": (tiers.Tally(passed=3, gate_failed=True), "failed", "failed"),
}


@pytest.mark.parametrize(("tally", "at_home", "on_ci"), VERDICTS.values(), ids=VERDICTS)
def test_verdict(tally: tiers.Tally, at_home: str, on_ci: str) -> None:
    """A skip is told at home, and fails in CI."""
    assert (at_home, on_ci) == (tally.verdict(on_ci=False), tally.verdict(on_ci=True))


def test_report_is_counted(tmp_path: Path) -> None:
    """Errors count as failures, and what was skipped did not pass."""
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>')

    assert tiers.Tally(passed=3, failed=3, skipped=3) == tiers.tally(report, gate_failed=False)


def test_failures_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The closing lines name each test that failed: what it printed stands thousands of lines above them."""
    report = tmp_path / "report.xml"
    cases = (
        '<testcase classname="a" name="good"/>'
        '<testcase classname="a" name="bad"><failure/></testcase>'
        '<testcase classname="b" name="worse[1]"><error/></testcase>'
    )
    report.write_text(
        f'<testsuites><testsuite tests="3" failures="1" errors="1" skipped="0">{cases}</testsuite></testsuites>'
    )
    monkeypatch.setattr(tiers, "run", lambda _tier, _output: tiers.tally(report, gate_failed=True))

    assert 1 == tiers.main(["core"])
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "failed in core: a::bad",
        "failed in core: b::worse[1]",
        "total: 1 passed, 2 failed, 0 skipped; 0 s, 0 s of CPU",
    ]


def test_no_report_is_a_failure(tmp_path: Path) -> None:
    """A pytest that fell over has not passed."""
    assert tiers.tally(tmp_path / "none.xml", gate_failed=False).verdict(on_ci=False) == "failed"


def test_unknown_tier_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A mistyped tier runs nothing and names those there are."""
    assert tiers.main(["cor"]) != 0
    assert "core" in capsys.readouterr().err


PATIENCE_SECONDS = 60


def test_waiting_tier_runs_beside_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While e2e waits, the others run; what it says comes when they are done, and the table keeps its order."""
    core_ran, e2e_runs = threading.Event(), threading.Event()

    def run(tier: str, output: tiers.Output = None) -> tiers.Tally:
        mine, other = (core_ran, e2e_runs) if tier == "core" else (e2e_runs, core_ran)
        mine.set()
        print(f"{tier} has met the other: {other.wait(PATIENCE_SECONDS)}", file=output)
        return tiers.Tally(passed=1)

    monkeypatch.setattr(tiers, "run", run)

    assert 0 == tiers.main(["e2e", "core"])
    said = [line for line in capsys.readouterr().out.splitlines() if line and not line.startswith("===")]
    assert ["core has met the other: True", "e2e has met the other: True"] == said[:2]
    assert ["e2e", "core", "total:"] == [line.split()[0] for line in said[2:]]


def test_tiers_of_one_lane_run_one_after_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two cores carry one tier with many control planes at a time; what each said is printed under its own title."""
    running: list[str] = []

    def run(tier: str, output: tiers.Output = None) -> tiers.Tally:
        running.append(tier)
        met = [other for other in running if other != tier and tiers.TIERS[other].lane == tiers.TIERS[tier].lane]
        print(f"{tier} has met {met}", file=output)
        running.remove(tier)
        return tiers.Tally(passed=1)

    monkeypatch.setattr(tiers, "run", run)

    assert 0 == tiers.main(["core", "life", "hazards", "e2e"])
    said = [line for line in capsys.readouterr().out.splitlines() if " has met " in line]
    assert [f"{tier} has met []" for tier in ("core", "life", "hazards", "e2e")] == said


@pytest.mark.parametrize("broken", ["core", "e2e"])
def test_failure_beside_the_others_is_a_failure(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Whichever of two tiers fails, the run has failed."""
    monkeypatch.setattr(tiers, "run", lambda tier, _output: tiers.Tally(passed=1, failed=int(tier == broken)))

    assert 1 == tiers.main(["core", "e2e"])


def test_tier_that_falls_over_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in us while a tier runs beside the others is not lost."""

    def run(tier: str, _output: tiers.Output) -> tiers.Tally:
        if tier == "e2e":
            raise OSError("no space left")
        return tiers.Tally(passed=1)

    monkeypatch.setattr(tiers, "run", run)

    with pytest.raises(OSError, match="no space left"):
        tiers.main(["core", "e2e"])


def test_tier_alone_says_what_it_does_as_it_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs e2e alone watches it."""
    outputs: list[tiers.Output] = []

    def run(_tier: str, output: tiers.Output) -> tiers.Tally:
        outputs.append(output)
        return tiers.Tally(passed=1)

    monkeypatch.setattr(tiers, "run", run)

    assert (0, [None]) == (tiers.main(["e2e"]), outputs)


def test_output_of_a_tier_goes_where_it_is_told(tmp_path: Path) -> None:
    """All that a tier says on either stream is in its own output, and its exit code is its own."""
    with (tmp_path / "output").open("w+") as output:
        code, _ = tiers.call("tests", "no-such-tier", output=output)
        output.seek(0)

        assert (2, True) == (code, "no such tier: no-such-tier" in output.read())


# Says when it runs, and needs longer to clean up than the 0.25 s after which subprocess.run kills.
LINGERING = """
import pathlib, threading

def test_lingers():
    try:
        print("runs", flush=True)
        threading.Event().wait(600)
    finally:
        threading.Event().wait(1)
        pathlib.Path(__file__).with_name("cleaned").touch()
"""


def test_interrupted_tests_clean_up(tmp_path: Path) -> None:
    """After Ctrl-C a tier takes down what it has started, however long that takes, and only then we end."""
    (tmp_path / "test_lingering.py").write_text(LINGERING)
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # whatever started these tests
        f"from tests import __main__ as tiers; tiers.call('pytest', '-s', {str(tmp_path)!r}, output=None)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tiers.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as interrupted:
        assert interrupted.stdout is not None
        assert any("runs" in line for line in interrupted.stdout)
        os.killpg(interrupted.pid, signal.SIGINT)
        interrupted.communicate(timeout=PATIENCE_SECONDS)

    assert (tmp_path / "cleaned").exists()


def test_make_test_runs_every_tier() -> None:
    """No tier waits for somebody to remember it."""
    found = re.search(r"(?m)^TIERS +\?= (.+)$", (tiers.ROOT / "Makefile").read_text())

    assert found is not None
    assert list(tiers.TIERS) == found[1].split()


def test_every_test_is_in_one_tier() -> None:
    """No file of tests is forgotten, and none runs twice."""
    folder = tiers.ROOT / "tests"
    for file in folder.rglob("test_*.py"):
        mine = file.relative_to(folder)
        having = [name for name, tier in tiers.TIERS.items() if any(mine.is_relative_to(path) for path in tier.paths)]
        assert len(having) == 1, f"{mine} is in {having or 'no tier'}"


def test_what_a_tier_took_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The closing table gives wall time and CPU of each tier, and of all."""
    took = tiers.Cost(wall_seconds=61.0, cpu_seconds=122.4)
    monkeypatch.setattr(tiers, "run", lambda _tier, _output: tiers.Tally(passed=1, cost=took))

    assert 0 == tiers.main(["core", "api"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].endswith("1 passed, 0 failed, 0 skipped; 61 s, 122 s of CPU")
    assert lines[-1].endswith("245 s of CPU")


def test_cpu_of_processes_that_a_tier_started_counts(tmp_path: Path) -> None:
    """The CPU of a program is its own and that of the programs that it waited for."""
    spin = "import time; began = time.process_time()\nwhile time.process_time() - began < 0.3: pass"
    (tmp_path / "spinning.py").write_text(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spin!r}])")
    with (tmp_path / "output").open("w+") as output, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        code, cpu_seconds = tiers.call("spinning", output=output)

    assert (0, True) == (code, cpu_seconds >= 0.3)


@pytest.mark.parametrize("ignored", [False, True], ids=["by itself", "in the background of a script"])
def test_terminated_tests_clean_up(tmp_path: Path, *, ignored: bool) -> None:
    """After SIGTERM each tier takes down what it has started, no other tier begins, and the run has failed."""
    (tmp_path / "test_lingering.py").write_text(LINGERING)
    script = (
        "import signal, sys\n"
        f"signal.signal(signal.SIGINT, signal.{'SIG_IGN' if ignored else 'default_int_handler'})\n"
        "from tests import __main__ as tiers\n"
        f"there = tiers.Tier(({os.path.relpath(tmp_path, tiers.ROOT / 'tests')!r},))\n"
        "tiers.TIERS = {'first': there, 'second': tiers.Tier(('core',))}\n"
        "sys.exit(tiers.main(['first', 'second']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tiers.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTEST_ADDOPTS": "-s"},
    ) as terminated:
        assert terminated.stdout is not None
        assert any("runs" in line for line in terminated.stdout)
        terminated.send_signal(signal.SIGTERM)
        said, _ = terminated.communicate(timeout=PATIENCE_SECONDS)

    assert (tmp_path / "cleaned").exists()
    assert (128 + signal.SIGTERM, True) == (terminated.returncode, "1 passed" not in said)


LEAVING = """
import os, pathlib, signal
from hack.cluster import layout, processes
from tests.clusters import name_of

def test_leaves():
    place = layout.of(name_of("left"))
    processes.start(["sleep", "600"], {"PATH": os.defpath}, place.mark_of("sleep"), place.log("sleep"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_of_a_tier_left_is_taken_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A tier whose process dies in the middle has failed; its cluster is gone, those of other runs are not."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "test_leaving.py").write_text(LEAVING)
    other = layout.of("left-core1-2").logs
    other.mkdir(parents=True)
    there = tiers.Tier((os.path.relpath(tmp_path, tiers.ROOT / "tests"),), processes=2)
    monkeypatch.setattr(tiers, "TIERS", {"leaving": there})

    assert 1 == tiers.main(["leaving"])
    assert "left the cluster left-leaving" in capfd.readouterr().out
    assert [other.parent] == list(layout.state_root().iterdir())
    assert [] == processes.marked(f"{layout.state_root()}/left-leaving")
