"""Going back to a revision that was stable before, on a real API server: warm, cold, from its record, in flight."""

import time

import pytest

from tests.control_plane.life.rollouts import Json, metric
from tests.control_plane.life.shops import SERVICES, Shop, route, service, traffic
from tests.prometheus.scripts import Rule, constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

STEPS = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]
WAYS: dict[str, Json] = {
    "canary": {"strategy": {"canary": {"steps": STEPS}}},
    "canary-route": {"strategy": {"canary": {"steps": STEPS, "scaleDownDelay": "0s"}}, "traffic": traffic()},
    "rolling-update": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
    "blue-green": {"strategy": {"blueGreen": {"previewReplicas": 1, "scaleDownDelay": "0s"}}, "traffic": SERVICES},
    "recreate": {"strategy": {"recreate": {}}},
}
"""Those that wait for somebody would do so for ever, where going back did not leave their pauses out."""
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def twice(shop: Shop, **spec: object) -> None:
    """Bring v1 to rest, then v2, whose pauses are skipped, until no pod of v1 is left."""
    shop.add(service(), route())
    shop.ship("v1", **spec)
    shop.wait_stable("v1")
    shop.ship("v2", **spec)
    shop.wait(lambda: "canary" in shop.status, "on its way")
    shop.command("promote-full", shop.status["canary"]["hash"])
    shop.wait_stable("v2")


def cold(shop: Shop, **spec: object) -> None:
    """Bring both to rest, and wait until v1 has no pods any more."""
    twice(shop, **spec)
    shop.wait(lambda: shop.sizes() == {"v2": 4}, "only v2 has pods")
    shop.wait(lambda: "previous" not in shop.status, "nothing is warm")


def on_v1(shop: Shop) -> None:
    """Hold that users are on v1, that the spec is as it was, and that nothing else has pods."""
    shop.wait_phase("RolledBack")
    shop.wait(lambda: shop.sizes() == {"v1": 4}, "only v1 has pods")
    found = shop.rollout()

    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:v2"
    assert "headgate.dev/rollback-to" not in found["metadata"].get("annotations", {})
    assert found["status"]["stable"]["revision"] == 1
    assert [(one["revision"], one["reason"]) for one in found["status"]["rejected"]] == [(2, "RolledBackTo")]


@pytest.mark.parametrize("by", ["rollback-to", "template"])
def test_warm(shop: Shop, by: str) -> None:
    """While the old pods are warm, users are back before any pod is asked for, by command or by template."""
    canary = {"canary": {"steps": STEPS, "scaleDownDelay": "10m"}}
    twice(shop, strategy=canary, traffic=traffic())
    shop.wait(lambda: "until" in shop.status.get("previous", {}), "previous")
    pods = shop.pods()
    if by == "template":
        shop.ship("v1", strategy=canary, traffic=traffic())
    else:
        shop.command("rollback-to", "1")
    shop.wait_selects("web", shop.hash_of("v1"), 10)
    assert pods.keys() == shop.pods().keys()
    if by == "template":
        shop.wait_stable("v1")
        assert not shop.status.get("rejected")
        return
    on_v1(shop)
    entry = shop.status["history"][0]
    assert (entry["revision"], entry["outcome"]) == (2, "Aborted")
    assert entry["by"] == "annotation headgate.dev/rollback-to"
    assert entry["abortedAt"] <= entry["finished"]


@EVERY_WAY
def test_cold_by_command(shop: Shop, way: Json) -> None:
    """The kept Deployment gets all its pods, then all users: no step, no pause, whatever the strategy."""
    cold(shop, **way)
    shop.command("rollback-to", shop.hash_of("v1"))
    on_v1(shop)

    assert [(one["revision"], one["outcome"]) for one in shop.status["history"][:2]] == [
        (2, "Aborted"),
        (1, "Promoted"),
    ]
    assert shop.selects("web") == (shop.hash_of("v1") if "traffic" in way else "")
    said = shop.kubectl("describe", "rollout", "web", "-n", shop.namespace)
    assert "Duration:" in said
    assert "rolled back to revision 1 by command" in said


