"""Blue/green in a cluster that takes its time: users meet one version or the other, and always one that can serve."""

import functools
import itertools
from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.core.traffic import plan as traffic_plan
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.invariants.suite import Violation
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import samples, shops, worlds
from tests.simulation.shops import abort

QUICK: Json = {"interval": "5s", "window": "5s", "passesToAdvance": 1, "failuresToRollback": 1}
SMOKE, USERS = (
    specs.metric(name, when=[moment], **QUICK)
    for name, moment in (("smoke", "PrePromotion"), ("users", "PostPromotion"))
)
METRICS = (SMOKE, USERS, specs.metric(**QUICK))
SERVICES: Json = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "10s"}
SLOW = Pace(call=0.3, lag=0.5)
AUTO: Json = {"autoPromotion": {"after": "30s"}, "previewReplicas": 1}


def play(seed: int = 0, way: Json | None = None, *, routed: bool, pace: Pace | None = None) -> worlds.Play:
    """Return a world at rest on web:1 whose strategy is blue/green, behind a route or Services only."""
    written = {"autoPromotion": {}} if way is None else way
    traffic = specs.traffic() if routed else SERVICES
    strategy = {"blueGreen": {"scaleDownDelay": "1m", **written}}
    return shops.shop(seed, pace=pace, strategy=strategy, traffic=traffic, measured=METRICS, replicas=3, steps=())


def previewed(shop: worlds.Play) -> bool:
    """Return whether a preview waits for a command."""
    return str(shop.world.phase) == "Paused"


def switched(shop: worlds.Play) -> bool:
    """Return whether all users were switched, and the promotion is not yet committed."""
    weight = shop.world.status.weight
    return weight is not None and weight.desired == 100 and weight.since is not None


def promoted(shop: worlds.Play) -> bool:
    """Return whether the old version is warm."""
    return shop.world.status.previous is not None


def fact(shop: worlds.Play, moment: Callable[[worlds.Play], bool]) -> None:
    """Let time pass until it is that far."""
    assert shop.world.run_until(functools.partial(moment, shop), 900), shop.world.account()


@pytest.mark.parametrize(
    ("seed", "way", "routed"), [*itertools.product(range(3), ({"autoPromotion": {}}, AUTO), (False, True))]
)
def test_a_good_version_takes_over(seed: int, way: Json, *, routed: bool) -> None:
    """Preview, switch, evidence, warm, and rest."""
    shop = play(seed, way, routed=routed, pace=SLOW)
    canary = shop.ship("web:2")
    assert "Healthy" == shop.settle()

    assert canary == shop.stable
    shops.rested(shop)


@pytest.mark.parametrize("routed", [False, True])
def test_by_hand_it_waits_for_as_long_as_it_takes(*, routed: bool) -> None:
    """Users stay where they are; the command named in the message ends that."""
    shop = play(1, {}, routed=routed)
    canary = shop.ship("web:2")
    fact(shop, previewed)
    shop.world.run(900)
    assert previewed(shop)
    shop.world.annotate(names.PROMOTE, f"{canary}/2")
    assert "Healthy" == shop.settle()

    assert canary == shop.stable


@pytest.mark.parametrize("routed", [False, True])
def test_a_preview_that_fails_meets_no_user(*, routed: bool) -> None:
    """The smoke tests of the preview take it back."""
    shop = play(2, {}, routed=routed)
    before = shop.stable
    shop.ship("web:2")
    fact(shop, previewed)
    shop.world.script.say(0.5, shop.world.now)
    assert "RolledBack" == shop.settle()

    assert (before, 0) == (shop.stable, shop.judges.serving.most_given)


MOMENTS: tuple[Callable[[worlds.Play], bool], ...] = (previewed, switched, promoted)


@pytest.mark.parametrize(("moment", "routed"), [*itertools.product(MOMENTS, (False, True))])
def test_abort_is_one_write_away(moment: Callable[[worlds.Play], bool], *, routed: bool) -> None:
    """In preview, after the switch, and while the old version is warm."""
    shop = play(3, {} if moment is previewed else None, routed=routed, pace=SLOW)
    before = shop.stable
    shop.ship("web:2")
    fact(shop, moment)
    began = shop.world.now
    abort(shop)
    home = functools.partial(leads_to, shop, before)
    assert shop.world.run_until(home, 30), shop.world.account()
    assert shop.world.now - began < 5
    assert "RolledBack" == shop.settle()

    assert before == shop.stable
    shops.rested(shop)


