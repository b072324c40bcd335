"""A cold rollback while a canary is in flight: pods that start, which takes long, do not wait for that one's drain."""

import functools
from collections.abc import Callable
from typing import Final

import pytest

from headgate.api import names
from headgate.core.model import Json
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import samples, shops, worlds
from tests.simulation.shops import QUICK
from tests.simulation.test_rollbacks import came_back, command, revert

DRAIN_SECONDS: Final = 30.0
START_SECONDS: Final = 20.0
"""How long a pod of the earlier revision takes to be ready."""
SOON_SECONDS: Final = 5.0
QUIET: Final = Pace(call=0.0, lag=0.0)
SWITCH: Final[Json] = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "30s"}
ROUTE: Final[Json] = {**specs.traffic(), "drain": "30s"}
BLUE: Final[Json] = {"blueGreen": {"scaleDownDelay": "0s"}}
SWITCHED: Final[Json] = {"blueGreen": {"autoPromotion": {}, "scaleDownDelay": "0s"}}
STEPS: Final = (specs.weight(50), specs.pause())
WAYS: Final[dict[str, Json]] = {
    "canary by a route": {"steps": STEPS, "traffic": ROUTE, "scaleDownDelay": "0s"},
    "canary within a bound": {"steps": STEPS, "maxSurge": "75%", "traffic": ROUTE, "scaleDownDelay": "0s"},
    "canary by pods": {"steps": STEPS, "maxSurge": "100%", "traffic": None},
    "blueGreen in preview": {"strategy": BLUE, "traffic": SWITCH},
    "blueGreen by Services": {"strategy": SWITCHED, "traffic": SWITCH},
    "blueGreen by a route": {"strategy": SWITCHED, "traffic": ROUTE},
}
WHOLE: Final = [way for way in WAYS if "bound" not in way and "pods" not in way]
"""Where all pods of both may be there beside those that drain."""
DRAINING: Final = [way for way in WAYS if way not in ("canary by pods", "blueGreen in preview")]
"""Where the canary is there for long enough to say something else meanwhile."""


def flying(way: str, seed: int = 1, pace: Pace | None = None) -> worlds.Play:
    """Return a world on web:2, after a cold web:1 whose pods start slowly, with web:3 in flight."""
    fields = {"steps": (), "measured": (QUICK,), "replicas": 4, **WAYS[way]}
    routed = fields.pop("traffic")
    play = (
        worlds.play(seed, pace=pace, **fields)
        if routed is None
        else shops.shop(seed, pace=pace, traffic=routed, **fields)
    )
    canary = play.ship("web:2")
    assert play.world.run_until(functools.partial(worlds.promoted, play, canary), 900), play.world.account()
    play.settle()
    play.world.pods.images["web:1"] = Image(ready_after_seconds=START_SECONDS)
    newest = play.ship("web:3")
    if "autoPromotion" in fields.get("strategy", {}).get("blueGreen", {}):
        assert play.world.run_until(lambda: led(play, newest) == 100, 60), play.world.account()
    else:
        play.world.run(45)
    assert play.world.status.canary is not None, play.world.account()
    assert play.world.status.canary.abort is None, play.world.account()
    return play


def first(play: worlds.Play) -> str:
    """Return the hash of web:1."""
    return next(entry.hash for entry in play.world.status.history if entry.revision == 1)


def led(play: worlds.Play, revision_hash: str) -> int:
    """Return what the Gateways, or the stable Service, give to a revision, in percent."""
    ways = play.judges.ways
    if play.judges.scene.switches:
        return 100 if ways.selected(ways.services[0]) == revision_hash else 0
    return ways.given(revision_hash)


def back_after(play: worlds.Play, revision_hash: str, seconds: float) -> float:
    """Return how many seconds pass until a revision has all users; before its pods are ready it has none."""
    began = play.world.now
    while led(play, revision_hash) < 100:
        if led(play, revision_hash):
            assert play.world.pods_of(revision_hash)[1] > 0, play.world.account()
        assert play.world.now < began + seconds, play.world.account()
        play.world.run(0.25)
    return play.world.now - began


@pytest.mark.parametrize("how", [command, revert])
@pytest.mark.parametrize("way", WHOLE)
def test_h13_users_wait_for_the_longer_of_both(way: str, how: Callable[[worlds.Play], None]) -> None:
    """H13: a drain of 30 s and pods that start in 20 s take their users 34 s at most, one after the other 52 s.

    In preview nobody has to be drained, and it takes what the pods take.
    """
    play = flying(way)
    earlier, most = first(play), DRAIN_SECONDS if "preview" not in way else START_SECONDS
    how(play)
    assert play.world.run_until(lambda: play.world.pods_of(earlier)[0] == 4, SOON_SECONDS), play.world.account()

    assert back_after(play, earlier, 60) < most + 4
    came_back(play)


