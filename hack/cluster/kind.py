"""Clusters of kind, for people who have Docker: created, furnished, deleted.

Owns which commands of kind and Docker are run. Must not know of the clusters that the tests stand on, which are never
of kind.
"""

import dataclasses
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hack.cluster import add_ons, binaries, gateway, layout
from hack.cluster.components import Say
from hack.cluster.errors import ClusterError

CONFIGURATION = Path(__file__).resolve().parents[2] / "kind-config.yaml"
# An engine that hangs accepts and never answers.
ENGINE_SECONDS = 15.0
# The first time, images come over the network.
READY_SECONDS = 300
# What kind calls the nodes of our configuration, behind the name of the cluster.
CONTROL_PLANE, WORKER = "control-plane", "worker"


@dataclasses.dataclass(frozen=True)
class KindCluster:
    """A running cluster of kind."""

    kubeconfig: Path
    # What it offers to clients on this machine, by name.
    urls: Mapping[str, str]


def lacks() -> str:
    """Return in one line why there can be no kind here, '' if there can."""
    for program in ("kind", "docker"):
        if shutil.which(program) is None:
            return f"{program} is not on the PATH"
    command = ["docker", "info", "--format", "{{.ServerVersion}}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=ENGINE_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no Docker engine has answered in {ENGINE_SECONDS:.0f} s"
    if result.returncode != 0 or not result.stdout.strip():
        return f"no Docker engine answers: {_last_line(result.stderr)}"
    return ""


def knows(name: str) -> bool:
    """Tell whether the cluster *name* was started here and not stopped since."""
    return _kubeconfig(name).exists()


def start(name: str, size: str, say: Say) -> KindCluster:
    """Return the cluster *name* of kind, ready; create it if there is none, furnish it if *size* is node."""
    kubeconfig = _kubeconfig(name)
    if why := lacks():
        raise ClusterError(f"no cluster of kind can be started: {why}")
    target = (f"--name={name}", f"--kubeconfig={kubeconfig}")
    kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    if name in _names():
        say(f"the cluster {name} of kind was already running")
        _watched("kind", "export", "kubeconfig", *target)
    else:
        _watched("kind", "create", "cluster", *target, f"--config={CONFIGURATION}", f"--wait={READY_SECONDS}s")
    return KindCluster(kubeconfig, _furnish(name, say) if size == "node" else {})


def stop(name: str) -> str:
    """Delete the cluster *name* of kind if there is one, and return in words what was done."""
    kubeconfig = _kubeconfig(name)
    if why := lacks():
        if knows(name):
            raise ClusterError(f"the cluster {name} of kind cannot be deleted now: {why}")
        return f"kind was not asked: {why}"
    existed = name in _names()
    if existed:
        _watched("kind", "delete", "cluster", f"--name={name}", f"--kubeconfig={kubeconfig}")
    kubeconfig.unlink(missing_ok=True)
    return "its cluster of kind was deleted" if existed else "kind had none"


def _kubeconfig(name: str) -> Path:
    return layout.state_root().with_name("kind") / f"{layout.of(name).name}.kubeconfig"


def _names() -> list[str]:
    return _answer("kind", "get", "clusters").split()


def _furnish(name: str, say: Say) -> Mapping[str, str]:
    """Apply what the real node has beside Kubernetes, and return where it answers."""
    crds = binaries.install((gateway.CRDS,), say).folder(gateway.CRDS.name, gateway.CRD_FOLDER)
    say(f"starting {' and '.join(add_ons.images())}")
    _apply(name, "---\n".join(path.read_text(encoding="utf-8") for path in sorted(crds.glob("*.yaml"))))
    _wait(name, "Established", "crd", "--all")
    _apply(name, json.dumps(add_ons.objects()))
    _wait(name, "Available", "deployment", "--all", "--all-namespaces")
    _wait(name, "Programmed", f"gateway/{gateway.GATEWAY}", f"--namespace={gateway.NAMESPACE}")
    return {
        "gateway": _url(name, add_ons.GATEWAY_NODE_PORT),
        "prometheus": _url(name, add_ons.PROMETHEUS_NODE_PORT),
    }


def _apply(name: str, content: str) -> None:
    # Also when it is there already: server-side apply changes nothing then.
    _kubectl(name, "apply", "--server-side", "--force-conflicts", "--filename=-", content=content)


def _wait(name: str, condition: str, *what: str) -> None:
    _kubectl(name, "wait", f"--for=condition={condition}", f"--timeout={READY_SECONDS}s", *what)


def _kubectl(name: str, *arguments: str, content: str = "") -> None:
    """Run the node's own kubectl, which fits its API server, whatever this machine has."""
    kubectl = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
    _answer("docker", "exec", "--interactive", f"{name}-{CONTROL_PLANE}", *kubectl, *arguments, content=content)


def _url(name: str, port: int) -> str:
    return f"http://{_answer('docker', 'port', f'{name}-{WORKER}', f'{port}/tcp').split()[0]}"


def _watched(*command: str) -> None:
    """Run what takes a minute, with all that it says on stderr."""
    code = subprocess.run(command, stdout=sys.stderr, check=False).returncode
    if code != 0:
        raise ClusterError(f"'{shlex.join(command)}' failed with exit code {code}, the lines above say why")


def _answer(*command: str, content: str = "") -> str:
    """Return what a command prints."""
    result = subprocess.run(command, input=content, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ClusterError(f"'{shlex.join(command)}' failed: {_last_line(result.stderr)}")
    return result.stdout


def _last_line(words: str) -> str:
    lines = words.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
