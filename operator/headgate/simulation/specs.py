"""Specs as users write them, for the worlds of the simulation."""

from typing import Any

from headgate.core.model import Json
from headgate.simulation import metrics

TEN_SECONDS = 10
CANARY_FIELDS = ("maxSurge", "maxUnavailable", "scaleDownDelay")
STABLE_SERVICE = "web"
CANARY_SERVICE = "web-canary"
ROUTE = "web"


def template(image: str, **container: Any) -> Json:
    """Return a pod template with one container of *image*."""
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": image, "ports": [{"containerPort": 8080}], **container}]},
    }


def weight(percent: int) -> Json:
    """Return a step to *percent*."""
    return {"setWeight": percent}


def pause(duration: str = "") -> Json:
    """Return a pause: for *duration*, or until promoted."""
    return {"pause": {"duration": duration} if duration else {}}


def scale(**how: Any) -> Json:
    """Return a step that sets the canary's scale."""
    return {"setCanaryScale": how}


def analysis(*metrics: str) -> Json:
    """Return a step that waits for the verdict of *metrics*."""
    return {"analysis": {"metrics": list(metrics)}}


def header(name: str = "beta", value: str = "1") -> Json:
    """Return a step that leads requests with a header to the canary."""
    return {"setHeaderRoute": {"name": name, "match": [{"headerName": f"x-{name}", "headerValue": {"exact": value}}]}}


def no_header(name: str = "beta") -> Json:
    """Return a step that ends that."""
    return {"setHeaderRoute": {"name": name}}


def mirror(percentage: int) -> Json:
    """Return a step that copies so many percent of the requests to the canary."""
    return {"setMirrorRoute": {"percentage": percentage}}


def gateway_class(*features: str, name: str = "usual") -> Json:
    """Return a class of Gateways that lists *features*."""
    return {
        "metadata": {"name": name},
        "spec": {"controllerName": "example.com/public"},
        "status": {"supportedFeatures": [{"name": feature} for feature in features]},
    }


def gateway(name: str = "public", class_name: str = "usual") -> Json:
    """Return a Gateway."""
    return {"metadata": {"name": name}, "spec": {"gatewayClassName": class_name}}


def metric(name: str = "errors", **fields: Any) -> Json:
    """Return a metric that must stay at or under 0.01."""
    return {
        "name": name,
        "interval": f"{TEN_SECONDS}s",
        "window": "30s",
        "prometheus": {"query": metrics.QUERY.format(name)},
        "threshold": {"max": 0.01},
        "failuresToRollback": 2,
        "passesToAdvance": 3,
        **fields,
    }


def rollout(image: str, *, steps: tuple[Json, ...] = (), measured: tuple[Json, ...] = (), **fields: Any) -> Json:
    """Return a Rollout's spec; *fields* that belong to the canary strategy go there, unless a `strategy` is."""
    canary = {name: fields.pop(name) for name in CANARY_FIELDS if name in fields}
    return {
        "replicas": 10,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(image),
        "strategy": {"canary": {"steps": list(steps), **canary}},
        "analysis": {"metrics": list(measured)},
        **fields,
    }


def traffic(*routes: str, drain: str = "10s", **fields: Any) -> Json:
    """Return what spec.traffic says of the usual Services and of HTTPRoutes named *routes*."""
    return {
        "stableService": STABLE_SERVICE,
        "canaryService": CANARY_SERVICE,
        "drain": drain,
        "gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": name} for name in routes or (ROUTE,)]},
        **fields,
    }


def service(name: str = STABLE_SERVICE) -> Json:
    """Return a Service as a user has it before anything is managed: it selects all of the web's pods."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports}}


def backend(name: str = STABLE_SERVICE, **fields: Any) -> Json:
    """Return a backendRef."""
    return {"name": name, "port": 80, **fields}


def rule(*backends: Json, **fields: Any) -> Json:
    """Return a rule of a route; to the stable Service if nothing else is said."""
    return {"backendRefs": list(backends or (backend(),)), **fields}


def route(*rules: Json, name: str = ROUTE, parents: tuple[str, ...] = ("public",)) -> Json:
    """Return an HTTPRoute."""
    return {
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": parent} for parent in parents], "rules": list(rules or (rule(),))},
    }
