"""What all parts of a spec have in common."""

import pydantic
from pydantic.alias_generators import to_camel


class SpecModel(pydantic.BaseModel):
    """A part of the spec: immutable, camelCase when written, and strict about fields that it does not know."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
