"""The status is lost at any moment: users stay on what was stable, and nothing is tried again that was taken back."""

from collections.abc import Callable
from typing import Any

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.world import KEY
from tests.simulation import samples, shops, worlds

STEPS = (specs.weight(20), specs.weight(50), specs.weight(100), specs.pause())


def lose(play: worlds.Play, status: Json | None = None) -> None:
    """Put *status*, or none, in place of the Rollout's, as a restore does."""
    world = play.world
    if status is None:
        world.server.write_status(Kind.ROLLOUT, KEY.namespace, KEY.name, {}, "velero")
    else:
        world.store.apply_status(Kind.ROLLOUT, KEY.namespace, KEY.name, status, names.STATUS_MANAGER)
    world.annotate("velero.io/restore-name", str(world.now))  # which wakes the operator, as a new object would


def kept(play: worlds.Play) -> Json:
    """Return the status as a backup holds it."""
    rollout = play.world.rollout
    assert rollout is not None
    found: Json = rollout["status"]
    return found


def begun(routed: bool, seed: int = 32, **usual: Any) -> worlds.Play:  # noqa: FBT001  # a fixture in all but name
    """Return a world at rest on web:1."""
    fields: dict[str, Any] = {"steps": STEPS, "measured": (shops.QUICK,), **usual}
    return shops.shop(seed, services=2, **fields) if routed else worlds.play(seed, **fields)


def at_rest(_play: worlds.Play) -> None:
    """Leave it as it is."""


def none_ready(play: worlds.Play) -> None:
    """Let all pods of the stable revision fail for a while."""
    play.world.fail_pods(play.stable, 10, 20)
    play.world.run(1)


def early(play: worlds.Play) -> None:
    """Bring a canary to 20 percent."""
    play.ship("web:2")
    play.reach(20)


def late(play: worlds.Play) -> None:
    """Bring a canary to 50 percent."""
    play.ship("web:2")
    play.reach(50)


def whole(play: worlds.Play) -> None:
    """Bring a canary to all users, and not to its promotion."""
    play.ship("web:2")
    play.reach(100)


def promoted(play: worlds.Play) -> None:
    """Promote a canary, and stop a moment later."""
    canary = play.ship("web:2")
    play.world.annotate(names.PROMOTE_FULL, canary)
    assert play.world.run_until(lambda: play.stable == canary, 600), play.world.account()
    play.world.run(2)


def rolled_back(play: worlds.Play) -> None:
    """Take a canary back for its metrics."""
    late(play)
    shops.breach(play)
    assert play.settle() == "RolledBack"
    play.world.script.say(0.0, play.world.now)


def rolled_back_and_not_ready(play: worlds.Play) -> None:
    """Take a canary back, then let all pods fail for a while."""
    rolled_back(play)
    none_ready(play)


def rolling_back(play: worlds.Play) -> None:
    """Be about to take a canary back."""
    late(play)
    shops.abort(play)
    assert play.world.run_until(lambda: play.world.phase == "RollingBack", 30), play.world.account()
    play.world.run(1.5)


def scaled_to_nothing(play: worlds.Play) -> None:
    """Take a canary back, then have no pods at all."""
    rolled_back(play)
    play.world.edit(replicas=0)
    play.world.run(30)


def without_records(play: worlds.Play) -> None:
    """Bring a canary half way, and lose the records as well."""
    late(play)
    for record in play.world.store.peek(Kind.CONTROLLER_REVISION):
        play.world.drop(Kind.CONTROLLER_REVISION, record["metadata"]["name"])


Situation = Callable[[worlds.Play], None]
SITUATIONS: dict[str, tuple[Situation, int, str, bool]] = {
    "at rest": (at_rest, 1, "Healthy", False),
    "at rest, none ready": (none_ready, 1, "Healthy", False),
    "canary early": (early, 1, "Paused", False),
    "canary late": (late, 1, "Paused", False),
    "canary with all users, before its promotion": (whole, 1, "Paused", False),
    "promoted a moment ago": (promoted, 2, "Healthy", False),
    "rolled back": (rolled_back, 1, "RolledBack", True),
    "rolled back, none ready": (rolled_back_and_not_ready, 1, "RolledBack", True),
    "rolling back": (rolling_back, 1, "RolledBack", True),
    "rolled back, no replicas": (scaled_to_nothing, 1, "RolledBack", True),
    "canary late, records gone as well": (without_records, 1, "Paused", False),
}
"""What happened before, which version is stable, where it comes to rest, and whether a rejection is remembered."""


