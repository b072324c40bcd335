"""Right after going back the version that was gone back to loses all its pods: users go to whoever serves."""

import pytest

from tests.control_plane.life.rollouts import Json
from tests.control_plane.life.shops import Shop, traffic

pytestmark = pytest.mark.control_plane

WARM: Json = {
    "strategy": {"blueGreen": {"scaleDownDelay": "10m", "autoPromotion": {}}},
    "traffic": traffic(drain="20s"),
}
"""Long enough a drain for the version that leaves to have its pods when the other one loses its own."""


def gone_back(shop: Shop) -> tuple[str, str]:
    """Promote v2, go back to v1 while that is warm, and let all pods of v1 fail; return both revisions."""
    shop.open(**WARM)
    old = shop.hash_of("v1")
    shop.deploy("v2", **WARM)
    shop.wait_stable("v2", 120)
    shop.wait(lambda: "until" in shop.status.get("previous", {}), "v1 is warm", 120)
    left = shop.hash_of("v2")
    shop.command("abort", "now")
    shop.wait_selects("web", old)
    fail(shop, old)
    return old, left


def fail(shop: Shop, revision: str) -> None:
    """Let all pods of a revision fail."""
    for pod in shop.pods(f"headgate.dev/pod-hash={revision}").values():
        shop.ail(pod, "ready=never")


def ready(shop: Shop, version: str) -> int:
    """Return how many pods of a version are available."""
    return int(shop.deployments()[version].get("status", {}).get("availableReplicas", 0))


def test_h44_users_go_to_whoever_serves(shop: Shop) -> None:
    """H44: the stable Service leads to the version that leaves after 5 s without a ready pod, and says so."""
    old, left = gone_back(shop)
    shop.wait(lambda: ready(shop, "v1") == 0, "no pod of v1 is ready")
    shop.wait_selects("web", left, 20)
    shop.wait_said("leads to these until one is")
    assert "users are led to revision 2 until one is" in shop.wait_event("UsersRescued")

    assert 4 == ready(shop, "v2")
    assert old == shop.status["stable"]["hash"]


def test_h44_abort_makes_the_version_that_serves_stable(shop: Shop) -> None:
    """H44: abort=now ends a way back that leads to nobody: the version that serves is stable, and is Healthy."""
    old, left = gone_back(shop)
    shop.wait(lambda: ready(shop, "v1") == 0, "no pod of v1 is ready")
    shop.command("abort", "now")
    shop.wait_selects("web", left)
    shop.wait_stable("v2", 120)

    assert left == shop.status["stable"]["hash"]
    assert [old] == [entry["hash"] for entry in shop.status["rejected"]]