def leads_to(shop: worlds.Play, revision_hash: str) -> bool:
    """Return whether all users meet pods of a revision, and one of them at least is ready."""
    pods = shop.world.store.peek(Kind.POD, {names.POD_HASH: revision_hash})
    uids = {pod["metadata"]["uid"] for pod in pods}
    ready = shop.world.services.ready(specs.STABLE_SERVICE)
    return bool(ready) and ready <= uids and shops.share(shop) == 0


@pytest.mark.parametrize(("moment", "routed"), [*itertools.product((switched, promoted), (False, True))])
def test_a_new_side_that_crashes_is_left_by_itself(moment: Callable[[worlds.Play], bool], *, routed: bool) -> None:
    """All its pods crash right after the switch: users are back within seconds, and nobody had to say so."""
    shop = play(4, routed=routed)
    before, canary = shop.stable, shop.ship("web:2")
    fact(shop, moment)
    began = shop.world.now
    shop.world.fail_pods(canary, 3)
    assert shop.world.run_until(functools.partial(leads_to, shop, before), 30), shop.world.account()
    print(f"users were back after {shop.world.now - began:.1f} s")  # noqa: T201 - pytest shows it where a test fails
    assert shop.world.now - began < 10
    assert "RolledBack" == shop.settle()

    assert before == shop.stable
    assert "PodsCannotStart" == shop.world.status.history[0].reason


def test_h11_a_new_side_that_cannot_start() -> None:
    """Blue/green gives up in preview what cannot start; no user meets it."""
    shop = play(5, routed=False)
    shop.world.pods.images["web:2"] = Image(trouble="ImagePullBackOff")
    shop.ship("web:2")
    assert "RolledBack" == shop.settle()

    assert "PodsCannotStart" == shop.world.status.history[0].reason


@pytest.mark.parametrize(("moment", "routed"), [*itertools.product((previewed, switched), (False, True))])
def test_a_newer_version_begins_with_its_own_preview(moment: Callable[[worlds.Play], bool], *, routed: bool) -> None:
    """It inherits neither users nor a promotion."""
    shop = play(6, {} if moment is previewed else None, routed=routed)
    shop.ship("web:2")
    fact(shop, moment)
    shop.world.apply(shop.spec("web:3", strategy={"blueGreen": {}}))
    shop.world.run(200)
    fact(shop, previewed)

    status = shop.world.status
    assert ("Superseded", 0) == (status.history[0].reason, status.weight and status.weight.desired)


def test_the_judge_finds_a_hasty_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that cannot fail holds nothing."""
    monkeypatch.setattr(traffic_plan, "_raised", lambda view, _ready: view.weight)
    shop = play(8, {"previewReplicas": 1}, routed=False)
    canary = shop.ship("web:2")
    fact(shop, previewed)
    shop.world.annotate(names.PROMOTE_FULL, canary)
    with pytest.raises(Violation, match="switches users to 1 pods of 3"):
        shop.settle()


@pytest.mark.parametrize(
    ("end", "routed", "trouble"),
    samples.covering(
        ("promotion", "abort", "regret"),
        (False, True),
        (fault_injection.Trouble.CRASH_AFTER, fault_injection.Trouble.LOST_ANSWER),
    ),
)
def test_h12_killed_around_every_write(end: str, trouble: fault_injection.Trouble, *, routed: bool) -> None:
    """Blue/green ends where it would have ended, and users were always served."""
    for ordinal in range(1, 22, 2 if trouble is fault_injection.Trouble.CRASH_AFTER else 5):
        shop = play(7, routed=routed, pace=Pace(call=0.0, lag=0.0))
        before = shop.stable
        shop.world.plan = fault_injection.at_write(len(shop.world.journal.writes) + ordinal, trouble)
        canary = shop.ship("web:2")
        if end != "promotion":
            fact(shop, switched if end == "abort" else promoted)
            abort(shop)
        shop.settle()

        assert (canary if end == "promotion" else before) == shop.stable, ordinal
        assert 3 == shop.world.pods_of(shop.stable)[1], ordinal
