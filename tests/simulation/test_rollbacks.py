"""Going back in a cluster that takes its time: at any moment, by every strategy, and with the operator killed."""

import functools
from collections.abc import Callable
from typing import Final

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from headgate.simulation.process import fault_injection
from headgate.simulation.world import Pace
from tests.simulation import samples, shops, worlds
from tests.simulation.shops import QUICK

SLOW: Final = Pace(call=0.3, lag=0.5)
QUIET: Final = Pace(call=0.0, lag=0.0)
SWITCH: Final[Json] = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "10s"}
PREVIEWED: Final[Json] = {"blueGreen": {"previewReplicas": 1, "autoPromotion": {}, "scaleDownDelay": "1m"}}
WAYS: Final[dict[str, Json]] = {
    "canary by pods": {"steps": (specs.weight(50),), "traffic": None},
    "canary with a route": {"steps": (specs.weight(50),)},
    "canary within a bound": {"steps": (specs.weight(50),), "maxSurge": 1},
    "rollingUpdate": {"strategy": {"rollingUpdate": {"maxSurge": 1}}, "traffic": None},
    "rollingUpdate with a route": {"strategy": {"rollingUpdate": {}}},
    "blueGreen by Services": {"strategy": PREVIEWED, "traffic": SWITCH},
    "blueGreen with a route": {"strategy": PREVIEWED},
    "recreate": {"strategy": {"recreate": {}}, "traffic": None},
}
ROUTED: Final = [way for way, fields in WAYS.items() if fields.get("traffic", SWITCH)]
BOUNDED: Final = ("canary within a bound", "rollingUpdate with a route")
"""Too few pods are warm there: some have to start before anybody goes back to them."""
MOMENTS: Final = (0.0, 2.0, 6.0, 20.0, 60.0, 200.0)
"""Seconds after the newest version was applied."""


def begun(way: str, seed: int = 1, pace: Pace | None = None) -> worlds.Play:
    """Return a world at rest on web:2, after web:1, long enough for nothing to be warm."""
    fields = {"steps": (), "measured": (QUICK,), "replicas": 4, **WAYS[way]}
    routed = fields.pop("traffic", SWITCH)
    if routed is SWITCH and way != "recreate":
        chosen = {"traffic": SWITCH} if way == "blueGreen by Services" else {}
        play = shops.shop(seed, pace=pace, **{**fields, **chosen})
    else:
        play = worlds.play(seed, pace=pace, **fields)
    play.ship("web:2")
    assert "Healthy" == play.settle()
    play.world.run(120)
    return play


def command(play: worlds.Play, revision: str = "1") -> None:
    """Give the command."""
    play.world.annotate(names.ROLLBACK_TO, revision)


def revert(play: worlds.Play) -> None:
    """Put the first template back, as whoever reverts in Git."""
    play.world.apply(play.spec("web:1"))


def warm(play: worlds.Play) -> bool:
    """Return whether the revision that was stable before is warm, and its time runs."""
    return play.world.status.previous is not None and play.world.status.previous.until is not None


def back(play: worlds.Play, revision: int = 1) -> bool:
    """Return whether that revision is stable again, and all is over."""
    status = play.world.status
    over = status.canary is None and status.previous is None and status.rollback is None
    return status.stable is not None and status.stable.revision == revision and over


def came_back(play: worlds.Play, revision: int = 1) -> None:
    """Hold that it comes to that, at rest, with all pods, and that nothing is written then."""
    there = functools.partial(back, play, revision)
    assert play.world.run_until(there, worlds.LONG_SECONDS), play.world.account()
    play.settle()
    assert 4 == play.world.pods_of(play.stable)[1], play.world.account()
    writes = len(play.world.journal.writes)
    play.world.run(1300)
    assert writes == len(play.world.journal.writes), play.world.account()


