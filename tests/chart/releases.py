"""A release of the chart in a real cluster: install it, ask kubectl about it, run the operator as its account.

Owns one release's life. What is expected of it is the tests'.
"""

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import yaml

from hack import cluster
from headgate.api import names
from tests.chart.helm import Helm, Json
from tests.chart.values_table import CHART
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.operators import Operator
from tests.control_plane.writing import HttpWriter

NAMESPACE = "headgate-system"
"""Where releases are: its pods must meet Kubernetes' strictest standard."""
_STRICTEST = "pod-security.kubernetes.io/enforce=restricted"


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    """The release headgate in its namespace."""

    helm: Helm
    control_plane: ControlPlane

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints; raise if it fails."""
        ended = self.control_plane.kubectl(*arguments, stdin=stdin)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def prepare(self, *namespaces: str) -> None:
        """Make the release's namespace and *namespaces*, where they are missing."""
        for name in (NAMESPACE, *namespaces):
            self.control_plane.kubectl("create", "namespace", name)
        self.kubectl("label", "namespace", NAMESPACE, _STRICTEST, "--overwrite")

    def namespace(self, name: str) -> str:
        """Make a namespace for one test, whose name begins with *name*, and return the whole name.

        When the CRD is gone, garbage collection takes up to a minute to find the Deployments of its Rollouts. In a
        namespace that another test had, they would be in the way of the next Rollout.
        """
        made = f"{name}-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", made)
        return made

    def install(self, values: Json) -> str:
        """Install it, wait until its pod is ready, and return the notes."""
        arguments = ("--namespace", NAMESPACE, "--wait", "--timeout=60s")
        ended = self.helm.run("upgrade", "--install", "headgate", str(CHART), *arguments, values=values)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.partition("NOTES:")[2]

    def uninstall(self) -> None:
        """Uninstall it and wait until it is gone."""
        ended = self.helm.run("uninstall", "headgate", "--namespace", NAMESPACE, "--wait", "--timeout=60s")
        assert ended.returncode == 0, ended.stderr

    def present(self, *resources: str, namespace: str = NAMESPACE) -> set[str]:
        """Return the objects of *resources* that carry the release's label, as kind/name."""
        label = "app.kubernetes.io/instance=headgate"
        found = self.kubectl("get", ",".join(resources), "-n", namespace, "-l", label, "-o", "json")
        return {f"{body['kind']}/{body['metadata']['name']}" for body in json.loads(found)["items"]}

    def may(self, who: str, verb: str, what: str, namespace: str) -> bool:
        """Return whether *who* may do *verb* on *what*, such as rollouts.headgate.dev/scale, in *namespace*.

        An empty *namespace* stands for all of them.
        """
        kind, _, part = what.partition("/")
        resource, _, group = kind.partition(".")
        asking = HttpWriter(self.control_plane.cluster, namespace, user=who)
        return asking.may(verb, resource, group=group, subresource=part)

    @contextlib.contextmanager
    def operator(self, folder: Path) -> Iterator[Operator]:
        """Run the operator here, with the account and the settings that the release gives to its pod."""
        deployment = json.loads(self.kubectl("get", "deployment", "headgate", "-n", NAMESPACE, "-o", "json"))
        spec = deployment["spec"]["template"]["spec"]
        variables = {entry["name"]: entry.get("value", "") for entry in spec["containers"][0]["env"]}
        port = cluster.free_port()
        here = {"HEADGATE_LISTEN_ADDRESS": "127.0.0.1", "HEADGATE_LISTEN_PORT": str(port)}
        kubeconfig = self._kubeconfig(spec["serviceAccountName"], folder)
        made = Operator(kubeconfig, folder / "operator.log", {**variables, **here}, port)
        try:
            made.start()
            yield made
        finally:
            made.stop()

    def _kubeconfig(self, account: str, folder: Path) -> Path:
        """Return a kubeconfig that holds nothing but the token of *account*."""
        admin = yaml.safe_load(self.control_plane.kubeconfig.read_text())
        token = self.kubectl("create", "token", account, "-n", NAMESPACE, "--duration=1h").strip()
        admin["users"] = [{"name": user["name"], "user": {"token": token}} for user in admin["users"]]
        path = folder / "operator.kubeconfig"
        path.write_text(yaml.safe_dump(admin))
        return path

    def forget(self) -> None:
        """Leave the cluster as it was: no release, no CRD, and no Rollout anywhere."""
        self.helm.run("uninstall", "headgate", "--namespace", NAMESPACE, "--wait", "--timeout=60s")
        # Finalizers are the operator's to remove, and it is gone.
        for body in self._rollouts():
            name, namespace = body["metadata"]["name"], body["metadata"]["namespace"]
            patch = '{"metadata": {"finalizers": null}}'
            self.kubectl("patch", "rollouts", name, "-n", namespace, "--type=merge", "-p", patch)
        # At once, not by garbage collection: what goes while the next operator starts has it wait for 30 s.
        self.kubectl("delete", "services,deployments", "-A", f"--selector={names.MANAGED}=true")
        self.kubectl("delete", "crd", "rollouts.headgate.dev", "--ignore-not-found")

    def _rollouts(self) -> list[Json]:
        ended = self.control_plane.kubectl("get", "rollouts", "-A", "-o", "json")
        found: list[Json] = json.loads(ended.stdout)["items"] if ended.returncode == 0 else []
        return found


def ready_pods(release: Release) -> int:
    """Return how many pods of the release are Ready."""
    found = json.loads(release.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]
    conditions = [condition for body in found for condition in body["status"].get("conditions", [])]
    return sum(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def soon(release: Release, who: str, verb: str, what: str, namespace: str) -> bool:
    """Return whether *who* gets that right: roles are put together by a controller, a moment after their parts."""
    return cluster.wait_until(lambda: release.may(who, verb, what, namespace), deadline_seconds=20, poll_seconds=0.2)
