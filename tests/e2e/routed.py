"""Weighted traffic in a shop: what its Rollout says of the route, and what the route and the Services say.

Owns the manifests and the reading of these objects. Must not know what ought to happen.
"""

from typing import Any

from tests.e2e import podinfo, shops
from tests.e2e.load import NOBODY, Snapshot
from tests.e2e.nodes import Json
from tests.e2e.shops import Shop
from tests.e2e.timeline import ROUTE

CANARY = f"{shops.NAME}-canary"
KEY, MANAGED = "headgate.dev/pod-hash", "headgate.dev/managed"
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
UNTIL_PROMOTED: Json = {"pause": {}}
# Longer than Traefik takes to follow a route: 2 s, and some more on a busy machine.
DRAIN_SECONDS = 5


def spec(*steps: int | Json, scale_down_delay: str = "1s", **canary: Any) -> Json:
    """Return the fields of a Rollout's spec by which its traffic takes *steps*: weights, and pauses."""
    wanted = [{"setWeight": step} if isinstance(step, int) else step for step in steps]
    return {
        "strategy": {"canary": {"steps": wanted, "scaleDownDelay": scale_down_delay, **canary}},
        "traffic": {
            "stableService": shops.NAME,
            "canaryService": CANARY,
            "drain": f"{DRAIN_SECONDS}s",
            "gatewayAPI": {"routes": [{"kind": ROUTE, "name": shops.NAME}]},
        },
    }


def abrupt(manifest: Json, mark: str = "") -> Json:
    """Return *manifest* with pods that are gone a second after they are asked to go, and a template of its own.

    The gateway hears of a pod that goes up to 2 s later: whoever still has requests by then loses them.
    """
    template = manifest["spec"]["template"]
    template["metadata"]["annotations"]["headgate.test/mark"] = mark
    template["spec"]["terminationGracePeriodSeconds"] = 1
    for container in template["spec"]["containers"]:
        del container["lifecycle"]
    return manifest


def read(shop: Shop, kind: str, name: str = shops.NAME) -> Json:
    """Return an object of the shop as it is now."""
    return shop.node.get(kind, shop.namespace, name)


def owners(shop: Shop, kind: str) -> dict[str, str]:
    """Return the kinds of what owns the objects of a kind in the shop, by their names; "" for none."""
    found = shop.node.listed(kind, shop.namespace)
    return {
        body["metadata"]["name"]: " ".join(one["kind"] for one in body["metadata"].get("ownerReferences", []))
        for body in found
    }


def rules(shop: Shop) -> list[Json]:
    """Return the rules of the shop's route."""
    found: list[Json] = read(shop, "httproute")["spec"]["rules"]
    return found


def weights(shop: Shop) -> tuple[int, int]:
    """Return the weights of stable and canary in the first rule of the shop's route."""
    found = {one["name"]: one.get("weight", 1) for one in rules(shop)[0]["backendRefs"]}
    return found[shops.NAME], found.get(CANARY, 0)


def selected(shop: Shop, service: str = shops.NAME) -> str:
    """Return the revision that a Service selects, "" if pods of all."""
    return str(read(shop, "service", service)["spec"]["selector"].get(KEY, ""))


def share(before: Snapshot, after: Snapshot, version: str) -> tuple[int, int]:
    """Return how many of the requests between two snapshots *version* answered, and how many there were."""
    return after.of(version).requests - before.of(version).requests, after.requests - before.requests


def lost(counts: Snapshot) -> int:
    """Return how many requests got no answer, or one from no version of ours, or an error from a good one."""
    good = sum(one.errors for version, one in counts.versions.items() if version not in (NOBODY, podinfo.BAD))
    return counts.of(NOBODY).requests + good


def withdrawn_at(shop: Shop) -> float:
    """Return when the route's weight for the canary was last taken to 0 by a rejection."""
    moments = shop.timeline.of(shop.namespace, ROUTE)
    return next(one.at for one in moments if one.facts.get("rejected"))
