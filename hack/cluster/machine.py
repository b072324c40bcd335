"""What a real node needs of this machine: Linux, root, and a few programs.

Owns the list of Debian packages, and installs the missing ones where it may.
Must not know what the programs are used for.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from hack.cluster import files, layout
from hack.cluster.components import Say
from hack.cluster.errors import ClusterError

CNI_PLUGINS = Path("/usr/lib/cni")
# Where programs for root lie; not on everybody's PATH.
SYSTEM_FOLDERS = ("/usr/sbin", "/sbin")
# Debian package -> what proves that it is there: a program, or a file by its path.
PACKAGES: Mapping[str, str] = {
    "busybox-static": "busybox",
    "conntrack": "conntrack",
    "containernetworking-plugins": str(CNI_PLUGINS / "bridge"),
    "iproute2": "ip",
    "mount": "mount",
    "nftables": "nft",
    "runc": "runc",
    "util-linux": "nsenter",
}


def path() -> str:
    """Return our PATH, and where programs for root lie."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS))


def program(name: str) -> Path:
    """Return where the program *name* lies."""
    found = shutil.which(name, path=path())
    if found is None:
        raise ClusterError(f"the program {name} is not on the PATH: install it")
    return Path(found)


def lacks() -> str:
    """Return in one line why a real node cannot run on this machine, '' if it can."""
    if not sys.platform.startswith("linux"):
        return "a real node needs Linux; elsewhere use kind: make cluster SIZE=node ON=kind"
    missing = " ".join(_missing())
    if os.geteuid() != 0:
        packages = f", and these Debian packages: {missing}" if missing else ""
        return f"a real node needs root{packages}; without root use '--size control-plane'"
    if missing and shutil.which("apt-get") is None:
        return f"a real node needs what Debian has in these packages, and here is no apt-get to install them: {missing}"
    return ""


def provide(say: Say) -> None:
    """Install what is missing, or say in one line why a real node cannot run here."""
    if why := lacks():
        raise ClusterError(why)
    if _missing():
        with package_lock():
            if missing := _missing():
                say(f"installing Debian packages: {' '.join(missing)}")
                _install(missing)
    if still := _missing():
        raise ClusterError(
            f"apt-get brought no {', '.join(PACKAGES[package] for package in still)}: install it by hand"
        )


@contextlib.contextmanager
def package_lock() -> Iterator[None]:
    """Hold the right to call apt-get: it fails beside another one that reads the lists, and tiers run side by side."""
    with files.locked_file(layout.cache_root() / "packages.lock"):
        yield


def _missing() -> list[str]:
    return [package for package, proof in PACKAGES.items() if shutil.which(proof, path=path()) is None]


def _install(packages: list[str]) -> None:
    install = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # On a new machine the lists of packages are empty, or older than what the servers still have.
    for command in (["apt-get", "update", "--quiet"], install):
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            words = (result.stderr.strip() or result.stdout.strip()).splitlines()
            raise ClusterError(f"'{' '.join(command)}' failed: {words[-1] if words else 'it said nothing'}")
