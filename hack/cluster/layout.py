"""Where everything of one cluster lies, and what it remembers of itself.

Owns the names of folders and files and the choice of ports; starts nothing.
"""

import contextlib
import dataclasses
import json
import os
import random
import re
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

from hack.cluster import files
from hack.cluster.errors import ClusterError

# Below Linux's ephemeral ports (32768 and up): while a component is down, no outgoing connection takes its port.
PORT_RANGE = range(16000, 32000)
# Ports that this process has chosen, and the open socket that keeps others from choosing each.
_reservations: dict[int, int] = {}
NAME_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def state_root() -> Path:
    """Return the folder that holds one folder per cluster."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base).resolve() / "headgate" / "clusters"


def cache_root() -> Path:
    """Return the folder that holds what was built, for every clone of the tree on this machine."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "headgate" / "cluster"


@dataclasses.dataclass(frozen=True)
class Layout:
    """The state folder of one cluster."""

    state: Path

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.state.name

    @property
    def record(self) -> Path:
        """The file with size and ports; where it exists, the cluster does."""
        return self.state / "cluster.json"

    @property
    def certificates(self) -> Path:
        """The folder of keys and certificates."""
        return self.state / "pki"

    @property
    def configuration(self) -> Path:
        """The folder of the components' configuration files."""
        return self.state / "config"

    @property
    def data(self) -> Path:
        """The folder of what components store, a folder each."""
        return self.state / "data"

    @property
    def logs(self) -> Path:
        """The folder of logs, a file per component."""
        return self.state / "logs"

    @property
    def processes(self) -> Path:
        """The folder of process records, a file per component."""
        return self.state / "processes"

    @property
    def namespaces(self) -> Path:
        """The folder of the mounts that keep its namespaces, where it has some."""
        return self.state / "namespaces"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, JSON lines."""
        return self.logs / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def mark(self) -> str:
        """How the mark of each of its processes begins."""
        return f"{self.state}#"

    def mark_of(self, component: str) -> str:
        """Return the mark of the process of *component*, and of those that it starts."""
        return f"{self.mark}{component}#"

    def log(self, component: str) -> Path:
        """Return the log file of *component*."""
        return self.logs / f"{component}.log"


def of(name: str) -> Layout:
    """Return the layout of the cluster *name*, whether it exists or not."""
    if not NAME_PATTERN.fullmatch(name):
        raise ClusterError(f"{name!r} cannot name a cluster: use up to 40 of a-z, 0-9 and '-', like 'local'")
    return Layout(state_root() / name)


@dataclasses.dataclass(frozen=True)
class Record:
    """What a cluster keeps from its first start on."""

    size: str
    ports: dict[str, int]


def read_record(layout: Layout) -> Record | None:
    """Return the cluster's record, None if there is no such cluster."""
    try:
        content = json.loads(layout.record.read_text())
    except FileNotFoundError:
        return None
    return Record(size=content["size"], ports=content["ports"])


def write_record(layout: Layout, record: Record) -> None:
    """Keep *record*."""
    files.write(layout.record, json.dumps(dataclasses.asdict(record), indent=1))


def choose_ports(names: Iterable[str]) -> dict[str, int]:
    """Choose a free loopback port for each of *names*.

    No other call gets one of them, here or in another process, as long as this process lives; and none is a port that
    another cluster has, even a stopped one.
    """
    taken = {port for record in _all_records() for port in record.ports.values()}
    candidates = random.sample(PORT_RANGE, len(PORT_RANGE))
    free = (port for port in candidates if port not in taken and _reserve(port))
    try:
        return {name: next(free) for name in names}
    except StopIteration:
        raise ClusterError(f"no free port on 127.0.0.1 in {PORT_RANGE.start}-{PORT_RANGE.stop}: stop some") from None


def free_port() -> int:
    """Return a loopback port for a server that is started a moment later.

    The kernel's own choice, port 0, lies where outgoing connections get theirs: of a dozen operators that started at
    once beside thousands of requests one found its port taken.
    """
    return choose_ports(["server"])["server"]


def _all_records() -> list[Record]:
    folders = state_root().iterdir() if state_root().is_dir() else iter(())
    records = (read_record(Layout(folder)) for folder in folders if folder.is_dir())
    return [record for record in records if record is not None]


def _reserve(port: int) -> bool:
    """Take *port* for this process if it is free and no other process has taken it.

    A port is free between the moment when it is chosen and the start of its server, and while the server is stopped.
    """
    if port in _reservations:
        return False
    # Its name is in no file system: it is known in this network namespace, as the port is, and ends with the process.
    with contextlib.ExitStack() as stack:
        lock = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            if sys.platform == "linux":
                lock.bind(f"\0headgate-port-{port}")
        except OSError:
            return False
        if not _can_bind(port):
            return False
        stack.pop_all()
        _reservations[port] = lock.detach()
    return True


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
