"""Hazards of routes, Services and Gateways, each named by its id in the catalogue."""

import copy
import json

import pytest

from hack.cluster import wait_until
from tests.control_plane.life.gateways import Answer, Gateways
from tests.control_plane.life.rollouts import metric
from tests.control_plane.life.shops import Shop, rich_route, service, without_ours
from tests.prometheus.scripts import constant
from tests.prometheus.server import ScriptedPrometheus

pytestmark = pytest.mark.control_plane

SECONDS = 25
"""Drift is repaired in seconds; this many where two cores run everything."""

REFUSAL = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - apiGroups: [gateway.networking.k8s.io]
      apiVersions: [v1]
      operations: [UPDATE]
      resources: [httproutes]
  matchConditions:
  - {{name: here, expression: "request.namespace == '{name}'"}}
  validations:
  - {{expression: "object.spec == oldObject.spec", message: "routes are frozen"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, validationActions: [Deny]}}
"""


def frozen(shop: Shop) -> bool:
    """Return whether the admission of routes says no by now: it takes the API server a moment."""
    try:
        shop.kubectl(
            "patch", "httproute", "web", "-n", shop.namespace, "--type=json", "-p", FORBIDDEN, "--dry-run=server"
        )
    except AssertionError as error:
        return "routes are frozen" in str(error)
    return False


FORBIDDEN = json.dumps([{"op": "add", "path": "/spec/hostnames", "value": ["frozen.example"]}])


def test_h1_route_refuses_writes(shop: Shop, prometheus: ScriptedPrometheus) -> None:
    """H1: while the route refuses writes a breach is judged, recorded and said; the restore lands when it can."""
    prometheus.script(constant(0.01, match=shop.namespace))
    shop.at_a_quarter(analysis={"metrics": [metric(shop.namespace)]})
    shop.kubectl("apply", "-f", "-", stdin=REFUSAL.format(name=shop.namespace))
    shop.wait(lambda: frozen(shop), "frozen")
    prometheus.script(constant(0.9, match=shop.namespace))
    shop.wait(lambda: bool(shop.status["canary"].get("abort")), "judged")
    shop.wait(lambda: bool(shop.status.get("rejected")), "recorded")
    assert shop.weights() == {"web": 75, "web-canary": 25}
    assert shop.sizes()["v2"] == 1, "users still meet the pods that the route leads to"
    shop.wait_said("is at weight 25 %, going to 0 %")
    shop.kubectl("delete", "-f", "-", stdin=REFUSAL.format(name=shop.namespace))
    shop.wait_phase("RolledBack")

    assert shop.weights() == {"web": 100, "web-canary": 0}
    shop.wait_sizes({"v1": 4})


def test_h1_route_written_by_others_all_the_time(shop: Shop, running_gateways: Gateways) -> None:
    """H1: in a storm of other writes to the route, each of which makes ours a conflict, the restore lands at once."""
    shop.at_a_quarter()
    with running_gateways.storm(shop.namespace, "web") as storm:
        shop.wait(lambda: storm.writes > 10, "a storm")
        shop.command("abort", "now")
        shop.wait_weights(SECONDS, web=100, canary=0)
        assert storm.is_alive()
    shop.wait_phase("RolledBack")


def test_h2_route_deleted(shop: Shop) -> None:
    """H2: with the route gone an abort ends all the same; a route that comes back is pointed at stable."""
    shop.at_a_quarter()
    hash_, deleted = shop.status["canary"]["hash"], shop.get("httproute", "web")
    shop.kubectl("delete", "httproute", "web", "-n", shop.namespace)
    shop.command("abort", "now")
    shop.wait(lambda: shop.sizes() == {"v1": 4}, "gone")
    shop.wait_phase("RolledBack")
    assert [entry["hash"] for entry in shop.status["rejected"]] == [hash_]
    shop.add({**deleted, "metadata": {"name": "web"}})
    shop.wait_weights(web=100, canary=0, deadline_seconds=45)
    shop.wait_phase("RolledBack")


def test_h2_backend_reference_deleted(shop: Shop) -> None:
    """H2: our backendRef that somebody takes out mid-canary comes back with its weight, and an abort ends as ever."""
    shop.at_a_quarter()
    remove = json.dumps([{"op": "remove", "path": "/spec/rules/0/backendRefs/1"}])
    shop.kubectl("patch", "httproute", "web", "-n", shop.namespace, "--type=json", "-p", remove)
    shop.wait_weights(SECONDS, web=75, canary=25)
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")
    assert shop.weights() == {"web": 100, "web-canary": 0}


def test_h17_route_reapplied(shop: Shop) -> None:
    """H17: an original route that is applied again is repaired at once, with its new rules kept; the steps wait."""
    original = rich_route()
    shop.at_a_quarter(service(), original)
    changed = copy.deepcopy(original)
    changed["spec"]["rules"][0]["matches"][0]["path"]["value"] = "/assets"
    weighed = {"web": 675, "legacy": 100, "web-canary": 225}
    for _ in range(2):
        shop.kubectl("replace", "-n", shop.namespace, "-f", "-", stdin=json.dumps(changed))
        assert wait_until(lambda: shop.weights(1) == weighed, SECONDS)
        shop.wait(lambda: shop.get("httproute", "web")["status"]["parents"][0]["conditions"] != [], "answered")
    found = shop.get("httproute", "web")
    assert without_ours(found)["rules"][0]["matches"][0]["path"]["value"] == "/assets"
    assert shop.wait_event("TrafficRepaired") == "kubectl-replace changed HTTPRoute web; put back"
    shop.wait_said("RouteContested: ")
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")


def test_h18_selector_edited(shop: Shop) -> None:
    """H18: our key that somebody takes out of a Service's selector is put back, and an event names who it was."""
    shop.at_a_quarter()
    for name, version in (("web", "v1"), ("web-canary", "v2")):
        remove = json.dumps([{"op": "remove", "path": "/spec/selector/headgate.dev~1pod-hash"}])
        shop.kubectl("patch", "service", name, "-n", shop.namespace, "--type=json", "-p", remove)
        shop.wait_selects(name, shop.hash_of(version), SECONDS)
    said = {("TrafficRepaired", f"kubectl-patch changed Service {name}; put back") for name in ("web", "web-canary")}
    shop.wait(lambda: said <= {*shop.events()}, "an event about each")
    shop.command("abort", "now")
    shop.wait_phase("RolledBack")


