"""Drills with users: a share of them is led away and comes back, by command and by schedule, and nobody notices."""

import pytest

from headgate.core.revisions import identity
from tests.e2e import podinfo, routed
from tests.e2e.conftest import OpenShop
from tests.e2e.nodes import Json
from tests.e2e.shops import PATIENCE_SECONDS, Shop, serving
from tests.e2e.timeline import POD, ROUTE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WITHIN_SECONDS = 10
SCHEDULE: Json = {"schedule": "* * * * *", "within": f"{WITHIN_SECONDS}s"}


@pytest.fixture(scope="module")
def shop(open_shop: OpenShop) -> Shop:
    """Return a shop at rest behind a route, with users; pods that leave do so at once."""
    shop = open_shop("drilled", per_second=60, metrics=[], **routed.spec(25))
    serving(shop)
    shop.apply(routed.abrupt(shop.manifest(podinfo.BETTER)))
    shop.wait_stable(podinfo.BETTER)
    shop.wait(lambda: "previous" not in shop.status, "nothing is warm", PATIENCE_SECONDS)
    return shop


def drills(shop: Shop) -> list[Json]:
    """Return the drills in the history, newest first."""
    return [entry for entry in shop.status.get("history", []) if "drill" in entry]


def kept(shop: Shop, before: int) -> Json:
    """Wait until there are more drills than *before* and all is at rest, and return the newest one's record."""
    shop.wait(lambda: len(drills(shop)) > before, "a drill has ended", PATIENCE_SECONDS)
    shop.wait_stable(podinfo.BETTER)
    shop.wait_visits(120)
    entry = drills(shop)[0]
    assert (entry["outcome"], entry["drill"]["withinTarget"]) == ("Drilled", True), entry
    assert 0 < entry["drill"]["rollbackSeconds"] < WITHIN_SECONDS
    return entry


@pytest.mark.parametrize("by", ["annotation headgate.dev/drill", "spec.drill.schedule"])
def test_nobody_notices_a_drill(shop: Shop, by: str) -> None:
    """A quarter of the requests goes to its pods and back to the others: measured, judged, and none is lost."""
    began, before = len(shop.timeline.of(shop.namespace, ROUTE)), len(drills(shop))
    if by == "spec.drill.schedule":
        shop.apply(routed.abrupt(shop.manifest(podinfo.BETTER, drill=SCHEDULE)))
    else:
        shop.command("drill", "now")
    entry = kept(shop, before)
    shop.apply(routed.abrupt(shop.manifest(podinfo.BETTER)))

    weights = [one.facts["weights"] for one in shop.timeline.of(shop.namespace, ROUTE)[began:]]
    assert [[75, 25]] in weights
    assert (entry["by"], routed.weights(shop)) == (by, (100, 0))
    assert routed.lost(shop.visitors.snapshot()) == 0
    drill = identity.drill_hash(shop.status["stable"]["hash"])
    assert any(drill in one.name for one in shop.timeline.of(shop.namespace, POD))
