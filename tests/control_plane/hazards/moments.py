"""What users had at every moment of a rollout from v1 to v2, computed from what the recorder heard.

Owns how a moment is read out of objects. Must not know which moments are allowed.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from tests.control_plane.hazards.recorder import Event

Json = dict[str, Any]

OLD, NEW = "v1", "v2"
HASH = "headgate.dev/pod-hash"
REJECTED = "headgate.dev/rejected"


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """How things stood after one change of one object."""

    stage: str
    """Where the rollout stood by its status, or by the mark of a verdict that did not reach the status yet: rest,
    step 1, …, leaving, promoted, over."""
    share: float
    """What the new version got of the users, in percent."""
    routed: float | None
    """What of that the routes gave it; None without a route."""
    wanted: tuple[int, int]
    """Replicas of the old and of the new version's Deployment."""
    ready: tuple[int, int]
    """Ready pods of the old and of the new version."""
    deployments: int

    @property
    def rank(self) -> int:
        """The order of the stages, which all runs share."""
        if self.stage.startswith("step "):
            return int(self.stage.removeprefix("step "))
        return {"rest": 0, "leaving": 900, "promoted": 900, "over": 901}[self.stage]


def version_of(pod_spec: Json) -> str:
    """Return the version that a pod's spec runs."""
    return str(pod_spec["containers"][0]["image"].rpartition(":")[2])


def is_ready(pod: Json) -> bool:
    """Return whether *pod* serves: it is ready and nobody has asked it to end."""
    conditions = pod.get("status", {}).get("conditions", [])
    up = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return up and "deletionTimestamp" not in pod["metadata"]


def marked(thing: Json) -> bool:
    """Return whether *thing* bears the mark of a verdict."""
    return REJECTED in thing["metadata"].get("annotations", {})


def stage_of(rollout: Json) -> str:
    """Return where *rollout* says it stands."""
    status = rollout.get("status", {})
    canary = status.get("canary")
    if canary is not None:
        return "leaving" if "abort" in canary else f"step {status.get('step', {}).get('index', 0)}"
    if [image.rpartition(":")[2] for image in status.get("stable", {}).get("images", [])] == [NEW]:
        return "promoted"
    newest = (status.get("history") or [{}])[0]
    return "over" if newest.get("revision", 1) > 1 else "rest"


class Objects:
    """The objects of one namespace with one Rollout called web, as they follow one another."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, Json]] = {
            kind: {} for kind in ("rollouts", "deployments", "pods", "services", "httproutes")
        }

    def take_in(self, event: Event) -> None:
        """Let *event* happen."""
        if event.found is None:
            self._found[event.kind].pop(event.name, None)
        else:
            self._found[event.kind][event.name] = event.found

    def moment(self) -> Moment:
        """Return how things stand."""
        deployments = self._found["deployments"].values()
        sizes = {OLD: 0, NEW: 0}
        for one in deployments:
            sizes[version_of(one["spec"]["template"]["spec"])] += one["spec"]["replicas"]
        pods = [pod for pod in self._found["pods"].values() if is_ready(pod)]
        ready = {tag: sum(version_of(pod["spec"]) == tag for pod in pods) for tag in sizes}
        by_pods = 100 * ready[NEW] / max(1, sum(ready.values()))
        routed = self._routed(by_pods)
        stage = stage_of(self._found["rollouts"].get("web", {}))
        if stage.startswith("step ") and any(map(marked, (*deployments, *self._found["httproutes"].values()))):
            stage = "leaving"
        return Moment(
            stage=stage,
            share=by_pods if routed is None else routed,
            routed=routed,
            wanted=(sizes[OLD], sizes[NEW]),
            ready=(ready[OLD], ready[NEW]),
            deployments=len(deployments),
        )

    def _routed(self, by_pods: float) -> float | None:
        """Return the percentage of the users that the route sends to the new version; None without a route."""
        route = self._found["httproutes"].get("web")
        if route is None:
            return None
        hashes = {one["metadata"]["labels"][HASH]: one for one in self._found["deployments"].values()}
        total, new = 0, 0.0
        for reference in route["spec"]["rules"][0]["backendRefs"]:
            weight, service = reference.get("weight", 1), self._found["services"].get(reference["name"])
            selects = service["spec"]["selector"].get(HASH, "") if service else ""
            total += weight
            if selects in hashes:
                new += weight * (version_of(hashes[selects]["spec"]["template"]["spec"]) == NEW)
            elif not selects:
                new += weight * by_pods / 100
        return 100 * new / total if total else 0.0


def moments(events: Iterable[Event]) -> Iterator[Moment]:
    """Return how things stood after each of *events*, from the first version's rest on."""
    objects, rested = Objects(), False
    for event in events:
        objects.take_in(event)
        rested = rested or _rests(event)
        if rested:
            yield objects.moment()


def _rests(event: Event) -> bool:
    """Return whether *event* is the Rollout's word that its first version serves and nothing is to be done."""
    if event.kind != "rollouts" or event.found is None:
        return False
    status = event.found.get("status", {})
    return bool(status.get("phase") == "Healthy" and status.get("ready") == "4/4")
