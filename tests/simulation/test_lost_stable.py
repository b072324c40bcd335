"""The stable revision's Deployment and its record are deleted together: what is said leads on, in each situation."""

import functools
from typing import Final

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from tests.simulation import shops, worlds
from tests.simulation.shops import QUICK

SWITCH: Final[Json] = {"stableService": specs.STABLE_SERVICE, "canaryService": specs.CANARY_SERVICE, "drain": "10s"}
STEPS: Final = (specs.weight(20), specs.pause(), specs.weight(50))
WAYS: Final[dict[str, Json]] = {
    "canary by pods": {"steps": STEPS, "traffic": None},
    "canary by a route": {"steps": STEPS, "traffic": specs.traffic()},
    "canary within a bound": {"steps": STEPS, "maxSurge": 1, "traffic": specs.traffic()},
    "blueGreen by Services": {"strategy": {"blueGreen": {}}, "traffic": SWITCH},
    "blueGreen by a route": {"strategy": {"blueGreen": {}}, "traffic": specs.traffic()},
    "rollingUpdate": {"strategy": {"rollingUpdate": {}}, "traffic": None},
    "recreate": {"strategy": {"recreate": {}}, "traffic": None},
}
PAUSED: Final = [way for way in WAYS if "canary" in way or "blueGreen" in way]
"""Where a rollout waits for people in its middle."""


def begun(way: str) -> worlds.Play:
    """Return a world at rest on web:2, after web:1."""
    fields = {"steps": (), "measured": (QUICK,), "replicas": 5, **WAYS[way]}
    routed = fields.pop("traffic")
    play = worlds.play(1, **fields) if routed is None else shops.shop(1, traffic=routed, **fields)
    canary = play.ship("web:2")
    assert play.world.run_until(functools.partial(worlds.promoted, play, canary), 900), play.world.account()
    play.settle()
    return play


def lose(play: worlds.Play) -> str:
    """Delete the Deployment and the record of the stable revision; return its hash."""
    world, gone = play.world, play.stable
    world.pods.failed["all that users deleted"] = world.now  # nothing can serve in their place
    thing = world.deployment(gone)
    assert thing is not None
    for kind in (Kind.CONTROLLER_REVISION, Kind.DEPLOYMENT):
        world.drop(kind, thing["metadata"]["name"])
    world.run(5)
    return gone


def told(play: worlds.Play) -> str:
    """Return what is said of the loss, in the condition; it is an Event, too."""
    ready = next(one for one in play.world.status.conditions if one.type == "Ready")
    assert (ready.reason, str(play.world.phase)) == ("StableLost", "Degraded"), play.world.account()
    assert "StableLost" in {notice.reason for done in play.world.journal.passes for notice in done.decision.notices}
    return ready.message


def serves(play: worlds.Play, revision_hash: str, *, pods: int = 5) -> None:
    """Hold that it ends with that revision stable, with all pods, and with nothing more said."""

    def there() -> bool:
        stable = play.world.status.stable
        return stable is not None and stable.hash == revision_hash and play.world.pods_of(revision_hash)[1] == pods

    assert play.world.run_until(there, 3600), play.world.account()
    play.settle()
    assert all(one.reason != "StableLost" for one in play.world.status.conditions), play.world.account()


@pytest.mark.parametrize("way", WAYS)
def test_at_rest_it_is_made_anew_from_the_spec(way: str) -> None:
    """The spec holds its template: nothing has to be done."""
    play = begun(way)
    gone = lose(play)
    serves(play, gone)


@pytest.mark.parametrize("way", PAUSED)
@pytest.mark.parametrize("remedy", ["promote-full", "template", "rollback"])
def test_a_canary_is_in_flight(way: str, remedy: str) -> None:
    """It can have all users at once, and the stable one can be made anew from its template."""
    play = begun(way)
    canary = play.ship("web:3")
    play.world.run(60)
    gone = lose(play)
    assert f"{names.PROMOTE_FULL}={canary} gives all users to revision 3" in told(play)

    if remedy == "promote-full":
        play.world.annotate(names.PROMOTE_FULL, canary)
        serves(play, canary)
    elif remedy == "template":
        play.world.apply(play.spec("web:2"))
        serves(play, gone)
    else:
        assert play.world.pods_of(canary)[1] > 0


@pytest.mark.parametrize("way", [*PAUSED, "recreate"])
@pytest.mark.parametrize("remedy", ["retry", "template"])
def test_a_canary_is_taken_back(way: str, remedy: str) -> None:
    """Its pods and its users stay its own: no other could serve them. It can be kept, or the stable one made anew."""
    play = begun(way)
    canary = play.ship("web:3")
    play.world.run(60 if way != "recreate" else 12)
    had = play.world.pods_of(canary)[1]
    gone = lose(play)
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    play.world.run(400)
    assert f"{names.RETRY}={canary} keeps revision 3, which serves" in told(play)
    assert had == play.world.pods_of(canary)[1] > 0, play.world.account()

    if remedy == "template":
        play.world.apply(play.spec("web:2"))
        serves(play, gone)
        return
    play.world.annotate(names.RETRY, canary)
    play.world.run(5)
    play.world.annotate(names.PROMOTE_FULL, canary)
    serves(play, canary)
    assert ["Promoted", "Aborted"] == [str(one.outcome) for one in play.world.status.history[:2]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("remedy", ["retry", "template", "rollback"])
def test_at_rest_after_a_version_was_taken_back(way: str, remedy: str) -> None:
    """What the spec holds is rejected: it can be tried again, or what was stable before can be gone back to."""
    play = begun(way)
    canary = play.ship("web:3")
    play.world.annotate(names.ABORT, names.ABORT_NOW)
    play.settle()
    gone = lose(play)
    said = told(play)
    assert f"{names.RETRY}={canary} tries revision 3 again" in said
    assert f"{names.ROLLBACK_TO}=1" in said

    if remedy == "template":
        play.world.apply(play.spec("web:2"))
        serves(play, gone)
    elif remedy == "retry":
        play.world.annotate(names.RETRY, canary)
        play.world.annotate(names.PROMOTE_FULL, canary)
        serves(play, canary)
    else:
        play.world.annotate(names.ROLLBACK_TO, "1")
        serves(play, next(entry.hash for entry in play.world.status.history if entry.revision == 1))


@pytest.mark.parametrize("way", WAYS)
def test_a_template_that_waits(way: str) -> None:
    """While spec.paused holds a new version the loss is said; once nothing holds it, it can have all users."""
    play = begun(way)
    play.world.apply(play.spec("web:3", paused=True))
    play.world.run(10)
    lose(play)
    assert "apply the template of revision 2 again" in told(play)

    play.world.apply(play.spec("web:3"))
    assert play.world.run_until(lambda: play.world.status.canary is not None, 60), play.world.account()
    canary = play.world.status.canary
    assert canary is not None
    play.world.annotate(names.PROMOTE_FULL, canary.hash)
    serves(play, canary.hash)
