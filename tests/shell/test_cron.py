"""Schedules: when they are due, through every change of the clocks, and what is said of one that makes no sense."""

import datetime

import pytest

from headgate.api.drill import Drill
from headgate.observe import cron, parse_rollout


def at(text: str) -> int:
    """Return the seconds since the epoch of a time with its offset."""
    return int(datetime.datetime.fromisoformat(text).timestamp())


DUE: tuple[tuple[str, str, str, str], ...] = (
    ("* * * * *", "UTC", "2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z"),
    ("* * * * *", "UTC", "2027-01-15T08:00:59.9Z", "2027-01-15T08:01:00Z"),
    ("0 4 * * mon", "UTC", "2027-01-15T08:00:00Z", "2027-01-18T04:00:00Z"),
    ("0 4 * * 1", "Europe/Berlin", "2027-01-15T08:00:00Z", "2027-01-18T04:00:00+01:00"),
    # Clocks go from 2 to 3: what was due in between comes then. They go from 3 to 2: it comes once.
    ("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", "2027-03-28T03:00:00+02:00"),
    ("30 2 * * *", "Europe/Berlin", "2027-10-31T00:00:00Z", "2027-10-31T02:30:00+02:00"),
    ("30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", "2027-11-01T02:30:00+01:00"),
    ("0 0 29 2 *", "UTC", "2027-01-15T08:00:00Z", "2028-02-29T00:00:00Z"),
)


@pytest.mark.parametrize(("schedule", "zone", "now", "due"), DUE)
def test_when_it_is_due(schedule: str, zone: str, now: str, due: str) -> None:
    """As Debian's cron has it, after now and never at it."""
    drill = Drill.model_validate({"schedule": schedule, "timeZone": zone})
    moment = datetime.datetime.fromisoformat(now).timestamp()

    assert cron.following(drill, moment) == at(due)


@pytest.mark.parametrize(
    "schedule", ["30 2 * * *", "55 2 * * *", "30 1 * * *", "30 1-5 * * *", "* 2 * * *", "*/7 * * * *"]
)
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("Europe/Berlin", "2026-10-25"),
        ("Europe/London", "2026-10-25"),
        ("America/New_York", "2026-11-01"),
        ("Australia/Sydney", "2027-04-04"),
        ("Australia/Lord_Howe", "2027-04-04"),
    ],
)
def test_what_is_due_lies_ahead_when_an_hour_comes_twice(schedule: str, zone: str, day: str) -> None:
    """What is due in the past would be due for ever: a drill after the other, or none and nothing else either."""
    drill = Drill.model_validate({"schedule": schedule, "timeZone": zone})
    night = at(f"{day}T00:00:00Z") - 12 * 3600
    for now in range(night, night + 24 * 3600, 60):
        due = cron.following(drill, now + 0.5)
        assert due is not None
        assert now < due <= now + 30 * 3600


def test_nothing_is_due_without_a_schedule() -> None:
    """Drills by command alone have none, and what makes no sense is never due."""
    assert cron.following(None, 0.0) is None
    assert cron.following(Drill(), 0.0) is None
    assert cron.following(Drill.model_validate({"schedule": "0 4 31 2 *"}), 0.0) is None


WRONG: tuple[tuple[dict[str, str], str], ...] = (
    ({"schedule": "61 * * * *"}, "spec.drill.schedule: '61 * * * *' makes no sense, look at its minute: write for"),
    ({"schedule": "0 4 * * FOO"}, "look at its day-of-week"),
    ({"schedule": "0 4 31 2 *"}, "look at its day-of-month"),
    (
        {"schedule": "* * * * *", "timeZone": "Mars/Olympus"},
        "spec.drill.timeZone: 'Mars/Olympus' is not known: write for example Europe/Berlin, or leave it out for UTC",
    ),
)


@pytest.mark.parametrize(("drill", "said"), WRONG)
def test_what_makes_no_sense(drill: dict[str, str], said: str) -> None:
    """What only the calendar can tell is said as any other mistake in the spec is, with path and remedy."""
    assert said in parse_rollout.invalid_schedule({"drill": drill})
    assert said in parse_rollout.facts({"metadata": {"name": "web"}, "spec": {"drill": drill}}, ()).invalid


@pytest.mark.parametrize("raw", [None, {}, {"drill": None}, {"drill": {}}, {"drill": {"schedule": 7}}])
def test_what_others_say(raw: object) -> None:
    """No schedule is none of its business, and what the model refuses the model says."""
    assert parse_rollout.invalid_schedule(raw) == ""
