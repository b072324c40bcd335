"""A gateway that hears of changes late, and serves on meanwhile with what it knew.

Owns how it is cut off from the API server. Must not know what happens to users.
"""

import contextlib
import re
import subprocess
from collections.abc import Iterator

from hack import cluster
from hack.cluster import machine
from tests.e2e.nodes import Node

TABLE = "headgate_deaf"


@contextlib.contextmanager
def deaf(node: Node) -> Iterator[None]:
    """Keep what the API server says from the gateway, for as long as the context lasts: no packet of theirs arrives."""
    rules = [f"add chain ip {TABLE} arriving {{ type filter hook input priority 0; }}"]
    for port in _own_ports(node):
        rules += [f"add rule ip {TABLE} arriving tcp {end} {port} drop" for end in ("sport", "dport")]
    _run(node, "nft", "; ".join((f"add table ip {TABLE}", *rules)))
    try:
        yield
    finally:
        _run(node, "nft", f"delete table ip {TABLE}")


def _own_ports(node: Node) -> list[str]:
    """Return the gateway's ends of its connections to the API server."""
    process = cluster.component_process(node.cluster, "traefik")
    assert process is not None, "the gateway does not run"
    port = node.cluster.server.rsplit(":", 1)[1]
    lines = _run(node, "ss", "-Htnp", "dport", "=", f":{port}").splitlines()
    found = [re.search(r":(\d+)\s+\S+:\d+\s", line) for line in lines if f"pid={process.pid}," in line]
    assert found, f"no connection of the gateway to the API server in {lines}"
    return [match[1] for match in found if match]


def _run(node: Node, program: str, *arguments: str) -> str:
    command = cluster.command(node.cluster, [str(machine.program(program)), *arguments])
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{program} {' '.join(arguments)}: {ended.stderr}"
    return ended.stdout
