"""One namespace is full of hostile names, another holds what must not be seen, and a third one needs its abort."""

import copy
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.api import cel, nesting
from tests.control_plane.conftest import running
from tests.control_plane.hazards import hostile, malformed
from tests.control_plane.hazards.stages import House, Stage, opened, staged
from tests.control_plane.life import shops
from tests.control_plane.life.operators import SERVICE_ACCOUNT

pytestmark = [pytest.mark.control_plane, pytest.mark.slow]

Json = dict[str, Any]

SECRET = "zq7-merger"  # noqa: S105 - what must not be seen; nobody's password
EVIL, BANK = "evil", "bank"
CREATED, UNPROCESSABLE = 201, (400, 422)
GATEWAYS = "apis/gateway.networking.k8s.io/v1"
GATED: Json = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}


class Tenant:
    """Writes whatever it wants into its own namespace."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.session = house.access.session()
        self.let_in: list[str] = []

    def url(self, kind: str, name: str = "", namespace: str = EVIL) -> str:
        """Return where an object is."""
        return self.house.access.url(kind, namespace, name)

    def create(self, kind: str, body: Json | str, namespace: str = EVIL) -> int:
        """Create it, and return what the API server answers."""
        data = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        said = self.session.post(self.url(kind, namespace=namespace), data=data, headers=headers, timeout=30)
        return said.status_code

    def try_to(self, kind: str, body: Json) -> None:
        """Create it if the API server lets it in."""
        if self.create(kind, body) == CREATED:
            self.let_in.append(f"{kind}/{body['metadata']['name']}")

    def refusal(self, body: Json) -> str:
        """Return why the API server does not take a Rollout; empty if it does."""
        said = self.session.post(f"{self.url('rollouts')}?dryRun=All&fieldValidation=Strict", json=body, timeout=30)
        return said.text if said.status_code in UNPROCESSABLE else ""

    def annotate(self, name: str, **commands: str) -> None:
        """Give commands."""
        marks = {f"headgate.dev/{command}": value for command, value in commands.items()}
        self.patch("rollouts", name, {"metadata": {"annotations": marks}})

    def patch(self, kind: str, name: str, body: Json | str) -> None:
        """Merge *body* into an object."""
        said = self.session.patch(
            self.url(kind, name),
            data=body if isinstance(body, str) else json.dumps(body),
            headers={"Content-Type": "application/merge-patch+json"},
            timeout=30,
        )
        assert said.ok, said.text[:300]

    def get(self, kind: str, name: str) -> Json:
        """Return an object; an empty one if there is none."""
        said = self.session.get(self.url(kind, name), timeout=30)
        found: Json = nesting.parsed(said.content) if said.ok else {}
        return found


def secrets(tenant: Tenant) -> None:
    """Put into the bank what must not be seen, under names that everybody knows."""
    server, session = tenant.house.cluster.server, tenant.session
    for namespace in (EVIL, BANK):
        session.post(f"{server}/api/v1/namespaces", json={"metadata": {"name": namespace}}, timeout=30)
    route = shops.route({"backendRefs": [{"name": f"{SECRET}-service", "port": 8443}, {"name": "web", "port": 8443}]})
    route["metadata"]["name"] = "payroll"
    route["spec"] |= {"hostnames": [f"{SECRET}.example"], "parentRefs": [{"name": f"{SECRET}-gateway"}]}
    assert tenant.create("httproutes", route, BANK) == CREATED
    service = shops.service("payroll")
    service["metadata"]["labels"] = {"headgate.dev/rollout": SECRET}
    assert tenant.create("services", service, BANK) == CREATED
    for url, body in (
        (f"{GATEWAYS}/gatewayclasses", {"kind": "GatewayClass", "spec": {"controllerName": "a.example/b"}}),
        (
            f"{GATEWAYS}/namespaces/{BANK}/gateways",
            {
                "kind": "Gateway",
                "spec": {
                    "gatewayClassName": f"{SECRET}-class",
                    "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
                },
            },
        ),
    ):
        name = f"{SECRET}-class" if body["kind"] == "GatewayClass" else "vault"
        whole = {"apiVersion": GATEWAYS.removeprefix("apis/"), "metadata": {"name": name}, **body}
        said = session.post(f"{server}/{url}", json=whole, timeout=30)
        assert said.status_code == CREATED, said.text


def refused(tenant: Tenant) -> Iterator[str]:
    """Yield what the CRD lets in of hostile names, or refuses without path or remedy."""
    for text in hostile.TEXTS:
        for path, changes in hostile.fields(text):
            if text == hostile.LONG and path.endswith(("routes[0].name", "rules[0]")):
                continue  # it is one
            if path.endswith("headerName") and re.fullmatch(cel.HEADER, str(text)):
                continue  # header names are any token, and never become part of a URL
            words = tenant.refusal(hostile.rollout("probe", changes))
            if path not in words or not re.search("must be|Too long|Required|at most|longer than", words):
                yield f"{path}: {text[:30]!r}: {words[:300]}"


def past_the_crd(tenant: Tenant) -> None:
    """Create Rollouts with every hostile name in every field, and with hostile statuses, past an older CRD."""
    with malformed.without_schema(tenant.house.access):
        for number, text in enumerate(hostile.DISTINCT):
            for place, changes in enumerate(hostile.everywhere(text)):
                tenant.try_to("rollouts", hostile.rollout(f"x{number}-{place}", changes))
            body = hostile.rollout(f"status-{number}", {})
            tenant.try_to("rollouts", body)
            tenant.patch("rollouts", f"status-{number}/status", {"status": hostile.status(text)})


def beside(tenant: Tenant) -> None:
    """Create Services, Gateways and routes with hostile names in them, and Rollouts that mean these routes."""
    for name, label in (("web", "A_b"), ("odd", "Web"), ("a", "p" * 63), ("b", "payroll")):
        service = shops.service(name)
        service["metadata"]["labels"] = {"headgate.dev/rollout": label, "headgate.dev/managed": "true"}
        tenant.try_to("services", service)
    steps = {"canary": {"steps": [{"setWeight": 5}, {"setMirrorRoute": {"percentage": 50}}, {"pause": {}}]}}
    for number, text in enumerate(hostile.DISTINCT):
        found = []
        for place, route in enumerate(hostile.routes(text)):
            route["metadata"]["name"] = f"r{number}-{place}"
            if tenant.create("httproutes", route) == CREATED:
                found.append({"kind": "HTTPRoute", "name": route["metadata"]["name"]})
        tenant.let_in += [f"httproutes/{one['name']}" for one in found]
        named = shops.traffic(gatewayAPI={"routes": found})
        tenant.try_to("rollouts", hostile.rollout(f"r{number}", {"strategy": steps, "traffic": named}))


def told(tenant: Tenant) -> dict[str, str]:
    """Return what each Rollout of the tenant says in its status, and in Events about it."""
    listed = nesting.parsed(tenant.session.get(tenant.url("rollouts"), timeout=30).content)["items"]
    found = {one["metadata"]["name"]: json.dumps(one.get("status", {}).get("conditions", "")) for one in listed}
    for one in tenant.session.get(tenant.url("events"), timeout=30).json()["items"]:
        name = one["regarding"].get("name", "")
        found[name] = found.get(name, '""') + json.dumps(one)
    return found


def requests_of(house: House, since: int) -> list[Json]:
    """Return what the operator asked the API server for."""
    lines = house.cluster.audit_log.read_text().splitlines()[since:]
    return [one for one in map(json.loads, lines) if one["user"]["username"] == SERVICE_ACCOUNT]


def strays(requests: list[Json], allowed: set[str]) -> set[str]:
    """Return which *requests* left the *allowed* namespaces, or named what is no name."""
    found = set()
    for one in requests:
        target, uri = one.get("objectRef", {}), one["requestURI"]
        path = uri.partition("?")[0]
        parts = path.strip("/").split("/")
        plain = all(re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", part) and ".." not in part for part in parts)
        whole = target.get("resource") in (None, "gatewayclasses", "customresourcedefinitions")
        inside = target.get("namespace") in allowed or whole or "namespaces" not in path
        # A Gateway that has accepted a route of the tenant's, as all do here, may be asked what it can do.
        inside = inside or (target.get("resource"), one["verb"]) == ("gateways", "get")
        if not (plain and inside) or ("watch=true" in uri and one["verb"] != "watch"):
            found.add(f"{one['verb']} {uri}")
    return found


def weight(stage: Stage) -> int:
    """Return the canary's weight in the victim's route."""
    found = stage.house.recorder.get(stage.namespace, "httproutes", "web")
    weights = {one["name"]: one.get("weight", 1) for one in found["spec"]["rules"][0]["backendRefs"]}
    return int(weights.get("web-canary", 0))


def victims_abort(stage: Stage, tenant: Tenant) -> float:
    """Return how long it takes from the victim's abort until its route leads home."""
    session, began = stage.house.access.session(), time.monotonic()
    said = session.patch(
        stage.house.access.url("rollouts", stage.namespace, "web"),
        data=json.dumps({"metadata": {"annotations": {"headgate.dev/abort": "now"}}}),
        headers={"Content-Type": "application/merge-patch+json"},
        timeout=30,
    )
    assert said.ok, said.text
    stage.wait(lambda: weight(stage) == 0, "the victim's route leads home")
    assert tenant.house is stage.house
    return time.monotonic() - began


