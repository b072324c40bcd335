"""The operator is killed right after one of its writes, before it hears of it, and started again.

HEADGATE_ALL_KILL_POINTS=1 takes every write there is; otherwise eight are drawn, by HEADGATE_TEST_SEED if it is set.
"""

import collections
import functools
import random

import pytest

from tests.control_plane.hazards import plays
from tests.control_plane.hazards.plays import PLOTS, Company, Playing, Plot

pytestmark = [pytest.mark.control_plane, pytest.mark.slow]

PER_PLOT = 2
MORE = 2
"""So many writes more, or fewer, than the undisturbed operator the killed one may make: a point beyond is none."""

Point = tuple[Plot, int]


def drawn(company: Company) -> list[Point]:
    """Return after which write of which plot the operator is killed."""
    if plays.THOROUGH:
        counts = {plot: len(company.undisturbed(plot).result().writes) for plot in PLOTS}
        return [(plot, number) for plot in PLOTS for number in range(1, counts[plot] + MORE)]
    dice = random.Random(plays.SEED)
    return [(plot, number) for plot in PLOTS for number in dice.sample(range(1, plot.writes + 1), PER_PLOT)]


@functools.cache
def begun(company: Company) -> dict[Point, Playing]:
    """Start to play."""
    for plot in PLOTS:
        company.undisturbed(plot)
    return {
        (plot, number): company.start(functools.partial(plays.play, company.house, plot, number))
        for plot, number in drawn(company)
    }


def test_h12_killed_after_a_write(company: Company) -> None:
    """H12: killed after any write of a promotion or a rollback, by pods or by weights, it ends as if nothing were."""
    found, reached, running = [], collections.Counter[str](), begun(company)
    for (plot, number), playing in running.items():
        undisturbed = company.undisturbed(plot).result()
        try:
            outcome = playing.result()
        except Exception as error:  # noqa: BLE001 - it is told beside what became of the others
            found.append(f"{plot.name}, killed after write {number}: {error}")
            continue
        reached[plot.name] += bool(outcome.killed_after)
        where = f"{plot.name}, killed after write {number} ({outcome.killed_after}) in {outcome.namespace}"
        found += [f"{where}: {wrong}" for wrong in plays.wrongs(plot, undisturbed, outcome)]
    for wrong in found:
        plays.tell(wrong)
    plays.tell(f"{reached.total()} of {len(running)} kill points reached, {len(found)} violations; {dict(reached)}")

    assert [] == found
    beyond = len(PLOTS) * (2 * MORE if plays.THOROUGH else 1)
    assert reached.total() >= len(running) - beyond


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_undisturbed(company: Company, plot: Plot) -> None:
    """Undisturbed, a rollout keeps the rules that the disturbed ones are held to, and reaches its end."""
    outcome = company.undisturbed(plot).result()

    assert [] == list(plays.wrongs(plot, outcome, outcome))
    assert outcome.end["phase"] == plot.ending
    stages = ["rest", "step 1", "step 2", *(["step 3", "promoted"] if plot.good else ["leaving", "over"])]
    # A bad one may have come to the pause before it was known to be bad.
    seen = dict.fromkeys(moment.stage for moment in outcome.moments if plot.good or moment.stage != "step 3")
    assert list(seen) == stages
