"""The policy in force where its record is a newer version's: enough is understood to go back by, and no more."""

from typing import Any

import pytest

from headgate.api import status as api
from headgate.core.model import Json, Key, Part, Unreadable
from headgate.observe import accepted_policy, last_known, ownership, parse_rollout
from headgate.simulation import specs
from tests.core.worlds import NOON, A, B

STRANGE = Unreadable("ControllerRevision web-policy-x is not understood")
ROUTES: Json = {"routes": [{"kind": "HTTPRoute", "name": "web"}, {"kind": "HTTPRoute", "name": "app"}]}
WAYS: Json = {"stableService": "web", "canaryService": "web-canary", "gatewayAPI": ROUTES}
CANARY: Json = {"canary": {"steps": [{"setWeight": 20}]}}
NEWS: Json = {"newsOfTomorrow": "yes"}


def found(policy: str, text: Json | None, **spec: Any) -> accepted_policy.Accepted:
    """Return what is known where a canary with routes is in flight under a *policy* whose record says *text*."""
    thing = {"metadata": {"namespace": "shop", "name": "web"}, "spec": specs.rollout("web:1", **spec)}
    rollout = parse_rollout.facts(thing, ())
    wanted = None if rollout.invalid else parse_rollout.parsed_policy(rollout.policy)
    status = api.RolloutStatus(
        policy=policy,
        stable=api.Side(hash=A, revision=1),
        canary=api.Canary(hash=B, revision=2, started=int(NOON)),
        traffic=api.TrafficStatus(weight=20, lowest=20, highest=20),
    )
    records = ownership.Records({}, {}, unread={"x": STRANGE}, texts={"x": text} if text is not None else {})
    return accepted_policy.found(
        Key("shop", "web"), rollout, status, wanted, records, {}, last_known.Memory(lambda: NOON)
    )


def led_by(known: accepted_policy.Accepted) -> list[str]:
    """Return the names of the routes by which users may have been led away."""
    traffic = known.policy.traffic if known.policy else None
    return [route.name for route in traffic.gateway_api.routes] if traffic and traffic.gateway_api else []


@pytest.mark.parametrize(
    ("gateway", "names"),
    [
        (ROUTES, ["web", "app"]),
        ({**ROUTES, **NEWS}, ["web", "app"]),
        ({"routes": [NEWS, *ROUTES["routes"]]}, ["web", "app", "spec"]),
        ({"routes": [["news"]]}, ["spec"]),
        ({"routes": "news"}, ["spec"]),
        ("news", ["spec"]),
        (None, ["spec"]),
    ],
)
def test_h31_an_abort_knows_every_route_that_either_names(gateway: Any, names: list[str]) -> None:
    """H31: where a route of the accepted policy is not understood, those of the spec count as well, and it is said."""
    ways = {**WAYS, "gatewayAPI": gateway} if gateway is not None else {k: v for k, v in WAYS.items() if k[0] != "g"}
    spec = {**WAYS, "gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": "spec"}]}}
    known = found("x", {"strategy": CANARY, "traffic": ways, **NEWS}, strategy=CANARY, traffic=spec)

    assert names == led_by(known)
    assert ("spec" in names) == (Part.TRAFFIC in known.unread)
    assert Part.POLICY in known.unread


@pytest.mark.parametrize(
    ("strategy", "kind"),
    [
        ({"recreate": {}, "blueGreen": "news"}, "recreate"),
        ({"recreate": {}, "canary": NEWS}, "recreate"),
        ({"canary": NEWS}, "canary"),
        ({"blueGreen": "news"}, "blue_green"),
        (NEWS, "recreate"),
        ("news", "recreate"),
        (None, "recreate"),
    ],
)
def test_h31_the_kind_of_strategy_that_is_understood_counts(strategy: Any, kind: str) -> None:
    """H31: of two in one record the one that is understood, and the spec's where there is none."""
    known = found("x", {"strategy": strategy, "traffic": WAYS}, strategy={"recreate": {}}, traffic=WAYS)

    assert known.policy is not None
    assert getattr(known.policy.strategy, kind) is not None


def test_h31_a_policy_that_the_status_does_not_name_is_not_the_specs() -> None:
    """H31: a rollout in flight has one; a newer version may keep its name elsewhere."""
    known = found("", None, strategy={"recreate": {}}, traffic=WAYS)

    assert {Part.POLICY, Part.TRAFFIC} == set(known.unread)
    assert known.last is None
    assert "status.policy" in known.unread[Part.POLICY].why
