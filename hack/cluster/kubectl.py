"""The objects that a cluster starts with, applied by kubectl.

Owns how kubectl is called; what is applied lies with the layers.
"""

import subprocess
from pathlib import Path

from hack.cluster import processes
from hack.cluster.components import Site
from hack.cluster.errors import ClusterError


def apply(site: Site, path: Path) -> None:
    """Apply the objects in a file or folder; what is there already stays."""
    # Also after a restart, when they are there already: server-side apply changes nothing then.
    run(site, "apply", "--server-side", "--force-conflicts", f"--filename={path}")


def run(site: Site, *arguments: str) -> None:
    """Run kubectl as administrator."""
    kubectl = site.installation.binary("kubernetes", "kubectl")
    command = [str(kubectl), f"--kubeconfig={site.layout.kubeconfig}", *arguments]
    # Marked, should we be killed now; and kubectl's cache goes where the rest does.
    environment = {"HOME": str(site.layout.data / "kubectl"), processes.MARK: site.layout.mark_of("kubectl")}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise ClusterError(f"'kubectl {' '.join(arguments)}' was refused: {result.stderr.strip()}")
