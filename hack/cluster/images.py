"""Container images without a registry and without a container engine.

Owns how an image is written (a docker-archive, by tarfile) and loaded into a
node, and the images that every node has. README.md says how to use them.
"""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hack.cluster import files, machine, namespaces, processes
from hack.cluster.components import ModuleGroup, Site
from hack.cluster.errors import ClusterError

REPOSITORY = "headgate.test"
PAUSE = f"{REPOSITORY}/pause:1"
# How the path of a dynamic loader is named, and where in a program linkers put it.
LOADER, LOADER_WITHIN = b"/ld-", 4096
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# Each says its own version at / and /version. The last is the bad one: it fails a third of all requests.
PODINFO_VERSIONS: Mapping[str, Mapping[str, str]] = {
    "1.0.0": {},
    "2.0.0": {},
    "3.0.0": {"PODINFO_RANDOM_ERROR": "true"},
}
# Of a port of their own, metrics and /healthz are not among the requests that are measured, or fail on purpose.
PODINFO_ENVIRONMENT = {"PODINFO_PORT_METRICS": "9797", "PODINFO_LEVEL": "warn"}
PODINFO_MODULE = "github.com/stefanprodan/podinfo"
PODINFO = tuple(
    ModuleGroup(
        name=f"podinfo-{version}",
        module="podinfo",
        packages={"podinfo": f"{PODINFO_MODULE}/cmd/podinfo"},
        variables={f"{PODINFO_MODULE}/pkg/version.VERSION": version},
        versioned_by=PODINFO_MODULE,
    )
    for version in PODINFO_VERSIONS
)


def podinfo(version: str) -> str:
    """Return the name of podinfo's image of *version*."""
    return f"{REPOSITORY}/podinfo:{version}"


def build(
    archive: Path, name: str, binary: Path, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Path:
    """Write the image *name* to *archive*: one static *binary*, run with *arguments*. The same gives the same bytes."""
    program = binary.read_bytes()
    if LOADER in program[:LOADER_WITHIN]:
        raise ClusterError(f"{binary} needs a loader and libraries, and an image here has none: link it statically")
    layer = _tar({f"bin/{binary.name}": program}, folders=("bin", "tmp"))
    configuration = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "Entrypoint": [f"/bin/{binary.name}", *arguments],
            "Env": ["PATH=/bin", *(f"{key}={value}" for key, value in (environment or {}).items())],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    content = {"manifest.json": _json(manifest), "config.json": _json(configuration), "layer.tar": layer}
    files.write(archive, _tar(content))
    return archive


def write(site: Site) -> None:
    """Write the images that every node has, unless they are there."""
    pause = _archive(site, "pause")
    if not pause.exists():
        build(pause, PAUSE, machine.program("busybox"), ("sleep", "infinity"))
    for version, environment in PODINFO_VERSIONS.items():
        archive = _archive(site, f"podinfo-{version}")
        if not archive.exists():
            binary = site.installation.binary(f"podinfo-{version}", "podinfo")
            build(archive, podinfo(version), binary, environment={**PODINFO_ENVIRONMENT, **environment})


def load_all(site: Site) -> None:
    """Load the images that every node has."""
    for archive in sorted(_folder(site).glob("*.tar")):
        load(site, archive)


def load(site: Site, archive: Path) -> str:
    """Load *archive* into the node, and return what containerd says of it."""
    ctr = str(site.installation.binary("containerd", "ctr"))
    # Through a pipe, since the node need not see the folder in which it lies.
    command = [*namespaces.enter_node(site.layout), ctr, "--namespace=k8s.io", "images", "import", "-"]
    environment = {"PATH": machine.path(), processes.MARK: site.layout.mark_of("ctr")}
    try:
        with archive.open("rb") as content:
            result = subprocess.run(
                command, stdin=content, env=environment, capture_output=True, text=True, check=False
            )
    except OSError as error:
        raise ClusterError(f"cannot read {archive}: {error.strerror}") from None
    if result.returncode != 0:
        # Before its last line it deprecates things.
        words = result.stderr.strip().splitlines() or ["ctr said nothing"]
        raise ClusterError(f"{archive} cannot be loaded: {words[-1]}")
    return result.stdout.strip()


def _folder(site: Site) -> Path:
    return site.layout.state / "images"


def _archive(site: Site, name: str) -> Path:
    return _folder(site) / f"{name}.tar"


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _tar(content: Mapping[str, bytes], folders: Sequence[str] = ()) -> bytes:
    """Return an archive of *folders* that anybody may write to, and of programs, with no time of its own."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in folders:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777
            archive.addfile(entry)
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    return target.getvalue()
