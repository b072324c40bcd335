"""Clusters by name: start, find, enter, stop, and disturb one component.

Owns what the command line and the tests may ask for; how a cluster is put
together lies in the layers, how processes are kept in supervisor.py.
"""

import contextlib
import dataclasses
import enum
import errno
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hack.cluster import (
    binaries,
    control_plane,
    deadlines,
    files,
    gateway,
    images,
    kwok,
    layout,
    load,
    machine,
    namespaces,
    node,
    processes,
    prometheus,
    supervisor,
)
from hack.cluster.components import LOOPBACK, Component, Installation, Layer, Say, Site
from hack.cluster.errors import ClusterError
from hack.cluster.layout import Layout, Record

# Each size is a stack of layers; a later layer may stand on what an earlier one started.
SIZES: Mapping[str, tuple[Layer, ...]] = {
    "control-plane": (control_plane.LAYER, kwok.LAYER),
    "node": (namespaces.LAYER, control_plane.LAYER, node.LAYER, gateway.LAYER, prometheus.LAYER, load.LAYER),
}
DEFAULT_SIZE = "control-plane"
REMOVE_SECONDS = 30.0


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
    # https://ADDRESS:PORT; with size node, ADDRESS is one of its own network (see `command`).
    server: str
    kubectl: Path
    # The rest is there with size node.
    prometheus: str | None = None
    # Where the Gateway `headgate` in the namespace `gateway` listens.
    gateway: str | None = None
    # The load generator, vegeta.
    vegeta: Path | None = None


def to_standard_error(words: str) -> None:
    """Say *words* where they are not in the way of `eval`."""
    print(words, file=sys.stderr, flush=True)


def lacking(size: str) -> str:
    """Return in one line why a cluster of *size* cannot run on this machine, '' if it can."""
    return machine.lacks() if node.LAYER in _layers(size) else ""


def build(size: str = DEFAULT_SIZE, say: Say = to_standard_error) -> Installation:
    """Build what a cluster of *size* needs and the cache does not hold yet."""
    return binaries.install((group for layer in _layers(size) for group in layer.groups), say)


def start(name: str, size: str = DEFAULT_SIZE, say: Say = to_standard_error) -> Cluster:
    """Return the cluster *name*, ready; start it, or those components of it that do not run."""
    place = layout.of(name)
    for layer in _layers(size):
        layer.provide(say)
    installation = build(size, say)
    with files.locked_folder(place.state):
        record = layout.read_record(place) or _new_record(place, size)
        if record.size != size:
            raise ClusterError(f"the cluster {name} is of size {record.size}: take it down first, or use that size")
        site = _site(place, record, installation)
        if not all(supervisor.running(place, component) for component in _names(site, size)):
            for layer in _layers(size):
                layer.write_files(site)
        with _inside(place, size):
            started = supervisor.start(_components(site, size), place, say)
        say(f"the cluster {name} {'is ready' if started else 'was already running'}")
    return _cluster(site, size)


def extend(cluster: Cluster, layer: Layer, say: Say = to_standard_error) -> None:
    """Start what *layer* adds to a running cluster; it ends with the cluster."""
    place = layout.of(cluster.name)
    added = binaries.install(layer.groups, say)
    with files.locked_folder(place.state):
        found, size = _found(place)
        installation = Installation({**found.installation.folders, **added.folders})
        site = dataclasses.replace(found, installation=installation)
        layer.write_files(site)
        with _inside(place, size):
            supervisor.start(layer.components(site), place, say)


def find(name: str) -> Cluster:
    """Return the cluster *name*, whatever of it runs."""
    return _cluster(*_found(layout.of(name)))


def command(cluster: Cluster, argv: Sequence[str]) -> list[str]:
    """Return the command line that runs *argv* where the cluster's addresses are reached; it replaces itself by it."""
    prefixes = (layer.prefix(layout.of(cluster.name)) for layer in _layers(cluster.size))
    return [*(word for prefix in prefixes for word in prefix), *argv]


@contextlib.contextmanager
def entered(cluster: Cluster) -> Iterator[None]:
    """Have the calling thread, and the threads and processes that it starts, where the cluster's addresses are."""
    with _inside(layout.of(cluster.name), cluster.size):
        yield


def load_image(cluster: Cluster, archive: Path) -> str:
    """Load a docker-archive into the cluster's node, and return what it says of it."""
    if node.LAYER not in _layers(cluster.size):
        raise ClusterError(f"the cluster {cluster.name} is of size {cluster.size}: only a real node takes images")
    return images.load(_found(layout.of(cluster.name))[0], archive)


def stop(cluster: Cluster | str, logs: Logs = Logs.DISCARDED) -> int:
    """End every process of a cluster, remove its state, return how many processes ran.

    Also right for one that was half started, has crashed or does not exist.
    """
    place = layout.of(cluster if isinstance(cluster, str) else cluster.name)
    ended = 0

    def gone() -> bool:
        nonlocal ended
        ended += _end(place)
        return _remove_state(place, logs) and not processes.marked(place.mark)

    with files.locked_folder(place.state):
        # A launcher that was killed may have left a child in the middle of its start. Until that has its environment
        # it bears no mark, is not found, and may still mount a namespace or write a file.
        if not deadlines.wait_until(gone, REMOVE_SECONDS):
            raise ClusterError(f"cannot remove {place.state}: something still mounts or writes there; see 'mount'")
        if not any(place.state.iterdir()):
            place.state.rmdir()
    return ended


def _end(place: Layout) -> int:
    """End every process of a cluster, take away what its layers made, and return how many processes ran."""
    ended = supervisor.stop_all(place)
    # Whatever its size: the record of that may be gone already.
    return ended + sum(layer.remove(place) for layer in reversed([one for size in SIZES.values() for one in size]))


def _remove_state(place: Layout, logs: Logs) -> bool:
    """Remove the state of a cluster; return False if something was mounted or written there meanwhile."""
    for path in place.state.iterdir():
        if path == place.logs and logs is Logs.KEPT:
            continue
        try:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
                raise
            return False
    return True


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
        site, size = _found(place)
        known = {component.name: component for component in _components(site, size)}
        if name not in known:
            raise ClusterError(f"{name!r} is no component of {cluster.name}: it has {', '.join(known)}")
        with _inside(place, size):
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


def _found(place: Layout) -> tuple[Site, str]:
    record = layout.read_record(place)
    if record is None:
        raise ClusterError(
            f"there is no cluster {place.name}: start it with 'python -m hack.cluster up --name {place.name}'"
        )
    return _site(place, record, build(record.size)), record.size


def _site(place: Layout, record: Record, installation: Installation) -> Site:
    address = next((layer.address for layer in _layers(record.size) if layer.address), LOOPBACK)
    return Site(place, record.ports, installation, address)


@contextlib.contextmanager
def _inside(place: Layout, size: str) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for layer in _layers(size):
            stack.enter_context(layer.entered(place))
        yield


def _cluster(site: Site, size: str) -> Cluster:
    place = site.layout
    urls = {name: url for layer in _layers(size) for name, url in layer.urls.items()}
    return Cluster(
        name=place.name,
        size=size,
        state=place.state,
        kubeconfig=place.kubeconfig,
        audit_log=place.audit_log,
        server=site.https("kube-apiserver"),
        kubectl=site.installation.binary("kubernetes", "kubectl"),
        prometheus=urls.get("prometheus"),
        gateway=urls.get("gateway"),
        vegeta=site.installation.binary("vegeta", "vegeta") if load.LAYER in _layers(size) else None,
    )