@pytest.mark.parametrize("way", WAYS)
def test_cold_by_command(way: str) -> None:
    """Users are back on it, the spec is as it was, and what it holds stays rejected."""
    play = begun(way, pace=SLOW)
    command(play)
    came_back(play)

    assert "RolledBack" == str(play.world.phase)
    rollout = play.world.rollout
    assert rollout is not None
    assert "web:2" == rollout["spec"]["template"]["spec"]["containers"][0]["image"]
    assert names.ROLLBACK_TO not in (rollout["metadata"].get("annotations") or {})
    assert [("Aborted", 2), ("Promoted", 1)] == [
        (str(entry.outcome), entry.revision) for entry in play.world.status.history[:2]
    ]


@pytest.mark.parametrize("way", WAYS)
def test_cold_by_template(way: str) -> None:
    """A revert in Git does the same, in one step, and rejects nothing."""
    play = begun(way, pace=SLOW)
    revert(play)
    came_back(play)

    assert ("Healthy", ()) == (str(play.world.phase), play.world.status.rejected)
    assert ("RolledBack", "spec.template") == (play.world.status.history[0].reason, play.world.status.history[0].by)


@pytest.mark.parametrize(("way", "seconds"), samples.halved(list(WAYS), MOMENTS))
def test_at_any_moment_of_a_third_version(way: str, seconds: float) -> None:
    """In preview, at a step, while it is promoted, while the second one is warm, or at rest: it ends on the first."""
    play = begun(way, seed=2, pace=SLOW)
    play.world.apply(play.spec("web:3"))
    play.world.run(seconds)
    command(play)
    came_back(play)

    assert "RolledBack" == str(play.world.phase)
    assert 3 in {entry.revision for entry in play.world.status.rejected}


@pytest.mark.parametrize("way", [way for way in ROUTED if way not in BOUNDED])
def test_warm_is_one_write(way: str) -> None:
    """While the second version is warm, its users are back before any pod is asked for."""
    play = begun(way, seed=3)
    play.ship("web:3")
    assert play.world.run_until(lambda: warm(play), 900), play.world.account()
    writes = len(play.world.journal.writes)
    command(play, "2")
    assert play.world.run_until(lambda: play.world.status.canary is not None, 30), play.world.account()
    first = next(write for write in play.world.journal.writes[writes:] if write.kind is not Kind.ROLLOUT)
    assert first.kind in (Kind.SERVICE, Kind.HTTP_ROUTE), play.world.account()
    came_back(play, 2)


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_start_any_more_is_given_up(way: str) -> None:
    """Where the old image is gone from its registry, whoever is stable stays, and so do its pods, but for recreate."""
    play = begun(way, seed=4)
    play.world.pods.images["web:1"] = Image(trouble="ImagePullBackOff")
    command(play)
    assert play.world.run_until(lambda: bool(play.world.status.rejected), 1200), play.world.account()
    came_back(play, 2)

    assert ("Healthy", ["PodsCannotStart"]) == (
        str(play.world.phase),
        [entry.reason for entry in play.world.status.rejected],
    )


@pytest.mark.parametrize("way", WAYS)
def test_it_can_be_aborted(way: str) -> None:
    """On the way, or while what was left is warm, the revision that was left has its users back."""
    play = begun(way, seed=5, pace=SLOW)
    command(play)
    assert play.world.run_until(lambda: play.world.status.canary is not None, 60), play.world.account()
    play.world.run(4)
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    came_back(play, 2)

    assert [1] == [entry.revision for entry in play.world.status.rejected]


@pytest.mark.parametrize("way", ROUTED)
def test_it_can_be_undone_while_what_was_left_is_warm(way: str) -> None:
    """By abort, in one write, and then it is rejected no more: the spec holds it."""
    play = begun(way, seed=6)
    command(play)
    assert play.world.run_until(lambda: warm(play), 900), play.world.account()
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    came_back(play, 2)

    assert ("Healthy", [1]) == (str(play.world.phase), [entry.revision for entry in play.world.status.rejected])


