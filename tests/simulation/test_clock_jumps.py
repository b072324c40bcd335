"""H27: the clock jumps an hour ahead at each moment of every strategy, on its way there and on its way back.

The judges hold what is owed at every moment: pods that serve, drains, evidence, pods that stay while users may meet
them. What is held here is that nothing ends otherwise for it, nor sooner.
"""

import pytest

from tests.simulation import samples, worlds
from tests.simulation.shops import abort
from tests.simulation.ways import REPLICAS, WAYS, Way

HOUR = 3600.0
MOMENTS = tuple(range(0, 48, 8))
EVERY_WAY = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def jump(play: worlds.Play, seconds: float = HOUR) -> None:
    """Let the operator's clock gain *seconds*, once."""
    play.world.around.clock_skew += seconds


@EVERY_WAY
@pytest.mark.parametrize("late", [False, True])
def test_h27_a_jump_ahead_on_the_way_back(way: Way, *, late: bool) -> None:
    """An abort gives users back at no moment sooner than pods can carry them, whatever the clock shows meanwhile."""
    for moment in samples.some(MOMENTS, 2):
        play = way.begun(27)
        before, canary = play.stable, way.reach(play, late=late)
        abort(play)
        play.world.run(moment)
        jump(play)
        assert play.settle() == "RolledBack", play.world.account()
        assert (before, (REPLICAS, REPLICAS)) == (play.stable, play.world.pods_of(before))
        assert [(canary, "Aborted")] == [(entry.hash, entry.reason) for entry in play.world.status.rejected]


@EVERY_WAY
def test_h27_a_jump_ahead_on_the_way_there(way: Way) -> None:
    """No version is rejected by a jump, and none is promoted within the minute for which the clock is ahead."""
    for moment in (0, 8, 40):
        play = way.begun(27)
        canary = way.reach(play)
        play.world.run(moment)
        before = play.stable
        jump(play)
        play.world.run(10)
        jump(play, -HOUR)
        assert before == play.stable or way.traffic is None
        way.release(play, canary)
        assert play.settle() == "Healthy", play.world.account()
        assert canary == play.stable
        assert not play.world.status.rejected
