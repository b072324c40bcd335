"""Without spec.replicas the pods that are there tell how many are meant; no strategy may lose any on its way."""

from typing import Any

import pytest

from headgate.api import names
from headgate.core.model import Json, Kind
from headgate.simulation import specs
from headgate.simulation.process import fault_injection
from tests.simulation import worlds
from tests.simulation.shops import abort
from tests.simulation.ways import REPLICAS, WAYS, Way


def _halved(play: worlds.Play) -> bool:
    weight = play.world.status.weight
    return weight is not None and weight.desired == 50 and weight.since is not None


def _canary(**bounds: Any) -> Json:
    return {"canary": {"steps": [specs.weight(50), {"pause": {"duration": "30s"}}], **bounds}}


CANARIES = {
    "canary": Way(_canary(), _halved, _halved),
    "canary-routed": Way(_canary(), _halved, _halved, specs.traffic()),
    "canary-no-surge": Way(_canary(maxSurge=0, maxUnavailable=1), _halved, _halved),
    "canary-routed-no-surge": Way(_canary(maxSurge=0, maxUnavailable=1), _halved, _halved, specs.traffic()),
}
EVERY = {**WAYS, **CANARIES}


def spec(play: worlds.Play, image: str) -> Json:
    """Return the usual spec, which leaves the replicas to others."""
    return {field: value for field, value in play.spec(image).items() if field != "replicas"}


@pytest.mark.parametrize("end", ["promoted", "aborted", "superseded"])
@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_no_pod_is_lost_for_good(way: Way, end: str) -> None:
    """Whether a version is promoted, aborted, or replaced half way: it ends with as many pods as it began with."""
    play = way.begun(7)
    play.world.apply(spec(play, "web:1"))
    play.settle()
    play.world.apply(spec(play, "web:2"))
    way.become(play, way.middle)
    if end == "aborted":
        abort(play)
    if end == "superseded":
        play.world.apply(spec(play, "web:3"))
        way.become(play, lambda play: play.world.status.canary is None or play.world.status.canary.revision == 3)
    if end != "aborted":
        way.become(play, way.middle)
        assert play.world.status.canary is not None
        way.release(play, play.world.status.canary.hash)
    assert ("RolledBack" if end == "aborted" else "Healthy") == play.settle()

    assert (REPLICAS, (REPLICAS, REPLICAS)) == (play.replicas, play.world.pods_of(play.stable))
    assert play.world.status.min_replicas is None


@pytest.mark.parametrize("way", EVERY.values(), ids=EVERY)
def test_a_restart_brings_all_back(way: Way) -> None:
    """Though under recreate none is there for a while."""
    play = way.begun(8)
    play.world.apply(spec(play, "web:1"))
    play.settle()
    play.world.annotate(names.RESTART, "now")
    assert "Healthy" == play.settle()

    assert (REPLICAS, (REPLICAS, REPLICAS)) == (play.replicas, play.world.pods_of(play.stable))


@pytest.mark.parametrize(
    "trouble",
    [None, fault_injection.Trouble.CONFLICT, fault_injection.Trouble.UNREACHABLE, fault_injection.Trouble.CRASH_BEFORE],
)
def test_recreate_comes_back_whatever_becomes_of_the_write(trouble: fault_injection.Trouble | None) -> None:
    """The version in flight is replaced by one that stays rejected: stable is scaled up in the pass that ends it."""
    play = WAYS["recreate"].begun(9)
    play.world.apply(spec(play, "web:3"))
    way = WAYS["recreate"]
    way.become(play, way.middle)
    abort(play)
    assert "RolledBack" == play.settle()
    play.world.apply(spec(play, "web:2"))
    way.become(play, way.late)
    hit: list[str] = []

    def plan(call: fault_injection.Call) -> fault_injection.Trouble | None:
        if hit or not call.writes or call.kind is not Kind.DEPLOYMENT or play.world.status.canary is not None:
            return None
        hit.append(call.name)
        return trouble

    play.world.plan = plan
    play.world.apply(spec(play, "web:3"))
    assert "RolledBack" == play.settle()

    assert hit
    assert (REPLICAS, (REPLICAS, REPLICAS)) == (play.replicas, play.world.pods_of(play.stable))
