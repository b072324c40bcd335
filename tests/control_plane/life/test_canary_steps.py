"""Steps that only a router can do, on a real API server: what they set, and that nothing of it is left."""

from typing import Any

import pytest

from tests.control_plane.life.rollouts import Json
from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane


def canary(*steps: Json) -> dict[str, Any]:
    """Return a spec whose canary has these steps."""
    return {"strategy": {"canary": {"steps": list(steps), "scaleDownDelay": "0s"}}}


def test_pods_before_users(shop: Shop) -> None:
    """At no weight there are as many as were asked for, behind the canary Service; then as many as a weight needs."""
    scale, none = {"setCanaryScale": {"replicas": 3}}, {"setCanaryScale": {"matchTrafficWeight": True}}
    spec = canary(scale, {"pause": {}}, none, {"setWeight": 25}, {"pause": {}})
    shop.open(**spec)
    shop.deploy("v2", **spec)
    shop.wait_said("until promoted")

    assert shop.sizes() == {"v1": 4, "v2": 3}
    assert (shop.weights(), shop.selects("web-canary")) == ({"web": 1}, shop.hash_of("v2"))

    shop.promote()
    shop.wait_weight(25)
    assert shop.sizes() == {"v1": 4, "v2": 1}

    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    assert shop.sizes() == {"v1": 4}
    shop.wait_selects("web-canary", shop.hash_of("v1"))
