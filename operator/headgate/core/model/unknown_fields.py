"""What a newer Headgate has written into the status and this one does not understand: it is written back unchanged.

A status is written as a whole, so that what is left out is gone. Three things tell what of the stored one stays:

    stored     as it is kept, with fields, words and entries that are not known here
    before     what was understood of it, written down again
    after      what was decided

What stands in `stored` and not in `before` was not understood: it stays, unless `after` has something else there. What
stands in `before` and not in `after` was taken away on purpose, with whatever belongs to it.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from headgate.api.status import CONDITIONS

FOUND_ANEW: Final = frozenset(
    {"phase", "ready", "replicas", "selector", "observedGeneration", "handledCommands", "template", "drill"}
)
"""What is found anew in each pass: no older word for it may outlast that."""
_OF_A_CANARY: Final = frozenset({"step", "weight"})
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "history": ("hash", "started", "finished"),
    "rejected": ("hash", "at"),
    "analysis": ("name",),
    "conditions": ("type",),
}
"""What tells the entries of a list from each other."""
_MOST: Final[Mapping[str, int]] = {"history": 10, "rejected": 10, "analysis": 20, "conditions": 16}
_ATTEMPT: Final = ("hash", "started", "promoted")
"""What tells a revision's attempt from another one in the same place."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A status as it is kept."""

    text: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    dropped: frozenset[tuple[str, int]] = frozenset()
    """Which entries of which list were not understood at all."""


def with_stored(stored: Stored, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return *after* with what of *stored* was not understood."""
    kept = dict(after)
    for name, value in stored.text.items():
        gone = name in _OF_A_CANARY and "canary" not in after
        if name in _KEYS:
            kept[name] = _listed(stored, name, list(before.get(name, ())), list(after.get(name, ())))
        elif name not in FOUND_ANEW and not gone:
            _keep(kept, name, value, before, after)
    return kept


def _keep(kept: dict[str, Any], name: str, value: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Put into *kept* what of *value* stays under *name*."""
    if value is None or (name in before) != (name in after):
        return  # taken away on purpose, or replaced
    kept[name] = _merged(value, before[name], after[name]) if name in before else value


def _merged(stored: Any, before: Any, after: Any) -> Any:
    if isinstance(stored, dict) and isinstance(before, dict) and isinstance(after, dict):
        kept = dict(after)
        another = any(before.get(field) != after.get(field) for field in _ATTEMPT)
        for field, value in () if another else stored.items():
            _keep(kept, field, value, before, after)
        return kept
    # What was read as it stands is the same; else something stood in its place, and still does.
    return stored if before == after else after


def _listed(stored: Stored, name: str, before: list[Any], after: list[Any]) -> Any:
    """Return the entries of *after*, with what belongs to each, and behind them those that are not understood."""
    entries = stored.text[name]
    if not isinstance(entries, list):
        return after or ([] if entries is None else entries)
    lost = [entry for at, entry in enumerate(entries) if (name, at) in stored.dropped]
    read = [entry for at, entry in enumerate(entries) if (name, at) not in stored.dropped]
    pairs = {_key(name, entry): (found, entry) for found, entry in zip(read, before, strict=False)}
    kept = [_merged(*pairs[key], entry) if (key := _key(name, entry)) in pairs else entry for entry in after]
    present = {_key(name, entry) for entry in after}
    if name == "conditions":  # those of a newer version; ours are found anew
        lost += [found for key, (found, _) in pairs.items() if key not in present and _foreign(found)]
    return [*kept, *lost][: max(len(kept), _MOST[name])]


def _foreign(condition: Any) -> bool:
    return isinstance(condition, dict) and condition.get("type") not in CONDITIONS


def _key(name: str, entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(entry.get(field) for field in _KEYS[name])
