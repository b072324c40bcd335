"""What is mounted beneath a folder.

Owns reading and unmounting; knows nothing of what is mounted, or why.
"""

import os
import re
import subprocess
from pathlib import Path

from hack.cluster.errors import ClusterError

MOUNTS = Path("/proc/self/mountinfo")
# Fields of a line of mountinfo: the mount point is the 5th, the type the one after the lone hyphen.
POINT_FIELD = 4
OCTAL = re.compile(r"\\([0-7]{3})")


def beneath(folder: Path) -> list[Path]:
    """Return every mount point at or below *folder*, latest first."""
    points = [point for point, _ in _all()]
    return [point for point in reversed(points) if point.is_relative_to(folder)]


def of_type(*kinds: str) -> list[Path]:
    """Return where file systems of these types are mounted."""
    return [point for point, kind in _all() if kind in kinds]


def unmount_beneath(folder: Path) -> None:
    """Unmount all that is mounted at or below *folder*."""
    for point in beneath(folder):
        result = subprocess.run(["umount", str(point)], capture_output=True, text=True, check=False)
        if result.returncode != 0 and os.path.ismount(point):
            raise ClusterError(f"cannot unmount {point}: {result.stderr.strip()}")


def _all() -> list[tuple[Path, str]]:
    if not MOUNTS.exists():
        return []
    lines = [line.split() for line in MOUNTS.read_text().splitlines()]
    return [(Path(_unescaped(line[POINT_FIELD])), line[line.index("-") + 1]) for line in lines]


def _unescaped(text: str) -> str:
    return OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
