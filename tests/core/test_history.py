"""What the history says of a revision: whether it was stable, whether the last word was a verdict, how long it took."""

import pytest

from headgate.api import status as api
from headgate.core.revisions import history
from tests.core import earlier
from tests.core.worlds import NOON, A, B

DRILL = api.Drill(of=A, within_seconds=60)
STOOD: tuple[tuple[str, tuple[api.HistoryEntry, ...], tuple[str, ...], bool], ...] = (
    ("never heard of", (), (), False),
    ("promoted", (earlier.ended(A),), (), True),
    ("promoted, and others after it", (earlier.ended(B), earlier.ended(A)), (), True),
    ("promoted and rejected", (earlier.ended(A),), (A,), False),
    ("promoted, another rejected", (earlier.ended(A),), (B,), True),
    ("never promoted", (earlier.ended(A, api.Ending.ROLLED_BACK),), (), False),
    ("given up before it was promoted", (earlier.ended(A, api.Ending.SUPERSEDED),), (), False),
    (
        "promoted, later taken back",
        (earlier.ended(A, api.Ending.ROLLED_BACK, 100), earlier.ended(A, ago=900)),
        (),
        False,
    ),
    ("promoted, later aborted", (earlier.ended(A, api.Ending.ABORTED, 100), earlier.ended(A, ago=900)), (), False),
    (
        "promoted, a later attempt withdrawn",
        (earlier.ended(A, api.Ending.WITHDRAWN, 100), earlier.ended(A, ago=900)),
        (),
        True,
    ),
    (
        "its own promotion withdrawn",
        (earlier.ended(A, api.Ending.WITHDRAWN, 800, 160), earlier.ended(A, ago=900)),
        (),
        False,
    ),
    (
        "promoted, a later drill of it aborted",
        (earlier.ended(A, api.Ending.ABORTED, 100).model_copy(update={"drill": DRILL}), earlier.ended(A, ago=900)),
        (),
        True,
    ),
    ("taken back, then promoted", (earlier.ended(A, ago=100), earlier.ended(A, api.Ending.ROLLED_BACK, 900)), (), True),
)


@pytest.mark.parametrize(("past", "rejected", "expected"), [row[1:] for row in STOOD], ids=[row[0] for row in STOOD])
def test_what_has_stood(past: tuple[api.HistoryEntry, ...], rejected: tuple[str, ...], *, expected: bool) -> None:
    """Only what was promoted, and what nothing has spoken against since."""
    status = api.RolloutStatus(history=past, rejected=tuple(earlier.rejection(one) for one in rejected))

    assert expected == history.was_stable(status, A)


CONDEMNED: tuple[tuple[str, tuple[api.HistoryEntry, ...], tuple[str, ...], bool], ...] = (
    ("never heard of", (), (), False),
    ("promoted", (earlier.ended(A),), (), False),
    ("rejected", (), (A,), True),
    (
        "aborted, though its earlier.rejection is forgotten",
        (earlier.ended(B), earlier.ended(A, api.Ending.ABORTED), earlier.ended(A)),
        (),
        True,
    ),
    ("promoted after that", (earlier.ended(A), earlier.ended(A, api.Ending.ABORTED)), (), False),
    (
        "a drill of it taken back",
        (earlier.ended(A, api.Ending.ROLLED_BACK).model_copy(update={"drill": DRILL}), earlier.ended(A, ago=900)),
        (),
        False,
    ),
)


@pytest.mark.parametrize(
    ("past", "rejected", "expected"), [row[1:] for row in CONDEMNED], ids=[row[0] for row in CONDEMNED]
)
def test_what_is_condemned(past: tuple[api.HistoryEntry, ...], rejected: tuple[str, ...], *, expected: bool) -> None:
    """The last word on it was a verdict."""
    status = api.RolloutStatus(history=past, rejected=tuple(earlier.rejection(one) for one in rejected))

    assert expected == history.is_rejected(status, A)


def test_how_long_it_took_is_told() -> None:
    """The history has durations, and of what was taken back when that was decided."""
    canary = api.Canary(revision=2, hash=B, started=NOON - 125)
    leaving = api.Abort(ending=api.Ending.ABORTED, reason="Aborted", since=NOON - 30)
    (promoted,) = history.remembered(api.RolloutStatus(), canary, api.Ending.PROMOTED, "", by="steps", at=NOON)
    taken = canary.model_copy(update={"abort": leaving})
    (aborted,) = history.remembered(api.RolloutStatus(), taken, api.Ending.ABORTED, "", by="analysis", at=NOON)

    assert ("2m5s", None) == (promoted.duration, promoted.aborted_at)
    assert ("2m5s", NOON - 30, NOON) == (aborted.duration, aborted.aborted_at, aborted.finished)


@pytest.mark.parametrize(
    ("newer", "drills", "others"),
    [
        ((DRILL,), 2, 0),
        ((DRILL,) * 3, 3, 0),
        ((DRILL,) * 9, 3, 0),
        ((None,) * 8, 1, 8),
        ((None,) * 20, 1, 9),
        ((DRILL, *(None,) * 20), 2, 8),
        ((*(None,) * 20, DRILL), 1, 9),
    ],
)
def test_the_last_measured_drill_is_never_forgotten(
    newer: tuple[api.Drill | None, ...], drills: int, others: int
) -> None:
    """What says how long going back takes outlives drills that were called off, and everything else."""
    measured = DRILL.model_copy(update={"within_target": True, "rollback_seconds": 1})
    past: tuple[api.HistoryEntry, ...] = (earlier.ended(A, api.Ending.DRILLED).model_copy(update={"drill": measured}),)
    for at, drill in enumerate(reversed(newer)):
        canary = api.Canary(revision=at, hash=B, started=NOON + at, drill=drill)
        past = history.remembered(api.RolloutStatus(history=past), canary, api.Ending.WITHDRAWN, "", by="", at=NOON)

    kinds = [entry.drill is not None for entry in past]
    assert (measured, drills, others) == (past[-1].drill, sum(kinds), len(kinds) - sum(kinds))


def test_what_can_be_gone_back_to_is_not_forgotten() -> None:
    """Nor do ten versions that replaced each other push out the last ones that were stable."""
    past: tuple[api.HistoryEntry, ...] = tuple(earlier.ended(A, ago=ago) for ago in (1000, 2000, 3000, 4000))
    for at in range(12):
        canary = api.Canary(revision=at, hash=B, started=NOON + at)
        past = history.remembered(api.RolloutStatus(history=past), canary, api.Ending.SUPERSEDED, "", by="", at=NOON)

    assert [11, 10, 9, 8, 7, 6, 5] == [entry.revision for entry in past if entry.hash == B]
    assert [NOON - 1000, NOON - 2000, NOON - 3000] == [entry.finished for entry in past if entry.hash == A]
    assert history.was_stable(api.RolloutStatus(history=past), A)


def test_a_verdict_can_be_lifted() -> None:
    """By `retry`: then the revision can be gone back to again, though the history goes on telling what happened."""
    taken = earlier.ended(A, api.Ending.ABORTED)
    past = (earlier.ended(B, api.Ending.ABORTED), taken, earlier.ended(A, ago=900))
    status = api.RolloutStatus(history=past, rejected=(earlier.rejection(A), earlier.rejection(B)))
    after = history.lifted(status, A)

    assert (False, True) == (history.was_stable(status, A), history.was_stable(after, A))
    assert (True, False, True) == tuple(history.is_rejected(*one) for one in ((status, A), (after, A), (after, B)))
    assert [B] == [entry.hash for entry in after.rejected]
    assert [False, True, False] == [entry.retried for entry in after.history]
