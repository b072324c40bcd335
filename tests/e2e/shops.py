"""A shop: one namespace in which podinfo is shipped by a Rollout called web, with a Service and a route.

Owns how a test ships to it, waits for it and lets users visit it. Must not know what ought to happen.
"""

import dataclasses
from typing import Any

from tests.control_plane.life.rollouts import Json, World
from tests.e2e import podinfo
from tests.e2e.load import Load
from tests.e2e.nodes import Node
from tests.e2e.timeline import Timeline

NAME = "web"
# A tick is read 7 s after its time (a scrape interval and 5 s), and a window must lie wholly at the weight.
QUICK = {"window": "6s", "passesToAdvance": 1}
HALF = ({"setWeight": 50},)
# For bad versions. podinfo 3.0.0 fails for whole seconds, a third of them. A window of 6 s has none of those in one of
# 11 cases, and then a single pass ends the weight. Of 8 s it is one in 25, and here it takes two passes in a row.
SURE = {"window": "8s", "passesToAdvance": 2}
# The machine may be busy with other things.
PATIENCE_SECONDS = 120
AT_MOST_SECONDS = 300


@dataclasses.dataclass
class Shop(World):
    """One namespace on a real node."""

    node: Node
    timeline: Timeline
    visitors: Load
    """People who come by the gateway, from `serving` on."""
    defaults: Json = dataclasses.field(default_factory=dict)
    """Arguments of podinfo.rollout that all versions have."""

    def ship(self, version: str = podinfo.GOOD, **spec: Any) -> None:
        """Apply the Rollout with this version of podinfo."""
        self.apply(self.manifest(version, **spec))

    def manifest(self, version: str, **spec: Any) -> Json:
        """Return the Rollout of *version*."""
        metrics = [podinfo.error_rate("[45]..", **QUICK)]
        wanted: Json = {"replicas": 4, "steps": HALF, "metrics": metrics, **self.defaults, **spec}
        return podinfo.rollout(self.namespace, version, name=self.name, **wanted)

    def wait_stable(self, version: str = podinfo.GOOD, deadline_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until *version* is stable and healthy, and nothing else runs."""

        def there() -> bool:
            status = self.status
            images = status.get("stable", {}).get("images", [])
            return status.get("phase") == "Healthy" and [name.rpartition(":")[2] for name in images] == [version]

        self.wait(there, f"{version} stable", deadline_seconds)

    def wait_rolled_back(self, reason: str, back: str = podinfo.GOOD) -> str:
        """Wait until *back* is back for *reason*, and no other version's pod is left; return the message."""
        self.wait_phase("RolledBack", deadline_seconds=PATIENCE_SECONDS)
        ready = self.condition("Ready")
        assert reason == ready["reason"], ready
        self.wait(lambda: set(self.pods_by_version()) == {back}, "no pod of the canary left", PATIENCE_SECONDS)
        return str(ready["message"])

    def pods_by_version(self, version: str = "") -> dict[str, list[Json]]:
        """Return the pods by the tag of the image that they run, those that are going away too."""
        found: dict[str, list[Json]] = {}
        for body in self.node.listed("pods", self.namespace):
            found.setdefault(body["spec"]["containers"][0]["image"].rpartition(":")[2], []).append(body)
        return {tag: bodies for tag, bodies in found.items() if version in ("", tag)}

    def wait_visits(self, more: int) -> None:
        """Wait until *more* visits are over."""
        before = self.visitors.snapshot().requests
        self.wait(lambda: self.visitors.snapshot().requests >= before + more, f"{more} more visits", PATIENCE_SECONDS)


def visiting(node: Node, namespace: str, per_second: int) -> Load:
    """Return visitors who come to the shop in *namespace* by the gateway, once they are started."""
    host = f"{namespace}.test"
    url = podinfo.url(node.cluster)
    return Load(node.cluster, url, podinfo.version_of, per_second, duration_seconds=AT_MOST_SECONDS, host=host)


def opened(
    node: Node, timeline: Timeline, namespace: str, per_second: int = 10, name: str = NAME, **defaults: Any
) -> Shop:
    """Return a new shop whose first version is on its way; its visitors are not."""
    visitors = visiting(node, namespace, per_second)
    shop = Shop(node.kubectl, node, namespace, node, timeline, visitors, defaults, name=name)
    node.kubectl("create", "namespace", namespace)
    shop.apply(podinfo.service(namespace, name))
    shop.apply(podinfo.route(namespace, name, f"{namespace}.test"))
    shop.ship(podinfo.GOOD)
    return shop


def serving(shop: Shop) -> Shop:
    """Wait until the first version is stable and the gateway lets people in, start the visitors, and return *shop*."""
    shop.wait_stable(podinfo.GOOD)
    with visiting(shop.node, shop.namespace, per_second=2) as probe:
        shop.wait(lambda: probe.snapshot().of(podinfo.GOOD).requests > 0, "the route leads there", PATIENCE_SECONDS)
    shop.visitors.start()
    return shop
