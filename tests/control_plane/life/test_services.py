"""Whose a Service is, and what becomes of it when a Rollout does not need it any more: it stays, without our key."""

import pytest

from tests.control_plane.life.rollouts import Json
from tests.control_plane.life.shops import GATED, Shop, route, service, traffic, with_port

pytestmark = pytest.mark.control_plane

OURS = ("headgate.dev/managed", "headgate.dev/rollout", "headgate.dev/pod-hash")


def ours_in(found: Json) -> set[str]:
    """Return which of our marks a Service bears."""
    marks = {*found["metadata"].get("labels", {}), *found["spec"]["selector"]}
    return marks & set(OURS)


def test_services_are_created_when_missing(shop: Shop) -> None:
    """Without Services both are created with the ports that the route asks for, owned, and gone with the Rollout."""
    shop.open(route({"backendRefs": [{"name": "web", "port": 80}]}), template=with_port(8080))
    for name in ("web", "web-canary"):
        found = shop.get("service", name)
        assert [(port["port"], port["targetPort"]) for port in found["spec"]["ports"]] == [(80, 8080)]
        assert found["metadata"]["ownerReferences"][0]["controller"] is True
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace)
    shop.wait_gone("services")


def test_services_stay_when_others_are_named(shop: Shop) -> None:
    """Services that the spec does not name any more lose our key and labels; those that we created stay as well."""
    shop.open()
    created = shop.get("service", "web-canary")["metadata"]
    assert created["ownerReferences"][0]["kind"] == "Rollout"
    shop.deploy("v1", traffic=traffic(canaryService="web-new"))
    shop.wait(lambda: not ours_in(shop.get("service", "web-canary")), "given back")
    assert ours_in(shop.get("service", "web")) == set(OURS)
    shop.wait_selects("web-new", shop.hash_of("v1"))
    shop.ship("v1", strategy=GATED)
    shop.wait(lambda: not any(ours_in(shop.get("service", name)) for name in ("web", "web-new")), "given back")

    assert shop.get("service", "web")["spec"]["selector"] == service()["spec"]["selector"]
    found = shop.get("service", "web-canary")["metadata"]
    assert (found["uid"], found["ownerReferences"]) == (created["uid"], created["ownerReferences"])
    shop.wait_stable("v1")
