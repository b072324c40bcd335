"""Drills on a real API server: by command and by schedule, measured, and never in the way of a new version."""

import datetime

import pytest

from tests.control_plane.life.gateways import Answer, Gateways
from tests.control_plane.life.operators import Operator
from tests.control_plane.life.rollouts import Json, World
from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane

STEPS: Json = {"canary": {"steps": [{"setWeight": 25}], "scaleDownDelay": "0s"}}


def drills(world: World) -> list[Json]:
    """Return the drills in the history, newest first."""
    return [entry for entry in world.status.get("history", []) if "drill" in entry]


def ended(world: World, deadline_seconds: float = 60) -> Json:
    """Wait until a drill has ended, and return its entry."""
    world.wait(lambda: bool(drills(world)), "a drill has ended", deadline_seconds)
    world.wait_phase("Healthy")
    return drills(world)[0]


def test_by_command(shop: Shop, operator: Operator) -> None:
    """The stable version takes a share and is taken back: measured, told, counted, and nothing of it is left."""
    shop.open(strategy=STEPS)
    before, stable = operator.metric("headgate_drill_seconds_count"), shop.hash_of("v1")
    shop.command("drill", "now")
    shop.wait(lambda: bool(shop.pods("headgate.dev/drill=true")), "pods of the drill")
    assert shop.condition("Ready")["status"] == "True"
    assert shop.condition("Reconciling") == {}
    entry = ended(shop)

    assert (entry["revision"], entry["hash"], entry["outcome"]) == (1, stable, "Drilled")
    assert entry["by"] == "annotation headgate.dev/drill"
    assert (entry["drill"]["withinTarget"], entry["drill"]["rollbackSeconds"] < 10) == (True, True)
    assert (shop.condition("DrillSucceeded")["status"], shop.condition("DrillSucceeded")["reason"]) == (
        "True",
        "DrillSucceeded",
    )
    assert shop.weights().get("web-canary", 0) == 0
    assert shop.selects("web") == shop.selects("web-canary") == stable
    shop.wait(lambda: len(shop.reader.listed("deployments", shop.namespace)) == 1, "its Deployment is gone")
    assert "headgate.dev/drill" not in shop.rollout()["metadata"].get("annotations", {})
    assert shop.status.get("rejected", []) == []
    assert operator.metric("headgate_drill_seconds_count") == before + 1
    said = shop.wait_event("DrillSucceeded")
    assert said == f"drill of revision 1: {entry['message']}"


def test_by_pod_ratio(world: World) -> None:
    """Without a route the time counts until its pods are gone."""
    world.ship("v1", strategy={"rollingUpdate": {}})
    world.wait_stable("v1")
    world.command("drill", world.status["stable"]["hash"])
    entry = ended(world)
    world.wait(lambda: len(world.reader.listed("deployments", world.namespace)) == 1, "its Deployment is gone")

    assert (entry["outcome"], entry["drill"]["withinTarget"], world.sizes()) == ("Drilled", True, {"v1": 4})


def test_what_does_not_fit_is_told(world: World) -> None:
    """Where a drill would be a downtime it is not done, and the Event says why."""
    world.ship("v1", strategy={"recreate": {}})
    world.wait_stable("v1")
    world.command("drill", "now")

    assert "headgate.dev/drill=now had no effect: a drill must not harm users" in world.wait_event("CommandMismatch")
    assert drills(world) == []


@pytest.mark.slow
def test_by_schedule(world: World) -> None:
    """It starts in the minute that is named, and the next one is looked for."""
    world.ship("v1", drill={"schedule": "* * * * *", "timeZone": "Asia/Tokyo", "within": "30s"})
    world.wait_stable("v1")
    world.wait(lambda: "drill" in world.status, "it is known when the next one is due")
    due = datetime.datetime.fromisoformat(world.status["drill"]["next"])
    entry = ended(world, 100)
    started = datetime.datetime.fromisoformat(entry["started"])

    assert entry["by"] == "spec.drill.schedule"
    assert (entry["outcome"], entry["drill"]["withinSeconds"]) == ("Drilled", 30)
    assert datetime.timedelta() <= started - due < datetime.timedelta(seconds=5)
    assert datetime.datetime.fromisoformat(world.status["drill"]["next"]) > due


def test_a_new_version_comes_first(shop: Shop, running_gateways: Gateways) -> None:
    """A drill that a silent Gateway holds up is no reason to wait: a new template ends it and is rolled out."""
    shop.open(strategy=STEPS)
    running_gateways.answer(shop.namespace, Answer.SILENT)
    shop.command("drill", "now")
    shop.wait(lambda: shop.weights().get("web-canary", 0) == 25, "the drill has its weight")
    shop.deploy("v2", strategy=STEPS)
    shop.wait(lambda: shop.status.get("canary", {}).get("abort", {}).get("reason") == "Superseded", "it goes")
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_stable("v2")

    assert [(entry["revision"], entry["outcome"]) for entry in shop.status["history"]] == [
        (2, "Promoted"),
        (1, "Withdrawn"),
        (1, "Promoted"),
    ]
    assert drills(shop)[0]["message"] == "the template was changed"


def test_killed_in_the_middle(shop: Shop, operator: Operator) -> None:
    """An operator that comes back goes on with the drill, and its absence is part of the time."""
    shop.open(strategy=STEPS)
    shop.command("drill", "now")
    shop.wait(lambda: "canary" in shop.status, "a drill is under way")
    operator.kill()
    operator.start()
    entry = ended(shop)

    assert entry["outcome"] == "Drilled"
    assert shop.weights().get("web-canary", 0) == 0


@pytest.mark.parametrize(
    ("drill", "said"),
    [
        ({"schedule": "61 * * * *"}, "spec.drill.schedule: '61 * * * *' makes no sense, look at its minute"),
        ({"schedule": "* * * * *", "timeZone": "Mars/Olympus"}, "spec.drill.timeZone: 'Mars/Olympus' is not known"),
    ],
)
def test_what_only_the_calendar_knows(world: World, drill: Json, said: str) -> None:
    """The API server takes what looks like a schedule; the condition says what is wrong, and what runs goes on."""
    world.ship("v1")
    world.wait_stable("v1")
    world.ship("v1", drill=drill)
    world.wait(lambda: said in world.condition("Ready")["message"], said)

    assert (world.condition("Ready")["reason"], world.sizes()) == ("InvalidSpec", {"v1": 4})
