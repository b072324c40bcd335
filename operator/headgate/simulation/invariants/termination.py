"""The judge of claims: of what is told as gone, or as replaced, no pod answers any more."""

from collections.abc import Collection, Iterator
from typing import Final

from headgate.api import names, values
from headgate.api.status import Phase
from headgate.core.model import Json, Kind
from headgate.core.model.traffic import ServiceFacts
from headgate.simulation.invariants.context import Context
from headgate.simulation.process.trace import Pass

SLACK_SECONDS: Final = 5.0
"""How long after its grace a pod is waited for, if at all: its node may be dead."""
_REST: Final = (Phase.HEALTHY, Phase.ROLLED_BACK)


class Termination:
    """Looks at every decision."""

    def __init__(self, scene: Context) -> None:
        self._scene = scene
        scene.world.journal.decided.append(self._decided)

    def _decided(self, done: Pass) -> None:
        before, after, scene = done.observation.status, done.decision.status, self._scene
        # An operator whose clock is ahead of the API server's takes pods for ended that are not: only its words suffer.
        if scene.meddled or scene.rerouted or scene.world.around.clock_skew > 0 or done.observation.rollout.deleting:
            return
        gone = any(notice.reason == "RolledBack" and " is gone " in notice.message for notice in done.decision.notices)
        gone |= any(
            notice.reason == "DrillEnded" and " are gone " in notice.message for notice in done.decision.notices
        )
        traffic = done.observation.traffic
        ways = (traffic.stable, traffic.canary) if traffic else ()
        services = [one.name for one in ways if isinstance(one, ServiceFacts)]
        if gone and before.canary is not None and (left := list(self._answering(before.canary.hash, services))):
            scene.fail(f"revision {before.canary.hash} is told as gone, and may still answer: {left}")
        rests = after.phase in _REST and before.phase not in _REST and not scene.routed
        if rests and after.stable is not None and after.canary is None:
            others = {facts.hash for facts in done.observation.deployments.values()} - {after.stable.hash}
            if left := [name for hash_ in sorted(others) for name in self._answering(hash_, ())]:
                scene.fail(f"{after.phase} is told, and pods of other revisions may still answer: {left}")

    def _answering(self, revision_hash: str, services: Collection[str]) -> Iterator[str]:
        """Yield the pods of a revision that answer: those that run, and that one of *services* leads to if routed.

        A Service of another owner that selects the pods of all versions is not the Rollout's to speak of.
        """
        served = self._served(services) if self._scene.routed else None
        for pod in self._scene.world.store.peek(Kind.POD, {names.POD_HASH: revision_hash}):
            led_to = served is None or pod["metadata"]["uid"] in served
            if led_to and pod["status"].get("phase") == "Running" and self._scene.world.now < _end(pod):
                yield str(pod["metadata"]["name"])

    def _served(self, services: Collection[str]) -> set[str]:
        labelled = ((one, one["metadata"]["labels"]) for one in self._scene.world.store.peek(Kind.ENDPOINT_SLICE))
        slices = [one for one, labels in labelled if labels.get(names.SERVICE_NAME) in services]
        found = [endpoint for one in slices for endpoint in one["endpoints"] if endpoint["conditions"]["serving"]]
        return {str(endpoint["targetRef"]["uid"]) for endpoint in found}


def _end(pod: Json) -> float:
    asked = pod["metadata"].get("deletionTimestamp")
    return values.parse_time(asked) + SLACK_SECONDS if asked else float("inf")
