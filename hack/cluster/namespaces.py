"""The namespaces of a cluster that has a real node.

Owns a network namespace, in which everything runs and from which no packet
leaves, and a mount namespace, in which the node finds the paths that it is
used to (/run, /var/lib, /var/log) as folders of its own. Both are kept by a
mount in the state folder, not by a process: nobody's death ends them.
"""

import contextlib
import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from hack.cluster import addresses, files, layout, machine, mounts, processes
from hack.cluster.components import Layer, Say, Site
from hack.cluster.errors import ClusterError
from hack.cluster.layout import Layout

CLONE_NEWNET = 0x40000000
BRIDGE = "pods"
# Of our own, for a bridge without one takes that of its lowest member, and changes it whenever a pod comes or goes.
BRIDGE_HARDWARE_ADDRESS = "02:00:00:00:00:01"
# What the node has of its own.
FOLDERS: Mapping[str, str] = {"run": "/run", "lib": "/var/lib", "log": "/var/log"}
# The kubelet sets these, on the whole machine. In the node's mount namespace it finds them set, in files of ours.
TUNABLES: Mapping[str, int] = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
# Inside the network namespace.
SETTINGS: Mapping[str, int] = {
    "net/ipv4/ip_forward": 1,
    # Each pod would wait for its IPv6 address to be found unique.
    "net/ipv6/conf/all/disable_ipv6": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
}


def enter_network(place: Layout) -> tuple[str, ...]:
    """Return what stands before a command that is to run in the network namespace."""
    return ("nsenter", f"--net={_network(place)}", "--")


def enter_node(place: Layout) -> tuple[str, ...]:
    """Return what stands before a command that is to see the node's own folders; its network stays the caller's."""
    return (str(machine.program("nsenter")), f"--mount={_mount(place)}", "--")


def node_folder(place: Layout, name: str) -> Path:
    """Return where the folder *name* of FOLDERS lies for those outside."""
    return place.data / "node" / name


@contextlib.contextmanager
def entered(place: Layout) -> Iterator[None]:
    """Have the calling thread, and the processes and threads that it starts, in the network namespace."""
    try:
        inside = os.open(_network(place), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        raise ClusterError(
            f"the cluster {place.name} has no network namespace: take it down and start it anew"
        ) from None
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(inside)
        try:
            yield
        finally:
            _set_namespace(outside)
    finally:
        os.close(inside)
        os.close(outside)


def _set_namespace(descriptor: int) -> None:
    # os.setns is Python 3.12's.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, CLONE_NEWNET) != 0:
        raise ClusterError(f"cannot enter the network namespace: {os.strerror(ctypes.get_errno())}; it needs root")


def provide(say: Say) -> None:
    """Check the machine, and install what is missing."""
    machine.provide(say)
    for folder in (layout.state_root(), layout.cache_root()):
        if any(folder.is_relative_to(hidden) for hidden in FOLDERS.values()):
            raise ClusterError(f"the node cannot see {folder}, it has folders of its own there: use another")


def create(site: Site) -> None:
    """Make both namespaces, unless they are there."""
    place = site.layout
    if _complete(place).exists() and {_network(place), _mount(place)} <= set(mounts.beneath(place.namespaces)):
        return
    # Left half-made, or by a boot that is over.
    remove(place)
    # Sockets of processes that ended with their namespaces.
    shutil.rmtree(node_folder(place, "run"), ignore_errors=True)
    _write_tunables(place)
    for folder in (place.namespaces, *(node_folder(place, name) for name in FOLDERS)):
        folder.mkdir(parents=True, exist_ok=True)
    # The mount of a mount namespace must not be seen in that namespace, so its folder shares nothing.
    _run(place, "mount", "--bind", str(place.namespaces), str(place.namespaces))
    _run(place, "mount", "--make-private", str(place.namespaces))
    for path in (_network(place), _mount(place)):
        path.touch()
    _run(place, "unshare", f"--net={_network(place)}", "true")
    with entered(place):
        _make_network(place)
    # What is mounted in there (volumes, containers) is shared in there, as on any node, and ends with it.
    script = "\n".join(("set -eu", "mount --make-rshared /", *_own_mounts(place)))
    _run(place, "unshare", f"--mount={_mount(place)}", "--propagation", "private", "sh", "-c", script)
    files.write(_complete(place), "")


def remove(place: Layout) -> int:
    """Take both namespaces away; all that is mounted in there goes with them."""
    mounts.unmount_beneath(place.state)
    _complete(place).unlink(missing_ok=True)
    return 0


def _make_network(place: Layout) -> None:
    for name, value in SETTINGS.items():
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/sys", name).write_text(str(value))
    for command in (
        "link set lo up",
        # There may be no device for dummies; the loopback device holds any address.
        f"address add {addresses.NODE}/32 dev lo",
        f"link add {BRIDGE} address {BRIDGE_HARDWARE_ADDRESS} type bridge",
        f"address add {addresses.POD_GATEWAY} dev {BRIDGE}",
        f"link set {BRIDGE} up",
        # kube-proxy rewrites the destination, but only of what has a route at all.
        f"route add {addresses.SERVICE_RANGE} dev {BRIDGE}",
    ):
        _run(place, "ip", *command.split())


def _write_tunables(place: Layout) -> None:
    for name, value in TUNABLES.items():
        files.write(_tunable(place, name), f"{value}\n")


def _own_mounts(place: Layout) -> Iterator[str]:
    for name, target in FOLDERS.items():
        yield shlex.join(("mount", "--bind", str(node_folder(place, name)), target))
    for name in TUNABLES:
        tunable = Path("/proc/sys", name)
        if tunable.exists():
            yield shlex.join(("mount", "--bind", str(_tunable(place, name)), str(tunable)))


def _tunable(place: Layout, name: str) -> Path:
    return place.configuration / "tunables" / name


def _network(place: Layout) -> Path:
    return place.namespaces / "network"


def _mount(place: Layout) -> Path:
    return place.namespaces / "mount"


def _complete(place: Layout) -> Path:
    return place.state / "namespaces-complete"


def _run(place: Layout, name: str, *arguments: str) -> None:
    command = [str(machine.program(name)), *arguments]
    # Marked, should we be killed now.
    environment = {"PATH": machine.path(), processes.MARK: place.mark_of("namespaces")}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if result.returncode != 0:
        raise ClusterError(f"'{name} {' '.join(arguments)}' failed: {result.stderr.strip()}")


LAYER = Layer(
    name="namespaces",
    write_files=create,
    provide=provide,
    address=addresses.NODE,
    entered=entered,
    prefix=enter_network,
    remove=remove,
)
