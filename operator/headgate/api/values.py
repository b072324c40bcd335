"""Values with a notation of their own: durations, points in time, counts given as integer or percentage."""

import datetime
import math
import re
from typing import Annotated, Any, Final

import pydantic

_UNIT_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
DURATION_PATTERN: Final = r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"
NEVER: Final = "Never"
PATIENCE_PATTERN: Final = rf"^(([0-9]{{1,5}}(h|m|s|ms)){{1,4}}|{NEVER})$"
PERCENT_PATTERN: Final = r"^(100|[0-9]{1,2})%$"
_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_DAY_SECONDS: Final = 86_400
_FIRST: Final = (datetime.date.min.toordinal() - _EPOCH.toordinal()) * _DAY_SECONDS
_LAST: Final = (datetime.date.max.toordinal() + 1 - _EPOCH.toordinal()) * _DAY_SECONDS - 1
"""The calendar's first and last second in UTC, from the year 1 to the year 9999."""


def parse_duration(text: object) -> float:
    """Return the seconds that a GEP-2257 duration such as ``1h30m``, ``90s`` or ``500ms`` stands for.

    Raises:
        ValueError: if *text* is not of that form; the message says what would be.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    if not isinstance(text, str) or not re.fullmatch(DURATION_PATTERN[1:-1], text):
        message = f"{text!r} is not a duration: write for example 90s, 10m or 1h30m"
        raise ValueError(message)
    return sum(int(count) * _UNIT_SECONDS[unit] for count, unit in re.findall(r"([0-9]+)(ms|h|m|s)", text))


def parse_patience(text: object) -> float:
    """Return the seconds that a duration stands for; infinitely many for ``Never``.

    Raises:
        ValueError: if *text* is neither; the message says what would be.
    """
    if text == NEVER:
        return math.inf
    try:
        return parse_duration(text)
    except ValueError as error:
        message = f"{error}, or {NEVER}"
        raise ValueError(message) from None


def format_duration(seconds: float) -> str:
    """Return *seconds*, rounded up to whole seconds, as people write it: ``75`` becomes ``1m15s``."""
    left = max(0, math.ceil(seconds))
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    parts = [f"{count}{unit}" for count, unit in ((hours, "h"), (minutes, "m"), (left, "s")) if count]
    return "".join(parts) or "0s"


def parse_time(text: object) -> int:
    """Return the whole seconds since the epoch, rounded down, that an RFC 3339 time stands for.

    Raises:
        ValueError: if *text* is not such a time.
    """
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if not isinstance(text, str):
        raise ValueError(_no_time(text))
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    seconds = math.floor((moment - _EPOCH) / datetime.timedelta(seconds=1))
    if not _FIRST <= seconds <= _LAST:
        # Such as 9999-12-31T23:59:59-14:00: there is no such time in UTC that could be written.
        message = f"{text!r} is not within the years 1 to 9999 in UTC: write for example 2026-01-31T12:00:00Z"
        raise ValueError(message)
    return seconds


def _no_time(value: object) -> str:
    return f"{value!r} is not a time: write for example 2026-01-31T12:00:00Z"


def format_time(seconds: float) -> str:
    """Return *seconds* since the epoch as RFC 3339 in UTC with whole seconds, as Kubernetes writes times.

    What lies beyond the calendar is written as its end: nothing that is added to a time makes it unwritable.
    """
    moment = _EPOCH + datetime.timedelta(seconds=math.floor(min(max(_FIRST, seconds), _LAST)))
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_moment(text: object) -> float:
    """Return the seconds since the epoch, with what is written of fractions, that an RFC 3339 time stands for.

    Raises:
        ValueError: if *text* is not such a time.
    """
    if isinstance(text, float):
        return text
    whole = parse_time(text)
    return whole + datetime.datetime.fromisoformat(text).microsecond / 1e6 if isinstance(text, str) else float(whole)


def format_moment(seconds: float) -> str:
    """Return *seconds* since the epoch as RFC 3339 in UTC with milliseconds, no further than the calendar goes."""
    moment = _EPOCH + datetime.timedelta(milliseconds=math.floor(min(max(_FIRST, seconds), _LAST) * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _check_count(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.fullmatch(PERCENT_PATTERN[1:-1], value):
        return value
    message = f"{value!r} is neither a number of pods nor a percentage from 0% to 100%: write for example 1 or 25%"
    raise ValueError(message)


Duration = Annotated[
    float,
    pydantic.BeforeValidator(parse_duration),
    pydantic.WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "maxLength": 32}),
]
"""Seconds; written as a GEP-2257 string."""

Patience = Annotated[
    float,
    pydantic.BeforeValidator(parse_patience),
    pydantic.WithJsonSchema({"type": "string", "pattern": PATIENCE_PATTERN, "maxLength": 32}),
]
"""Seconds; written as a GEP-2257 string, or as ``Never`` for infinitely many."""

STORED: Final = "stored"
"""The validation context of what was read from the API server, where numbers are no times."""


def _time(value: object, info: pydantic.ValidationInfo) -> int:
    if info.context == STORED and not isinstance(value, str):
        raise ValueError(_no_time(value))
    return parse_time(value)


def _moment(value: object, info: pydantic.ValidationInfo) -> float:
    if info.context == STORED and not isinstance(value, str):
        raise ValueError(_no_time(value))
    return parse_moment(value)


Timestamp = Annotated[
    int,
    pydantic.BeforeValidator(_time),
    pydantic.PlainSerializer(format_time, return_type=str),
    pydantic.WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Whole seconds since the epoch; written as RFC 3339."""

Moment = Annotated[
    float,
    pydantic.BeforeValidator(_moment),
    pydantic.PlainSerializer(format_moment, return_type=str),
    pydantic.WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""Seconds since the epoch where fractions matter; written as RFC 3339 with milliseconds."""

IntOrPercent = Annotated[
    int | str,
    pydantic.BeforeValidator(_check_count),
    pydantic.WithJsonSchema({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}),
]
"""A number of pods, or a percentage of the replicas such as ``25%``."""
