"""Drills, as users write them: when going back is rehearsed, and how long it may take."""

from typing import Annotated, Final

import pydantic

from headgate.api import cel
from headgate.api.model import SpecModel
from headgate.api.values import Duration

WITHIN_SECONDS: Final = 60.0
"""The default of within: what a person would take to notice, at the least."""


class Drill(SpecModel):
    """When going back is rehearsed, and how long it may take."""

    model_config = pydantic.ConfigDict(json_schema_extra=cel.atomic_map())

    schedule: Annotated[str, cel.keeps(cel.SCHEDULE)] | None = pydantic.Field(
        default=None,
        max_length=100,
        description="When to start one by itself, as cron: minute, hour, day of the month, month, day of the week. "
        "Absent: by command alone.",
    )
    time_zone: Annotated[str, cel.keeps(cel.TIME_ZONE)] = pydantic.Field(
        default="UTC",
        max_length=64,
        description="The time zone of schedule, such as Europe/Berlin.",
    )
    within_seconds: Annotated[Duration, cel.keeps(cel.DURATION_MIN)] = pydantic.Field(
        default=WITHIN_SECONDS,
        alias="within",
        description="How long it may take, from the breach, until stable has all traffic again; at least 1s.",
    )
