"""Runs the real operator as its own process, under its own service account's rights."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import yaml

from hack.cluster import Cluster, wait_until

_RIGHTS = Path(__file__).with_name("rbac.yaml")
READY_SECONDS = 90.0
"""One alone takes 2 s; a dozen at once on a busy machine with two cores took more than 30."""
SERVICE_ACCOUNT = "system:serviceaccount:default:headgate"


def kubeconfig_of_operator(cluster: Cluster, folder: Path) -> Path:
    """Give the operator its rights and return a kubeconfig that holds nothing but its token."""
    admin = yaml.safe_load(cluster.kubeconfig.read_text())
    kubectl = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig)]
    subprocess.run([*kubectl, "apply", "-f", str(_RIGHTS)], check=True, capture_output=True)
    token = subprocess.run(
        [*kubectl, "create", "token", "headgate", "--duration", "24h"], check=True, capture_output=True, text=True
    ).stdout.strip()
    admin["users"] = [{"name": user["name"], "user": {"token": token}} for user in admin["users"]]
    path = folder / "operator.kubeconfig"
    path.write_text(yaml.safe_dump(admin))
    return path


@dataclasses.dataclass
class Operator:
    """One operator process: start, stop, kill and start it again."""

    kubeconfig: Path
    log: Path
    settings: dict[str, str]
    port: int
    module: str = "headgate"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs, and return once it is ready."""
        if self.process is not None and self.process.poll() is None:
            return
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")},
            "KUBECONFIG": str(self.kubeconfig),
            "HEADGATE_LISTEN_PORT": str(self.port),
            **self.settings,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module], env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        if not wait_until(self.ready, READY_SECONDS):
            message = (
                f"the operator was not ready in {READY_SECONDS:g} s; its log ends:\n{self.log.read_text()[-3000:]}"
            )
            raise AssertionError(message)

    def ready(self) -> bool:
        """Return whether /readyz says yes."""
        return self.page("readyz") is not None

    def page(self, path: str) -> str | None:
        """Return what the operator's own server says at *path*, or None unless it says 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{path}", timeout=2) as answer:
                return str(answer.read().decode())
        except OSError:
            return None

    def metric(self, name: str) -> float:
        """Return the sum of one of the operator's own metrics over its labels."""
        lines = (self.page("metrics") or "").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=30)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process = None


def writes(cluster: Cluster, since: int, namespace: str) -> list[tuple[str, str]]:
    """Return the operator's writes in *namespace* after the audit log's first *since* lines: verb and resource."""
    found = []
    for line in cluster.audit_log.read_text().splitlines()[since:]:
        entry = json.loads(line)
        target = entry.get("objectRef", {})
        ours = entry["user"]["username"] == SERVICE_ACCOUNT and target.get("namespace") == namespace
        if ours and entry["verb"] not in ("get", "list", "watch"):
            dry = "?dryRun" if "dryRun=All" in entry["requestURI"] else ""
            resource = "/".join(filter(None, (target["resource"], target.get("subresource")))) + dry
            found.append((entry["verb"], resource))
    return found


def audited(cluster: Cluster) -> int:
    """Return how many lines the audit log has now."""
    return len(cluster.audit_log.read_text().splitlines())


def settle(seconds: float) -> None:
    """Let *seconds* pass in which nothing is expected to happen."""
    threading.Event().wait(seconds)
