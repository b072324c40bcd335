"""Whose a Service is, and what becomes of it when a Rollout does not need it any more: it stays, without our key."""

import pytest

from tests.control_plane.life.operators import Operator
from tests.control_plane.life.rollouts import Json
from tests.control_plane.life.shops import GATED, Shop, route, service, traffic, with_port

pytestmark = pytest.mark.control_plane

OURS = ("headgate.dev/managed", "headgate.dev/rollout", "headgate.dev/pod-hash")


def ours_in(found: Json) -> set[str]:
    """Return which of our marks a Service bears."""
    marks = {*found["metadata"].get("labels", {}), *found["spec"]["selector"]}
    return marks & set(OURS)


def wait_given_back(shop: Shop, name: str) -> None:
    """Wait until a Service bears no mark of ours."""
    shop.wait(lambda: not ours_in(shop.get("service", name)), f"{name} given back")


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
    wait_given_back(shop, "web-canary")
    assert ours_in(shop.get("service", "web")) == set(OURS)
    shop.wait_selects("web-new", shop.hash_of("v1"))
    shop.ship("v1", strategy=GATED)
    wait_given_back(shop, "web-new")
    wait_given_back(shop, "web")

    assert shop.get("service", "web")["spec"]["selector"] == service()["spec"]["selector"]
    found = shop.get("service", "web-canary")["metadata"]
    assert (found["uid"], found["ownerReferences"]) == (created["uid"], created["ownerReferences"])
    shop.wait_stable("v1")


@pytest.mark.parametrize("cascade", ["background", "orphan"])
def test_services_are_given_back_with_the_rollout(shop: Shop, cascade: str) -> None:
    """A user's Services are as they were once the Rollout is deleted: other pods may take over behind them."""
    shop.open(service(), service("web-canary"), route())
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace, f"--cascade={cascade}", "--timeout=60s")
    for name in ("web", "web-canary"):
        wait_given_back(shop, name)
        assert shop.get("service", name)["spec"]["selector"] == {"app": "web"}


def test_services_are_given_back_by_the_next_operator(shop: Shop, operator: Operator) -> None:
    """An operator that was away when the Rollout was deleted gives its Services back when it is there again."""
    shop.open()
    operator.kill()
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace, "--cascade=orphan", "--timeout=60s")
    assert ours_in(shop.get("service", "web")) == set(OURS)
    operator.start()
    wait_given_back(shop, "web")


def test_orphans_of_two_revisions_are_not_mixed(shop: Shop) -> None:
    """Orphaned while the old revision is warm, the Services lead to the new one alone for as long as both have pods."""
    warm = {"canary": {"steps": [{"setWeight": 50}], "scaleDownDelay": "10m"}}
    shop.open(strategy=warm)
    shop.deploy("v2", strategy=warm)
    shop.wait(lambda: "until" in shop.status.get("previous", {}), "warm")
    old = shop.deployments()["v1"]["metadata"]["name"]
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace, "--cascade=orphan", "--timeout=60s")
    shop.kubectl("label", "service", "web", "-n", shop.namespace, "headgate.dev/managed=yes", "--overwrite")
    shop.kubectl("label", "service", "web", "-n", shop.namespace, "headgate.dev/managed=true", "--overwrite")
    assert shop.selects("web") == shop.hash_of("v2")
    shop.kubectl("scale", "deployment", old, "-n", shop.namespace, "--replicas=0")
    wait_given_back(shop, "web")
    shop.wait_sizes({"v2": 4})


def test_traffic_edited_in_flight_waits(shop: Shop) -> None:
    """The Services that a rollout began with are those that it ends with; that others are named is said meanwhile."""
    shop.at_a_quarter()
    others = traffic(canaryService="web-new")
    shop.deploy("v2", traffic=others)
    shop.wait_said("spec.traffic was changed: that spec counts once this rollout has ended")
    assert shop.weights() == {"web": 75, "web-canary": 25}
    assert shop.selects("web-new") == ""
    shop.promote()
    shop.wait_stable("v2")
    shop.wait_selects("web-new", shop.hash_of("v2"))
    wait_given_back(shop, "web-canary")
    shop.wait_phase("Healthy")
