"""What a tenant writes to reach beyond its namespace: hostile texts, and the objects that hold one in each name field.

Owns the manifests; what must come of them stands in test_h29.py.
"""

import copy
from collections.abc import Iterator
from typing import Any, Final

from tests.control_plane.life import rollouts, shops

Json = dict[str, Any]

TEXTS: Final = (
    "..",
    "../../bank/httproutes/payroll",
    "../../../../../../api/v1/namespaces/bank/services/payroll",
    "%2e%2e/%2e%2e/bank/httproutes/payroll",
    "payroll?watch=true",
    "payroll#",
    "payroll\0",
    " ",
    "pay roll",
    "payroll\n",
    "\uff50ayroll",
    "payroll\u200b",
    "p" * 253,
    "p" * 254,
)
DISTINCT: Final = tuple(text for text in TEXTS if text not in (" ", "payroll#", "payroll\n", "payroll\u200b"))
"""One text of each kind: of spaces, of what ends a path, of control characters, and of what is no ASCII."""
LONG: Final = "p" * 253
"""A name of an object, though not of a Service, of a rule's metric or of a namespace."""
DEPTH: Final = 1_100
LARGE_BYTES: Final = 900_000


def fields(text: str) -> Iterator[tuple[str, Json]]:
    """Yield for each field of a spec that holds a name its path, and changes of a spec that put *text* there."""
    for side in ("stableService", "canaryService"):
        yield f"spec.traffic.{side}", {"traffic": shops.traffic(**{side: text})}
    for field, route in (
        ("name", {"kind": "HTTPRoute", "name": text}),
        ("rules[0]", {"kind": "HTTPRoute", "name": "web", "rules": [text]}),
    ):
        yield (
            f"spec.traffic.gatewayAPI.routes[0].{field}",
            {"traffic": shops.traffic(gatewayAPI={"routes": [route]})},
        )
    metric = {**rollouts.metric("evil"), "name": text}
    yield "spec.analysis.metrics[0].name", {"analysis": {"metrics": [metric]}}
    match = {"headerName": "X-Beta", "headerValue": {"exact": "1"}}
    for field, step in (
        ("setHeaderRoute.name", {"setHeaderRoute": {"name": text, "match": [match]}}),
        (
            "setHeaderRoute.match[0].headerName",
            {"setHeaderRoute": {"name": "b", "match": [{**match, "headerName": text}]}},
        ),
    ):
        steps = {"canary": {"steps": [{"setWeight": 5}, step]}}
        yield f"spec.strategy.canary.steps[1].{field}", {"strategy": steps, "traffic": shops.traffic()}
    labels = {"app": "evil", text: "x"}
    yield "spec.selector.matchLabels", {"selector": {"matchLabels": labels}}
    yield "spec.selector.matchLabels", {"selector": {"matchLabels": {"app": text}}}


def everywhere(text: str) -> Iterator[Json]:
    """Yield changes of a spec that put *text* into all of its fields that hold a name."""
    metric = {**rollouts.metric("evil"), "name": text}
    match = {"headerName": text, "headerValue": {"exact": "1"}}
    steps = [{"setWeight": 5}, {"setHeaderRoute": {"name": text, "match": [match]}}, {"analysis": {"metrics": [text]}}]
    routes = [{"kind": "HTTPRoute", "name": text, "rules": [text]}]
    yield {
        "strategy": {"canary": {"steps": steps}},
        "analysis": {"metrics": [metric]},
        "traffic": {"stableService": text, "canaryService": text, "gatewayAPI": {"routes": routes}},
    }
    yield {"selector": {"matchLabels": {"app": text, text: text}}}


def rollout(name: str, changes: Json) -> Json:
    """Return a Rollout of the tenant's."""
    body = rollouts.manifest("evil", **copy.deepcopy(changes))
    body["metadata"] = {"name": name}
    body["spec"]["replicas"] = 1
    body["spec"]["template"]["metadata"]["labels"] = {"app": "evil", **body["spec"]["selector"]["matchLabels"]}
    return body


def status(text: str) -> Json:
    """Return a status that names things of its own."""
    side = {"hash": text, "revision": 1, "selector": text}
    return {
        "stable": side,
        "canary": {**side, "started": "2026-01-01T00:00:00Z"},
        "policy": text,
        "handledCommands": [text],
    }


def routes(text: str) -> Iterator[Json]:
    """Yield routes that name *text* wherever a route names something."""
    ours, port = {"name": "web", "port": 80}, {"port": 80}
    yield shops.route({"backendRefs": [ours, {"name": text, **port}]})
    yield shops.route({"backendRefs": [ours, {"name": "payroll", "namespace": text, **port}]})
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": text, **port}}}
    yield shops.route({"filters": [mirror], "backendRefs": [ours]})
    yield shops.route({"name": text, "backendRefs": [ours]})
    for parent in (
        {"name": text},
        {"name": "vault", "namespace": text},
        {"name": text, "namespace": "bank"},
        {"name": "public", "namespace": "eg", "sectionName": text},
        {"name": "vault", "kind": "Service", "group": "", "namespace": "bank"},
        {"name": "vault", "namespace": "bank"},
    ):
        changed = shops.route()
        changed["spec"]["parentRefs"] = [parent]
        yield changed


def nested() -> str:
    """Return an object that is nested deeper than any walk survives, as JSON."""
    return '{"a":' * DEPTH + "1" + "}" * DEPTH
