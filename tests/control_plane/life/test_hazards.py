"""Hazards around the spec, scaling and drift, each named by its id in the catalogue."""

import functools
import signal

import pytest

from hack.cluster import wait_until
from tests.control_plane.life import operators
from tests.control_plane.life.rollouts import World, manifest, metric
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}]}}


def shipped(world: World, **spec: object) -> None:
    """Bring v1 to rest, then v2 to the pause at 25 percent."""
    world.ship("v1", strategy=GATED, **spec)
    world.wait_stable("v1")
    world.ship("v2", strategy=GATED, **spec)
    world.wait_step(2)


def test_h3_invalid_spec_mid_canary(world: World, prometheus: ScriptedPrometheus) -> None:
    """H3: a spec that only the operator finds invalid holds the steps; breach is judged by the last valid one."""
    prometheus.script(constant(0.01, match=world.namespace))
    analysis = {"metrics": [metric(world.namespace)]}
    shipped(world, analysis=analysis)
    stranger = metric(world.namespace)
    stranger["prometheus"]["address"] = "http://elsewhere.example:9090"
    stranger["failuresToRollback"] = 90
    world.ship("v2", strategy=GATED, analysis={"metrics": [stranger]})
    world.wait(lambda: world.condition("Ready").get("reason") == "InvalidSpec", "told")

    told = world.condition("Ready")["message"]
    assert told.startswith("spec.analysis.metrics[0].prometheus.address: 'http://elsewhere.example:9090' is not")
    world.wait_sizes({"v1": 3, "v2": 1})

    prometheus.script(constant(0.9, match=world.namespace))
    world.wait(lambda: world.sizes() == {"v1": 4}, "taken back")
    world.wait(lambda: world.status["history"][0]["reason"] == "MetricFailed", "recorded")


def test_h4_scaled_and_aborted_while_paused(world: World) -> None:
    """H4: spec.paused stops the steps; scaling and abort go on."""
    shipped(world)
    world.ship("v2", strategy=GATED, paused=True)
    world.wait(lambda: world.condition("Ready").get("reason") == "Paused", "paused")
    world.kubectl("scale", "rollout", "web", "-n", world.namespace, "--replicas=8")
    world.wait(lambda: world.sizes() == {"v1": 6, "v2": 2}, "scaled while paused")
    world.command("abort", "now")
    world.wait(lambda: world.sizes() == {"v1": 8}, "aborted while paused")
    world.wait_phase("RolledBack")


def test_h7_prometheus_down(world: World, prometheus: ScriptedPrometheus) -> None:
    """H7: while Prometheus refuses connections the weight is held, visibly; afterwards it goes on by itself."""
    prometheus.stop()
    try:
        analysis = {"metrics": [metric(world.namespace)]}
        world.ship("v1", analysis=analysis)
        world.wait_stable("v1")
        world.ship("v2", analysis=analysis)
        world.wait(lambda: world.condition("Ready").get("reason") == "NoData", "held")

        assert world.status["phase"] == "Holding"
        assert "error-rate is Error for" in world.condition("Ready")["message"]
        world.wait_sizes({"v1": 3, "v2": 1})
    finally:
        prometheus.start()
    prometheus.script(constant(0.01, match=world.namespace))
    world.wait_stable("v2")


@pytest.mark.parametrize(
    ("value", "verdict"), [("NaN", "NoData"), ("+Inf", "Ambiguous"), (None, "NoData")], ids=["NaN", "+Inf", "empty"]
)
def test_h8_values_that_say_nothing(
    world: World, prometheus: ScriptedPrometheus, value: str | None, verdict: str
) -> None:
    """H8: an answer without a value neither passes nor fails; the weight is held and the status says what it is."""
    prometheus.script(constant(value, match=world.namespace))
    analysis = {"metrics": [metric(world.namespace)]}
    world.ship("v1", analysis=analysis)
    world.wait_stable("v1")
    world.ship("v2", analysis=analysis)
    world.wait(lambda: world.status.get("phase") == "Holding", "held")

    assert world.status["analysis"][0]["verdict"] == verdict
    world.wait_sizes({"v1": 3, "v2": 1})


