"""Clusters by name: start, find, stop, and disturb one component.

Owns what the command line and the tests may ask for; how a cluster is put
together lies in the layers, how processes are kept in supervisor.py.
"""

import contextlib
import dataclasses
import enum
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.cluster import binaries, control_plane, files, layout, processes, supervisor
from tests.cluster.components import Component, Installation, Layer, Site
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout, Record

Say = Callable[[str], None]

# Each size is a stack of layers; a later layer may stand on what an earlier one started.
SIZES: Mapping[str, tuple[Layer, ...]] = {"control-plane": (control_plane.LAYER,)}
DEFAULT_SIZE = "control-plane"


class Logs(enum.Enum):
    """What becomes of the logs of a cluster that is taken down."""

    DISCARDED = "discarded"
    KEPT = "kept"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    name: str
    size: str
    # Where everything of it lies; logs in logs/.
    state: Path
    # The administrator's: user kubernetes-admin in system:masters.
    kubeconfig: Path
    # JSON lines, level Metadata, one event per answered request.
    audit_log: Path
    # https://127.0.0.1:PORT
    server: str
    kubectl: Path


def to_standard_error(words: str) -> None:
    """Say *words* where they are not in the way of `eval`."""
    print(words, file=sys.stderr, flush=True)


def build(size: str = DEFAULT_SIZE, say: Say = to_standard_error) -> Installation:
    """Build what a cluster of *size* needs and the cache does not hold yet."""
    return binaries.install((group for layer in _layers(size) for group in layer.groups), say)


def start(name: str, size: str = DEFAULT_SIZE, say: Say = to_standard_error) -> Cluster:
    """Return the cluster *name*, ready; start it, or those components of it that do not run."""
    place = layout.of(name)
    installation = build(size, say)
    with files.locked_folder(place.state):
        record = layout.read_record(place) or _new_record(place, size)
        if record.size != size:
            raise ClusterError(f"the cluster {name} is of size {record.size}: take it down first, or use that size")
        site = Site(place, record.ports, installation)
        if not all(supervisor.running(place, name) for name in _names(site, size)):
            for layer in _layers(size):
                layer.write_files(site)
        started = supervisor.start(_components(site, size), place, say)
        say(f"the cluster {name} {'is ready' if started else 'was already running'}")
    return _cluster(site, size)


def find(name: str) -> Cluster:
    """Return the cluster *name*, whatever of it runs."""
    place = layout.of(name)
    record = layout.read_record(place)
    if record is None:
        raise ClusterError(f"there is no cluster {name}: start it with 'python -m tests.cluster up --name {name}'")
    return _cluster(_site(place, record), record.size)


def stop(cluster: Cluster | str, logs: Logs = Logs.DISCARDED) -> int:
    """End every process of a cluster, remove its state, return how many processes ran.

    Also right for one that was half started, has crashed or does not exist.
    """
    place = layout.of(cluster if isinstance(cluster, str) else cluster.name)
    if not place.state.exists() and not processes.marked(place.mark):
        return 0
    with files.locked_folder(place.state):
        ended = supervisor.stop_all(place)
        for path in place.state.iterdir():
            if path == place.logs and logs is Logs.KEPT:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not any(place.state.iterdir()):
            place.state.rmdir()
    return ended


def stop_component(cluster: Cluster, name: str) -> None:
    """Kill one component (SIGKILL) and wait until it is gone."""
    with _component(cluster, name):
        supervisor.stop(layout.of(cluster.name), name)


def start_component(cluster: Cluster, name: str) -> None:
    """Start one component that does not run, and wait until it is ready."""
    with _component(cluster, name) as component:
        alone = dataclasses.replace(component, after=())
        supervisor.start([alone], layout.of(cluster.name), to_standard_error)


def restart_component(cluster: Cluster, name: str) -> None:
    """Kill one component, start it again with the same ports and data, and wait until it is ready."""
    stop_component(cluster, name)
    start_component(cluster, name)


def signal_component(cluster: Cluster, name: str, what: signal.Signals) -> None:
    """Send one component a signal, like SIGSTOP and SIGCONT."""
    with _component(cluster, name):
        process = component_process(cluster, name)
        if process is None:
            raise ClusterError(f"{name} of the cluster {cluster.name} does not run: start it before signalling it")
        processes.send(process, what)


def component_process(cluster: Cluster, name: str) -> processes.Process | None:
    """Return the process of a component, None if it does not run."""
    return supervisor.running(layout.of(cluster.name), name)


@contextlib.contextmanager
def _component(cluster: Cluster, name: str) -> Iterator[Component]:
    place = layout.of(cluster.name)
    with files.locked_folder(place.state):
        record = layout.read_record(place)
        if record is None:
            raise ClusterError(f"the cluster {cluster.name} was taken down: start it anew")
        known = {component.name: component for component in _components(_site(place, record), record.size)}
        if name not in known:
            raise ClusterError(f"{name!r} is no component of {cluster.name}: it has {', '.join(known)}")
        yield known[name]


def _layers(size: str) -> tuple[Layer, ...]:
    if size not in SIZES:
        raise ClusterError(f"{size!r} is no size of a cluster: use {' or '.join(SIZES)}")
    return SIZES[size]


def _components(site: Site, size: str) -> tuple[Component, ...]:
    return tuple(component for layer in _layers(size) for component in layer.components(site))


def _names(site: Site, size: str) -> list[str]:
    return [component.name for component in _components(site, size)]


def _new_record(place: Layout, size: str) -> Record:
    ports = layout.choose_ports(port for layer in _layers(size) for port in layer.ports)
    record = Record(size, ports)
    layout.write_record(place, record)
    return record


def _site(place: Layout, record: Record) -> Site:
    return Site(place, record.ports, build(record.size))


def _cluster(site: Site, size: str) -> Cluster:
    place = site.layout
    return Cluster(
        name=place.name,
        size=size,
        state=place.state,
        kubeconfig=place.kubeconfig,
        audit_log=place.audit_log,
        server=site.https("kube-apiserver"),
        kubectl=site.installation.binary("kubernetes", "kubectl"),
    )
