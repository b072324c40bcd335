"""What this version does not understand of a status is written back, for as long as it stands."""

from typing import Any

import pytest

from headgate.api.status import CONDITIONS
from headgate.core.model.unknown_fields import Stored, with_stored

OLD = {"hash": "a", "started": "2026-01-01T00:00:00Z"}
NEW = {"hash": "b", "started": "2026-01-02T00:00:00Z"}
FULL = {"canary": {**OLD, "promoteFull": False}}
NEWS = {**OLD, "news": 1}
STALLED = {"conditions": [{"type": "Stalled"}]}
CONDITION = {"type": "Ready", "status": "True"}


@pytest.mark.parametrize(
    ("stored", "before", "after", "expected"),
    [
        ({"news": [1]}, {}, {}, {"news": [1]}),
        ({"canary": NEWS}, {"canary": OLD}, {"canary": OLD}, {"canary": NEWS}),
        ({"canary": NEWS}, {"canary": OLD}, {"canary": NEW}, {"canary": NEW}),
        ({"canary": NEWS}, {"canary": OLD}, {}, {}),
        ({"canary": {**OLD, "promoteFull": "yes"}}, FULL, {"canary": {**OLD, "promoteFull": True}}, None),
        ({"policy": 5}, {"policy": ""}, {"policy": ""}, {"policy": 5}),
        ({"phase": "News"}, {"phase": "Pending"}, {"phase": "Pending"}, {"phase": "Pending"}),
        ({"step": "third"}, {"canary": OLD}, {"canary": OLD}, {"canary": OLD, "step": "third"}),
        ({"step": "third"}, {"canary": OLD}, {}, {}),
        ({"restart": 7}, {}, {"restart": OLD}, {"restart": OLD}),
        ({"restart": None}, {}, {}, {}),
        ({"conditions": [CONDITION, {"type": "News"}]}, {"conditions": [CONDITION, {"type": "News"}]}, {}, None),
        (STALLED, STALLED, {"conditions": []}, {"conditions": []}),
        ({"history": "none"}, {}, {"history": []}, {"history": "none"}),
        ({"history": "none"}, {}, {"history": [OLD]}, {"history": [OLD]}),
        ({"history": [NEWS]}, {"history": [OLD]}, {"history": [NEW, OLD]}, {"history": [NEW, NEWS]}),
    ],
)
def test_h31_what_is_not_understood_is_written_back(
    stored: Any, before: Any, after: Any, expected: dict[str, Any] | None
) -> None:
    """H31: fields, words and entries of a newer version stay where they stand, unless what they belong to is gone."""
    special = {
        "canary": {"canary": {**OLD, "promoteFull": True}},
        "conditions": {"conditions": [{"type": "News"}]},
    }
    wanted = special[next(iter(stored))] if expected is None else expected

    assert wanted == with_stored(Stored(stored), before, after)


def test_h31_entries_that_are_not_understood_follow_all_others() -> None:
    """H31: they have no place in the order, and go first where there are too many."""
    stored = Stored({"rejected": [{"news": 1}, {"hash": "a", "at": "x"}]}, frozenset({("rejected", 0)}))
    known = [{"hash": "a", "at": "x"}]
    many = [{"hash": str(number), "at": "x"} for number in range(10)]

    assert {"rejected": [*known, {"news": 1}]} == with_stored(stored, {"rejected": known}, {"rejected": known})
    assert {"rejected": many} == with_stored(stored, {"rejected": known}, {"rejected": many})


@pytest.mark.parametrize("name", CONDITIONS)
def test_h31_a_condition_of_ours_that_holds_no_more_is_not_kept(name: str) -> None:
    """H31: only those of a type that is not known are a newer version's to take away."""
    conditions = {"conditions": [{"type": name, "status": "True"}]}

    assert {"conditions": []} == with_stored(Stored(conditions), conditions, {"conditions": []})
