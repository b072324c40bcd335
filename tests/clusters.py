"""Names of the clusters that tests start, so that the run that they belong to can find what one of them left.

pytest-xdist kills a process that takes more than ten seconds to end, whatever it still has to take down.
"""

import os
import subprocess
import sys

from hack.cluster import layout

RUN = "TIER_RUN"
"""The environment variable that names the run of a tier which a process belongs to; absent if pytest runs alone.

Not HEADGATE_…: those are the settings of the operator, which tells of unknown ones."""


def name_of(purpose: str) -> str:
    """Return the name of this process's cluster for *purpose*."""
    return "-".join(filter(None, (purpose, os.environ.get(RUN, ""), str(os.getpid()))))


def run_of(tier: str) -> str:
    """Return the name of the run of *tier* that this process starts."""
    return f"{tier}{os.getpid()}"


def left_by(run: str) -> list[str]:
    """Return the names of the clusters of *run* that nothing has taken down."""
    root = layout.state_root()
    return sorted(path.name for path in root.iterdir() if f"-{run}-" in path.name) if root.exists() else []


def take_down(name: str) -> None:
    """End the cluster *name* and what it has stored.

    Raises:
        CalledProcessError: it could not be taken down; standard error says why.
    """
    subprocess.run([sys.executable, "-m", "hack.cluster", "down", "--name", name], check=True)
