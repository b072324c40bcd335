"""A Rollout as a test sees it: apply it, command it, wait for what it says."""

import copy
import dataclasses
import json
from collections.abc import Callable
from typing import Any, Protocol

from hack.cluster import wait_until

Json = dict[str, Any]


class Kubectl(Protocol):
    """Runs the real kubectl against the cluster."""

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Return what kubectl prints; raise if it fails."""


class Reader(Protocol):
    """Reads objects from the cluster; kinds by their plural or their singular."""

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the object, which must be there."""

    def listed(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Return all objects of a kind in a namespace that have the labels of *selector*."""


def metric(namespace: str, **more: Any) -> Json:
    """Return a metric that is measured every second and looks back over one."""
    query = f'errors{{namespace="{namespace}",pod=~"$(canary.pods)"}}'
    wanted: Json = {
        "name": "error-rate",
        "interval": "1s",
        "window": "1s",
        "prometheus": {"query": query},
        "threshold": {"max": 0.05},
        "failuresToRollback": 2,
        "passesToAdvance": 2,
    }
    return {**wanted, **more}


def manifest(namespace: str, version: str = "v1", **spec: Any) -> Json:
    """Return a Rollout called web with four replicas whose template is told apart by *version*."""
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "app", "image": f"registry.example/web:{version}"}]},
            },
            "strategy": {"canary": {"steps": [{"setWeight": 25}, {"setWeight": 50}]}},
            **spec,
        },
    }


def steered(wanted: Json, **annotations: str) -> Json:
    """Return *wanted* with pods that kwok treats as *annotations* say (`ready`, `reason`, `ready_after`)."""
    changed = copy.deepcopy(wanted)
    named = {f"kwok.headgate.test/{name.replace('_', '-')}": value for name, value in annotations.items()}
    changed["spec"]["template"]["metadata"]["annotations"] = named
    return changed


@dataclasses.dataclass
class World:
    """One namespace with one Rollout, called web unless said otherwise."""

    kubectl: Kubectl
    reader: Reader
    namespace: str
    name: str = dataclasses.field(default="web", kw_only=True)

    def apply(self, wanted: Json) -> str:
        """Apply *wanted* and return what kubectl says."""
        return self.kubectl("apply", "-f", "-", stdin=json.dumps(wanted))

    def ship(self, version: str = "v1", **spec: Any) -> None:
        """Apply the Rollout with this version of the template."""
        self.apply(manifest(self.namespace, version, **spec))

    def command(self, name: str, value: str) -> None:
        """Give a command by annotation."""
        self.kubectl(
            "annotate", "rollout", self.name, "-n", self.namespace, f"headgate.dev/{name}={value}", "--overwrite"
        )

    def rollout(self) -> Json:
        """Return the Rollout as it is now."""
        return self.reader.get("rollout", self.namespace, self.name)

    @property
    def status(self) -> Json:
        """The Rollout's status."""
        found: Json = self.rollout().get("status", {})
        return found

    def condition(self, name: str) -> Json:
        """Return a condition of the Rollout, or an empty one."""
        return next((one for one in self.status.get("conditions", []) if one["type"] == name), {})

    def deployments(self) -> dict[str, Json]:
        """Return the Deployments by the image tag that they run."""
        found = self.reader.listed("deployments", self.namespace)
        return {one["spec"]["template"]["spec"]["containers"][0]["image"].split(":")[1]: one for one in found}

    def pods(self, selector: str = "") -> dict[str, str]:
        """Return the names of the pods with these labels by uid."""
        found = self.reader.listed("pods", self.namespace, selector)
        return {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in found}

    def ail(self, pod: str, *annotations: str) -> None:
        """Have kwok treat a pod as *annotations* say, such as ``ready=never`` and ``ready-``."""
        named = [f"kwok.headgate.test/{annotation}" for annotation in annotations]
        self.kubectl("annotate", "pod", pod, "-n", self.namespace, *named)

    def sizes(self) -> dict[str, int]:
        """Return the replicas of each Deployment by image tag, those at 0 left out."""
        return {tag: one["spec"]["replicas"] for tag, one in self.deployments().items() if one["spec"]["replicas"]}

    def wait_sizes(self, sizes: dict[str, int], deadline_seconds: float = 60) -> None:
        """Wait until `sizes` are these: a write of replicas follows the status, or the Event, that tells of it."""
        self.wait(lambda: self.sizes() == sizes, f"sizes {sizes}", deadline_seconds)

    def events(self) -> list[tuple[str, str]]:
        """Return reason and message of the events about the Rollout."""
        found = self.reader.listed("events", self.namespace)
        said = [(one["reason"], one.get("note", "")) for one in found if one["regarding"]["kind"] == "Rollout"]
        return sorted(said)

    def wait_event(self, reason: str) -> str:
        """Wait until there is an event with that reason, and return its words; events come a moment later."""
        self.wait(lambda: any(one == reason for one, _ in self.events()), f"event {reason}")
        return next(note for one, note in self.events() if one == reason)

    def wait(self, condition: Callable[[], bool], what: str, deadline_seconds: float = 60) -> None:
        """Wait until *condition* holds; fail with the status if it does not in time."""
        if not wait_until(condition, deadline_seconds, poll_seconds=0.1):
            message = f"{what}: not in {deadline_seconds} s; status: {json.dumps(self.status, indent=1)}"
            raise AssertionError(message)

    def wait_phase(self, *phases: str, deadline_seconds: float = 60) -> None:
        """Wait until the phase is one of *phases* for the spec as it is."""

        def there() -> bool:
            found = self.rollout()
            status = found.get("status", {})
            fresh = status.get("observedGeneration") == found["metadata"]["generation"]
            return fresh and status.get("phase") in phases

        self.wait(there, f"phase {' or '.join(phases)}", deadline_seconds)

    def wait_stable(self, version: str, deadline_seconds: float = 60) -> None:
        """Wait until *version* is stable and healthy, and nothing else runs."""

        def there() -> bool:
            status = self.status
            images = status.get("stable", {}).get("images", [])
            return status.get("phase") == "Healthy" and images == [f"registry.example/web:{version}"]

        self.wait(there, f"{version} stable", deadline_seconds)

    def wait_step(self, index: int, deadline_seconds: float = 60) -> None:
        """Wait until the rollout is at step *index* and its weight holds."""

        def there() -> bool:
            status = self.status
            return status.get("step", {}).get("index") == index and "since" in status.get("weight", {})

        self.wait(there, f"step {index} reached", deadline_seconds)
