"""What is reported of drills, and when."""

import dataclasses

import pytest

from headgate.act import Result
from headgate.api import status
from headgate.core.model import Key
from headgate.telemetry.metrics import Metrics
from tests.shell import virtual
from tests.shell.observations import decision, observation
from tests.shell.surroundings import World

KEY = Key("prod", "web")


def entry(outcome: status.Ending, drill: status.Drill | None) -> status.HistoryEntry:
    """Return an entry of the history."""
    return status.HistoryEntry(revision=1, hash="bbbbbbbbbb", outcome=outcome, started=1, finished=2, drill=drill)


@pytest.mark.parametrize(("took", "kept", "label"), [(1.25, True, "true"), (90.0, False, "false"), (None, None, "")])
def test_a_drill_is_counted(took: float | None, kept: bool | None, label: str) -> None:  # noqa: FBT001 - a table's row
    """By how it ended and whether it was in time; how long it took only where that was measured."""
    metrics = Metrics()
    drill = status.Drill(of="bbbbbbbbbb", within_seconds=60, rollback_seconds=took, within_target=kept)
    metrics.recorded(KEY, entry(status.Ending.DRILLED, drill))
    text = metrics.expose().decode()

    assert f'headgate_drills_total{{kept="{label}",outcome="Drilled"}} 1.0' in text
    assert f"headgate_drill_seconds_count {float(took is not None)}" in text


def test_rollouts_are_no_drills() -> None:
    """What was promoted is not counted among them."""
    metrics = Metrics()
    metrics.recorded(KEY, entry(status.Ending.PROMOTED, None))

    assert "headgate_drills_total{" not in metrics.expose().decode()


def test_what_came_to_an_end_is_reported_once_it_is_written() -> None:
    """An end that could not be written will be found again: it is counted with the write, and then only once."""

    async def main() -> None:
        drilled = entry(status.Ending.DRILLED, None)
        world = World([observation()] * 3, [Result(), Result(status_written=True), Result()])
        remembered = dataclasses.replace(
            decision(recheck_at=virtual.EPOCH), status=status.RolloutStatus(history=(drilled,))
        )
        world.decided = lambda _: remembered
        await world.first_pass()
        assert world.histories == []
        await world.next_pass()
        await world.next_pass()
        assert world.histories == [drilled]

    virtual.run(main)