@pytest.mark.parametrize("how", [command, revert])
@pytest.mark.parametrize("way", ["canary within a bound", "canary by pods"])
def test_h13_as_far_as_a_stated_surge_allows(way: str, how: Callable[[worlds.Play], None]) -> None:
    """H13: the pods of all three versions stay within it, and the rest starts when the canary has gone."""
    play, most = flying(way), {"canary within a bound": 7, "canary by pods": 8}[way]
    earlier, scene, counted = first(play), play.judges.scene, []
    how(play)
    for _ in range(80):
        play.world.run(0.5)
        counted.append(sum(count for count, _, _ in scene.living().values()))
    started = play.world.pods_of(earlier)[0]

    assert max(counted) <= most
    assert started > 0
    came_back(play)


@pytest.mark.parametrize("way", DRAINING)
def test_taken_back_meanwhile(way: str) -> None:
    """A mistyped number: what has started for it goes, nothing is held against it, and the stable one stays."""
    play = flying(way, seed=2)
    earlier = first(play)
    command(play)
    play.world.run(8)
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    assert play.world.run_until(lambda: play.world.status.rollback is None, 30), play.world.account()
    play.settle()

    assert 0 == play.world.pods_of(earlier)[0]
    assert earlier not in {entry.hash for entry in play.world.status.rejected}
    assert 4 == play.world.pods_of(play.stable)[1]


@pytest.mark.parametrize("way", DRAINING)
def test_asked_for_twice_and_for_yet_another_one(way: str) -> None:
    """The last word counts: to the third last version, then to the second last, once more, and to the first again."""
    play = flying(way, seed=3)
    for revision in ("1", "2", "1", "1"):
        command(play, revision)
        play.world.run(6)
    came_back(play)

    assert [3] == [entry.revision for entry in play.world.status.rejected]


@pytest.mark.parametrize("trouble", [fault_injection.Trouble.CRASH_AFTER, fault_injection.Trouble.LOST_ANSWER])
@pytest.mark.parametrize("way", WAYS)
def test_h12_killed_around_every_write(way: str, trouble: fault_injection.Trouble) -> None:
    """H12: a process that finds pods of the earlier revision beside a canary that leaves ends where the other would."""
    for ordinal in samples.some(range(1, 14, 3), 2):
        play = flying(way, seed=4, pace=QUIET)
        play.world.plan = fault_injection.at_write(len(play.world.journal.writes) + ordinal, trouble)
        command(play)
        came_back(play)

        assert [3] == [entry.revision for entry in play.world.status.rejected], ordinal


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_start_does_not_keep_the_canary(way: str) -> None:
    """An image that is gone: the canary leaves as ever, and stable stays as it is but for the attempt."""
    play = flying(way, seed=5)
    play.world.pods.images["web:1"] = Image(trouble="ImagePullBackOff")
    command(play)
    gone = play.world.status.canary
    assert gone is not None
    assert play.world.run_until(lambda: play.world.pods_of(gone.hash)[0] == 0, 45), play.world.account()
    assert play.world.run_until(lambda: 1 in {entry.revision for entry in play.world.status.rejected}, 900), (
        play.world.account()
    )
    came_back(play, 2)


@pytest.mark.parametrize("way", WAYS)
def test_a_breach_while_it_starts(way: str) -> None:
    """A canary that was taken back for a failed metric drains when the command comes."""
    play = flying(way, seed=6)
    play.world.script.say(0.5, play.world.now)

    def leaves() -> bool:
        canary = play.world.status.canary
        return canary is not None and canary.abort is not None

    assert play.world.run_until(leaves, 60), play.world.account()
    play.world.script.say(0.0, play.world.now)
    earlier = first(play)
    command(play)
    play.world.run(SOON_SECONDS)
    assert play.world.pods_of(earlier)[0] > 0, play.world.account()
    came_back(play)


def test_recreate_has_no_pods_of_two_versions() -> None:
    """There the earlier one starts when all others have gone, as ever."""
    play = worlds.play(7, strategy={"recreate": {}}, steps=(), measured=(QUICK,), replicas=4)
    play.ship("web:2")
    play.settle()
    play.ship("web:3")
    play.world.run(3)
    earlier = first(play)
    command(play)
    assert play.world.run_until(lambda: play.world.pods_of(earlier)[0] > 0, 120), play.world.account()

    assert 4 == sum(count for count, _, _ in play.judges.scene.living().values())
    came_back(play)
