"""What the API server makes of Services and routes: checks, and the defaults that their schemas name."""

from typing import Final

from headgate.core import faults
from headgate.core.model import Json, Kind
from headgate.simulation.cluster import json_values

GATEWAY_GROUP: Final = "gateway.networking.k8s.io"
_MOST_WEIGHT: Final = 1_000_000
_MOST_BACKENDS: Final = 16


def completed(kind: Kind, body: Json) -> Json:
    """Return *body* as it would be kept.

    Raises:
        Refused: if the server does not take it.
    """
    if kind is Kind.SERVICE:
        return _service(json_values.copied(body))
    if kind in (Kind.HTTP_ROUTE, Kind.GRPC_ROUTE):
        return _route(json_values.copied(body))
    return json_values.copied(body)


def _service(service: Json) -> Json:
    spec = service["spec"]
    if not spec.get("ports"):
        raise faults.Refused("spec.ports: Required value")
    spec["ports"] = [{"protocol": "TCP", "targetPort": port["port"], **port} for port in spec["ports"]]
    return service


def _route(route: Json) -> Json:
    spec = route["spec"]
    spec["parentRefs"] = [
        {"group": GATEWAY_GROUP, "kind": "Gateway", **parent} for parent in spec.get("parentRefs") or ()
    ]
    for index, rule in enumerate(spec.get("rules") or ()):
        references = rule.get("backendRefs") or []
        if len(references) > _MOST_BACKENDS:
            raise faults.Refused(f"spec.rules[{index}].backendRefs: Too many: must have at most {_MOST_BACKENDS} items")
        rule["backendRefs"] = [{"group": "", "kind": "Service", "weight": 1, **one} for one in references]
        for at, reference in enumerate(rule["backendRefs"]):
            if not 0 <= reference["weight"] <= _MOST_WEIGHT:
                words = f"spec.rules[{index}].backendRefs[{at}].weight"
                raise faults.Refused(f"{words}: Invalid value: {reference['weight']}")
    return route
