"""Specs as users write them, for the worlds of the simulation."""

from typing import Any

from headgate.core.model import Json
from headgate.simulation import metrics

TEN_SECONDS = 10


def template(image: str, **container: Any) -> Json:
    """Return a pod template with one container of *image*."""
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "app", "image": image, **container}]},
    }


def weight(percent: int) -> Json:
    """Return a step to *percent*."""
    return {"setWeight": percent}


def pause(duration: str = "") -> Json:
    """Return a pause: for *duration*, or until promoted."""
    return {"pause": {"duration": duration} if duration else {}}


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
    """Return a Rollout's spec; *fields* that belong to the canary strategy go there."""
    canary = {name: fields.pop(name) for name in ("maxSurge", "maxUnavailable") if name in fields}
    return {
        "replicas": 10,
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(image),
        "strategy": {"canary": {"steps": list(steps), **canary}},
        "analysis": {"metrics": list(measured)},
        **fields,
    }
