"""What a rollout was begun by stands in the status for as long as it may have to be taken back."""

import pytest

from headgate.api.begun import Begun
from headgate.api.strategy import Strategy
from headgate.api.traffic import GatewayAPI, Route, Traffic
from headgate.core.model import Part, Unreadable
from headgate.core.rollout import started_with
from headgate.core.rollout.decide import decide
from tests.core import ways
from tests.core.worlds import B, World, policy


@pytest.mark.parametrize("strategy", ["canary", "blueGreen", "rollingUpdate", "recreate"])
def test_h30_each_strategy_is_known_by_its_name(strategy: str) -> None:
    """H30: by pods there is no more to know than the strategy."""
    ruled = policy(20).model_copy(update={"strategy": Strategy.model_validate({strategy: {}})})

    assert (strategy, "") == (started_with.of(ruled).strategy, started_with.of(ruled).stable_service)


def test_h30_services_routes_and_drain_are_known() -> None:
    """H30: with routes and without."""
    route = Route(kind="HTTPRoute", name="web", rules=("all",))
    traffic = Traffic(
        stable_service="web", canary_service="web-canary", gateway_api=GatewayAPI(routes=(route,)), drain_seconds=1.5
    )
    ruled = policy(20).model_copy(update={"traffic": traffic})
    found = started_with.of(ruled)
    switched = started_with.of(ruled.model_copy(update={"traffic": traffic.model_copy(update={"gateway_api": None})}))

    assert ("web", "web-canary", 2) == (found.stable_service, found.canary_service, found.drain_seconds)
    assert [("HTTPRoute", "web", ("all",))] == [(one.kind, one.name, one.rules) for one in found.routes]
    assert () == switched.routes


def test_h30_it_is_noted_in_flight_and_while_warm_and_forgotten_at_rest() -> None:
    """H30: nothing of it is left in the status of a Rollout at rest; it is not noted of a policy that is unread."""
    flight = World().ruled(policy(20, 50)).stable(8).canary(2).at_step(1, since=1000)
    unread = flight.but(unread={Part.POLICY: Unreadable("gone", since=0)})
    noted = decide(flight.observe()).status.begun
    resting = World().stable().with_status(begun=noted)

    assert noted is not None
    assert "canary" == noted.strategy
    assert decide(unread.observe()).status.begun is None
    assert noted == decide(unread.with_status(begun=noted).observe()).status.begun
    assert decide(ways.warm().observe()).status.begun is not None
    assert decide(resting.observe()).status.begun is None


def test_h30_it_is_noted_with_the_start() -> None:
    """H30: the write that starts a canary says it; there is no pass in between that a crash could come after."""
    assert isinstance(decide(World().stable().wants(B).observe()).status.begun, Begun)