def test_h9_no_traffic(world: World, prometheus: ScriptedPrometheus) -> None:
    """H9: without traffic nothing passes and nothing fails; after noData.after the user's own policy holds."""
    prometheus.script()
    patient = metric(world.namespace, noData={"after": "4s", "then": "Rollback"})
    world.ship("v1", analysis={"metrics": [patient]})
    world.wait_stable("v1")
    world.ship("v2", analysis={"metrics": [patient]})
    world.wait_phase("RolledBack")

    assert world.condition("Ready")["reason"] == "NoData"
    assert "metric error-rate was NoData for" in world.condition("Ready")["message"]
    world.wait_sizes({"v1": 4})


def test_h18_replicas_edited(world: World) -> None:
    """H18: replicas of an owned Deployment that somebody edits are put back, and an event names who it was."""
    shipped(world)
    name = world.deployments()["v2"]["metadata"]["name"]
    world.kubectl("scale", "deployment", name, "-n", world.namespace, "--replicas=3")
    world.wait(lambda: "ReplicasRepaired" in {reason for reason, _ in world.events()}, "repaired and told")

    # It is told at first sight, and put back once the numbers have settled.
    world.wait_sizes({"v1": 3, "v2": 1})
    said = [note for reason, note in world.events() if reason == "ReplicasRepaired"]
    assert said == [f"kubectl set Deployment {name} to 3 replicas; put back to 1"]


def test_h18_template_edited(world: World) -> None:
    """H18: the template of an owned Deployment that somebody edits is put back, additions included."""
    world.ship("v1")
    world.wait_stable("v1")
    before = world.deployments()["v1"]
    name = before["metadata"]["name"]
    world.kubectl("set", "env", f"deployment/{name}", "DEBUG=1", "-n", world.namespace)
    world.wait(lambda: "TemplateRepaired" in {reason for reason, _ in world.events()}, "told")
    world.wait(lambda: world.deployments()["v1"]["spec"]["template"] == before["spec"]["template"], "put back")
    world.wait_stable("v1")


def test_h18_deployment_deleted(world: World) -> None:
    """H18: an owned Deployment that somebody deletes comes back from its recorded template."""
    shipped(world)
    name = world.deployments()["v1"]["metadata"]["name"]
    world.kubectl("delete", "deployment", name, "-n", world.namespace)
    world.wait(lambda: world.sizes() == {"v1": 3, "v2": 1}, "stable is back")
    assert wait_until(lambda: "DeploymentRecreated" in {reason for reason, _ in world.events()}, deadline_seconds=60)


def test_h22_another_start_makes_no_revision(world: World, operator: operators.Operator) -> None:
    """H22, H12: an operator killed mid-canary and started again goes on; no pod is replaced, no revision made."""
    shipped(world)
    before = world.pods()
    operator.kill()
    operator.start()
    assert world.pods() == before
    world.command("promote", f"{world.status['canary']['hash']}/2")
    world.wait_stable("v2")
    canary = world.status["stable"]["hash"]

    assert {uid for uid, name in before.items() if canary in name} <= set(world.pods())
    assert world.status["stable"]["revision"] == 2


def test_sigterm_ends_the_operator_at_once(world: World, operator: operators.Operator) -> None:
    """SIGTERM ends the operator with exit code 0 while a rollout is in flight, and touches nothing."""
    shipped(world)
    before = world.pods()

    assert operator.stop() == 0
    assert world.pods() == before
    operator.start()
    world.command("abort", "now")
    world.wait_phase("RolledBack")


def test_h22_equal_template_is_no_revision(world: World) -> None:
    """A template that means the same (1000m for 1, keys reordered, defaults written out) makes no revision."""
    first = manifest(world.namespace)
    first["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1", "memory": "64Mi"}}
    world.apply(first)
    world.wait_stable("v1")
    before = world.pods()
    same = manifest(world.namespace)
    same["spec"]["template"]["spec"] = {
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "containers": [
            {
                "imagePullPolicy": "IfNotPresent",
                "resources": {"requests": {"memory": "65536Ki", "cpu": "1000m"}},
                "image": "registry.example/web:v1",
                "name": "app",
            }
        ],
    }
    world.apply(same)
    world.wait_phase("Healthy")

    assert world.status["template"]["hash"] != world.status["template"]["revisionHash"]
    assert world.pods() == before
    assert [entry["revision"] for entry in world.status["history"]] == [1]