@EVERY_WAY
def test_cold_by_template(shop: Shop, way: Json) -> None:
    """Who reverts in Git has the same, and a Rollout that is Healthy."""
    cold(shop, **way)
    shop.ship("v1", **way)
    shop.wait_stable("v1")
    shop.wait(lambda: shop.sizes() == {"v1": 4}, "only v1 has pods")

    entry = shop.status["history"][0]
    assert (entry["revision"], entry["reason"], entry["by"]) == (1, "RolledBack", "spec.template")
    assert not shop.status.get("rejected")


def test_its_deployment_is_gone(shop: Shop) -> None:
    """Somebody deleted it: it is created anew from its ControllerRevision, whatever happened in between."""
    cold(shop, **WAYS["canary"])
    name, hash_ = shop.deployments()["v1"]["metadata"]["name"], shop.hash_of("v1")
    shop.kubectl("delete", "deployment", name, "-n", shop.namespace)
    shop.scale(5)
    shop.wait(lambda: shop.status["ready"] == "5/5", "the Rollout goes on without it")
    shop.scale(4)
    shop.wait(lambda: shop.status["ready"] == "4/4", "and back")
    shop.command("rollback-to", "1")
    on_v1(shop)

    assert (shop.hash_of("v1"), shop.deployments()["v1"]["metadata"]["name"]) == (hash_, name)


def test_a_mismatch_says_what_would_match(shop: Shop) -> None:
    """Nothing moves, and the annotation is gone, so that the right word can follow."""
    cold(shop, **WAYS["rolling-update"])
    shop.command("rollback-to", "7")
    words = shop.wait_event("CommandMismatch")

    assert words == (
        "headgate.dev/rollback-to=7 had no effect: no such revision has been stable; "
        "headgate.dev/rollback-to=1 would match"
    )
    shop.wait(lambda: "headgate.dev/rollback-to" not in shop.rollout()["metadata"].get("annotations", {}), "removed")
    assert (shop.status["phase"], shop.sizes()) == ("Healthy", {"v2": 4})


@pytest.mark.parametrize("to", ["1", "2"])
def test_with_a_bad_version_in_flight(shop: Shop, to: str) -> None:
    """It is taken back and rejected at once; then the stable one stays, or the one before that follows."""
    cold(shop, **WAYS["canary-route"])
    shop.ship("v3", **WAYS["canary-route"])
    shop.wait_weight(25)
    shop.command("rollback-to", to)
    shop.wait_weights(30, web=100, canary=0)
    shop.wait_phase("RolledBack")
    shop.wait(lambda: shop.sizes() == {f"v{to}": 4}, f"only v{to} has pods")

    assert shop.status["stable"]["revision"] == int(to)
    assert [entry["revision"] for entry in shop.status["rejected"]] == [3]


def test_it_is_watched_and_what_was_left_is_warm(shop: Shop, prometheus: ScriptedPrometheus) -> None:
    """The earlier version fails now: users are given back to the one that was left, which never lost its pods."""
    prometheus.script(constant(0.01, match=shop.namespace))
    watched = {
        "strategy": {"canary": {"steps": STEPS, "scaleDownDelay": "0s"}},
        "traffic": traffic(),
        "analysis": {"metrics": [metric(shop.namespace)]},
    }
    cold(shop, **watched)
    prometheus.script(Rule(match=shop.namespace, values=((0, 0.01), (time.time(), 0.9))))
    shop.command("rollback-to", "1")
    shop.wait(lambda: bool(shop.status.get("rejected")), "the earlier version is rejected")
    shop.wait_stable("v2")

    assert [(one["revision"], one["reason"]) for one in shop.status["rejected"]] == [(1, "MetricFailed")]
    shop.wait(lambda: shop.sizes() == {"v2": 4}, "only v2 has pods")
    shop.wait_weights(web=100, canary=0)


