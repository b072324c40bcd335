"""What a cluster is made of, said as values: binaries, components, layers.

Owns the vocabulary; nothing here starts, builds or reads anything.
"""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.cluster.layout import Layout


def nothing() -> None:
    """Prepare nothing."""


@dataclasses.dataclass(frozen=True)
class ModuleGroup:
    """Commands built from one go.mod: build/MODULE/go.mod pins them."""

    name: str
    module: str
    # Command name -> Go package.
    packages: Mapping[str, str]
    # Go variables set at link time; '{version}' stands for the version of `versioned_by` in go.mod.
    variables: Mapping[str, str] = dataclasses.field(default_factory=dict)
    versioned_by: str = ""
    # Folders copied from `versioned_by`'s module beside the binaries.
    folders: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Installation:
    """Where the built binaries of each module group lie."""

    folders: Mapping[str, Path]

    def binary(self, group: str, command: str) -> Path:
        """Return the path of *command*."""
        return self.folders[group] / "bin" / command

    def folder(self, group: str, path: str) -> Path:
        """Return a folder that was copied out of the group's module."""
        return self.folders[group] / path


@dataclasses.dataclass(frozen=True)
class Component:
    """One long-running process of a cluster."""

    name: str
    # The program and its arguments. Whatever it is started through must exec it, so that the pid stays its own.
    argv: tuple[str, ...]
    # None when ready, else what is still missing, in words.
    unready: Callable[[], str | None]
    # The components that must be ready before.
    after: tuple[str, ...] = ()
    # Done once before the start, when those are ready.
    prepare: Callable[[], None] = nothing
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    # Between SIGTERM and SIGKILL. 0 is SIGKILL at once: right where the state is thrown away.
    grace_seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Site:
    """What the components of one cluster are told about it."""

    layout: Layout
    ports: Mapping[str, int]
    installation: Installation

    def https(self, port: str) -> str:
        """Return the https address of a port of ours."""
        return f"https://127.0.0.1:{self.ports[port]}"


@dataclasses.dataclass(frozen=True)
class Layer:
    """A part of a cluster: what it is built from, its ports, its files and its processes."""

    name: str
    groups: tuple[ModuleGroup, ...]
    ports: tuple[str, ...]
    # Writes certificates and configuration; done at every start, and must keep what is there.
    write_files: Callable[[Site], None]
    components: Callable[[Site], tuple[Component, ...]]