def test_h23_one_malformed_among_good_ones(world: World) -> None:
    """H23: hostile strings in one Rollout harm no other Rollout: it says what is wrong, or works; the others go on."""
    hostile = manifest(world.namespace)
    hostile["metadata"]["name"] = "w" + "e" * 200 + ".b"
    hostile["spec"]["selector"]["matchLabels"] = {"app": "hostile"}
    hostile["spec"]["template"]["metadata"] = {"labels": {"app": "hostile"}, "annotations": {"a": '"} or vector(1) #'}}
    hostile["spec"]["template"]["spec"]["containers"][0]["args"] = ['"})', "$(canary.pods)", "{{ .Values }}", "\u0000 "]
    refused = manifest(world.namespace)
    refused["metadata"]["name"] = "refused"
    refused["spec"]["template"]["spec"]["containers"][0]["imagee"] = "typo"
    world.apply(hostile)
    world.apply(refused)
    world.ship("v1")
    world.wait_stable("v1")
    listed = world.reader.listed("rollouts", world.namespace)

    assert {one["status"]["phase"] for one in listed if one["metadata"]["name"] == "refused"} == {"Holding"}
    world.kubectl(
        "wait",
        "--for=condition=Ready",
        f"rollout/{hostile['metadata']['name']}",
        "-n",
        world.namespace,
        "--timeout=30s",
    )


def test_h26_template_refused(world: World) -> None:
    """H26: a template that the API server refuses becomes a condition with its words; stable is untouched."""
    world.ship("v1")
    world.wait_stable("v1")
    before = world.pods()
    bad = manifest(world.namespace, "v2")
    bad["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "-1"}}
    world.apply(bad)
    world.wait(lambda: world.condition("Ready").get("reason") == "TemplateRefused", "told")

    told = world.condition("Ready")["message"]
    assert "resources.requests[cpu]: Invalid value" in told
    assert "must be greater than or equal to 0" in told
    assert (world.pods(), world.sizes()) == (before, {"v1": 4})

    world.ship("v2")
    world.wait_stable("v2")


def test_api_server_frozen(world: World, control_plane: object, operator: operators.Operator) -> None:
    """The operator outlives an API server that is stopped for a while, and goes on without a restart."""
    from hack import cluster  # noqa: PLC0415  # only this test steers a component

    running = control_plane.cluster  # type: ignore[attr-defined]  # the fixture's own type lives in another conftest
    shipped(world)
    cluster.signal_component(running, "kube-apiserver", signal.SIGSTOP)
    operators.settle(8)
    cluster.signal_component(running, "kube-apiserver", signal.SIGCONT)
    world.command("promote-full", world.status["canary"]["hash"])
    world.wait_stable("v2", deadline_seconds=90)
    assert operator.process is not None
    assert operator.process.poll() is None


def labelled(world: World, label: str) -> bool:
    """Return whether the Deployment of v1 carries *label*."""
    return label in world.deployments()["v1"]["metadata"]["labels"]


def test_h18_labels_removed(world: World) -> None:
    """H18: a Deployment that loses the label by which it is watched gets it back, and is watched again."""
    world.ship("v1")
    world.wait_stable("v1")
    name = world.deployments()["v1"]["metadata"]["name"]
    for label in ("headgate.dev/managed", "headgate.dev/rollout", "headgate.dev/pod-hash"):
        world.kubectl("label", "deployment", name, "-n", world.namespace, f"{label}-")
        world.wait(functools.partial(labelled, world, label), f"{label} put back")
    world.kubectl("delete", "deployment", name, "-n", world.namespace)
    world.wait(lambda: world.sizes() == {"v1": 4}, "created anew")
