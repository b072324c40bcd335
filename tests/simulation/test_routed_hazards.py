"""The hazard catalogue behind a router: each scenario carries its id and the outcome that is owed."""

import pytest

from headgate.api import names
from headgate.api.status import Ending, Phase
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.process import fault_injection
from tests.simulation import shops
from tests.simulation.shops import Trigger, abort, at, breach, home


def weigh(thing: Json, stable: int, canary: int) -> None:
    """Set the weights of the first rule by hand."""
    for reference in thing["spec"]["rules"][0]["backendRefs"]:
        reference["weight"] = canary if reference["name"] == specs.CANARY_SERVICE else stable


@pytest.mark.parametrize("trigger", [breach, abort])
@pytest.mark.parametrize("trouble", [fault_injection.Trouble.REFUSED, fault_injection.Trouble.CONFLICT])
def test_h1_the_route_refuses_writes(trigger: Trigger, trouble: fault_injection.Trouble) -> None:
    """The verdict is recorded while the route cannot be written, and the route is put back when it can."""
    play = shops.shop(1)
    at(play, 20)
    play.world.plan = fault_injection.while_(lambda call: call.writes and call.kind is Kind.HTTP_ROUTE, trouble)
    trigger(play)
    play.world.run(90)
    canary = play.world.status.canary
    assert canary is not None
    assert (Phase.ROLLING_BACK, 1) == (play.world.phase, len(play.world.status.rejected))
    assert 20 == shops.share(play)
    assert (2, 2) == play.world.pods_of(canary.hash)

    play.world.plan = lambda _: None
    home(play, 62)
    assert play.settle() == "RolledBack"
    shops.rested(play)


@pytest.mark.parametrize("trigger", [breach, abort])
@pytest.mark.parametrize(
    "trouble", [fault_injection.Trouble.REFUSED, fault_injection.Trouble.CONFLICT, fault_injection.Trouble.UNREACHABLE]
)
def test_h1_the_status_refuses_writes(trigger: Trigger, trouble: fault_injection.Trouble) -> None:
    """The route goes back though the verdict cannot be written, and the verdict follows when it can."""
    play = shops.shop(1)
    canary = at(play, 20)
    play.world.plan = fault_injection.while_(lambda call: call.verb == "apply_status", trouble)
    trigger(play)
    home(play, 80)
    play.world.run(90)
    assert (0, ()) == (shops.share(play), play.world.status.rejected)

    play.world.plan = lambda _: None
    assert play.settle() == "RolledBack"
    assert canary == play.world.status.rejected[0].hash
    shops.rested(play)


@pytest.mark.parametrize("trigger", [breach, abort])
@pytest.mark.parametrize("what", ["route", "rule", "backendRef", "canary Service"])
def test_h2_a_way_is_deleted(trigger: Trigger, what: str) -> None:
    """The canary is rejected and goes after the drain; a route that comes back points to stable."""

    def cut(thing: Json) -> None:
        references = thing["spec"]["rules"][0]["backendRefs"]
        thing["spec"]["rules"] = [] if what == "rule" else [{"backendRefs": references[:1]}]

    play = shops.shop(2)
    canary = at(play, 20)
    route = play.world.store.get(Kind.HTTP_ROUTE, "shop", specs.ROUTE)
    assert route is not None
    if what == "route":
        play.world.drop(Kind.HTTP_ROUTE, specs.ROUTE)
    elif what == "canary Service":
        play.world.drop(Kind.SERVICE, specs.CANARY_SERVICE)
    else:
        play.world.change(Kind.HTTP_ROUTE, specs.ROUTE, cut)
    trigger(play)
    assert play.world.run_until(lambda: play.world.status.canary is None, 300), play.world.account()
    assert canary == play.world.status.rejected[0].hash
    play.world.run(10)
    assert (0, 0) == play.world.pods_of(canary)
    if what == "route":
        play.world.put(Kind.HTTP_ROUTE, {"metadata": {"name": specs.ROUTE}, "spec": route["spec"]})
    elif what == "rule":
        play.world.change(Kind.HTTP_ROUTE, specs.ROUTE, lambda thing: thing.update(spec=route["spec"]))
    home(play)
    assert play.settle() == "RolledBack"
    shops.rested(play)


