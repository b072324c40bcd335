"""The hazard catalogue behind a router whose gateways are late, whose API server fails, or who is not alone."""

import pytest

from headgate.api.status import Phase
from headgate.core.model import Kind
from headgate.simulation import specs
from headgate.simulation.controllers.gateway import Gateway
from headgate.simulation.process import fault_injection, operator_process
from tests.simulation import shops, worlds
from tests.simulation.shops import abort, at, breach, home


def test_h20_the_gateway_refuses_the_way_back() -> None:
    """A Gateway that refuses the way back may go on as before: the canary's pods stay, and its words say why."""
    play = shops.shop(20)
    canary = at(play, 20)
    play.world.gateways[0].habits.refuses = "too many rules"
    abort(play)
    home(play, 2)
    play.world.run(300)
    assert (2, 2) == play.world.pods_of(canary)
    assert "too many rules" in play.world.status.conditions[1].message
    play.world.gateways[0].habits.refuses = ""
    play.world.gateways[0].wake()
    assert play.settle() == "RolledBack"
    shops.rested(play)


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("second", [False, True])
def test_h20_the_gateway_is_late(*, good: bool, second: bool) -> None:
    """Answers after 20 s and effects 8 s later: canary pods stay until nobody can come to them any more."""
    play = shops.shop(20, route=specs.route(parents=("public", "private") if second else ("public",)))
    if second:
        other = Gateway("private", play.world.server, play.world.agenda, play.world.dice)
        play.world.gateways.append(other)
        play.judges.serving.watch(other)
        other.wake()
    for gateway in play.world.gateways:
        gateway.habits.accepts, gateway.habits.programs = 20.0, 8.0
    at(play, 50)
    if not good:
        breach(play)
    assert play.settle() == ("Healthy" if good else "RolledBack")
    shops.rested(play)


def test_h20_no_gateway_answers() -> None:
    """While a Gateway is silent nothing goes up; the way back is written at once, and pods stay until it answers."""
    play = shops.shop(20)
    canary = at(play, 20)
    play.world.gateways[0].habits.deaf = True
    play.world.run(600)
    assert shops.share(play) in (20, 50)
    abort(play)
    home(play, 2)
    play.world.run(2.1)
    weight = play.world.status.weight
    assert weight is not None
    assert (0, True) == (weight.achieved, "waiting for Gateway shop/public" in play.world.account()), "told in 2 s"
    play.world.run(600)
    assert (2, 2) == play.world.pods_of(canary)[:2] or (5, 5) == play.world.pods_of(canary)
    play.world.gateways[0].habits.deaf = False
    play.world.gateways[0].wake()
    assert play.settle() == "RolledBack"


def test_h20_the_gateway_refuses_the_route() -> None:
    """What the Gateway does not accept gets no step; its words stand in the condition."""
    play = shops.shop(20)
    at(play, 20)
    play.world.gateways[0].habits.refuses = "too many rules"
    play.world.run(300)
    assert "too many rules" in play.world.status.conditions[1].message
    assert Phase.HOLDING is play.world.phase
    play.world.gateways[0].habits.refuses = ""
    play.world.gateways[0].wake()
    assert play.settle() == "Healthy"


@pytest.mark.parametrize(
    "trouble",
    [
        fault_injection.Trouble.CONFLICT,
        fault_injection.Trouble.UNREACHABLE,
        fault_injection.Trouble.LOST_ANSWER,
        fault_injection.Trouble.REFUSED,
    ],
)
@pytest.mark.parametrize("good", [True, False])
def test_h24_calls_fail_in_storms(trouble: fault_injection.Trouble, *, good: bool) -> None:
    """A third of all calls failing and watches that lose events change nothing but how long it takes."""
    play = shops.shop(24)
    world = play.world
    storm, out = (
        fault_injection.at_random(world.dice, 0.3, trouble),
        fault_injection.between(world.now + 60, world.now + 90, trouble),
    )
    world.plan = lambda call: out(call) or storm(call)
    world.around.loses = lambda _: world.dice.random() < 0.5
    world.apply(play.spec("web:2"))
    if not good:
        assert world.run_until(lambda: shops.share(play) == 50, worlds.LONG_SECONDS), world.account()
        breach(play)
    stormy = world.run_until(world.settled, worlds.LONG_SECONDS)
    world.plan = lambda _: None
    world.around.loses = lambda _: False
    assert stormy or play.settle(), world.account()
    assert play.settle() == ("Healthy" if good else "RolledBack")
    shops.rested(play)


@pytest.mark.parametrize("seed", range(4))
def test_h25_two_operators(seed: int) -> None:
    """Two that believe they lead, each standing still before it acts, undo nothing of each other's work."""
    play = shops.shop(seed)
    world = play.world
    other = operator_process.Operator(world.around, lambda: world.dice.choice((0.0, 0.5, 7.0, 40.0)))
    canary = play.ship("web:2")
    play.reach(50)
    before = [write for write in world.journal.writes if write.kind is Kind.HTTP_ROUTE]
    assert len(before) <= 3 + len([write for write in before if not write.body.get("operations")])
    if seed % 2:
        breach(play)
    assert play.settle() == ("RolledBack" if seed % 2 else "Healthy")
    assert (canary == play.stable) == (not seed % 2)
    other.die()
    shops.rested(play)
