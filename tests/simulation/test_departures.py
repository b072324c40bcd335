"""Pods that take their time to end answer until then: what is said of a version waits for them, and nothing else."""

from collections.abc import Callable
from typing import Final

import pytest

from headgate.api import names
from headgate.api.status import Phase
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.controllers.pods import GRACE_SECONDS, Image
from headgate.simulation.invariants.suite import Invariants
from headgate.simulation.process import fault_injection
from headgate.simulation.world import World
from tests.simulation import samples, shops, worlds
from tests.simulation.test_rollbacks import WAYS, begun, came_back

SLACK_SECONDS: Final = 5
ENDS: Final = (1.0, 12.0, 25.0)
FOREVER: Final = 1e6
BY_PODS: Final[dict[str, Json]] = {
    "canary": {"steps": (specs.weight(50),)},
    "rollingUpdate": {"strategy": {"rollingUpdate": {"maxSurge": 1}}},
}
BY_PODS_ALONE: Final = ("canary by pods", "rollingUpdate")
OTHERS: Final = [way for way in WAYS if way != "recreate"]


def slow(play: worlds.Play, seconds: float, *numbers: int) -> None:
    """Let pods of these versions take so long to end; those that have begun as well."""
    for number in numbers:
        play.world.pods.images[f"web:{number}"] = Image(ends_after_seconds=seconds)


def abort(play: worlds.Play) -> None:
    """Give the command."""
    play.world.annotate(names.ABORT, names.ABORT_NOW)


def put_back(play: worlds.Play) -> None:
    """Put the template back."""
    play.world.apply(play.spec("web:2"))


def told(play: worlds.Play, reason: str) -> str:
    """Return the newest message with *reason*; empty if there is none."""
    return next((notice.message for _, notice in reversed(play.world.journal.notices) if notice.reason == reason), "")


def left_at(play: worlds.Play, hash_: str) -> float:
    """Let time pass until a version has no pods but those that end; return when that is."""
    assert play.world.run_until(lambda: play.world.pods_of(hash_)[0] == 0, 900), play.world.account()
    return play.world.now


@pytest.mark.parametrize(("way", "how", "seconds"), samples.covering(OTHERS, (abort, put_back), ENDS))
def test_taken_back(way: str, how: Callable[[worlds.Play], None], seconds: float) -> None:
    """RolledBack is said when nothing of it answers any more, and soon after that."""
    play = begun(way, seed=21)
    slow(play, seconds, 3)
    canary = play.ship("web:3")
    assert play.world.run_until(lambda: play.world.pods_of(canary)[1] > 0, 900), play.world.account()
    how(play)
    left = left_at(play, canary)
    assert play.world.run_until(lambda: play.world.status.canary is None, 900), play.world.account()

    # A look at least every so often, and whatever else going back took.
    assert play.world.now - left < seconds + max(6.0, seconds / 2)
    assert " is gone after " in told(play, "RolledBack"), "the judge of claims holds that none of it answers"
    play.settle()


def _led_to(play: worlds.Play, hash_: str) -> bool:
    pods = {pod["metadata"]["uid"] for pod in play.world.store.peek(Kind.POD, {names.POD_HASH: hash_})}
    return bool(pods & play.world.services.ready("web-canary"))


@pytest.mark.parametrize("way", OTHERS)
def test_a_dead_node_holds_no_words_for_ever(way: str) -> None:
    """A pod that outlives its grace is told of, and waited for no longer."""
    play = begun(way, seed=22)
    slow(play, FOREVER, 3)
    canary = play.ship("web:3")
    assert play.world.run_until(lambda: play.world.pods_of(canary)[1] > 0, 900), play.world.account()
    routed = play.judges.scene.routed
    led_to = lambda: not routed or _led_to(play, canary)  # noqa: E731 - a name for what is waited for
    assert play.world.run_until(led_to, 60), play.world.account()
    abort(play)
    left = left_at(play, canary)
    assert play.world.run_until(lambda: play.world.status.canary is None, 900), play.world.account()

    assert GRACE_SECONDS <= play.world.now - left <= GRACE_SECONDS + SLACK_SECONDS + 12
    assert "outlived what is given for it" in told(play, "RolledBack")


