"""Right after going back the version that was gone back to loses all its pods: users go to whoever can serve them."""

import pytest

from headgate.api import names
from headgate.api.status import Phase
from headgate.core.model import Kind
from headgate.simulation import specs
from headgate.simulation.controllers.pods import Image
from tests.simulation import worlds
from tests.simulation.test_rollbacks import ROUTED, WAYS, begun, command, warm

WHOLE_WAYS = [way for way in ROUTED if way not in ("canary within a bound", "rollingUpdate with a route")]


def gone_back(way: str, seed: int) -> tuple[worlds.Play, str, str]:
    """Return a world that is going back from web:3 to web:2, which is warm, and the hashes of both."""
    play = begun(way, seed=seed)
    old = play.stable
    play.ship("web:3")
    assert play.world.run_until(lambda: warm(play), 900), play.world.account()
    left = play.stable
    command(play, "2")
    assert play.world.run_until(lambda: play.world.status.canary is not None, 30), play.world.account()
    play.world.run(1)
    return play, old, left


def selected(play: worlds.Play) -> str:
    """Return what the stable Service selects."""
    service = play.world.store.get(Kind.SERVICE, "shop", specs.STABLE_SERVICE)
    return str(service["spec"]["selector"].get(names.POD_HASH, "")) if service else ""


def served_by(play: worlds.Play) -> set[str]:
    """Return the revisions whose ready pods the stable Service leads to."""
    ready = play.world.services.ready(specs.STABLE_SERVICE)
    pods = play.world.store.peek(Kind.POD)
    return {pod["metadata"]["labels"][names.POD_HASH] for pod in pods if pod["metadata"]["uid"] in ready}


def message(play: worlds.Play) -> str:
    """Return what the Ready condition says."""
    return next(one.message for one in play.world.status.conditions if one.type == "Ready")


@pytest.mark.parametrize("way", WHOLE_WAYS)
def test_h44_users_go_to_whoever_serves(way: str) -> None:
    """H44: after 5 s without a ready pod users are led to the version that leaves, and home once one is ready."""
    play, old, left = gone_back(way, 31)
    world = play.world
    assert old == selected(play), world.account()
    world.fail_pods(old, 4, 60.0)
    assert world.run_until(lambda: served_by(play) == {left}, 9), world.account()
    world.run(3)
    assert "leads to these until one is" in message(play), world.account()
    assert Phase.ROLLING_BACK is world.phase
    assert ["UsersRescued"] == [reason for reason in world.journal.reasons() if reason == "UsersRescued"]
    assert world.run_until(lambda: served_by(play) == {old}, 60), world.account()
    assert world.run_until(lambda: world.status.canary is None, 900), world.account()
    assert (old, "RolledBack") == (play.stable, play.settle())


@pytest.mark.parametrize("way", WHOLE_WAYS)
def test_h44_a_moment_leads_nobody_away(way: str) -> None:
    """H44: pods whose probes fail for 3 s are waited for."""
    play, old, _ = gone_back(way, 32)
    play.world.fail_pods(old, 4, 3.0)
    for _ in range(40):
        play.world.run(0.25)
        assert old == selected(play), play.world.account()
    assert "UsersRescued" not in play.world.journal.reasons()


@pytest.mark.parametrize("way", WHOLE_WAYS)
def test_h44_pods_that_come_and_go_lead_users_to_and_fro_ever_seldomer(way: str) -> None:
    """H44: each time stable has lost its pods users wait twice as long before they are led away again."""
    play, old, left = gone_back(way, 33)
    for _ in range(60):
        play.world.fail_pods(old, 4, 25.0)
        play.world.run(30)
        if play.world.status.canary is None:
            break
    rescued = play.world.journal.reasons().count("UsersRescued")
    assert 1 <= rescued <= 4, "after 5, 10 and 20 s; later ones outlast the 25 s for which pods are away"
    play.world.run(60)
    assert {old} == served_by(play) | {old} - {left}


@pytest.mark.parametrize("seconds", [0.5, 20.0])
@pytest.mark.parametrize("way", WHOLE_WAYS)
def test_h44_abort_leads_back_to_the_version_that_serves(way: str, seconds: float) -> None:
    """H44: before users were led to it and after, abort=now makes the version that serves stable again, at once."""
    play, old, left = gone_back(way, 34)
    world = play.world
    world.fail_pods(old, 4)
    world.run(seconds)
    world.annotate(names.ABORT, names.ABORT_NOW)
    assert world.run_until(lambda: served_by(play) == {left}, 3), world.account()
    assert world.run_until(lambda: world.status.canary is None, 900), world.account()

    assert (left, "Healthy") == (play.stable, play.settle())
    assert [2] == [entry.revision for entry in world.status.rejected]


@pytest.mark.parametrize("way", [way for way in WAYS if way not in WHOLE_WAYS and way != "recreate"])
def test_h44_without_a_switch_the_pods_that_serve_stay(way: str) -> None:
    """H44: by pods and within a bound nobody is led anywhere, and pods that serve do not go while no other does."""
    play = begun(way, seed=35)
    old = play.stable
    canary = play.ship("web:3")
    assert play.world.run_until(lambda: play.world.pods_of(canary)[1] > 0, 900), play.world.account()
    play.world.pods.images["web:2"] = Image(trouble="CrashLoopBackOff")
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    play.world.run(0.3)
    play.world.fail_pods(old, 4, 40.0)
    play.world.run(35)
    if play.world.status.canary is not None:
        assert play.world.pods_of(canary)[1] > 0, play.world.account()


def test_h44_killed_in_between() -> None:
    """H44: a restarted operator goes on from what is on record."""
    play, old, left = gone_back("canary with a route", 36)
    play.world.fail_pods(old, 4, 60.0)
    play.world.run(2)
    play.world.restart()
    assert play.world.run_until(lambda: served_by(play) == {left}, 12), play.world.account()
    play.world.restart()
    play.world.run(3)
    assert {left} == served_by(play)
    assert play.world.run_until(lambda: play.world.status.canary is None, 900), play.world.account()
    assert old == play.stable