def image(play: worlds.Play) -> str:
    """Return what the stable revision runs."""
    thing = play.world.deployment(play.stable)
    assert thing is not None
    return str(thing["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.mark.parametrize(("name", "routed", "down"), samples.covering(list(SITUATIONS), (False, True), (False, True)))
def test_h32_the_status_is_lost(name: str, *, routed: bool, down: bool) -> None:
    """H32: what was stable stays stable, users are served throughout, and a rejection is remembered with its reason."""
    situation, stable, phase, rejected = SITUATIONS[name]
    play = begun(routed)
    situation(play)
    world, numbers = play.world, {entry.revision for entry in play.world.status.history}
    if down:
        world.operator.die()
        world.restarts = False
    lose(play)
    if down:
        world.run(5)
        world.restart()
    assert world.run_until(lambda: world.status.stable is not None, 30), world.account()
    world.run(2)
    assert f"web:{stable}" == image(play), world.account()
    assert rejected == bool(world.status.rejected), world.account()
    assert world.run_until(lambda: str(world.phase) == phase, worlds.LONG_SECONDS), world.account()
    world.run(60)
    assert phase == str(world.phase), world.account()
    assert f"web:{stable}" == image(play), world.account()
    assert not world.status.stable or not world.status.stable.found, world.account()
    if rejected:
        assert "Recovered" not in {entry.reason for entry in world.status.rejected}
    assert {stable} <= numbers | {1}


@pytest.mark.parametrize("routed", [False, True], ids=["by pods", "by a route"])
def test_h32_an_old_status_is_played_back(*, routed: bool) -> None:
    """H32: a backup that is older than the last promotion is not believed; what is stable since stays stable."""
    play = begun(routed)
    backup = kept(play)
    promoted(play)
    assert play.settle() == "Healthy"
    lose(play, backup)
    play.world.run(3)
    assert "web:2" == image(play), play.world.account()
    assert play.settle() == "Healthy"
    assert (10, 10) == play.world.pods_of(play.stable)
    assert "web:2" == image(play), play.world.account()


@pytest.mark.parametrize("routed", [False, True], ids=["by pods", "by a route"])
def test_h32_orphaned_and_applied_again(*, routed: bool) -> None:
    """H32: a Rollout that is deleted without its Deployments and applied again takes over what was stable."""
    play = begun(routed)
    rolled_back(play)
    play.world.delete(orphan=True)
    assert play.world.run_until(lambda: play.world.rollout is None, 300), play.world.account()
    play.world.run(30)
    play.world.apply(play.spec("web:2"))
    assert play.settle() == "RolledBack"
    assert "web:1" == image(play), play.world.account()
    assert play.world.status.rejected[0].reason == "MetricFailed"
    canary = play.world.status.rejected[0].hash
    play.world.annotate(names.RETRY, canary)
    assert play.world.run_until(lambda: play.world.status.canary is not None, 30), "retry still works"


@pytest.mark.parametrize("limit", [0, 2])
@pytest.mark.parametrize("routed", [False, True], ids=["by pods", "by a route"])
def test_h32_a_rejection_outlives_its_deployment(*, routed: bool, limit: int) -> None:
    """H32: a rejection is remembered though revisionHistoryLimit took the Deployment that bore it."""
    play = begun(routed, steps=(specs.weight(50),), revisionHistoryLimit=limit)
    world = play.world
    for number in (2, 3):
        canary = play.ship(f"web:{number}")
        world.annotate(names.PROMOTE_FULL, canary)
        assert world.run_until(lambda: world.settled() and play.stable == canary, 3600), world.account()  # noqa: B023  # called at once
    rejected = play.ship("web:4")
    play.reach(50)
    shops.breach(play)
    assert play.settle() == "RolledBack"
    world.script.say(0.0, world.now)
    world.run(60)
    assert world.deployment(rejected) is None, "only its record is left"

    lose(play)
    assert play.settle() == "RolledBack"
    assert [(entry.hash, entry.reason) for entry in world.status.rejected] == [(rejected, "MetricFailed")]
    assert "web:3" == image(play), world.account()


@pytest.mark.parametrize("when", [2.0, 6.0, 15.0])
def test_h32_in_the_middle_of_a_recreate(when: float) -> None:
    """H32: no two versions have pods at once, the version before comes back, and then the new one its turn."""
    play = worlds.play(33, strategy={"recreate": {}}, measured=(), steps=())
    play.world.apply(play.spec("web:2"))
    play.world.run(when)
    lose(play)
    assert play.world.run_until(lambda: play.world.status.stable is not None, 30), play.world.account()
    assert play.settle() == "Healthy"
    assert "web:2" == image(play), play.world.account()


@pytest.mark.parametrize("switched", [False, True])
def test_h32_in_a_blue_green_rollout(*, switched: bool) -> None:
    """H32: whether users were switched or not, they are led to what was stable, and the new one begins anew."""
    strategy = {"blueGreen": {"autoPromotion": {"after": "20s"}, "scaleDownDelay": "30s"}}
    play = begun(routed=True, strategy=strategy)
    play.ship("web:2")
    play.world.run(27 if switched else 12)
    stable = image(play)
    lose(play)
    assert play.world.run_until(lambda: play.world.status.stable is not None, 30), play.world.account()
    assert stable == image(play), play.world.account()
    assert play.settle() == "Healthy"
    assert "web:2" == image(play), play.world.account()


@pytest.mark.parametrize("seed", range(6))
def test_h32_lost_again_and_again(seed: int) -> None:
    """H32: a status that is lost at any moment, several times, costs no user a pod and promotes nothing unseen."""
    play = begun(bool(seed % 2), seed, steps=(specs.weight(20), specs.weight(60)))
    play.world.apply(play.spec("web:2"))
    for _ in range(4):
        play.world.run(play.world.dice.uniform(0.5, 40))
        lose(play)
    assert play.settle() == "Healthy"
    assert "web:2" == image(play), play.world.account()
