"""The hazard catalogue for strategies that are no canaries; where a way is left out, it cannot happen to it.

The judges of the world hold at every moment what each strategy owes: pods that serve, users who meet none that cannot,
no two revisions of a recreate at once. What is held here is how it ends. H8, H22, H23, H26 and H28 know no strategy.
"""

import pytest

from headgate.api import names
from headgate.api.status import Ending, Outcome, Phase
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.process import fault_injection, operator_process
from tests.simulation import shops, worlds
from tests.simulation.shops import QUICK, Trigger, abort, breach
from tests.simulation.ways import REPLICAS, ROLLING, WAYS, Way

ROUTED = [name for name in WAYS if name.endswith("-routed")]
BLUE_GREENS = [name for name in WAYS if name.startswith("blueGreen")]
ANY_MOMENT = pytest.mark.parametrize("late", [False, True])


def among(chosen: list[str]) -> pytest.MarkDecorator:
    """Return the mark of tests that some of the ways go through."""
    return pytest.mark.parametrize("way", [WAYS[name] for name in chosen], ids=chosen)


# With a route it is the way that differs, not the strategy: those go through what can happen to a route.
EVERY_WAY = among(["blueGreen-services", "rollingUpdate", "recreate"])


def rests_on(play: worlds.Play, stable: str, phase: str = "RolledBack") -> None:
    """Hold that it ends so, with all pods of *stable* and none of another revision."""
    assert play.settle() == phase, play.world.account()
    assert (stable, play.world.pods_of(stable)) == (play.stable, (REPLICAS, REPLICAS))
    led = {one["metadata"]["name"]: one["spec"]["selector"] for one in play.world.store.peek(Kind.SERVICE)}
    assert 0 == shops.share(play)
    assert all(stable == selector.get(names.POD_HASH) for selector in led.values()), play.world.account()


@pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.HTTP_ROUTE])
@among(["blueGreen-services", "blueGreen-routed", "rollingUpdate-routed"])
def test_h1_the_switch_refuses_writes(way: Way, kind: Kind) -> None:
    """A verdict is recorded while Services or routes cannot be written, and users are switched back when they can."""
    play = way.begun(1)
    before, canary = play.stable, way.reach(play, late=True)
    play.world.plan = shops.refusing(kind)
    abort(play)
    play.world.run(90)
    assert [canary] == [one.hash for one in play.world.status.rejected]

    play.world.plan = lambda _: None
    rests_on(play, before)


@pytest.mark.parametrize("what", [(Kind.HTTP_ROUTE, specs.ROUTE), (Kind.SERVICE, specs.STABLE_SERVICE)])
@among(["blueGreen-services", "blueGreen-routed", "rollingUpdate-routed"])
def test_h2_a_way_is_deleted_after_the_switch(way: Way, what: tuple[Kind, str]) -> None:
    """With the route or the stable Service gone an abort ends all the same, and users are led to the old version."""
    play = way.begun(2)
    before = play.stable
    way.reach(play, late=True)
    route = play.world.store.get(Kind.HTTP_ROUTE, "shop", specs.ROUTE)
    play.world.drop(*what)
    abort(play)
    play.world.run(60)
    if what[0] is Kind.HTTP_ROUTE and route is not None:
        play.world.put(Kind.HTTP_ROUTE, {"metadata": {"name": specs.ROUTE}, "spec": route["spec"]})
    rests_on(play, before)


@EVERY_WAY
def test_h3_an_invalid_spec_then_back(way: Way) -> None:
    """An invalid spec in the middle of any strategy stops what goes forward, and keeps nobody from going back."""
    play = way.begun(3)
    before, canary = play.stable, way.reach(play, late=True)
    play.world.edit(strategy={"canary": {"steps": "all of them"}})
    play.world.run(60)
    assert (Phase.HOLDING, before) == (play.world.phase, play.stable)

    breach(play)
    assert play.world.run_until(lambda: play.world.status.canary is None, 300), play.world.account()
    assert [canary] == [one.hash for one in play.world.status.rejected]
    assert play.world.run_until(lambda: play.world.pods_of(before) == (REPLICAS, REPLICAS), 60), play.world.account()


