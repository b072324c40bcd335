"""podinfo as a user's service: its Service, its route through the gateway, its Rollout, and what is measured of it.

Owns the manifests, and how a response tells its version. hack/cluster/README.md says what the versions do.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hack.cluster import Cluster, images
from tests.e2e.load import Response

Json = dict[str, Any]

NAME = "podinfo"
GOOD, BETTER, BAD = "1.0.0", "2.0.0", "3.0.0"
PATH = "/version"
PORT, METRICS_PORT = 9898, 9797
# The codes that 3.0.0 fails by. It says nothing else; gateways, and podinfo wherever it fails by itself, send a body.
_BAD_CODES = (400, 409, 500)
# The gateway may send requests to a pod that is going away for 2 s, until it has heard of it; podinfo itself serves on
# for 3 s after SIGTERM.
_LEAVE_SECONDS = 3


def url(cluster: Cluster) -> str:
    """Return the address by which users reach podinfo, inside *cluster*; it answers with the version."""
    return f"{cluster.gateway}{PATH}"


def version_of(response: Response) -> str:
    """Return the version that *response* is from, "" if no podinfo sent it."""
    if response.code in _BAD_CODES and not response.body:
        return BAD
    try:
        content = json.loads(response.body)
    except ValueError:
        return ""
    return str(content.get("version", "")) if isinstance(content, dict) else ""


def service(namespace: str, name: str = NAME) -> Json:
    """Return the Service of the pods of all versions."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": PORT}]},
    }


def route(namespace: str, name: str = NAME, host: str = "") -> Json:
    """Return the HTTPRoute from the Gateway to the Service, for all hosts or for one."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "headgate", "namespace": "gateway"}],
            **({"hostnames": [host]} if host else {}),
            "rules": [{"backendRefs": [{"name": name, "port": 80}]}],
        },
    }


def template(version: str, name: str = NAME, requests: Mapping[str, str] | None = None) -> Json:
    """Return the pods of *version*: Ready though requests fail, scraped, and leaving without losing a request."""
    probe = {"httpGet": {"path": "/healthz", "port": METRICS_PORT}, "periodSeconds": 1}
    container = {
        "name": "app",
        "image": images.podinfo(version),
        "ports": [{"name": "http", "containerPort": PORT}, {"name": "metrics", "containerPort": METRICS_PORT}],
        "readinessProbe": probe,
        "lifecycle": {"preStop": {"sleep": {"seconds": _LEAVE_SECONDS}}},
        **({"resources": {"requests": dict(requests)}} if requests else {}),
    }
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS_PORT)}
    return {
        "metadata": {"labels": {"app": name}, "annotations": annotations},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 15},
    }


def error_rate(statuses: str = "5..", **more: Any) -> Json:
    """Return the metric that is the share of the canary's requests that ended by one of *statuses*.

    By default 5xx, as in the README. Of the failures of 3.0.0, a third of all requests, those are a third.
    """
    pods = 'namespace="$(namespace)",pod=~"$(canary.pods)"'
    count = "http_request_duration_seconds_count"
    query = (
        f'(sum(rate({count}{{{pods},status=~"{statuses}"}}[$(window)])) or vector(0))'
        f" / sum(rate({count}{{{pods}}}[$(window)]))"
    )
    return _metric("error-rate", query, 0.05, **more)


def latency_p99(max_seconds: float = 0.5, **more: Any) -> Json:
    """Return the metric that is what 99 of 100 of the canary's requests stay beneath, in seconds."""
    pods = 'namespace="$(namespace)",pod=~"$(canary.pods)"'
    query = f"histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{{pods}}}[$(window)])))"
    return _metric("latency-p99", query, max_seconds, **more)


def _metric(name: str, query: str, most: float, **more: Any) -> Json:
    wanted: Json = {
        "name": name,
        "interval": "2s",
        "window": "10s",
        "prometheus": {"query": query},
        "threshold": {"max": most},
        "failuresToRollback": 2,
        "passesToAdvance": 3,
    }
    return {**wanted, **more}


def rollout(
    namespace: str,
    version: str,
    *,
    name: str = NAME,
    replicas: int = 5,
    steps: Sequence[Mapping[str, Any]] = ({"setWeight": 20}, {"setWeight": 50}),
    metrics: Sequence[Json] | None = None,
    requests: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """Return the Rollout of *version*; *spec* holds further fields of the spec, or replaces some."""
    wanted = [error_rate()] if metrics is None else list(metrics)
    return {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(version, name, requests),
            "strategy": {"canary": {"steps": [dict(step) for step in steps]}},
            "analysis": {"metrics": wanted},
            **spec,
        },
    }
