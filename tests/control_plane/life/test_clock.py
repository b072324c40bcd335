"""The operator's clock jumps while a rollout is in flight."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.life.operators import Operator
from tests.control_plane.life.shops import Shop

pytestmark = pytest.mark.control_plane

HOUR = 3600
# The second pause is as long as this test may need to see it on a busy machine: 4 s were over unseen.
PAUSED = {
    "canary": {
        "steps": [{"setWeight": 25}, {"pause": {"duration": "30s"}}, {"setWeight": 50}, {"pause": {"duration": "15s"}}],
        "scaleDownDelay": "0s",
    }
}


@dataclasses.dataclass(frozen=True, slots=True)
class Clock:
    """What the operator takes the time from."""

    file: Path

    def jump(self, seconds: float) -> None:
        """Show *seconds* more than the true time, from now on."""
        # In one step: a reader must not meet an empty file.
        new = self.file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self.file)


@pytest.fixture
def clock(operator: Operator, tmp_path: Path) -> Iterator[Clock]:
    """The clock of an operator that takes the place of the one that all tests share."""
    clock = Clock(tmp_path / "clock")
    clock.jump(0)
    operator.stop()
    settings = {**operator.settings, "CLOCK_FILE": str(clock.file)}
    skewed = dataclasses.replace(operator, settings=settings, module="tests.control_plane.life.skewed")
    skewed.start()
    try:
        yield clock
    finally:
        skewed.stop()
        operator.start()


def test_h27_clock_jumps(clock: Clock, shop: Shop) -> None:
    """H27: an hour forward ends no pause, an hour back begins one anew; no weight moves for it, and it goes on."""
    shop.open(strategy=PAUSED)
    shop.deploy("v2", strategy=PAUSED)
    shop.wait_weight(25)
    shop.wait_phase("Paused")
    clock.jump(HOUR)
    # It would look within half a minute by itself.
    shop.kubectl("annotate", "rollout", "web", "-n", shop.namespace, "example.com/looked-at=now")
    shop.wait(lambda: shop.status["canary"].get("jumpedSeconds", 0) >= HOUR - 1, "the jump is known")
    assert shop.status["phase"] == "Paused"
    assert shop.weights() == {"web": 75, "web-canary": 25}
    shop.wait_weight(50)
    shop.wait_phase("Paused")
    clock.jump(0)
    shop.wait_stable("v2")

    assert [entry["outcome"] for entry in shop.status["history"]] == ["Promoted", "Promoted"]