@EVERY_WAY
def test_h4_scaled_while_paused_then_back(way: Way) -> None:
    """A paused rollout of any strategy is not promoted; it is scaled, and goes back."""
    play = way.begun(4)
    before = play.stable
    way.reach(play, late=True)
    play.world.edit(paused=True, replicas=6)
    play.world.run(120)
    assert before == play.stable
    abort(play)
    assert "RolledBack" == play.settle()

    assert (before, (6, 6)) == (play.stable, play.world.pods_of(before))


@among([name for name in WAYS if name != "recreate"])
def test_h5_a_stable_pod_is_unavailable(way: Way) -> None:
    """One old pod that is not available keeps nobody with the new version, whichever way led there."""
    play = way.begun(5)
    before = play.stable
    way.reach(play)
    play.world.fail_pods(before, 1, 100)
    play.world.run(1)
    abort(play)
    assert play.world.run_until(lambda: shops.share(play) == 0, 35), play.world.account()
    play.world.run(100)
    rests_on(play, before)


@EVERY_WAY
def test_h6_abort_wins_over_promote_full(way: Way) -> None:
    """Whatever the strategy."""
    play = way.begun(6)
    before, canary = play.stable, way.reach(play)
    play.world.annotate(names.PROMOTE_FULL, canary)
    abort(play)
    rests_on(play, before)


@EVERY_WAY
def test_h7_metrics_are_out(way: Way) -> None:
    """No strategy promotes or goes back by an outage; afterwards it goes on by itself."""
    play = way.begun(7)
    before = play.stable
    play.world.script.outages.append((play.world.now, play.world.now + 300))
    canary = way.reach(play)
    way.release(play, canary)
    play.world.run(240)
    assert (Phase.HOLDING, before) == (play.world.phase, play.stable)

    rests_on(play, canary, "Healthy")


@EVERY_WAY
def test_h9_no_traffic(way: Way) -> None:
    """Without requests nothing is promoted: a preview that nobody tried switches nobody, and no evidence is none."""
    play = way.begun(9)
    before = play.stable
    play.world.script.default = Outcome.NO_DATA
    play.world.script.say(Outcome.NO_DATA, play.world.now)
    canary = way.reach(play)
    way.release(play, canary)
    play.world.run(300)

    assert (Phase.HOLDING, before) == (play.world.phase, play.stable)
    assert not way.traffic or "blueGreen" not in way.strategy or play.judges.serving.most_given == 0


@EVERY_WAY
def test_h10_a_new_pod_crashes_while_errors_rise(way: Way) -> None:
    """One new pod that is not ready blinds no metric, by any strategy."""
    play = way.begun(10)
    before, canary = play.stable, way.reach(play, late=True)
    play.world.fail_pods(canary, 1)
    breach(play)
    rests_on(play, before)
    assert "MetricFailed" == play.world.status.rejected[0].reason


@pytest.mark.parametrize("moment", ["late", "going back"])
@EVERY_WAY
def test_h13_a_newer_template_arrives(way: Way, moment: str) -> None:
    """By any strategy the older version leaves or completes, and the newer one begins by itself."""
    play = way.begun(13)
    older = way.reach(play, late=moment == "late")
    if moment == "going back":
        abort(play)
        play.world.run(1)
    play.world.apply(play.spec("web:3"))

    def begun(one: worlds.Play) -> bool:
        return one.world.status.canary is not None and one.world.status.canary.hash != older

    way.become(play, begun)
    canary = play.world.status.canary
    assert canary is not None
    way.become(play, way.middle)
    way.release(play, canary.hash)
    rests_on(play, canary.hash, "Healthy")


