"""The usual roads of a rollout behind a router: there, back, back after arrival, and with few pods to spare."""

import pytest

from headgate.api import names
from headgate.api.status import Ending
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.world import Pace
from tests.simulation import shops, worlds

SURGES: tuple[Json, ...] = ({"maxSurge": 1}, {"maxSurge": "25%"}, {"maxSurge": 0, "maxUnavailable": 1})


def warm(play: worlds.Play) -> str:
    """Let web:2 be promoted and traffic move to the stable Service; return the hash of the old one."""
    old = play.stable
    play.ship("web:2")
    assert play.world.run_until(lambda: play.world.status.previous is not None, worlds.LONG_SECONDS), (
        play.world.account()
    )
    return old


@pytest.mark.parametrize("services", [0, 1, 2])
def test_promotion(services: int) -> None:
    """A good version gets everything, the old one goes after its time, and rest is where it was; whoever made what."""
    play = shops.shop(1, services=services)
    shops.rested(play)
    canary = play.ship("web:2")
    assert play.settle() == "Healthy"
    assert canary == play.stable
    shops.rested(play)
    assert Ending.PROMOTED == play.world.status.history[0].outcome


def test_promotion_keeps_its_steps() -> None:
    """Each weight of the steps is what the data plane gives, one after the other, and none is left out."""
    play = shops.shop(2)
    canary = play.ship("web:2")
    given = []
    for percent in (20, 50, 100):
        play.reach(percent)
        play.world.run(2)
        given.append(play.judges.ways.given(canary))
    assert [20, 50, 100] == given


def test_rollback() -> None:
    """A bad version loses its traffic first, then its pods; it stays rejected, and rest is where it was."""
    play = shops.shop(3)
    stable, canary = play.stable, play.ship("web:2")
    play.reach(50)
    play.world.script.say(0.5, play.world.now)
    assert play.settle() == "RolledBack"
    assert (stable, canary) == (play.stable, play.world.status.rejected[0].hash)
    shops.rested(play)


@pytest.mark.parametrize("percent", [20, 50, 100])
def test_abort(percent: int) -> None:
    """An abort at any weight puts stable back."""
    play = shops.shop(4)
    play.ship("web:2")
    play.reach(percent)
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    assert play.settle() == "RolledBack"
    shops.rested(play)


def test_promote_full() -> None:
    """The command skips the evidence, and neither the pods nor the Gateway."""
    play = shops.shop(5)
    canary = play.ship("web:2")
    play.reach(20)
    play.world.annotate(names.PROMOTE_FULL, canary)
    assert play.settle() == "Healthy"
    assert canary == play.stable
    shops.rested(play)


@pytest.mark.parametrize("trigger", ["abort", "breach", "put back"])
@pytest.mark.parametrize("seconds", [0.0, 0.4, 5.0, 15.0])
def test_back_while_warm(trigger: str, seconds: float) -> None:
    """After a promotion the old pods are still there and the new ones watched: everything goes back to them at once."""
    play = shops.shop(6)
    old = warm(play)
    play.world.run(seconds)
    new = play.stable
    if trigger == "abort":
        play.world.annotate(names.ABORT, names.ABORT_NOW)
    elif trigger == "breach":
        play.world.script.say(0.5, play.world.now)
    else:
        play.world.apply(play.spec("web:1"))
    assert play.world.run_until(lambda: play.stable == old, 45), play.world.account()
    assert (10, 10) == play.world.pods_of(old)
    assert play.settle() == ("Healthy" if trigger == "put back" else "RolledBack")
    assert (old, (0, 0)) == (play.stable, play.world.pods_of(new))
    shops.rested(play)


@pytest.mark.parametrize("trigger", ["abort", "breach", "put back"])
def test_back_when_the_old_pods_have_been_let_go(trigger: str) -> None:
    """From that write on they are no way back, though the status tells so a moment later; nobody is disturbed."""
    play = shops.shop(6)
    old = warm(play)
    new = play.stable

    def let_go() -> bool:
        thing = play.world.deployment(old)
        return thing is not None and thing["spec"]["replicas"] == 0

    assert play.world.run_until(let_go, 300), play.world.account()
    assert play.world.status.previous is not None
    if trigger == "abort":
        play.world.annotate(names.ABORT, names.ABORT_NOW)
    elif trigger == "breach":
        play.world.script.say(0.5, play.world.now - 30)
    else:
        play.world.apply(play.spec("web:1"))
    assert play.settle() == "Healthy"
    assert (old if trigger == "put back" else new) == play.stable
    assert (trigger == "abort") == ("CommandMismatch" in play.world.journal.reasons())
    shops.rested(play)


@pytest.mark.parametrize("seconds", [0.0, 5.0, 40.0])
def test_third_version_while_warm(seconds: float) -> None:
    """A newer version waits until nobody is on the oldest any more, and then takes its place."""
    play = shops.shop(7)
    old = warm(play)
    play.world.run(seconds)
    newest = play.ship("web:3")
    assert play.settle() == "Healthy"
    assert newest == play.stable
    assert (0, 0) == play.world.pods_of(old)
    shops.rested(play)


