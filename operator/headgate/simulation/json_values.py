"""JSON values as the API server gives them out: everybody gets a copy of their own. Ten times as fast as deepcopy."""

from typing import Any, Final, TypeVar

_Value = TypeVar("_Value")
_SHARED: Final = "managedFields"
"""Most of an object, always replaced as a whole, and changed by nobody."""


def copied(value: _Value) -> _Value:
    """Return *value* with all that is in it anew."""
    result: _Value = _copied(value)
    return result


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _copied(member) if isinstance(member, dict | list) and name != _SHARED else member
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_copied(member) if isinstance(member, dict | list) else member for member in value]
    return value