def in_flight(stage: Stage, tenant: Tenant) -> None:
    """Bring a second version of the victim, and one of the tenant, into flight."""
    assert tenant.create("rollouts", hostile.rollout("flying", {"strategy": GATED})) == CREATED
    stage.open(routed=True)
    flying = hostile.rollout("flying", {"strategy": GATED})
    stage.wait(lambda: tenant.get("rollouts", "flying")["status"].get("phase") == "Healthy", "it is at rest")
    tenant.patch("rollouts", "flying", {"spec": {"template": image(flying, "v2")}})
    stage.ship("v2", routed=True, strategy=GATED, analysis={})
    stage.wait(lambda: weight(stage) > 0, "the victim in flight")
    stage.wait(lambda: "canary" in tenant.get("rollouts", "flying")["status"], "the tenant's in flight")


def deep_and_large(tenant: Tenant) -> None:
    """Create a Rollout that is nested too deep, and one that is nearly too large."""
    deep = json.dumps(hostile.rollout("deep", {})).replace('"containers"', f'"x": {hostile.nested()}, "containers"')
    assert tenant.create("rollouts", deep) == CREATED
    large = hostile.rollout("large", {})
    large["spec"]["template"]["metadata"]["annotations"] = {"x": "x" * hostile.LARGE_BYTES}
    tenant.try_to("rollouts", large)


