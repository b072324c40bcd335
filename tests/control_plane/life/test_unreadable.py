"""What cannot be read on a real API server, and what a newer operator has written: nothing is taken away for it."""

import json
from collections.abc import Iterator

import pytest

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life import newer
from tests.control_plane.life.operators import Operator, settle
from tests.control_plane.life.rollouts import Json
from tests.control_plane.life.shops import GATED, Shop, route, service, traffic

pytestmark = pytest.mark.control_plane

WAYS: dict[str, Json] = {"pods": {"strategy": GATED}, "routes": {"strategy": GATED, "traffic": traffic()}}
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
QUIET_SECONDS = 4.0


def paused(shop: Shop, way: Json) -> Json:
    """Bring v1 to rest and v2 to its pause; return what stands then."""
    shop.add(service(), route())
    shop.ship("v1", **way)
    shop.wait_stable("v1")
    shop.ship("v2", **way)
    shop.wait_step(2)
    return standing(shop)


def standing(shop: Shop) -> Json:
    """Return what users meet: the pods that are asked for, and what routes and Services hold."""
    routes = [one["spec"]["rules"] for one in shop.reader.listed("httproutes", shop.namespace)]
    selectors = {
        one["metadata"]["name"]: one["spec"]["selector"] for one in shop.reader.listed("services", shop.namespace)
    }
    return {"sizes": shop.sizes(), "routes": routes, "selectors": selectors}


@EVERY_WAY
def test_h31_a_newer_status_and_policy_in_the_middle_of_a_canary(shop: Shop, operator: Operator, way: Json) -> None:
    """H31: it holds and says why, moves nothing, forgets no word, and an abort leads everybody home all the same."""
    before = paused(shop, way)
    operator.stop()
    newer.written(shop, policy=newer.policy_record(shop))
    operator.start()
    shop.wait_phase("Holding")
    settle(QUIET_SECONDS)

    assert before == standing(shop)
    assert "ramp" in shop.condition("Ready")["message"]
    assert "Unreadable" == shop.condition("Ready")["reason"]
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    assert {"v1": 4} == shop.sizes()
    assert newer.OUTCOME in [entry["outcome"] for entry in shop.status["history"]]
    assert "Vetted" in [one["type"] for one in shop.status["conditions"]]


@EVERY_WAY
def test_h31_words_alone_hold_nothing_up(shop: Shop, operator: Operator, way: Json) -> None:
    """H31: an unknown phase and outcome are read over: the canary stays at its pause, and goes on when promoted."""
    before = paused(shop, way)
    operator.stop()
    newer.written(shop)
    operator.start()
    shop.wait_phase("Paused")
    settle(QUIET_SECONDS)

    assert before == standing(shop)
    status = shop.status
    shop.command("promote", f"{status['canary']['hash']}/{status['step']['index']}")
    shop.wait_stable("v2")
    assert newer.OUTCOME in [entry["outcome"] for entry in shop.status["history"]]


@pytest.fixture
def forbidden_records(control_plane: ControlPlane, operator: Operator) -> Iterator[Json]:
    """The operator's rights, to take away that of listing ControllerRevisions, and to give back."""
    assert operator.ready()
    found = control_plane.kubectl("get", "clusterrole", "headgate", "-o", "json")
    role: Json = json.loads(found.stdout)
    yield role
    given_back(control_plane, role)


def given_back(control_plane: ControlPlane, role: Json) -> None:
    """Give the operator these rights."""
    rules = json.dumps({"rules": role["rules"]})
    ended = control_plane.kubectl("patch", "clusterrole", "headgate", "--type=merge", f"--patch={rules}")
    assert ended.returncode == 0, ended.stderr


@EVERY_WAY
def test_h30_records_that_cannot_be_listed_in_the_middle_of_a_canary(
    shop: Shop, control_plane: ControlPlane, forbidden_records: Json, way: Json
) -> None:
    """H30: no other strategy is accepted and nothing released for it, and an abort leads everybody home."""
    before = paused(shop, way)
    rules = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "list"]}
        if "controllerrevisions" in rule["resources"]
        else rule
        for rule in forbidden_records["rules"]
    ]
    given_back(control_plane, {"rules": rules})
    shop.ship("v2", strategy={"recreate": {}})
    shop.wait(lambda: shop.condition("Ready").get("reason") == "Unreadable", "the records cannot be listed")
    settle(QUIET_SECONDS)

    assert before == standing(shop)
    assert "forbidden" in shop.condition("Ready")["message"]
    shop.command("abort", "now")
    shop.wait(lambda: shop.sizes() == {"v1": 4}, "all are back")
    given_back(control_plane, forbidden_records)
    shop.wait_phase("RolledBack", deadline_seconds=90)
