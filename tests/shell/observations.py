"""Observations and Decisions to make passes with: no more in them than the shell looks at."""

import dataclasses

from headgate.api.status import Phase, RolloutStatus
from headgate.core.model import Decision, Identity, Key, Observation, RolloutFacts, Target

KEY = Key("shop", "web")
SECRET = "hunter2-of-the-shop"  # noqa: S105 - stands for a user's secret; nobody's password


def observation(now: float = 1000.0) -> Observation:
    """Return what is known of a Rollout at rest, with a secret in its template."""
    container = {
        "name": "web",
        "image": "shop/web:1",
        "command": ["run", SECRET],
        "args": [f"--password={SECRET}"],
        "env": [{"name": "PASSWORD", "value": SECRET}],
    }
    facts = {
        "namespace": KEY.namespace,
        "name": KEY.name,
        "uid": "uid-1",
        "resource_version": "7",
        "generation": 1,
        "annotations": {},
        "finalizers": (),
        "deleting": False,
        "replicas": 1,
        "paused": False,
        "match_labels": {"app": "web"},
        "template": {
            "metadata": {"labels": {"app": "web"}, "annotations": {"note": SECRET}},
            "spec": {"containers": [container]},
        },
        "template_hash": "abc",
        "policy": {},
        "policy_hash": "def",
        "invalid": "",
    }
    known = {field.name for field in dataclasses.fields(RolloutFacts)}
    defaults = {
        "now": now,
        "rollout": RolloutFacts(**{name: value for name, value in facts.items() if name in known}),  # type: ignore[arg-type]  # checked at run time
        "status": RolloutStatus(),
        "policy": None,
        "accepted": None,
        "target": Target(Identity.KNOWN, "abc"),
        "deployments": {},
        "templates": {},
        "policies": {},
        "settle_seconds": 20.0,
    }
    known = {field.name for field in dataclasses.fields(Observation)}
    return Observation(**{name: value for name, value in defaults.items() if name in known})  # type: ignore[arg-type]  # as above


def decision(recheck_at: float | None = None) -> Decision:
    """Return a Decision to do nothing until *recheck_at*."""
    return Decision("settled", RolloutStatus(phase=Phase.HEALTHY), write_status=False, recheck_at=recheck_at)
