"""Drills, as users write them: when going back is rehearsed, and how long it may take."""

import re
from typing import Final

import pydantic

from headgate.api import cel
from headgate.api.model import SpecModel
from headgate.api.values import Duration

WITHIN_SECONDS: Final = 60.0
"""The default of within: what a person would take to notice, at the least."""


class Drill(SpecModel):
    """When going back is rehearsed, and how long it may take."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    schedule: str | None = pydantic.Field(
        default=None,
        max_length=100,
        description="When to start one by itself, as cron: minute, hour, day of the month, month, day of the week. "
        "Absent: by command alone.",
        json_schema_extra=cel.validations(cel.SCHEDULE),
    )
    time_zone: str = pydantic.Field(
        default="UTC",
        max_length=64,
        description="The time zone of schedule, such as Europe/Berlin.",
        json_schema_extra=cel.validations(cel.TIME_ZONE),
    )
    within_seconds: Duration = pydantic.Field(
        default=WITHIN_SECONDS,
        alias="within",
        description="How long it may take, from the breach, until stable has all traffic again; at least 1s.",
        json_schema_extra=cel.validations(cel.DURATION_MIN),
    )

    @pydantic.field_validator("schedule")
    @classmethod
    def _five_fields(cls, schedule: str | None) -> str | None:
        if schedule is not None and not re.fullmatch(cel.CRON, schedule):
            raise ValueError(cel.SCHEDULE.message)
        return schedule

    @pydantic.field_validator("time_zone")
    @classmethod
    def _named(cls, zone: str) -> str:
        if not re.fullmatch(cel.ZONE, zone):
            raise ValueError(cel.TIME_ZONE.message)
        return zone

    @pydantic.field_validator("within_seconds")
    @classmethod
    def _possible(cls, seconds: float) -> float:
        if seconds < 1:
            message = "within must be at least 1s"
            raise ValueError(message)
        return seconds