def test_retry_takes_its_steps(shop: Shop) -> None:
    """What was rolled back from was promoted once, and begins at its first step all the same."""
    cold(shop, **WAYS["canary"])
    shop.command("rollback-to", "1")
    on_v1(shop)
    shop.command("retry", shop.hash_of("v2"))
    shop.wait_step(2)

    shop.wait_sizes({"v1": 3, "v2": 1})


def test_h13_its_pods_start_while_a_canary_drains(shop: Shop) -> None:
    """H13: users are back on the one before first; nothing leads to the earlier one until the drain is over."""
    drained = {**WAYS["canary-route"], "traffic": traffic(drain="10s")}
    cold(shop, **drained)
    shop.ship("v3", **drained)
    shop.wait_weight(25)
    shop.command("rollback-to", "1")
    began = time.monotonic()
    shop.wait(lambda: shop.sizes() == {"v1": 4, "v2": 4, "v3": 1}, "the earlier one starts beside the canary")
    assert time.monotonic() - began < 8
    assert shop.weights() == {"web": 100, "web-canary": 0}
    assert shop.selects("web") == shop.selects("web-canary") == shop.hash_of("v2")
    shop.wait_said("; revision 1 follows: ")
    shop.wait_selects("web-canary", shop.hash_of("v1"))
    assert time.monotonic() - began >= 10
    shop.wait_phase("RolledBack")
    shop.wait(lambda: shop.sizes() == {"v1": 4}, "only v1 has pods")


def lose(shop: Shop, version: str) -> None:
    """Delete the Deployment of a version and its record, which has the same name."""
    name = shop.deployments()[version]["metadata"]["name"]
    shop.kubectl("delete", "controllerrevision,deployment", name, "-n", shop.namespace, "--wait=false")


@pytest.mark.parametrize("remedy", ["promote-full", "abort", "template"])
@pytest.mark.parametrize("way", ["canary", "canary-route"])
def test_a_stable_revision_that_is_lost(shop: Shop, way: str, remedy: str) -> None:
    """With a canary in flight: it is said, with what leads on, and that does; an abort leaves the canary its pods."""
    shop.add(service(), route())
    shop.ship("v1", **WAYS[way])
    shop.wait_stable("v1")
    shop.ship("v2", **WAYS[way])
    shop.wait_step(2)
    lose(shop, "v1")
    canary = shop.status["canary"]["hash"]
    shop.wait_said("cannot be brought back: its Deployment and its record are both gone")
    assert f"headgate.dev/promote-full={canary} gives all users to revision 2" in shop.condition("Ready")["message"]
    assert (shop.condition("Ready")["reason"], shop.status["phase"]) == ("StableLost", "Degraded")
    assert "cannot be brought back" in shop.wait_event("StableLost")

    if remedy == "template":
        shop.ship("v1", **WAYS[way])
        shop.wait_stable("v1")
        return
    if remedy == "abort":
        shop.command("abort", "now")
        shop.wait_said(f"headgate.dev/retry={canary} keeps revision 2, which serves")
        assert shop.sizes()["v2"] == 1
        shop.command("retry", canary)
        shop.wait(lambda: "abort" not in shop.status["canary"], "it stays")
    shop.command("promote-full", canary)
    shop.wait_stable("v2")
    shop.wait(lambda: shop.sizes() == {"v2": 4}, "it has all pods")


def test_a_lost_stable_revision_is_made_anew_from_the_spec(shop: Shop) -> None:
    """At rest nothing has to be done: Deployment and record come again."""
    shop.ship("v1", **WAYS["canary"])
    shop.wait_stable("v1")
    name = shop.deployments()["v1"]["metadata"]["name"]
    before = shop.get("deployments", name)["metadata"]["uid"]
    lose(shop, "v1")

    def again() -> bool:
        found = shop.deployments().get("v1")
        return found is not None and found["metadata"]["uid"] != before and shop.sizes() == {"v1": 4}

    shop.wait(again, "another Deployment of that name")
    shop.wait_stable("v1")
    assert name in shop.kubectl("get", "controllerrevisions", "-n", shop.namespace, "-o", "name")
