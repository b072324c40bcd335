"""Who had a rule of a route first, where two Rollouts mean it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.core.faults import Fault, Refused, Unreachable
from headgate.core.model import Json, Kind
from headgate.core.paths import Unreadable
from headgate.observe.claims import with_claims
from tests.core import ways
from tests.shell.observations import observation

ROLLOUT = dataclasses.replace(observation().rollout, created=1_800_000_000)
BEFORE, AFTER = "2027-01-15T07:59:59Z", "2027-01-15T08:00:01Z"
ROUTE = ways.route(dataclasses.replace(ways.rule(100, 0, 100), name="all", beside=("static", "api")))


def other(created: str = BEFORE, stable: str = "api", **route: Any) -> Json:
    """Return the Rollout api."""
    asked = {"kind": "HTTPRoute", "name": "web", **route}
    traffic = {"stableService": stable, "canaryService": "api-canary", "gatewayAPI": {"routes": [asked]}}
    return {"metadata": {"name": "api", "creationTimestamp": created}, "spec": {"traffic": traffic}}


class Cluster:
    """A cluster with the Services static, which nobody has, and api, which the Rollout api has."""

    def __init__(self, rollout: Json | None, fault: Fault | None = None) -> None:
        self.rollout = rollout
        self.fault = fault

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return it."""
        assert namespace == ROLLOUT.namespace
        if self.fault is not None:
            raise self.fault
        if kind is Kind.ROLLOUT:
            return self.rollout if name == "api" else None
        return {"metadata": {"labels": {"headgate.dev/rollout": "api"} if name == "api" else None}}

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Is not asked."""
        raise AssertionError((kind, namespace, labels))

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Is not asked."""
        raise AssertionError((kind, namespace, body))


async def claimed_by(cluster: Cluster) -> str | Unreadable:
    """Return who is said to have had the rule first."""
    return (await with_claims(cluster, ROLLOUT, ROUTE)).rules[0].claimed_by


async def test_the_earlier_one_has_the_rule() -> None:
    """Of two Rollouts whose stable Services a rule leads to, it belongs to the one that was created first."""
    assert await claimed_by(Cluster(other())) == "api"
    assert await claimed_by(Cluster(other(created=AFTER))) == ""
    assert await claimed_by(Cluster(other(rules=["all"]))) == "api"


@pytest.mark.parametrize(
    "rollout",
    [
        None,
        {"metadata": {"name": "api", "creationTimestamp": BEFORE}, "spec": {}},
        other(name="shop"),
        other(kind="GRPCRoute"),
        other(rules=["static"]),
        other(stable="api2"),
    ],
    ids=["gone", "without a router", "another route", "another kind", "another rule", "another Service"],
)
async def test_whoever_does_not_manage_the_rule_has_it_not(rollout: Json | None) -> None:
    """That a Service belongs to somebody makes no rule theirs."""
    assert await claimed_by(Cluster(rollout)) == ""


@pytest.mark.parametrize("fault", [Refused("forbidden"), Unreachable("away")])
async def test_h30_a_claim_that_cannot_be_read_is_no_absent_one(fault: Fault) -> None:
    """H30: a Service of another Rollout that may not be read hides no route, and does not make the rule ours."""
    found = await claimed_by(Cluster(other(), fault))

    assert isinstance(found, Unreadable)
    assert (str(fault), isinstance(fault, Unreachable)) == (found.why, found.passing)
