"""The record of the accepted policy is gone, or another object has its name: every way back ends all the same."""

from collections.abc import Callable

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.core.revisions import identity
from headgate.observe import parse_rollout
from headgate.simulation import specs
from tests.simulation import samples, shops, worlds
from tests.simulation.shops import abort, breach
from tests.simulation.ways import REPLICAS, SERVICES, WAYS, Way

PAUSED: Json = {"canary": {"steps": [specs.weight(50), specs.pause()], "maxUnavailable": 0, "maxSurge": 1}}
NAMESPACE = "shop"


def _half(play: worlds.Play) -> bool:
    weight = play.world.status.weight
    return weight is not None and weight.desired == 50 and weight.since is not None


EVERY = {
    **WAYS,
    "canary": Way(PAUSED, _half, _half),
    "canary-routed": Way(PAUSED, _half, _half, specs.traffic()),
}
EVERY_WAY = pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
OTHER: Json = {"rollingUpdate": {"maxSurge": 2}}
ANOTHER: Json = {"recreate": {}}


def _forge(play: worlds.Play, name: str, *, labelled: bool = True) -> None:
    labels = {names.ROLLOUT: "web", names.MANAGED: "true", names.RECORD: "policy"} if labelled else {}
    body = {
        "metadata": {"name": name, "labels": labels},
        "revision": 1,
        "data": {"hash": name.rsplit("-", 1)[-1], "policy": {"strategy": {"recreate": {}}}},
    }
    play.world.server.create(Kind.CONTROLLER_REVISION, NAMESPACE, body, "stranger")


def _lose(play: worlds.Play, way: Way, *, forged: bool, restart: bool) -> None:
    """Lose the record in the moment in which the spec comes to name other ways."""
    world = play.world
    name = identity.policy_name("web", world.status.policy)
    if restart:
        world.operator.die()
        world.restarts = False
    world.drop(Kind.CONTROLLER_REVISION, name)
    if forged:
        _forge(play, name)
    other = ANOTHER if way.strategy.keys() != ANOTHER.keys() else OTHER
    traffic = {**SERVICES, "canaryService": "web-preview"} if way.traffic else None
    changed: Json = {"strategy": other, **({"traffic": traffic} if way.traffic else {})}
    if "rollingUpdate" in other and way.traffic:
        changed.pop("traffic")
    world.apply(play.spec("web:2", **changed))
    if restart:
        world.restart()
    world.run(20 if restart else 1)


def _delete_stable(play: worlds.Play) -> None:
    play.world.drop(Kind.DEPLOYMENT, f"web-{play.stable}")
    play.world.run(5)
    abort(play)


def _promote(play: worlds.Play) -> None:
    canary = play.world.status.canary
    assert canary is not None
    play.world.annotate(names.PROMOTE_FULL, canary.hash)
    play.world.run(60)
    assert canary.hash != play.stable, play.world.account()
    abort(play)


@pytest.mark.parametrize(
    ("name", "trigger", "forged", "restart"),
    samples.covering(list(EVERY), (abort, breach, _delete_stable), (False, True), (False, True)),
)
def test_h30_a_way_back_ends_without_the_policy(
    name: str, trigger: Callable[[worlds.Play], None], *, forged: bool, restart: bool
) -> None:
    """H30: stable has all its pods, the canary none, and that is said, though nobody puts the record back."""
    way = EVERY[name]
    play = way.begun(5)
    before, canary = play.stable, way.reach(play)
    _lose(play, way, forged=forged, restart=restart)
    if play.world.status.canary is not None:
        trigger(play)
    world = play.world
    assert world.run_until(lambda: world.status.canary is None and world.pods_of(canary) == (0, 0), 600), (
        world.account()
    )
    assert world.run_until(lambda: world.pods_of(before) == (REPLICAS, REPLICAS), 300), world.account()
    assert (before, 0) == (play.stable, shops.share(play) if way.traffic else 0)
    assert canary in [one.hash for one in world.status.rejected]


@pytest.mark.parametrize("forged", [False, True], ids=["gone", "forged"])
@EVERY_WAY
def test_h30_a_deletion_ends_without_the_policy(way: Way, *, forged: bool) -> None:
    """H30: the Rollout goes once the canary has been taken back."""
    play = way.begun(6)
    way.reach(play)
    _lose(play, way, forged=forged, restart=True)
    play.world.delete()
    assert play.world.run_until(lambda: play.world.rollout is None, 300), play.world.account()


