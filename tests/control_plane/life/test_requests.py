"""What Headgate asks of the API server, by verb and resource, counted in the audit log: a guard by counts, not by time.

A failure names the difference: what is asked for more often than it was when the bound was written down.
"""

import collections
import json
from collections.abc import Mapping

import pytest

from hack.cluster import Cluster
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import World
from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane

OPERATOR = "system:serviceaccount:default:headgate"
CONFLICTS = (409, 422)
Requests = collections.Counter[str]

PASS_OF_POD_RATIO = {"get rollouts": 1, "list deployments": 1, "list controllerrevisions": 1}
"""One pass over a Rollout at rest."""
PASS_WITH_ROUTE = {**PASS_OF_POD_RATIO, "get services": 2, "list endpointslices": 2, "get httproutes": 1}
REST_SECONDS = 12
REFRESH_SECONDS = 33
"""After half a minute a status is written whose numbers alone have changed; that is the last write."""

WEIGHTS = 3
STEPS = {"canary": {"steps": [{"setWeight": 25}, {"setWeight": 50}, {"setWeight": 75}], "scaleDownDelay": "0s"}}
CANARY_WITH_ROUTE = {
    "create controllerrevisions": 1,
    "create deployments": 1,
    "patch rollouts": 2,
    "patch rollouts/status": 2 * (WEIGHTS + 1) + 3,
    "patch deployments": WEIGHTS + 1,
    "patch services": 2,
    "patch httproutes": WEIGHTS + 2,
}
"""A canary whose every weight needs one pod more, so that no weight comes in parts; one more weight for the whole.

Of the status: two for each weight, for its step and for its acceptance; then promoted, Healthy, and old pods gone.
"""


def requested(cluster: Cluster, since: int, namespace: str) -> Requests:
    """Return what the operator asked for in *namespace* after the audit log's first *since* lines, Events apart.

    What was refused because somebody else was faster is left out: how often that happens is the machine's doing.
    """
    found: Requests = collections.Counter()
    for line in cluster.audit_log.read_text().splitlines()[since:]:
        entry = json.loads(line)
        target = entry.get("objectRef", {})
        ours = entry["user"]["username"] == OPERATOR and target.get("namespace") == namespace
        refused = (entry.get("responseStatus") or {}).get("code", 0) in CONFLICTS
        if ours and not refused and entry["verb"] != "watch" and target["resource"] != "events":
            dry = " (dry run)" if "dryRun=All" in entry["requestURI"] else ""
            resource = "/".join(filter(None, (target["resource"], target.get("subresource"))))
            found[f"{entry['verb']} {resource}{dry}"] += 1
    return found


def more(found: Requests, bound: Mapping[str, int]) -> Requests:
    """Return what there is more of in *found* than *bound* allows."""
    return found - collections.Counter(bound)


def writes(found: Requests) -> Requests:
    """Return the writes among *found*."""
    verbs = ("create", "patch", "delete")
    made = {what: many for what, many in found.items() if what.split()[0] in verbs and "dry run" not in what}
    return collections.Counter(made)


def one_pass(world: World, cluster: Cluster) -> Requests:
    """Cause one pass over a Rollout at rest, by an annotation that is nobody's, and return what it asked for."""
    begin = operators.audited(cluster)
    world.kubectl("annotate", "rollout", "web", "-n", world.namespace, "somebody=there")
    world.wait(lambda: bool(requested(cluster, begin, world.namespace)), "a pass")
    operators.settle(2)
    return requested(cluster, begin, world.namespace)


def test_pass_at_rest_reads_each_object_once(world: World, control_plane: ControlPlane) -> None:
    """A pass over a Rollout at rest reads it, its Deployments and its records once each, and nothing else."""
    world.ship("v1")
    world.wait_stable("v1")
    operators.settle(2)

    assert more(one_pass(world, control_plane.cluster), PASS_OF_POD_RATIO) == {}


def test_pass_with_a_route_reads_each_object_once(shop: Shop, control_plane: ControlPlane) -> None:
    """With a route a pass reads both Services, their endpoints and the route besides, once each."""
    shop.open()
    operators.settle(2)

    assert more(one_pass(shop, control_plane.cluster), PASS_WITH_ROUTE) == {}


def test_canary_with_a_route_and_the_rest_after_it(shop: Shop, control_plane: ControlPlane) -> None:
    """A whole canary behind a route writes no more of anything than it needs, and after it nothing is asked at all."""
    shop.open(strategy=STEPS)
    operators.settle(2)
    begin = operators.audited(control_plane.cluster)
    shop.deploy("v2", strategy=STEPS)
    shop.wait_stable("v2")
    shop.wait(lambda: "finalizers" not in shop.rollout()["metadata"], "finalizer removed")
    made = writes(requested(control_plane.cluster, begin, shop.namespace))

    assert more(made, CANARY_WITH_ROUTE) == {}
    operators.settle(REFRESH_SECONDS)
    begin = operators.audited(control_plane.cluster)
    operators.settle(REST_SECONDS)
    assert requested(control_plane.cluster, begin, shop.namespace) == {}