@pytest.mark.parametrize("way", BY_PODS_ALONE)
def test_pods_that_cannot_be_counted_hold_no_words_for_ever(way: str) -> None:
    """Nobody may list pods: it is said what is not known, for as long as pods of it could answer, and then told."""
    play = begun(way, seed=23)
    play.world.plan = fault_injection.while_(
        lambda call: not call.writes and call.kind is Kind.POD, fault_injection.Trouble.REFUSED
    )
    slow(play, 12.0, 3)
    play.world.apply(play.spec("web:3"))
    assert play.world.run_until(lambda: play.world.status.canary is not None, 60), play.world.account()
    canary = play.world.status.canary
    play.world.run(10)
    put_back(play)
    assert canary is not None
    assert play.world.run_until(lambda: play.world.status.canary is None, 900), play.world.account()
    assert "cannot be counted" in told(play, "RolledBack")
    play.world.plan = lambda _: None
    play.settle()


@pytest.mark.parametrize("way", OTHERS)
def test_h13_a_newer_version_does_not_wait_for_that(way: str) -> None:
    """H13: it starts as soon as it did before anybody counted pods that end."""
    play = begun(way, seed=24)
    slow(play, 29.0, 3)
    canary = play.ship("web:3")
    assert play.world.run_until(lambda: play.world.pods_of(canary)[1] > 0, 900), play.world.account()
    play.world.apply(play.spec("web:4"))
    left = left_at(play, canary)

    def newer() -> bool:
        found = play.world.status.canary
        return found is not None and found.hash != canary

    assert play.world.run_until(newer, 900), play.world.account()
    assert play.world.now - left < 3
    assert "Healthy" == play.settle()


@pytest.mark.parametrize("seconds", ENDS)
@pytest.mark.parametrize("way", BY_PODS)
def test_promoted_by_pods(way: str, seconds: float) -> None:
    """The new version is stable at once, and Healthy when it alone answers; in between it is told why not."""
    play = worlds.play(25, **{"steps": (), "measured": (), "replicas": 4, **BY_PODS[way]})
    slow(play, seconds, 1)
    play.world.apply(play.spec("web:2"))
    old = play.stable
    assert play.world.run_until(lambda: play.stable != old, 900), play.world.account()
    stable_at = play.world.now
    if seconds > 2:
        assert Phase.PROMOTING is play.world.phase
        ready = next(one for one in play.world.status.conditions if one.type == "Ready")
        assert "may still answer" in ready.message
    assert play.world.run_until(lambda: play.world.phase is Phase.HEALTHY, 900), play.world.account()
    assert play.world.now - stable_at < seconds + max(3.0, seconds / 2)


@pytest.mark.parametrize("way", BY_PODS)
def test_a_killed_operator_waits_for_it_all_the_same(way: str) -> None:
    """What is waited for is known from the status alone."""
    play = worlds.play(26, **{"steps": (), "measured": (), "replicas": 4, **BY_PODS[way]})
    slow(play, 20.0, 1)
    play.world.apply(play.spec("web:2"))
    old = play.stable
    assert play.world.run_until(lambda: play.stable != old, 900), play.world.account()
    play.world.restart()
    play.world.run(10)
    assert Phase.PROMOTING is play.world.phase
    assert play.world.run_until(lambda: play.world.phase is Phase.HEALTHY, 60), play.world.account()


@pytest.mark.parametrize("seconds", ENDS)
def test_a_first_version_that_is_replaced(seconds: float) -> None:
    """The next one is Healthy when it alone answers."""
    world = World(27)
    first = worlds.Play(world, Invariants(world), {"steps": (), "measured": (), "replicas": 4})
    world.pods.images["web:1"] = Image(ready_after_seconds=5, ends_after_seconds=seconds, troubled=(3,), trouble="Slow")
    world.apply(first.spec("web:1"))
    world.run(12)
    world.apply(first.spec("web:2"))
    assert "Healthy" == first.settle()


@pytest.mark.parametrize(("way", "seconds"), samples.halved(OTHERS, ENDS))
def test_gone_back_to_by_command(way: str, seconds: float) -> None:
    """A cold rollback is told as done when nothing of the version that was left answers."""
    play = begun(way, seed=28)
    slow(play, seconds, 2)
    play.world.annotate(names.ROLLBACK_TO, "1")
    came_back(play)
    assert Phase.ROLLED_BACK is play.world.phase


@pytest.mark.parametrize("seconds", ENDS)
@pytest.mark.parametrize("begin", [worlds.play, shops.shop])
def test_a_drill(begin: Callable[..., worlds.Play], seconds: float) -> None:
    """DrillEnded is said when none of its pods answers."""
    play = begin(29)
    slow(play, seconds, 1)
    play.world.annotate(names.DRILL, play.stable)
    assert play.world.run_until(lambda: "DrillEnded" in play.world.journal.reasons(), 900), play.world.account()
    assert " are gone after " in told(play, "DrillEnded")
