"""The local clusters that the tests stand on: real Kubernetes, without Docker.

This is the face of the package; README.md says how to use it.
"""

from hack.cluster.deadlines import wait_until
from hack.cluster.errors import ClusterError
from hack.cluster.layout import free_port
from hack.cluster.lifecycle import (
    Cluster,
    Logs,
    build,
    command,
    component_process,
    entered,
    extend,
    find,
    lacking,
    load_image,
    restart_component,
    signal_component,
    start,
    start_component,
    stop,
    stop_component,
)

__all__ = [
    "Cluster",
    "ClusterError",
    "Logs",
    "build",
    "command",
    "component_process",
    "entered",
    "extend",
    "find",
    "free_port",
    "lacking",
    "load_image",
    "restart_component",
    "signal_component",
    "start",
    "start_component",
    "stop",
    "stop_component",
    "wait_until",
]
