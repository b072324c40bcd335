"""Traffic moves by weight through a route of the user's, and nothing else of the route or the Services changes."""

import pytest

from tests.control_plane.life.shops import Shop, rich_route, service, without_ours

pytestmark = pytest.mark.control_plane


def test_whole_canary_through_a_route(shop: Shop) -> None:
    """A version takes the traffic by weight; foreign rules, filters and backends stay byte for byte what they were."""
    shop.open(service(), rich_route())
    before = shop.get("httproute", "web")
    assert shop.weights(1) == {"web": 900, "legacy": 100}, "at rest nothing is written"
    shop.deploy("v2")
    shop.wait_weight(25)
    during = shop.get("httproute", "web")
    assert shop.weights(1) == {"web": 675, "legacy": 100, "web-canary": 225}
    shop.promote()
    shop.wait_stable("v2")
    after = shop.get("httproute", "web")

    assert without_ours(before) == without_ours(during) == without_ours(after)
    assert shop.weights(1) == {"web": 900, "legacy": 100, "web-canary": 0}
    added = during["spec"]["rules"][1]["backendRefs"][2]
    original = before["spec"]["rules"][1]["backendRefs"][0]
    assert added == {**original, "name": "web-canary", "weight": 225}, "a copy of the stable's"
    assert shop.selects("web") == shop.selects("web-canary") == shop.hash_of("v2")