@pytest.mark.parametrize("trigger", [breach, abort])
def test_h3_an_invalid_spec_or_other_traffic(trigger: Trigger) -> None:
    """An invalid spec, and one that names other Services, change nothing in flight and keep nobody from going back."""
    play = shops.shop(3)
    at(play, 20)
    play.world.edit(traffic=specs.traffic(stableService="other"))
    play.world.run(20)
    assert "counts once this rollout has ended" in play.world.status.conditions[1].message
    play.world.edit(traffic={"gatewayAPI": 7})
    play.world.run(20)
    assert Phase.HOLDING is play.world.phase
    trigger(play)
    home(play)
    assert play.world.run_until(lambda: play.world.status.canary is None, 300), play.world.account()


@pytest.mark.parametrize("trigger", [breach, abort])
def test_h4_scaled_while_paused(trigger: Trigger) -> None:
    """A paused rollout is scaled and watched, and goes back."""
    play = shops.shop(4)
    canary = at(play, 20)
    play.world.edit(paused=True)
    play.world.run(30)
    play.world.edit(replicas=15)
    play.world.run(30)
    assert ((15, 15), (3, 3)) == (play.world.pods_of(play.stable), play.world.pods_of(canary))
    trigger(play)
    home(play)
    assert play.settle() == "RolledBack"


@pytest.mark.parametrize("bound", [{}, {"maxSurge": 2}])
def test_h5_a_stable_pod_is_unavailable(bound: Json) -> None:
    """One stable pod that is not available delays nothing; where stable was shrunken, half a minute at the most."""
    play = shops.shop(5, **bound)
    at(play, 50)
    play.world.fail_pods(play.stable, 1, 900)
    play.world.run(1)
    abort(play)
    home(play, 35 if bound else 2)
    play.world.run(920)
    assert play.settle() == "RolledBack"


def test_h6_abort_wins_over_promote_full() -> None:
    """promote-full before and beside an abort changes nothing."""
    play = shops.shop(6)
    canary = at(play, 20)
    play.world.annotate(names.PROMOTE_FULL, canary)
    play.world.run(7)
    play.world.annotate(names.PROMOTE_FULL, canary)
    abort(play)
    home(play)
    assert play.settle() == "RolledBack"
    assert canary == play.world.status.rejected[0].hash


@pytest.mark.parametrize("moment", ["at 20", "promoting", "going back"])
def test_h13_a_newer_template_arrives(moment: str) -> None:
    """The older canary leaves or completes; the newer one begins at its first step and inherits no weight."""
    play = shops.shop(13)
    older = play.ship("web:2")
    play.reach(100 if moment == "promoting" else 20)
    if moment == "going back":
        abort(play)
    play.world.apply(play.spec("web:3"))
    world = play.world

    def newer() -> bool:
        return world.status.canary is not None and world.status.canary.hash != older

    assert world.run_until(newer, 600), world.account()
    assert (0, 0) == (shops.share(play), play.judges.ways.given(older) if play.stable != older else 0)
    assert play.settle() == "Healthy"
    assert Ending.PROMOTED == world.status.history[0].outcome
    shops.rested(play)


def test_h14_the_template_is_put_back() -> None:
    """The canary leaves at once, no rollout follows, and nothing is rejected."""
    play = shops.shop(14)
    at(play, 50)
    play.world.apply(play.spec("web:1"))
    home(play, 2)
    assert play.settle() == "Healthy"
    assert () == play.world.status.rejected
    shops.rested(play)


def test_h15_a_rejected_template_is_applied_every_minute() -> None:
    """It stays rejected: no pods, no writes, no events."""
    play = shops.shop(15)
    at(play, 20)
    breach(play)
    play.settle()
    writes, notices = len(play.world.journal.writes), len(play.world.journal.notices)
    for _ in range(20):
        play.world.apply(play.spec("web:2"))
        play.world.run(60)
    assert (writes, notices) == (len(play.world.journal.writes), len(play.world.journal.notices))


