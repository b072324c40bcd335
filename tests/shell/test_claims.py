"""Who had a rule of a route first, where two Rollouts mean it."""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.core.faults import Fault, Refused, Unreachable
from headgate.core.model import Json, Kind, Unreadable
from headgate.core.model.traffic import RouteFacts
from headgate.observe.route_ownership import LOOK_SECONDS, LOOKED_AT, RouteOwnership, with_claims
from tests.core import ways
from tests.shell import virtual
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


class Slow(Cluster):
    """A cluster that does not answer about Services whose names begin with an s."""

    def __init__(self) -> None:
        super().__init__(other())
        self.asked: list[str] = []

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return it, or nothing for ever."""
        self.asked.append(name)
        if name.startswith("s"):
            await asyncio.Event().wait()
        return await super().get(kind, namespace, name)


def beside(*services: str) -> RouteFacts:
    """Return a route with one rule that leads to these Services as well."""
    return ways.route(dataclasses.replace(ways.rule(100, 0, 100), name="all", beside=services))


def test_h33_foreign_backends_hold_no_worker() -> None:
    """H33: a route that leads to hundreds of Services takes some look-ups, all at once, and a moment of them."""
    cluster = Slow()

    async def main() -> None:
        routes = [beside(*(f"s{number}" for number in range(500))), beside("api", *(f"s{n}" for n in range(600, 900)))]
        claims = RouteOwnership(cluster, ROLLOUT)
        found = await asyncio.gather(*(claims.of(route) for route in routes))
        whys = [rule.claimed_by for route in found for rule in route.rules]
        assert all(isinstance(why, Unreadable) and "not looked at" in why.why for why in whys)
        assert asyncio.get_running_loop().time() <= LOOK_SECONDS

    virtual.run(main)
    assert len(cluster.asked) == LOOKED_AT


async def test_a_wide_route_has_all_its_services_looked_at() -> None:
    """A route of 16 rules with 16 backends each may lead to 128 other Services: the last one tells who has its rule."""
    names = [*(f"other-{number}" for number in range(127)), "api"]
    rules = [
        dataclasses.replace(ways.rule(100, 0, 100), name=f"rule-{at}", beside=tuple(names[at * 8 : at * 8 + 8]) * 2)
        for at in range(16)
    ]
    found = await with_claims(Cluster(other()), ROLLOUT, ways.route(*rules))

    assert [rule.claimed_by for rule in found.rules] == [""] * 15 + ["api"]


def test_h33_a_hanging_service_hides_no_claim() -> None:
    """H33: a Service about which nothing is answered does not hide who has the rule by another one."""

    async def main() -> None:
        found = await RouteOwnership(Slow(), ROLLOUT).of(beside("s1", "api", "s2"))
        assert found.rules[0].claimed_by == "api"

    virtual.run(main)


@pytest.mark.parametrize(
    "name", ["..", "../../bank/services/web", "api?watch=true", "api#", "", "API", "a.b", "x" * 64]
)
async def test_h29_what_is_no_name_of_a_service_is_not_asked_for(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """H29: a backendRef that names what can be no Service is passed over, and the log says so."""
    cluster = Slow()
    with caplog.at_level("INFO"):
        found = await with_claims(cluster, ROLLOUT, beside(name, "api"))

    assert found.rules[0].claimed_by == "api"
    assert set(cluster.asked) == {"api"}
    assert "leads to 1 backends whose names no Service can have" in caplog.text


@pytest.mark.parametrize("label", ["A_b", "Web", "a_b", "a..b"])
async def test_h29_a_label_that_is_no_name_names_no_rollout(label: str) -> None:
    """H29: a Service's label may hold more than names; then it belongs to no Rollout."""

    class Labelled(Cluster):
        async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
            assert (kind, namespace, name) == (Kind.SERVICE, ROLLOUT.namespace, "static")
            return {"metadata": {"labels": {"headgate.dev/rollout": label}}}

    assert (await with_claims(Labelled(None), ROLLOUT, beside("static"))).rules[0].claimed_by == ""


@pytest.mark.parametrize(
    "holder",
    [
        other(rules=7),
        other(created="yesterday"),
        {"metadata": None, "spec": {"traffic": []}},
        {"metadata": {"name": "api"}, "spec": {"traffic": {"gatewayAPI": {"routes": [5, None, {"kind": []}]}}}},
        {},
    ],
    ids=repr,
)
async def test_h29_a_malformed_holder_has_nothing(holder: Json) -> None:
    """H29: a Rollout that an old CRD let in has no rule by what makes no sense in it."""
    assert await claimed_by(Cluster(holder)) == ""