@ANY_MOMENT
@EVERY_WAY
def test_h14_the_template_is_put_back(way: Way, *, late: bool) -> None:
    """The new version of any strategy leaves at once, no rollout follows, and nothing is rejected."""
    play = way.begun(14)
    before = play.stable
    way.reach(play, late=late)
    play.world.apply(play.spec("web:1"))
    rests_on(play, before, "Healthy")

    assert ((), Ending.WITHDRAWN) == (play.world.status.rejected, play.world.status.history[0].outcome)


@EVERY_WAY
def test_h15_a_rejected_template_is_applied_again(way: Way) -> None:
    """It stays rejected, whatever the strategy: no pods, no writes, no events."""
    play = way.begun(15)
    way.reach(play)
    abort(play)
    play.settle()
    before = len(play.world.journal.writes), len(play.world.journal.notices)
    for _ in range(5):
        play.world.apply(play.spec("web:2"))
        play.world.run(60)

    assert before == (len(play.world.journal.writes), len(play.world.journal.notices))


@ANY_MOMENT
@EVERY_WAY
def test_h16_another_strategy_in_flight(way: Way, *, late: bool) -> None:
    """A strategy that is put in place of one in flight changes nothing until that has ended, and abort ends it."""
    play = way.begun(16)
    before = play.stable
    way.reach(play, late=late)
    other: Json = {"recreate": {}} if way is not WAYS["recreate"] else ROLLING
    play.world.edit(strategy=other, analysis={"metrics": [QUICK]})
    play.world.run(2)
    assert before == play.stable
    abort(play)
    rests_on(play, before)


@among(ROUTED)
def test_h17_gitops_applies_the_original_route(way: Way) -> None:
    """After the switch it is put right within seconds, each time, and nothing is promoted by it."""
    play = way.begun(17)
    original = play.world.store.get(Kind.HTTP_ROUTE, "shop", specs.ROUTE)
    assert original is not None
    canary = way.reach(play, late=True)
    for _ in range(3):
        if play.stable == canary:
            break
        share = shops.share(play)
        play.world.change(Kind.HTTP_ROUTE, specs.ROUTE, lambda thing: thing.update(spec=original["spec"]), "argocd")
        assert play.world.run_until(lambda least=share: shops.share(play) >= least, 5), play.world.account()  # type: ignore[misc]  # bound at once
    rests_on(play, canary, "Healthy")


@ANY_MOMENT
@among(BLUE_GREENS)
def test_h18_our_key_is_removed_from_the_selector(way: Way, *, late: bool) -> None:
    """The selector is the switch: without our key users would meet both versions, and it is back within seconds."""
    play = way.begun(18)
    canary = way.reach(play, late=late)
    play.world.change(Kind.SERVICE, specs.STABLE_SERVICE, lambda thing: thing["spec"]["selector"].pop(names.POD_HASH))

    def back() -> bool:
        thing = play.world.store.get(Kind.SERVICE, "shop", specs.STABLE_SERVICE)
        return thing is not None and names.POD_HASH in thing["spec"]["selector"]

    assert play.world.run_until(back, 5), play.world.account()
    way.release(play, canary)
    rests_on(play, canary, "Healthy")


@EVERY_WAY
def test_h18_somebody_scales_the_old_deployment(way: Way) -> None:
    """Old pods that somebody starts beside the new ones are gone again within seconds."""
    play = way.begun(18)
    before, canary = play.stable, way.reach(play, late=True)
    size = (play.world.deployment(before) or {})["spec"]["replicas"]
    play.world.meddle(before, lambda thing: thing["spec"].update(replicas=size + 2))
    play.world.run(5)

    assert size >= (play.world.deployment(before) or {})["spec"]["replicas"]
    rests_on(play, canary, "Healthy")