@pytest.mark.parametrize(("stable", "canary"), [(100, 0), (0, 100), (30, 70), (95, 5)])
@pytest.mark.parametrize("percent", [0, 50])
def test_h17_weights_are_edited_by_hand(stable: int, canary: int, percent: int) -> None:
    """At rest and in flight they are put back within seconds, and an Event says who did it."""
    play = shops.shop(17)
    at(play, 50)
    if not percent:
        abort(play)
        play.settle()
    play.world.change(Kind.HTTP_ROUTE, specs.ROUTE, lambda thing: weigh(thing, stable, canary))
    if shops.share(play) != percent:
        assert play.world.run_until(lambda: shops.share(play) == percent, 5), play.world.account()
        assert any("another-client changed HTTPRoute web" in one.message for _, one in play.world.journal.notices)
    assert play.settle() == ("Healthy" if percent else "RolledBack")
    shops.rested(play)


def test_h17_gitops_applies_the_original_route_every_minute() -> None:
    """Each time it is put right within seconds; the steps wait for a quiet minute and say who is in the way."""
    play = shops.shop(17)
    original = play.world.store.get(Kind.HTTP_ROUTE, "shop", specs.ROUTE)
    assert original is not None
    canary = at(play, 20)
    for _ in range(5):
        play.world.change(Kind.HTTP_ROUTE, specs.ROUTE, lambda thing: thing.update(spec=original["spec"]), "argocd")
        assert play.world.run_until(lambda: shops.share(play) == 20, 5), play.world.account()
        play.world.run(20)
    ready = play.world.status.conditions[1]
    assert (Phase.HOLDING, "RouteContested") == (play.world.phase, ready.reason)
    assert "argocd changed HTTPRoute web" in ready.message
    assert play.settle() == "Healthy"
    assert canary == play.stable
    shops.rested(play)


@pytest.mark.parametrize("service", [specs.STABLE_SERVICE, specs.CANARY_SERVICE])
@pytest.mark.parametrize("percent", [0, 20])
def test_h18_our_key_is_removed_from_a_selector(service: str, percent: int) -> None:
    """At rest and in flight it is back within seconds."""

    def lose(thing: Json) -> None:
        thing["spec"]["selector"].pop(names.POD_HASH)

    play = shops.shop(18)
    canary = at(play, 20)
    if not percent:
        abort(play)
        play.settle()
    play.world.change(Kind.SERVICE, service, lose)
    chosen = canary if percent and service == specs.CANARY_SERVICE else play.stable

    def back() -> bool:
        thing = play.world.store.get(Kind.SERVICE, "shop", service)
        return thing is not None and thing["spec"]["selector"].get(names.POD_HASH) == chosen

    assert play.world.run_until(back, 5), play.world.account()
    assert play.settle() == ("Healthy" if percent else "RolledBack")
    shops.rested(play)


@pytest.mark.parametrize("orphan", [False, True])
def test_h19_deleted_at_weight_20(*, orphan: bool) -> None:
    """Traffic goes to stable first; the new version is never shipped by a deletion."""
    play = shops.shop(19)
    canary, stable = at(play, 20), play.stable
    play.world.delete(orphan=orphan)
    home(play, 3)
    assert (10, 10) == play.world.pods_of(stable)
    assert play.world.run_until(lambda: play.world.rollout is None, 300), play.world.account()
    play.world.run(30)
    assert (0, 0) == play.world.pods_of(canary)
    assert ((10, 10) if orphan else (0, 0)) == play.world.pods_of(stable)


def test_h21_an_autoscaler_moves_replicas_throughout() -> None:
    """Users get what the autoscaler asks for at every moment, and a breach in the middle goes back at once."""
    play = shops.shop(21)
    play.ship("web:2")
    for replicas in (14, 9, 16, 12, 20, 11):
        play.world.edit(replicas=replicas)
        play.world.run(20)
    breach(play)
    home(play)
    assert play.settle() == "RolledBack"
    assert (11, 11) == play.world.pods_of(play.stable)
    shops.rested(play)
