"""A shop whose Rollout is reached through a route of its own: manifests, and what they hold at any moment."""

import copy
import dataclasses
import json
from typing import Any

from tests.control_plane.life.rollouts import Json, World, manifest

GATED = {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}], "scaleDownDelay": "0s"}}
"""With a pause at 25 percent until somebody promotes."""

SERVICES: Json = {"stableService": "web", "canaryService": "web-canary", "drain": "1s"}
"""A spec.traffic without a route."""


def traffic(**more: Any) -> Json:
    """Return a spec.traffic over the route web, with a drain of a second."""
    return {**SERVICES, "gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": "web"}]}, **more}


def service(name: str = "web") -> Json:
    """Return a Service of the user's own."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    }


def route(*rules: Json, kind: str = "HTTPRoute", name: str = "web") -> Json:
    """Return a route of these rules; one rule that leads to web if none are given."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": "eg"}],
            "rules": list(rules) or [{"backendRefs": [{"name": "web", "port": 80}]}],
        },
    }


def with_port(port: int) -> Json:
    """Return a pod template whose container listens on *port*."""
    template: Json = copy.deepcopy(manifest("", "v1")["spec"]["template"])
    template["spec"]["containers"][0]["ports"] = [{"containerPort": port}]
    return template


def rich_route() -> Json:
    """Return a route whose second rule is ours to weigh, between two others and beside a third backend."""
    header = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-shop", "value": "1"}]}}
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    return route(
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/static"}}],
            "backendRefs": [{"name": "static", "port": 8080, "weight": 3}, {"name": "cdn", "port": 8080}],
        },
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/"}, "headers": [{"name": "a", "value": "b"}]}],
            "filters": [header],
            "backendRefs": [
                {"name": "web", "port": 80, "weight": 900, "filters": [header]},
                {"name": "legacy", "port": 80, "weight": 100},
            ],
            "timeouts": {"request": "10s"},
        },
        {"matches": [{"path": {"type": "Exact", "value": "/old"}}], "filters": [redirect]},
    )


@dataclasses.dataclass
class Shop(World):
    """A namespace with Services, a route, and one Rollout called web."""

    def add(self, *things: Json) -> None:
        """Apply things of the user's."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(things)}
        self.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=json.dumps(listed))

    def open(self, *things: Json, version: str = "v1", **spec: Any) -> None:
        """Apply *things* (a Service and a route if none) and the Rollout, and wait until it is at rest."""
        self.add(*(things or (service(), route())))
        self.deploy(version, **spec)
        self.wait_stable(version)
        self.wait(lambda: self.selects("web") == self.selects("web-canary") == self.hash_of(version), "at rest")

    def deploy(self, version: str, **spec: Any) -> None:
        """Apply the Rollout with spec.traffic and this version of the template."""
        self.ship(version, **{"strategy": GATED, "traffic": traffic(), **spec})

    def at_a_quarter(self, *things: Json, **spec: Any) -> None:
        """Bring v1 to rest, then v2 to the pause at 25 percent."""
        self.open(*things, **spec)
        self.deploy("v2", **spec)
        self.wait_weight(25)

    def scale(self, replicas: int) -> None:
        """Ask for so many pods as an autoscaler does."""
        self.kubectl("scale", "rollout", "web", "-n", self.namespace, f"--replicas={replicas}")

    def promote(self) -> None:
        """End the pause at the second step."""
        self.command("promote", f"{self.status['canary']['hash']}/2")

    def get(self, kind: str, name: str) -> Json:
        """Return an object as it is now."""
        return self.reader.get(kind, self.namespace, name)

    def specs(self, kind: str) -> list[Json]:
        """Return the specs of all objects of a kind."""
        return [one["spec"] for one in self.reader.listed(kind, self.namespace)]

    def selects(self, service_name: str) -> str:
        """Return the revision that a Service selects; empty without our key, or without a Service."""
        found = self.reader.listed("services", self.namespace)
        selectors = [one["spec"].get("selector", {}) for one in found if one["metadata"]["name"] == service_name]
        return str(selectors[0].get("headgate.dev/pod-hash", "")) if selectors else ""

    def hash_of(self, version: str) -> str:
        """Return the revision of a version; empty if it has no Deployment."""
        found = self.deployments().get(version)
        return str(found["metadata"]["labels"]["headgate.dev/pod-hash"]) if found else ""

    def weights(self, rule: int = 0, name: str = "web", kind: str = "httproute") -> dict[str, int]:
        """Return the weights of a rule by backend."""
        references = self.get(kind, name)["spec"]["rules"][rule]["backendRefs"]
        return {one["name"]: one.get("weight", 1) for one in references}

    def wait_weights(self, deadline_seconds: float = 60, **weights: int) -> None:
        """Wait until the first rule of the route gives *weights*: `web=75, canary=25`."""
        wanted = {{"canary": "web-canary"}.get(name, name): weight for name, weight in weights.items()}
        self.wait(lambda: self.weights() == wanted, f"weights {wanted}", deadline_seconds)

    def wait_selects(self, service_name: str, revision_hash: str, deadline_seconds: float = 60) -> None:
        """Wait until a Service selects that revision."""
        what = f"Service {service_name} selects {revision_hash or 'all revisions'}"
        self.wait(lambda: self.selects(service_name) == revision_hash, what, deadline_seconds)

    def wait_label(self, kind: str, name: str, label: str, deadline_seconds: float = 60) -> None:
        """Wait until an object carries a label."""

        def there() -> bool:
            return label in self.get(kind, name)["metadata"].get("labels", {})

        self.wait(there, f"{kind} {name} has {label}", deadline_seconds)

    def wait_said(self, words: str, deadline_seconds: float = 60) -> None:
        """Wait until the Ready condition's reason and message contain *words*."""

        def said() -> bool:
            ready = self.condition("Ready")
            return words in f"{ready.get('reason')}: {ready.get('message')}"

        self.wait(said, f"said: {words}", deadline_seconds)

    def wait_gone(self, kind: str) -> None:
        """Wait until there is no object of a kind any more."""
        self.wait(lambda: not self.reader.listed(kind, self.namespace), f"no {kind} left")

    def wait_weight(self, percent: int, deadline_seconds: float = 60) -> None:
        """Wait until the step holds that gives the canary *percent*."""

        def there() -> bool:
            weight = self.status.get("weight", {})
            return weight.get("desired") == percent and "since" in weight

        self.wait(there, f"weight {percent} holds", deadline_seconds)


def without_ours(found: Json) -> Json:
    """Return a route's spec without the two weights that are ours, and without the canary's backendRef."""
    spec: Json = copy.deepcopy(found["spec"])
    for rule in spec["rules"]:
        named = {one["name"] for one in rule.get("backendRefs", [])}
        if "web" not in named:
            continue
        rule["backendRefs"] = [one for one in rule["backendRefs"] if one["name"] != "web-canary"]
        for one in rule["backendRefs"]:
            if one["name"] == "web":
                del one["weight"]
    return spec
