"""What a failed test leaves behind: objects, events, logs and a timeline, in a folder that its message names.

Owns what is written and where. Must not fail: a test's own words are worth more than ours.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.e2e.shops import Shop

KINDS = (
    "rollouts.headgate.dev,deployments,replicasets,controllerrevisions,pods,services,endpointslices,"
    "httproutes.gateway.networking.k8s.io"
)
LOG_LINES = 200
SECONDS = 30


def root() -> Path:
    """Return the folder for all that is kept: HEADGATE_TEST_LOGS, or a new one."""
    named = os.environ.get("HEADGATE_TEST_LOGS")
    folder = Path(named) if named else Path(tempfile.mkdtemp(prefix="headgate-e2e-"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep(shop: Shop, folder: Path, *logs: Path) -> None:
    """Write to *folder* what is known of *shop*, and copies of *logs*."""
    folder.mkdir(parents=True, exist_ok=True)
    here = ("-n", shop.namespace)
    _write(shop, folder / "objects.yaml", "get", KINDS, *here, "-o", "yaml")
    _write(shop, folder / "events.txt", "get", "events", *here, "--sort-by=.lastTimestamp")
    _write(shop, folder / "describe.txt", "describe", "rollouts", *here)
    tail = ("--all-containers", "--prefix", f"--tail={LOG_LINES}")
    _write(shop, folder / "pods.log", "logs", *here, "-l", "headgate.dev/pod-hash", *tail, "--max-log-requests=50")
    (folder / "timeline.txt").write_text("".join(f"{moment}\n" for moment in shop.timeline.of(shop.namespace)))
    for log in logs:
        if log.exists():
            shutil.copy(log, folder)


def keep_operator_pod(shop: Shop, folder: Path, namespace: str) -> None:
    """Write to *folder* what is known of the operator that runs as a pod in *namespace*."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(shop, folder / "operator-objects.yaml", "get", "deployments,pods,events", "-n", namespace, "-o", "yaml")
    label = ("-l", "app.kubernetes.io/name=headgate")
    _write(shop, folder / "operator-pod.log", "logs", "-n", namespace, *label, "--tail=-1")


def _write(shop: Shop, path: Path, *arguments: str) -> None:
    command = shop.node.command(*arguments)
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
        path.write_text(ended.stdout + ended.stderr)
    except subprocess.TimeoutExpired:
        path.write_text(f"kubectl {' '.join(arguments)} took more than {SECONDS} s\n")