@pytest.mark.parametrize("way", WAYS)
def test_from_its_record_where_the_deployment_is_gone(way: str) -> None:
    """Somebody tidied up: the ControllerRevision is enough, as long as it is there."""
    play = begun(way, seed=7)
    first = next(entry.hash for entry in play.world.status.history if entry.revision == 1)
    thing = play.world.deployment(first)
    assert thing is not None
    play.world.drop(Kind.DEPLOYMENT, thing["metadata"]["name"])
    play.settle()
    command(play, first)
    came_back(play)


@pytest.mark.parametrize(
    ("way", "how", "trouble"),
    samples.covering(
        ("canary by pods", "canary with a route", "blueGreen by Services", "recreate"),
        (command, revert),
        (fault_injection.Trouble.CRASH_AFTER, fault_injection.Trouble.LOST_ANSWER),
    ),
)
def test_h12_killed_around_every_write(
    way: str, how: Callable[[worlds.Play], None], trouble: fault_injection.Trouble
) -> None:
    """It ends where it would have ended, is carried out once, and rejects what it should."""
    for ordinal in range(1, 14, 2):
        play = begun(way, seed=8, pace=QUIET)
        play.world.plan = fault_injection.at_write(len(play.world.journal.writes) + ordinal, trouble)
        how(play)
        came_back(play)

        rejected = [entry.revision for entry in play.world.status.rejected]
        assert ([2] if how is command else []) == rejected, ordinal
        assert 1 == [entry.revision for entry in play.world.status.history].count(1) - 1, ordinal


@pytest.mark.parametrize("trigger", ["breach", "outage"])
@pytest.mark.parametrize("way", ["canary by pods", "blueGreen with a route"])
def test_it_is_watched(way: str, trigger: str) -> None:
    """An earlier version that fails now is taken back; without any measurement it has its users, and waits."""
    play = begun(way, seed=9)
    world = play.world
    if trigger == "breach":
        world.script.say(0.5, world.now)
    else:
        world.script.outages.append((world.now, world.now + 300))
    command(play)
    if trigger == "breach":
        assert world.run_until(lambda: bool(world.status.rejected), 900), world.account()
        came_back(play, 2)
        return
    assert world.run_until(lambda: world.status.weight is not None and world.status.weight.since is not None, 240)
    world.run(30)
    assert world.status.canary is not None, world.account()
    came_back(play)


def test_two_in_a_row() -> None:
    """From the third to the second, and on to the first: each rejects what the spec holds, which is the third."""
    play = begun("canary with a route", seed=10)
    play.ship("web:3")
    assert "Healthy" == play.settle()
    play.world.run(120)
    command(play, "2")
    came_back(play, 2)
    command(play)
    came_back(play)

    assert [3] == [entry.revision for entry in play.world.status.rejected]


@pytest.mark.parametrize("way", WAYS)
def test_cold_from_a_version_that_serves_nobody(way: str) -> None:
    """Pods that are not ready carry no users, so no bound keeps them where those should be that users wait for."""
    play = begun(way, seed=11)
    left = play.stable
    play.world.pods.images["web:2"] = Image(trouble="CrashLoopBackOff")
    play.world.fail_pods(left, 4)
    play.world.run(20)
    began = play.world.now
    command(play)
    first = next(one.hash for one in play.world.status.history if one.revision == 1)
    assert play.world.run_until(lambda: play.world.pods_of(first)[1] == 4, 900), play.world.account()

    assert play.world.now - began < 25
    came_back(play)
    assert 0 == play.world.pods_of(left)[0]


@pytest.mark.parametrize("way", BOUNDED)
def test_pods_that_come_round_keep_their_users(way: str) -> None:
    """All of them unready for 3 s, as when what their probes ask is: that costs none of them, for users are theirs."""
    play = begun(way, seed=12)
    left = play.stable
    play.world.fail_pods(left, 4, 3.0)
    play.world.run(0.5)
    command(play)
    play.world.run(5)

    assert play.world.pods_of(left)[1] >= 4 - play.world.pods_of(play.world.status.history[-1].hash)[1]
    came_back(play)
