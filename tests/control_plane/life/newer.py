"""What a newer Headgate might leave behind: a status with words of its own, and a policy with a field of its own."""

import json
from typing import Final

from headgate.core.revisions import identity
from tests.control_plane.life.rollouts import Json, World

PHASE: Final = "Analysing"
OUTCOME: Final = "Quarantined"
CONDITION: Final[Json] = {
    "type": "Vetted",
    "status": "True",
    "reason": "VettedByANewerOne",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
    "observedGeneration": 1,
}


def policy_record(world: World) -> str:
    """Keep the policy in force as a newer version would, with a field that is not known here; return its hash."""
    label = "headgate.dev/record=policy"
    listed = json.loads(world.kubectl("get", "controllerrevisions", "-n", world.namespace, "-l", label, "-o", "json"))
    record: Json = next(one for one in listed["items"] if one["data"]["hash"] == world.status["policy"])
    policy = {**record["data"]["policy"], "ramp": {"perHour": 10}}
    hash_ = identity.policy_hash("web", policy)
    kept = {field: record["metadata"][field] for field in ("labels", "ownerReferences", "namespace")}
    record |= {"apiVersion": "apps/v1", "kind": "ControllerRevision", "data": {"hash": hash_, "policy": policy}}
    record["metadata"] = {**kept, "name": identity.policy_name("web", hash_)}
    world.kubectl("create", "-f", "-", stdin=json.dumps(record))
    return hash_


def written(world: World, **more: object) -> None:
    """Write the status as a newer version might: words that are not known here, for all that the CRD lets pass."""
    status = world.status
    history = [{**entry, "outcome": OUTCOME} for entry in status["history"]]
    changes: Json = {"phase": PHASE, "history": history, "conditions": [*status["conditions"], CONDITION], **more}
    patch = json.dumps({"status": changes})
    where = ("rollout", world.name, "-n", world.namespace)
    world.kubectl("patch", *where, "--subresource=status", "--type=merge", f"--patch={patch}")
