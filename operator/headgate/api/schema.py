"""Structural schemas from the models: what pydantic says of a model, in the dialect of OpenAPI that a CRD may use.

Owns the translation. Must not know any particular model; what a model wants said of itself stands in the model.
"""

import re
from collections.abc import Mapping
from typing import Final

import pydantic
from pydantic.config import JsonDict, JsonValue

from headgate.api import cel, values

_RULES: Final = "x-kubernetes-validations"
_MAP_TYPE: Final = "x-kubernetes-map-type"
_WORDS: Final = re.compile(r"\^\((\w+(?:\|\w+)*)\)\$")
_DROPPED: Final = frozenset({"title", "$defs", "$ref", "default", "pattern"})
_LONGEST_WORD: Final = 63
_INT32_MAX: Final = 2**31 - 1
_ORDER: Final = (
    *(
        "description",
        "type",
        "format",
        "nullable",
        "default",
        "enum",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "anyOf",
    ),
    *("minItems", "maxItems", "minProperties", "maxProperties", "required", "properties", "additionalProperties"),
    *("items", "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    *(_MAP_TYPE, "x-kubernetes-preserve-unknown-fields", _RULES),
)
"""The order in which people read a schema; a keyword that is missing here is one that a CRD has not been seen with."""
_RULE_ORDER: Final = ("rule", "message", "fieldPath", "reason")


def structural(model: type[pydantic.BaseModel]) -> JsonDict:
    """Return the schema of *model* with everything in its place: no references, no nulls, no keyword beyond a CRD's."""
    root = model.model_json_schema(by_alias=True)
    return _Translation(root.get("$defs", {})).node(root)


def ordered(schema: Mapping[str, JsonValue]) -> JsonDict:
    """Return *schema* with its keywords, on every level, in the order in which people read them."""
    found: JsonDict = {key: _ordered_value(key, schema[key]) for key in _ORDER if key in schema}
    if left := schema.keys() - found.keys():
        raise ValueError(f"a structural schema has no {', '.join(sorted(left))}")
    return found


def _ordered_value(key: str, value: JsonValue) -> JsonValue:
    if key == "properties" and isinstance(value, dict):
        return {name: ordered(part) for name, part in value.items() if isinstance(part, dict)}
    if key in {"items", "additionalProperties"} and isinstance(value, dict):
        return ordered(value)
    if key == _RULES:
        return [
            {part: rule[part] for part in _RULE_ORDER if part in rule}
            for rule in _list(value)
            if isinstance(rule, dict)
        ]
    return value


class _Translation:
    """One pass over a model's JSON schema, knowing its definitions."""

    def __init__(self, definitions: Mapping[str, JsonDict]) -> None:
        self._definitions = definitions

    def node(self, source: JsonDict, *, defaults: bool = True) -> JsonDict:
        """Return the structural form of *source*, which may hold defaults or not."""
        flat = self._flat(source)
        node: JsonDict = {key: value for key, value in flat.items() if key not in _DROPPED}
        _state_notation(node, flat.get("pattern"))
        _state_default(node, flat.get("default"), defaults=defaults)
        kind = node.get("type")
        if kind == "integer":
            maximum = node.get("maximum")
            node["format"] = "int32" if isinstance(maximum, int) and maximum <= _INT32_MAX else "int64"
        elif kind == "number":
            node["format"] = "double"
        elif kind == "array":
            node.setdefault("x-kubernetes-list-type", "atomic")
        self._descend(node, defaults=defaults and node.get(_MAP_TYPE) != "atomic")
        return node

    def _flat(self, source: JsonDict) -> JsonDict:
        """Return *source* with its reference and its only alternative to null put in its place."""
        inner: JsonDict = {}
        choices = source.get("anyOf")
        reference = source.get("$ref")
        if isinstance(reference, str):
            inner = self._flat(self._definitions[reference.removeprefix("#/$defs/")])
        elif isinstance(choices, list) and {"type": "null"} in choices:
            (choice,) = (choice for choice in choices if choice != {"type": "null"})
            inner = self._flat(choice if isinstance(choice, dict) else {})
            source = {key: value for key, value in source.items() if key != "anyOf"}
        rules = [rule for part in (inner, source) for rule in _list(part.get(_RULES))]
        return {**inner, **source, **({_RULES: rules} if rules else {})}

    def _descend(self, node: JsonDict, *, defaults: bool) -> None:
        properties = node.get("properties")
        if isinstance(properties, dict):
            node["properties"] = {
                name: self.node(part, defaults=defaults) for name, part in properties.items() if isinstance(part, dict)
            }
        if node.get("additionalProperties") is False:
            del node["additionalProperties"]  # a structural schema prunes or refuses unknown fields by itself
        if properties == {}:
            del node["properties"]  # the API server keeps no empty one
        for key in ("items", "additionalProperties"):
            part = node.get(key)
            if isinstance(part, dict):
                node[key] = self.node(part, defaults=False)


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _state_notation(node: JsonDict, pattern: JsonValue) -> None:
    """Say what a text must be like in words: `should match '^([0-9]…` does not tell a user what to write."""
    if node.get("x-kubernetes-int-or-string"):
        _add_rule(node, cel.COUNT)
    elif "enum" in node:
        # Only the status has these. A newer operator knows more words than an older CRD, and must be able to say them.
        known = ", ".join(str(word) for word in _list(node.pop("enum")))
        node["description"] = f"{node['description']} Values: {known}; more may come."
        node["maxLength"] = _LONGEST_WORD
    elif pattern == values.DURATION_PATTERN:
        _add_rule(node, cel.DURATION)
    elif isinstance(pattern, str) and (words := _WORDS.fullmatch(pattern)):
        node["enum"] = list(words[1].split("|"))
    elif pattern is not None and _RULES not in node:
        raise ValueError(f"the pattern {pattern} needs a rule that says in words what would be right")


def _add_rule(node: JsonDict, rule: cel.Rule) -> None:
    node[_RULES] = [rule.written(), *_list(node.get(_RULES))]


def _state_default(node: JsonDict, default: JsonValue, *, defaults: bool) -> None:
    """Put a default where stored objects shall show it, and into the description for people.

    Not in lists, nor in objects that are one value: who applies them again would see a difference for ever, or a
    conflict with the client that stored the default. An object becomes an empty one, so that a null means nothing.
    """
    if isinstance(default, dict) and defaults:
        node["default"] = {}
    if default is None or default == "" or isinstance(default, list | dict):
        return
    if node.get("type") == "string" and isinstance(default, int | float):
        default = values.format_duration(default)
    shown = str(default).lower() if isinstance(default, bool) else default
    node["description"] = f"{node['description']} Default: {shown}."
    if defaults:
        node["default"] = default
