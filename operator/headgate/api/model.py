"""What all parts of a spec have in common."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

import pydantic
from pydantic.alias_generators import to_camel

from headgate.api.cel import Rule, validations


def _exactly_one(fields: Mapping[str, str], flags: Collection[str], sentence: tuple[str, str]) -> Rule:
    """Return the rule that exactly one of *fields* is set.

    Args:
        fields: as they are written, by the names that the model has for them.
        flags: the names of those that are booleans: false is as good as absent.
        sentence: what to say before and behind the fields.
    """

    def set_ones(part: object) -> list[str]:
        # By identity: 0 is a value, though it equals False.
        return [name for name in fields if getattr(part, name) is not None and getattr(part, name) is not False]

    asked = ", ".join(f"has(self.{field})" + f" && self.{field}" * (name in flags) for name, field in fields.items())
    *first, last = fields.values()
    return Rule(
        f"[{asked}].exists_one(chosen, chosen)",
        f"{sentence[0]} {', '.join(first)} and {last}{sentence[1]}",
        holds=lambda part: len(set_ones(part)) == 1,
    )


class SpecModel(pydantic.BaseModel):
    """A part of the spec: immutable, camelCase when written, and strict about fields that it does not know."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    RULES: ClassVar[tuple[Rule, ...]] = ()
    """What holds of its fields among themselves: checked here, and written into the CRD."""

    @pydantic.model_validator(mode="after")
    def _keeps_rules(self) -> Self:
        for rule in type(self).RULES:
            rule.check(self)
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: pydantic.GetJsonSchemaHandler
    ) -> pydantic.json_schema.JsonSchemaValue:
        """Add the rules to the schema."""
        found = handler(core_schema)
        if cls.RULES:
            handler.resolve_ref_schema(found).update(validations(*cls.RULES))
        return found


class OneOf(SpecModel):
    """A part of the spec of which exactly one field is set; `true` where that field is a boolean."""

    SENTENCE: ClassVar[tuple[str, str]]
    """What a refusal says before and behind the names of the fields."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_options: Any) -> None:
        """Derive the rule from the fields."""
        flags = {name for name, field in cls.model_fields.items() if field.annotation == bool | None}
        fields = {name: str(field.alias) for name, field in cls.model_fields.items()}
        cls.RULES = (_exactly_one(fields, flags, cls.SENTENCE), *cls.RULES)
