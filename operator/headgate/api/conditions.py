"""The base of all parts of the status, and the conditions in it.

Owns how a part is written and read. Must not know which parts there are.
"""

import pydantic
from pydantic.alias_generators import to_camel

from headgate.api.values import Timestamp


class StatusModel(pydantic.BaseModel):
    """A part of the status: immutable, camelCase when written, and tolerant of fields of other versions."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Condition(StatusModel):
    """One machine-readable fact, as in every Kubernetes resource."""

    type: str = pydantic.Field(max_length=316, description="The name of the condition.")
    status: str = pydantic.Field(pattern="^(True|False|Unknown)$", description="True, False or Unknown.")
    reason: str = pydantic.Field(max_length=1024, description="One CamelCase word that says why.")
    message: str = pydantic.Field(default="", max_length=32_768, description="A sentence that says why, with numbers.")
    last_transition_time: Timestamp = pydantic.Field(description="When status last changed.")
    observed_generation: int = pydantic.Field(default=0, description="The generation of the spec it was found at.")