@pytest.mark.parametrize("bound", SURGES)
def test_bounded_surge_promotes(bound: Json) -> None:
    """With few pods to spare both versions together never exceed them, and it arrives all the same."""
    play = shops.shop(8, replicas=4, **bound)
    canary = play.ship("web:2")
    assert play.settle() == "Healthy"
    assert canary == play.stable
    shops.rested(play)


@pytest.mark.parametrize("bound", SURGES)
@pytest.mark.parametrize("percent", [20, 50, 100])
def test_bounded_surge_goes_back(bound: Json, percent: int) -> None:
    """Stable gets back at once what its ready pods carry, and the rest as more are."""
    play = shops.shop(9, replicas=4, **bound)
    play.ship("web:2")
    play.reach(percent)
    before = shops.share(play)
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    assert play.world.run_until(lambda: shops.share(play) < before, 60), play.world.account()
    assert play.settle() == "RolledBack"
    shops.rested(play)


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("good", [True, False])
def test_few_replicas(replicas: int, *, good: bool) -> None:
    """None, one and two pods go the same way."""
    play = shops.shop(10, replicas=replicas)
    canary = play.ship("web:2")
    if not good:
        play.reach(50)
        play.world.script.say(0.5, play.world.now)
    assert play.settle() == ("Healthy" if good else "RolledBack")
    assert (canary == play.stable) == good
    shops.rested(play)


def test_no_replicas() -> None:
    """A version of no pods is stable at once, and the Services follow it."""
    play = shops.shop(10, replicas=0)
    old = play.stable
    play.world.apply(play.spec("web:2"))
    assert play.world.run_until(lambda: play.stable != old, 10), play.world.account()
    assert play.settle() == "Healthy"
    shops.rested(play)


@pytest.mark.parametrize("replicas", [3, 15])
@pytest.mark.parametrize("bound", [{}, {"maxSurge": 2}])
def test_scaled_in_flight(replicas: int, bound: Json) -> None:
    """More pods come at once and fewer wait; nobody meets too few of them."""
    play = shops.shop(11, **bound)
    canary = play.ship("web:2")
    play.reach(50)
    play.world.edit(replicas=replicas)
    play.usual["replicas"] = replicas
    assert play.settle() == "Healthy"
    assert (canary, (replicas, replicas)) == (play.stable, play.world.pods_of(canary))
    shops.rested(play)


def test_scaled_to_nothing_and_back() -> None:
    """Replicas 0 at rest and in flight take the pods, not the order of things."""
    play = shops.shop(12)
    play.world.edit(replicas=0)
    play.world.run(100)
    play.world.edit(replicas=5)
    play.world.run(100)
    play.usual["replicas"] = 5
    canary = play.ship("web:2")
    play.reach(20)
    play.world.edit(replicas=0)
    play.world.run(100)
    play.world.edit(replicas=4)
    play.usual["replicas"] = 4
    assert play.settle() == "Healthy"
    assert (canary, (4, 4)) == (play.stable, play.world.pods_of(canary))


@pytest.mark.parametrize("trouble", ["ImagePullBackOff", "Slow"])
def test_canary_without_ready_pods_gets_nothing(trouble: str) -> None:
    """H11: a version that never becomes ready gets no weight at any moment."""
    play = shops.shop(13)
    play.world.pods.images["web:2"] = Image(trouble=trouble)
    play.ship("web:2")
    assert play.settle() == "RolledBack"
    assert 0 == play.judges.serving.most_given
    shops.rested(play)


def test_routes_of_others_stay_as_they_were() -> None:
    """Other rules, filters, backends and their weights are after a rollout what they were before."""
    other = specs.rule(specs.backend("api", weight=3), specs.backend("web-canary"), matches=[{"path": {"value": "/a"}}])
    ours = specs.rule(
        specs.backend("old", weight=100, filters=[{"type": "RequestHeaderModifier"}]),
        specs.backend(weight=300, filters=[{"type": "RequestHeaderModifier"}]),
        timeouts={"request": "10s"},
    )
    play = shops.shop(14, route=specs.route(other, ours, specs.rule()), others=("api", "old"))
    before = play.world.store.get(Kind.HTTP_ROUTE, "shop", "web")
    play.ship("web:2")
    assert play.settle() == "Healthy"
    after = play.world.store.get(Kind.HTTP_ROUTE, "shop", "web")
    assert before is not None
    assert after is not None
    assert before["spec"]["rules"][0] == after["spec"]["rules"][0]
    assert before["spec"]["rules"][1]["backendRefs"][:2] == after["spec"]["rules"][1]["backendRefs"][:2]
    assert 0 == after["spec"]["rules"][1]["backendRefs"][2]["weight"]


def test_slow_world() -> None:
    """Slow calls and slow controllers make it slow, and nothing else."""
    for seed in range(3):
        play = shops.shop(seed, pace=Pace(call=0.3, lag=0.8))
        play.ship("web:2")
        assert play.settle() == "Healthy"
        play.ship("web:3")
        play.reach(50)
        play.world.annotate(names.ABORT, names.ABORT_NOW)
        assert play.settle() == "RolledBack"
        shops.rested(play)