@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("way", [EVERY["canary"], EVERY["canary-routed"]], ids=["canary", "canary-routed"])
def test_h30_nothing_is_promoted_without_the_policy(way: Way, *, restart: bool) -> None:
    """H30: a command to promote waits, and an abort after it leads back."""
    play = way.begun(7)
    before, canary = play.stable, way.reach(play)
    _lose(play, way, forged=False, restart=restart)
    if restart:
        _promote(play)
    else:
        abort(play)
    assert play.world.run_until(lambda: play.world.status.canary is None, 600), play.world.account()
    assert (before, (0, 0)) == (play.stable, play.world.pods_of(canary))


@pytest.mark.parametrize("labelled", [True, False], ids=["with our label", "without"])
@EVERY_WAY
def test_h34_a_policy_whose_name_is_taken(way: Way, *, labelled: bool) -> None:
    """H34: no version starts by a policy that cannot be put on record; deleting the forged one is all it takes."""
    play = way.begun(8)
    world, before = play.world, play.stable
    assert world.rollout is not None
    wanted = play.spec("web:2", progressDeadlineSeconds=777)
    facts = parse_rollout.facts({**world.rollout, "spec": wanted}, ())
    name = f"web-policy-{facts.policy_hash}"
    accepted = world.status.policy
    _forge(play, name, labelled=labelled)
    world.apply(wanted)
    world.run(120)

    ready = next(one for one in world.status.conditions if one.type == "Ready")
    assert ("RecordTaken", True) == (ready.reason, name in ready.message), world.account()
    assert (before, None) == (play.stable, world.status.canary)
    assert accepted == world.status.policy
    assert (REPLICAS, REPLICAS) == world.pods_of(before)

    world.drop(Kind.CONTROLLER_REVISION, name)
    assert world.run_until(lambda: world.status.canary is not None, 60), world.account()


@pytest.mark.parametrize("labelled", [True, False], ids=["with our label", "without"])
@EVERY_WAY
def test_h34_a_template_whose_name_is_taken(way: Way, *, labelled: bool) -> None:
    """H34: a forged record of a template holds nothing up: its version starts, and an abort takes it back."""
    play = way.begun(8)
    world, before = play.world, play.stable
    assert world.rollout is not None
    name = f"web-{parse_rollout.facts({**world.rollout, 'spec': play.spec('web:2')}, ()).template_hash}"
    _forge(play, name, labelled=labelled)
    canary = way.reach(play)
    assert name in next(one.message for one in world.status.conditions if one.type == "Disputed"), world.account()

    abort(play)
    assert world.run_until(lambda: world.status.canary is None, 600), world.account()
    assert (before, (0, 0)) == (play.stable, world.pods_of(canary))


@pytest.mark.parametrize("labelled", [True, False], ids=["with our label", "without"])
@pytest.mark.parametrize("restart", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("way", [EVERY["canary"], EVERY["canary-routed"]], ids=["canary", "canary-routed"])
def test_h34_a_policy_in_flight_whose_name_is_taken(way: Way, *, restart: bool, labelled: bool) -> None:
    """H34: the accepted one stays in force, an abort leads back, and the new one is accepted once its name is free."""
    play = way.begun(9)
    before, canary = play.stable, way.reach(play)
    world = play.world
    assert world.rollout is not None
    wanted, accepted = play.spec("web:2", progressDeadlineSeconds=777), world.status.policy
    name = f"web-policy-{parse_rollout.facts({**world.rollout, 'spec': wanted}, ()).policy_hash}"
    _forge(play, name, labelled=labelled)
    world.apply(wanted)
    world.run(60)
    if restart:
        world.restart()
        world.run(30)
    assert accepted == world.status.policy
    assert any(one.type == "Disputed" and name in one.message for one in world.status.conditions), world.account()

    abort(play)
    assert world.run_until(lambda: world.status.canary is None, 600), world.account()
    assert (before, (0, 0)) == (play.stable, world.pods_of(canary))
    world.drop(Kind.CONTROLLER_REVISION, name)
    assert world.run_until(lambda: world.status.policy != accepted, 60), world.account()
