"""The judges see what must never be, and nothing in what may."""

import dataclasses
from typing import Any

import pytest

from tests.control_plane.hazards import judges
from tests.control_plane.hazards.moments import Moment

REST = Moment(stage="rest", share=0, routed=0, wanted=(4, 0), ready=(4, 0), deployments=1)
FIRST = Moment(stage="step 1", share=25, routed=25, wanted=(4, 1), ready=(4, 1), deployments=2)
SECOND = Moment(stage="step 2", share=50, routed=50, wanted=(4, 2), ready=(4, 2), deployments=2)
LEAVING = Moment(stage="leaving", share=0, routed=0, wanted=(4, 0), ready=(4, 2), deployments=2)
RUN = (REST, FIRST, SECOND, LEAVING)


def test_the_undisturbed_run_is_fine() -> None:
    """A run held against itself has nothing wrong."""
    assert [] == [
        *judges.further(RUN, RUN),
        *judges.lacking(RUN, 4, 0),
        *judges.flapping(RUN),
        *judges.skipped(RUN, (25, 50)),
        *judges.doubled(RUN),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"share": 50.0}, "50 % of the users"),
        ({"wanted": (4, 2)}, "2 new pods wanted"),
        ({"wanted": (3, 1)}, "3 old pods wanted"),
        ({"ready": (3, 1)}, "3 old pods ready"),
    ],
)
def test_further_than_undisturbed(changes: dict[str, Any], words: str) -> None:
    """At the same stage nobody may have more of the new version, or less of the old one."""
    (wrong,) = judges.further(RUN, (REST, dataclasses.replace(FIRST, **changes)))

    assert wrong.startswith(words)


def test_users_without_pods() -> None:
    """Weight on a version that cannot carry it is found, and too few pods in all."""
    thin = dataclasses.replace(SECOND, ready=(4, 1))
    gone = dataclasses.replace(REST, ready=(3, 0))

    found = [wrong.partition(" at ")[0] for wrong in judges.lacking([thin, gone], 4, 0)]
    assert found == [
        "50 % of the users for 1 of 4 pods",
        "3 of 4 pods ready",
        "100 % of the users for 3 of 4 pods",
    ]


@pytest.mark.parametrize(
    ("moments", "words"),
    [
        ((SECOND, dataclasses.replace(SECOND, routed=25)), "the weight"),
        ((FIRST, dataclasses.replace(FIRST, wanted=(4, 0))), "replicas of the new version"),
        ((dataclasses.replace(FIRST, wanted=(3, 1)), FIRST), "replicas of the old version"),
        ((LEAVING, dataclasses.replace(LEAVING, routed=25)), "the weight"),
        ((SECOND, FIRST), "back from step 2 to step 1"),
    ],
)
def test_back_and_forth(moments: tuple[Moment, Moment], words: str) -> None:
    """What goes up comes down only after the verdict, and never up again."""
    assert any(wrong.startswith(words) for wrong in judges.flapping(moments))


def test_going_back_before_the_verdict_is_told() -> None:
    """In the last step before the verdict it may begin, once; forward again is flapping, and so is any other step."""
    early = dataclasses.replace(SECOND, routed=0)

    assert [] == list(judges.flapping((REST, FIRST, SECOND, early, LEAVING)))
    assert [] != list(judges.flapping((REST, FIRST, SECOND, early, SECOND, LEAVING)))
    assert [] != list(judges.flapping((REST, FIRST, dataclasses.replace(FIRST, routed=0), SECOND, LEAVING)))


def test_a_weight_left_out_and_a_version_twice() -> None:
    """A step's weight that was never given is found, and a third Deployment of two versions."""
    assert ["50 % was never given"] == list(judges.skipped((REST, FIRST), (25, 50)))
    assert ["3 Deployments"] == list(judges.doubled([dataclasses.replace(SECOND, deployments=3)]))
