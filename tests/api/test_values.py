"""Durations, points in time and counts: how people write them, and what they mean."""

import datetime
import math
from typing import Any

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headgate.api import values

COUNT: pydantic.TypeAdapter[int | str] = pydantic.TypeAdapter(values.IntOrPercent)
TIME: pydantic.TypeAdapter[int] = pydantic.TypeAdapter(values.Timestamp)
MOMENT: pydantic.TypeAdapter[float] = pydantic.TypeAdapter(values.Moment)

DURATIONS = {"90s": 90, "10m": 600, "1h30m": 5400, "500ms": 0.5, "0s": 0, "1h1m1s1ms": 3661.001, "1s1s": 2, "007s": 7}
NOT_DURATIONS = (
    "",
    "90",
    "s",
    "1d",
    "1.5m",
    "-1s",
    "+1s",
    " 1s",
    "1s ",
    "1s\n",
    "1 s",
    "1S",
    "100000s",
    "٣s",
    "1h" * 5,
)
TIMES = {
    "1970-01-01T00:00:00Z": 0,
    "2026-01-31T12:00:00Z": 1_769_860_800,
    "2026-01-31T13:00:00+01:00": 1_769_860_800,
    "2026-01-31T12:00:00.999999Z": 1_769_860_800,
    "2026-01-31T12:00:00": 1_769_860_800,
    "1969-12-31T23:59:59.5Z": -1,
}
NO_VALUES: tuple[object, ...] = (None, True, [], {})
YEAR_9999 = 253_402_300_799


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items())
def test_durations(text: str, seconds: float) -> None:
    """A duration is the sum of its parts."""
    assert values.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [*NOT_DURATIONS, *NO_VALUES], ids=str)
def test_what_is_no_duration_is_refused(text: object) -> None:
    """The refusal shows how durations are written."""
    with pytest.raises(ValueError, match="write for example 90s, 10m or 1h30m"):
        values.parse_duration(text)


@pytest.mark.parametrize(("text", "seconds"), [*DURATIONS.items(), ("Never", math.inf)])
def test_patience(text: str, seconds: float) -> None:
    """Patience is a duration, or endless."""
    assert values.parse_patience(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [*NOT_DURATIONS, *NO_VALUES, "never", "Off", "Never "], ids=str)
def test_what_is_no_patience_is_refused(text: object) -> None:
    """The refusal shows both ways to write it."""
    with pytest.raises(ValueError, match="write for example 90s, 10m or 1h30m, or Never"):
        values.parse_patience(text)


@given(st.integers(min_value=0, max_value=99_999 * 3600))
def test_durations_survive_a_round_trip(seconds: int) -> None:
    """Whole seconds are written so that they are read as the same seconds."""
    assert values.parse_duration(values.format_duration(seconds)) == seconds


@given(st.floats(min_value=0, max_value=1e8))
def test_durations_are_rounded_up(seconds: float) -> None:
    """Nobody is told a shorter wait than there is."""
    assert values.parse_duration(values.format_duration(seconds)) == math.ceil(seconds)


def test_durations_below_nothing_are_nothing() -> None:
    """What was due in the past is due now."""
    assert values.format_duration(-5) == "0s"


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_times(text: str, seconds: int) -> None:
    """A time is whole seconds since the epoch, rounded down; without a zone it is UTC."""
    assert values.parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "12:00:00Z", *NO_VALUES], ids=str)
def test_what_is_no_time_is_refused(text: object) -> None:
    """A status that somebody edited by hand is noticed."""
    with pytest.raises(ValueError, match=r".+"):
        values.parse_time(text)


@given(st.integers(min_value=0, max_value=YEAR_9999))
def test_times_survive_a_round_trip(seconds: int) -> None:
    """A time is read as it was written."""
    assert values.parse_time(values.format_time(seconds)) == seconds
    assert TIME.validate_json(TIME.dump_json(seconds)) == seconds


ENDS = st.sampled_from([-(10**12), -62_135_596_801, -62_135_596_800, YEAR_9999, YEAR_9999 + 1, 10**12])
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))


@given(st.datetimes(timezones=OFFSETS))
@example(datetime.datetime.max.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=-14))))
@example(datetime.datetime.min.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=14))))
def test_what_is_read_as_a_time_can_be_written(moment: datetime.datetime) -> None:
    """At the ends of the calendar an offset leads beyond it: what cannot be written again is refused as it is read."""
    try:
        seconds = values.parse_time(moment.isoformat())
    except ValueError as error:
        assert "years 1 to 9999" in str(error)  # noqa: PT017  # most are read, and then nothing is raised
        assert moment.year in (1, 9999)
        return
    assert values.parse_time(values.format_time(seconds)) == seconds
    assert values.parse_moment(values.format_moment(float(seconds))) == seconds


@given(st.one_of(st.integers(), ENDS, st.floats(allow_nan=False)))
def test_any_sum_of_times_can_be_written(seconds: float) -> None:
    """What is added to a time leads no further than to the end of the calendar."""
    assert values.parse_time(values.format_time(seconds)) in range(-62_135_596_800, YEAR_9999 + 1)
    assert values.parse_moment(values.format_moment(seconds)) <= YEAR_9999 + 1


@pytest.mark.parametrize("adapter", [TIME, MOMENT], ids=["time", "moment"])
@pytest.mark.parametrize("stored", [5, 1e300, 2.5])
def test_no_number_that_is_stored_is_a_time(adapter: Any, stored: float) -> None:
    """The API server stores times as texts; a number may be of any size."""
    with pytest.raises(pydantic.ValidationError, match="is not a time"):
        adapter.validate_python(stored, context=values.STORED)


@pytest.mark.parametrize("count", [0, 1, 100_000, "0%", "5%", "05%", "25%", "100%"])
def test_counts(count: int | str) -> None:
    """A count is a number of pods or a percentage, and stays as it was written."""
    assert COUNT.validate_python(count) == count


@pytest.mark.parametrize(
    "count", [-1, 1.5, "1", "101%", "-1%", "1.5%", "5 %", "%", "", "5%\n", "٣%", *NO_VALUES], ids=str
)
def test_what_is_no_count_is_refused(count: object) -> None:
    """The refusal shows how counts are written."""
    with pytest.raises(ValueError, match="write for example 1 or 25%"):
        COUNT.validate_python(count)


@given(st.integers(min_value=0, max_value=100))
def test_all_percentages_are_counts(percent: int) -> None:
    """From nothing to everything, every percentage can be written."""
    assert COUNT.validate_python(f"{percent}%") == f"{percent}%"
