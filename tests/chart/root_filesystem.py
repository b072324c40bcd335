"""Makes a Debian root file system with Python, from this machine's own package sources.

Owns which packages that takes, here and in there. Must not know what will be run on it.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from hack.cluster import machine

INCLUDED: Final = ("python3", "python3-venv")
LEFT_OUT: Final = ("doc", "locale", "man")
# What mmdebstrap takes from this machine is this machine's business: a root file system is shown to others.
FORGET: Final = 'rm -rf "$1"/etc/apt/sources.list* "$1"/etc/hostname "$1"/etc/resolv.conf'

Say = Callable[[str], None]


class ImageError(Exception):
    """Says in one line what is missing and what would be right."""


def require(tools: Iterable[str], say: Say) -> None:
    """Have the programs *tools*, Debian packages of the same name: installed if we may, named if not.

    Raises:
        ImageError: if one is missing.
    """
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if not missing:
        return
    words = " ".join(missing)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise ImageError(f"missing: {words}; install them, on Debian: sudo apt-get install {words}")
    say(f"installing {words}")
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    with machine.package_lock():
        run([*apt, "update"])
        run([*apt, "install", "-y", "--no-install-recommends", *missing])


def make(cache: Path, say: Say) -> Path:
    """Return the root file system as a tar file in *cache*, made if it is not there.

    Raises:
        ImageError: if this machine cannot make it.
    """
    release = _release()
    options = [
        "--variant=essential",
        f"--include={','.join(INCLUDED)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in LEFT_OUT),
        f"--customize-hook={FORGET}",
    ]
    words = "\0".join((release["ID"], release["VERSION_CODENAME"], platform.machine(), *options))
    archive = cache / f"root-{hashlib.sha256(words.encode()).hexdigest()[:16]}.tar"
    if not archive.exists():
        require(["mmdebstrap"], say)
        say(f"making a root file system of {release['ID']} {release['VERSION_CODENAME']} with Python")
        unfinished = archive.with_name(f".{archive.name}")
        sources = [str(path) for path in _sources(release["ID"])]
        run(["mmdebstrap", "--format=tar", *options, release["VERSION_CODENAME"], str(unfinished), *sources])
        unfinished.rename(archive)
    return archive


def run(command: list[str]) -> None:
    """Run *command*, with all that it says on standard error.

    Raises:
        ImageError: if it fails.
    """
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise ImageError(f"'{' '.join(command[:3])} …' failed: the lines above say why")


def _release() -> dict[str, str]:
    """Return what this system calls itself."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    if release.get("ID") not in ("debian", "ubuntu") or "VERSION_CODENAME" not in release:
        raise ImageError("the image is built without Docker on Debian and Ubuntu only; elsewhere: docker build .")
    return release


def _sources(distribution: str) -> list[Path]:
    """Return apt's source files for the distribution itself, and none that somebody added."""
    apt = Path("/etc/apt")
    candidates = (apt / "sources.list", apt / "sources.list.d" / f"{distribution}.sources")
    return [path for path in candidates if path.is_file() and "deb" in path.read_text(encoding="utf-8")]
