"""The catalogue of hazards: what Headgate does in each, told by the tests that show it.

`python -m tests.hazards --write docs/` writes the page, `--check docs/` tells whether it is what the tests say. Owns
the situations; what is owed stands in the docstrings of the tests that bear a hazard's id: `test_h7_…`, "H7: …".
"""

import argparse
import ast
import dataclasses
import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = "hazards.md"
NAME: Final = re.compile(r"test_h(?P<number>[0-9]+)_")
IDS: Final = re.compile(r"^(H[0-9]+(, )?)+: ")
TIERS: Final[Mapping[str, str]] = {
    "e2e": "real node",
    "control_plane": "real API server",
    "chart": "real API server",
    "simulation": "simulation",
    "shell": "shell",
    "adapters": "scripted servers",
    "core": "rules",
}
"""From what shows most to what shows least."""
REAL: Final = ("e2e", "control_plane", "chart")

SITUATIONS: Final[Mapping[int, str]] = {
    1: "The route refuses writes for a while; then a metric breaches",
    2: "The HTTPRoute, a rule of it, or our backendRef is deleted in the middle of a canary; then a breach or an abort",
    3: "An invalid spec is applied, or a Service that it names is deleted, at weight 20; then a breach or an abort",
    4: "`spec.paused: true`, then replicas change, then a breach or an abort",
    5: "One of the stable pods is unavailable when an abort comes",
    6: "`promote-full`, then `abort` before it completes",
    7: "Prometheus cannot be reached for minutes during a healthy canary",
    8: "Prometheus answers slowly, or with HTML, an error, warnings, NaN, infinity, several series or none",
    9: "No traffic at all on the canary",
    10: "A canary pod crashes again and again while errors rise",
    11: "The canary never becomes ready",
    12: "The operator is killed after any single write to the API",
    13: "A newer template comes while one is on its way, being promoted, or being taken back",
    14: "The template is put back in the middle of a canary",
    15: "A GitOps tool applies the rejected template again and again",
    16: "The steps are edited so that the present weight is no longer among them",
    17: "Somebody edits weights or backendRefs, or GitOps re-applies the original route, in the middle of a canary",
    18: "Somebody removes our key from a Service's selector, or edits a Deployment of ours",
    19: "The Rollout is deleted at weight 20",
    20: "A rollback while the Gateway programs its routes seconds late",
    21: "An autoscaler scales up and down throughout a canary; a breach in the middle",
    22: "The operator is upgraded",
    23: "One malformed object among a hundred good ones",
    24: "The API server fails one call in ten, drops watches, goes away for 30 s, hangs",
    25: "Two operators at once",
    26: "The API server refuses the pod template",
    27: "The clock jumps by an hour during a pause",
    28: "The chart is uninstalled with a rollout in flight",
    29: "Names, labels and paths in any object that is read are hostile (`..`, `%2e`, `?`, `#`, NUL, 253 characters)",
    30: "Reads of one kind fail (429, 403, 500, no answer, garbage) for a moment or for ever, at any step",
    31: "Status and records were written by a newer operator: unknown words, fields and shapes",
    32: "The status is lost: restored from a backup without it, replaced, orphaned and applied again, elsewhere",
    33: "One namespace is hostile: slow queries, metrics that fail every second, objects of 0.9 MB, templates a "
    "thousand levels deep, a hundred Rollouts of it",
    34: "ControllerRevisions are forged; Deployments of strangers are copied from ours or bear our labels",
    35: "Admission of Deployments takes 10 s, hangs, or refuses",
    44: "Right after going back, the version that was gone back to loses all its pods; that which was left has its own",
}


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Proof:
    """One test that shows what happens in a hazard."""

    number: int
    rank: int
    """The tier's place in TIERS."""
    truth: str
    """What its docstring says, without the ids."""

    @property
    def tier(self) -> str:
        """The folder of the test."""
        return list(TIERS)[self.rank]


@functools.cache
def proofs() -> tuple[Proof, ...]:
    """Return all tests that bear a hazard's id, in order."""
    return tuple(sorted(proof for rank, tier in enumerate(TIERS) for proof in _in(ROOT / "tests" / tier, rank)))


def _in(folder: Path, rank: int) -> Iterator[Proof]:
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        # Two files in three bear no id, and to search one costs less than to parse it.
        for node in ast.walk(ast.parse(text)) if NAME.search(text) else ():
            found = NAME.match(node.name) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
            if found and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = " ".join((ast.get_docstring(node) or "").split())
                yield Proof(int(found["number"]), rank, IDS.sub("", words))


def page() -> str:
    """Return the page."""
    known = proofs()
    rows = [
        f"| H{number} | {situation} | {_told([proof for proof in known if proof.number == number])} |"
        for number, situation in SITUATIONS.items()
    ]
    head = (
        "# Hazards\n\nSituations in which controllers that people trust are known to do harm, and what Headgate does. "
        "Each row is a test that bears its id, and each sentence is that test's own; where it runs stands behind it. "
        "Written by `make crds` from the tests, and checked by `make check`.\n\n"
        "| id | situation | what Headgate does |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _told(found: Sequence[Proof]) -> str:
    """Return what the tests say, those of the realest tier first, each sentence once."""
    texts = dict.fromkeys(f"{_capital(proof.truth)} *({TIERS[proof.tier]})*" for proof in found)
    return "<br>".join(text.replace("|", "\\|") for text in texts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the page and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.hazards", description="The catalogue of hazards.")
    group = parser.add_mutually_exclusive_group(required=True)
    group.add_argument("--write", type=Path, metavar="FOLDER", help="write the page into this folder")
    group.add_argument("--check", type=Path, metavar="FOLDER", help="fail unless the page there is up to date")
    wanted = parser.parse_args(arguments)
    path = (wanted.write or wanted.check) / PAGE
    if wanted.write:
        path.write_text(page(), encoding="utf-8")
        sys.stdout.write(f"{path} written\n")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write(f"{path} is not what the tests say: run make crds\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