@pytest.mark.parametrize("orphan", [False, True])
@EVERY_WAY
def test_h19_deleted_in_flight(way: Way, *, orphan: bool) -> None:
    """A deletion in the middle of any strategy ships nothing; orphans are the old version's, all of them."""
    play = way.begun(19)
    before, canary = play.stable, way.reach(play, late=True)
    play.world.delete(orphan=orphan)
    assert play.world.run_until(lambda: play.world.rollout is None, 300), play.world.account()
    play.world.run(30)

    whole = (REPLICAS, REPLICAS) if orphan else (0, 0)
    assert ((0, 0), whole) == (play.world.pods_of(canary), play.world.pods_of(before))


@pytest.mark.parametrize("end", [abort, breach, None])
@among(ROUTED)
def test_h20_the_gateway_is_late(way: Way, end: Trigger | None) -> None:
    """Pods of no strategy go while a Gateway that answers after 20 s may still lead users to them."""
    play = way.begun(20)
    before = play.stable
    for gateway in play.world.gateways:
        gateway.habits.accepts, gateway.habits.programs = 20.0, 8.0
    canary = way.reach(play, late=True)
    if end is not None:
        end(play)
    rests_on(play, before if end else canary, "RolledBack" if end else "Healthy")


@EVERY_WAY
def test_h21_an_autoscaler_moves_replicas(way: Way) -> None:
    """By any strategy more pods come at once and fewer when it has ended; an abort in the middle goes back at once."""
    play = way.begun(21)
    before, canary = play.stable, way.reach(play)
    for replicas in (6, 3, 8, 5):
        play.world.edit(replicas=replicas)
        play.world.run(3)
    assert canary not in (before, play.stable)
    abort(play)
    assert "RolledBack" == play.settle()

    assert (before, (5, 5)) == (play.stable, play.world.pods_of(before))


@pytest.mark.parametrize("good", [True, False])
@EVERY_WAY
def test_h24_calls_fail_in_storms(way: Way, *, good: bool) -> None:
    """A third of all calls failing and watches that lose events change nothing but how long a strategy takes."""
    play = way.begun(24)
    world, before = play.world, play.stable
    kinds = (fault_injection.Trouble.CONFLICT, fault_injection.Trouble.UNREACHABLE, fault_injection.Trouble.LOST_ANSWER)
    world.plan = fault_injection.at_random(world.dice, 0.3, *kinds)
    world.around.loses = lambda _: world.dice.random() < 0.5
    canary = way.reach(play)
    if good:
        way.release(play, canary)
    else:
        abort(play)
    assert world.run_until(world.settled, worlds.LONG_SECONDS), world.account()
    world.plan = lambda _: None
    world.around.loses = lambda _: False
    rests_on(play, canary if good else before, "Healthy" if good else "RolledBack")


@pytest.mark.parametrize("good", [True, False])
@EVERY_WAY
def test_h25_two_operators(way: Way, *, good: bool) -> None:
    """Two that believe they lead, each standing still before it acts, break no promise of any strategy."""
    play = way.begun(25)
    world, before = play.world, play.stable
    other = operator_process.Operator(world.around, lambda: world.dice.choice((0.0, 0.5, 7.0, 40.0)))
    canary = way.reach(play)
    if good:
        way.release(play, canary)
    else:
        breach(play)
        way.release(play, canary)
    assert play.settle() == ("Healthy" if good else "RolledBack")
    other.die()
    rests_on(play, canary if good else before, "Healthy" if good else "RolledBack")


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
@EVERY_WAY
def test_h27_the_clock_jumps(way: Way, jump: float) -> None:
    """A clock set back or forward in the middle hangs no strategy, and takes nothing back."""
    play = way.begun(27)
    canary = way.reach(play)
    play.world.around.clock_skew = jump
    play.world.run(30)
    play.world.around.clock_skew = 0.0
    way.release(play, canary)
    began = play.world.now
    rests_on(play, canary, "Healthy")

    assert play.world.now - began < 3600
