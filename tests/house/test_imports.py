"""The import contracts hold, and fail when a module imports what it may not."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.house import tree

LINT: Final = (
    "import sys; from importlinter import cli; sys.exit(cli.lint_imports(config_filename=sys.argv[1], no_cache=True))"
)
SETTINGS: Final = tree.ROOT / "pyproject.toml"
CONTRACTS: Final[Mapping[str, str]] = {
    contract["id"]: contract["name"]
    for contract in tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
}
"""The name of each contract, by its identifier."""


@dataclasses.dataclass(frozen=True, slots=True)
class Import:
    """An import that breaks a contract."""

    file: str
    """Where it is planted, below the package."""
    imported: str
    contract: str
    """The identifier of the contract."""

    @property
    def importer(self) -> str:
        """The module's name."""
        return ".".join(("headgate", *Path(self.file).with_suffix("").parts)).removesuffix(".__init__")


FORBIDDEN: Final = {
    "a clock in core": Import("core/model/observation.py", "time", "pure"),
    "a socket in api": Import("api/__init__.py", "socket", "pure"),
    "a clock in kinds": Import("kinds/fingerprints.py", "time", "pure"),
    "core looks up": Import("core/model/observation.py", "headgate.act", "layers"),
    "api looks up": Import("api/__init__.py", "headgate.core", "layers"),
    "adapters look up": Import("adapters/__init__.py", "headgate.cli", "layers"),
    "the command line looks up": Import("cli/__init__.py", "headgate.__main__", "layers"),
    "the assembly looks up": Import("assembly.py", "headgate.cli", "layers"),
    "reconcile knows the assembly": Import("reconcile/controllers.py", "headgate.assembly", "layers"),
    "reconcile looks up": Import("reconcile/__init__.py", "headgate.cli", "layers"),
    "kinds look up": Import("kinds/__init__.py", "headgate.settings", "layers"),
    "core knows the kinds": Import("core/model/objects.py", "headgate.kinds", "layers"),
    "act and observe": Import("act/__init__.py", "headgate.observe", "layers"),
    "kopf in act": Import("act/__init__.py", "kopf", "kopf"),
    "kubernetes in observe": Import("observe/__init__.py", "kubernetes", "kubernetes"),
    "prometheus in observe": Import("observe/__init__.py", "prometheus_api_client", "prometheus"),
    "requests in act": Import("act/__init__.py", "requests", "prometheus"),
    "core.traffic looks up": Import("core/traffic/__init__.py", "headgate.core.rollout", "core"),
    "core.model looks up": Import("core/model/objects.py", "headgate.core.strategies", "core"),
    "core.replicas and core.analysis": Import("core/replicas/__init__.py", "headgate.core.analysis", "core"),
    "one rule in another": Import("core/rollout/rules/restarts.py", "headgate.core.rollout.rules.autoscaler", "rules"),
    "one router in another": Import(
        "core/traffic/routers/another.py", "headgate.core.traffic.routers.gateway_api", "routers"
    ),
    "one strategy in another": Import("core/strategies/canary.py", "headgate.core.strategies.blue_green", "strategies"),
    "one provider in another": Import(
        "core/analysis/providers/another.py", "headgate.core.analysis.providers.prometheus", "providers"
    ),
    "one judge in another": Import(
        "core/analysis/judges/another.py", "headgate.core.analysis.judges.threshold", "judges"
    ),
    "a judge past the list": Import(
        "core/analysis/news.py", "headgate.core.analysis.judges.threshold", "judges by the list"
    ),
    "the simulation in reconcile": Import("reconcile/__init__.py", "headgate.simulation", "simulation"),
}
WITHOUT_LAYER: Final = "attic"


@dataclasses.dataclass(frozen=True, slots=True)
class Spoiled:
    """What is said of a package in which every forbidden import stands: one run for all of them, 0.3 s each."""

    code: int
    report: str
    lines: Mapping[Import, int]
    """The number of the line in which each import stands."""

    def said(self, contract: str) -> str:
        """Return what the report says of the imports that break a *contract*."""
        # Each broken contract has its name as an underlined title, and below it what breaks it.
        _, *parts = re.split(r"\n(.+)\n-{9,}\n", self.report)
        below = dict(zip(parts[::2], parts[1::2], strict=True))
        assert CONTRACTS[contract] in below, f"{contract} is not broken"
        return below[CONTRACTS[contract]]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the contracts against the package in *folder*: the current folder comes first on the path."""
    wide = {**os.environ, "COLUMNS": "200"}  # the report wraps at the terminal's width
    command = [sys.executable, "-c", LINT, str(SETTINGS)]
    return subprocess.run(command, cwd=folder, env=wide, capture_output=True, text=True, check=False)


def plant(package: Path, planted: Import) -> int:
    """Add a line with that import to its file, a new one where there is none, and return the line's number."""
    file = package / planted.file
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    text = f"{before}\nimport {planted.imported}\n"
    file.write_text(text, encoding="utf-8")
    return text.count("\n")


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Spoiled:
    """A copy of the package with every forbidden import in it, and a module without a layer."""
    folder = tmp_path_factory.mktemp("spoiled")
    package = Path(shutil.copytree(tree.ROOT / "operator" / "headgate", folder / "headgate"))
    lines = {planted: plant(package, planted) for planted in FORBIDDEN.values()}
    (package / f"{WITHOUT_LAYER}.py").touch()
    ended = lint(folder)
    return Spoiled(ended.returncode, ended.stdout, lines)


def test_contracts_hold() -> None:
    """The package as it is keeps every contract."""
    result = lint(tree.ROOT / "operator")

    assert result.returncode == 0, result.stdout + result.stderr


def test_each_contract_can_be_broken(spoiled: Spoiled) -> None:
    """A contract that no import breaks holds nothing."""
    assert spoiled.code == 1
    assert set(CONTRACTS) == {planted.contract for planted in FORBIDDEN.values()}
    assert "Contracts: 0 kept" in spoiled.report


@pytest.mark.parametrize("planted", FORBIDDEN.values(), ids=FORBIDDEN)
def test_forbidden_import_is_named(spoiled: Spoiled, planted: Import) -> None:
    """A forbidden import breaks its contract, and the report says which line it is."""
    # By its line: others of the planted imports lead to the same modules, by a longer way.
    named = f"- {planted.importer} -> {planted.imported} (l.{spoiled.lines[planted]})"

    assert named in " ".join(spoiled.said(planted.contract).split())


def test_module_without_a_layer_is_named(spoiled: Spoiled) -> None:
    """A new module must find its layer before it lands."""
    words = " ".join(spoiled.said("layers").split())

    assert f"The following modules are not listed as layers: - headgate.{WITHOUT_LAYER}" in words
