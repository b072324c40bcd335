"""The judge of doubts: what a pass may decide in which a read got no answer in earnest.

Knows which reads failed from the calls themselves, and nothing of what the operator made of it.
"""

from typing import Final

from headgate.api import names
from headgate.api.status import RolloutStatus
from headgate.core.model import Kind
from headgate.core.model.actions import (
    CreateDeployment,
    DeleteDeployment,
    DropRecord,
    EvictPod,
    ReleaseService,
    ScaleDeployment,
    SetWeights,
)
from headgate.simulation.invariants.context import Context
from headgate.simulation.process.trace import Pass

_LISTS: Final = frozenset({("select", Kind.DEPLOYMENT), ("select", Kind.CONTROLLER_REVISION)})
_WAYS: Final = frozenset({("get", Kind.SERVICE), ("get", Kind.HTTP_ROUTE)})
_TAKES: Final = (ReleaseService, DeleteDeployment, DropRecord, EvictPod)


class MissingReads:
    """Looks at every decision that was made on less than all."""

    def __init__(self, scene: Context) -> None:
        self._scene = scene
        scene.world.journal.decided.append(self._decided)

    def _decided(self, done: Pass) -> None:
        journal = self._scene.world.journal
        failed = frozenset(journal.failed_reads)
        if failed & (_LISTS | _WAYS):
            self._promotes(done)
            self._forgets(done)
        if failed & _LISTS:
            self._takes(done)
        if ("select", Kind.SERVICE) in failed and any(isinstance(one, ReleaseService) for one in done.decision.actions):
            self._scene.fail("a Service is released though Services could not be listed")

    def _promotes(self, done: Pass) -> None:
        before, after = done.observation.status, done.decision.status
        old, new = (side.hash if side else "" for side in (before.stable, after.stable))
        if new != old and not (before.previous is not None and new == before.previous.hash):
            self._scene.fail(f"{new} is made stable by {done.decision.rule} in place of {old}, while reads fail")

    def _forgets(self, done: Pass) -> None:
        before, after = done.observation.status, done.decision.status
        told = done.observation.rollout.annotations
        kept = {entry.hash for entry in after.rejected} | _stable(after) | {told.get(names.RETRY, "").strip()}
        if len(before.rejected) < len(after.rejected):
            return
        if lost := {entry.hash for entry in before.rejected} - kept:
            self._scene.fail(f"rejections are forgotten while reads fail: {lost}")

    def _takes(self, done: Pass) -> None:
        seen, decision = done.observation, done.decision
        before, after = seen.status, decision.status
        if after.policy != before.policy:
            self._scene.fail(f"the policy {after.policy} is accepted while lists fail")
        if after.canary is not None and before.canary is None and after.canary.abort is None:
            self._scene.fail(f"{after.canary.hash} is started while lists fail")
        leaves = after.canary.hash if after.canary is not None and after.canary.abort is not None else ""
        for action in decision.actions:
            smaller = isinstance(action, ScaleDeployment) and action.replicas < action.was and action.hash != leaves
            known = before.traffic.weight if before.traffic else 0
            rises = isinstance(action, SetWeights) and (action.percent or 0) > known
            strange = isinstance(action, CreateDeployment) and {action.hash} != _stable(before)
            if smaller or rises or strange or isinstance(action, _TAKES):
                self._scene.fail(f"while lists fail: {action}")


def _stable(status: RolloutStatus) -> set[str]:
    return {status.stable.hash} if status.stable else set()