def test_h18_labels_of_a_service_removed(shop: Shop) -> None:
    """H18: a Service that loses the labels by which it is watched gets them back, and is watched again."""
    shop.open()
    for key in ("headgate.dev/managed", "headgate.dev/rollout"):
        shop.kubectl("label", "service", "web", "-n", shop.namespace, f"{key}-")
        shop.wait_label("service", "web", key, SECONDS)


def test_h19_deleted_mid_canary(shop: Shop) -> None:
    """H19: a Rollout that is deleted at weight 25 gives stable the traffic first; Services of the user's stay."""
    shop.at_a_quarter()
    shop.kubectl("delete", "rollout", "web", "-n", shop.namespace, "--cascade=orphan", "--wait=true", "--timeout=60s")

    assert shop.weights() == {"web": 100, "web-canary": 0}
    shop.wait_sizes({"v1": 4})
    shop.wait(lambda: shop.get("service", "web")["spec"]["selector"] == {"app": "web"}, "given back")


def test_h20_gateway_is_late(shop: Shop, running_gateways: Gateways) -> None:
    """H20: the clock of a step, and the canary's end, wait until the Gateway has accepted what was written."""
    shop.open()
    running_gateways.answer(shop.namespace, Answer.SILENT)
    shop.deploy("v2")
    shop.wait_said("WaitingForGateway: waiting for Gateway eg/public to accept HTTPRoute web at generation 2")
    assert "since" not in shop.status["weight"]
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_weight(25)
    running_gateways.answer(shop.namespace, Answer.SILENT)
    shop.command("abort", "now")
    shop.wait_weights(SECONDS, web=100, canary=0)
    shop.wait_said("waiting for Gateway eg/public to accept")
    assert shop.sizes() == {"v1": 4, "v2": 1}, "a Gateway may still send requests there"
    running_gateways.answer(shop.namespace, Answer.ACCEPTED)
    shop.wait_phase("RolledBack")