def deep_in_flight(stage: Stage, tenant: Tenant) -> None:
    """Hold that an abort beside a template that is too deep is heard, and that such a Rollout can be deleted."""
    tenant.patch("rollouts", "flying", f'{{"spec":{{"template":{{"spec":{{"affinity":{hostile.nested()}}}}}}}}}')
    stage.wait(lambda: "nested deeper than 64 levels" in told(tenant).get("flying", ""), "the deep one says where")
    tenant.annotate("flying", abort="now")
    stage.wait(lambda: "canary" not in tenant.get("rollouts", "flying").get("status", {"canary": 1}), "it went back")
    for name in ("flying", "deep"):
        tenant.session.delete(tenant.url("rollouts", name), timeout=30)
    stage.wait(lambda: not tenant.get("rollouts", "flying") and not tenant.get("rollouts", "deep"), "both are gone")


def test_h29_hostile_names_reach_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """H29, H33: hostile, deep and huge objects of a namespace reach and show nothing of another, and stop no abort."""
    with running("names") as started, opened(started.cluster, tmp_path) as house:
        tenant = Tenant(house)
        secrets(tenant)
        assert list(refused(tenant)) == []
        past_the_crd(tenant)
        since = len(house.cluster.audit_log.read_text().splitlines())
        with (
            staged(house, operators=0) as stage,
            staged(house, HEADGATE_NAMESPACES=f"{EVIL},{stage.namespace}") as work,
        ):
            actor = work.actors[0]
            in_flight(stage, tenant)
            beside(tenant)
            deep_and_large(tenant)
            seconds = victims_abort(stage, tenant)
            deep_in_flight(stage, tenant)
            names = [one.partition("/")[2] for one in tenant.let_in if one.startswith("rollouts/")]
            stage.wait(lambda: all(told(tenant).get(name, '""') != '""' for name in names), "each says something", 60)
            said, asked = told(tenant), requests_of(house, since)
            log = actor.operator.log.read_text()

            allowed = {EVIL, stage.namespace}
            assert strays(asked, allowed) == set()
            assert [name for name, words in said.items() if SECRET in words] == []
            assert SECRET not in log
            assert actor.alive
            assert actor.operator.metric("headgate_bugs_total") == 0
        with capsys.disabled():
            print(  # noqa: T201 - what is measured here is for people
                f"\n{len(tenant.let_in)} hostile objects let in, {len(asked)} requests, none beyond {len(allowed)} "
                f"namespaces; the victim's abort took {seconds:.2f} s"
            )


def image(body: Json, version: str) -> Json:
    """Return the template of *body* with another version."""
    template: Json = copy.deepcopy(body["spec"]["template"])
    template["spec"]["containers"] = [{"name": "app", "image": f"registry.example/web:{version}"}]
    return template
