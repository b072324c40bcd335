"""Observations and Decisions to make passes with: no more in them than the shell looks at."""

from headgate.api.status import Phase, RolloutStatus
from headgate.core.model import Decision, Identity, Json, Key, Observation, RolloutFacts, Target

KEY = Key("shop", "web")
SECRET = "hunter2-of-the-shop"  # noqa: S105 - stands for a user's secret; nobody's password


def template() -> Json:
    """Return a pod template with a secret in every place where users put one."""
    container = {
        "name": "web",
        "image": "shop/web:1",
        "command": ["run", SECRET],
        "args": [f"--password={SECRET}"],
        "env": [{"name": "PASSWORD", "value": SECRET}],
    }
    metadata = {"labels": {"app": "web"}, "annotations": {"note": SECRET}}
    return {"metadata": metadata, "spec": {"containers": [container]}}


def observation(now: float = 1000.0) -> Observation:
    """Return what is known of a Rollout at rest, with a secret in its template."""
    rollout = RolloutFacts(
        namespace=KEY.namespace,
        name=KEY.name,
        uid="uid-1",
        resource_version="7",
        generation=1,
        annotations={},
        finalizers=(),
        deleting=False,
        replicas=1,
        paused=False,
        match_labels={"app": "web"},
        template=template(),
        template_hash="abc",
        policy={},
        policy_hash="def",
        invalid="",
    )
    return Observation(
        now=now,
        rollout=rollout,
        status=RolloutStatus(),
        policy=None,
        accepted=None,
        target=Target(Identity.KNOWN, "abc"),
        deployments={},
        templates={},
        policies={},
        settle_seconds=20.0,
    )


def decision(recheck_at: float | None = None, quiet_until: int = 0) -> Decision:
    """Return a Decision to do nothing until *recheck_at*, and not to hear of passes up to the tick *quiet_until*."""
    resting = RolloutStatus(phase=Phase.HEALTHY)
    return Decision("settled", resting, write_status=False, recheck_at=recheck_at, quiet_until=quiet_until)
