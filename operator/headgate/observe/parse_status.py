"""Reads a status part by part: what is not understood of it costs that part, and never the others.

After a rollback of the operator it meets what a newer one has written. What is not understood costs more or less:

| part | what follows |
|---|---|
| stable, canary, warm, rollback, what was put into routes | nothing is decided (`Part.STATUS`) |
| the step, the weight, the floor, a restart, a rejection without its hash | nothing goes forward (`Part.STATUS_PART`) |
| what a rollout was begun by | counts in whole, or as if it were not there |
| the policy in force | as where its record cannot be read (`Part.POLICY`) |
| a phase, a condition, a metric, an outcome, anything else | it is found anew, or is not counted on |

Fields that are not known are no concern of any decision. All of that is still there in `Read.stored`, and is written
back with what was decided.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Final

import pydantic

from headgate.api import nesting, values
from headgate.api.status import RolloutStatus
from headgate.core.model import Json, Part, Unreadable
from headgate.core.model.unknown_fields import Stored

Path = tuple[int | str, ...]

_SIDES: Final = ("stable", "canary", "previous", "rollback")
_SPARED: Final = {"images", "ready", "selector", "progress", "promoteFull", "by", "message", "stablePods"}
"""What nothing rests on that is known of a revision, or of the verdict against one."""
_WAYS: Final = ("traffic",)
_WAYS_SPARED: Final = {"weight", "lowest", "highest", "since", "stableSince", "driftBy", "driftCount", "driftLastTime"}
"""What is found again, or has a safe value in its place."""
_STEPS: Final[Mapping[str, frozenset[str]]] = {
    "step": frozenset({"waitingFor", "text"}),
    "weight": frozenset({"achieved"}),
    "minReplicas": frozenset(),
    "restart": frozenset({"remaining", "asked"}),
    "policy": frozenset(),
}
"""What a step rests on, and what of it not."""
_LONG_AGO: Final = "1970-01-01T00:00:00Z"
_STANDS_FOR: Final[Mapping[str, Mapping[str, Any]]] = {
    "history": {"revision": 0, "outcome": "Unknown", "started": _LONG_AGO, "finished": _LONG_AGO},
    "rejected": {"revision": 0, "reason": "Unknown", "at": _LONG_AGO},
    # Unknown weights: any part of the users may be at the canary until what routes hold now has drained.
    "traffic": {"weight": 0, "lowest": 0, "highest": 100},
}
"""What stands for a field that is not understood, where the rest can do without it."""
_MOST_ROUNDS: Final = 12
"""Each takes out all that is not understood; only what lacks it then, one level up, is left for the next one."""
_FIELDS: Final = frozenset(field.alias or name for name, field in RolloutStatus.model_fields.items())
_MOST_ENTRIES: Final = 400
"""Of one list: no Headgate keeps more than 20."""
_MOST_ERRORS: Final = 20_000
"""To tell of each takes 5 µs. All entries of all lists, with no field that is understood, have fewer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Read:
    """A status as far as it is understood."""

    status: RolloutStatus
    stored: Stored = dataclasses.field(default_factory=Stored)
    lost: frozenset[Path] = frozenset()
    """Where something stands that is not understood."""
    unread: Mapping[Part, Unreadable] = dataclasses.field(default_factory=dict)


def read(raw: Any) -> Read:
    """Return what *raw*, a status as it is stored, says."""
    if raw is None:
        return Read(RolloutStatus())
    raw = nesting.shallow(raw)
    if not isinstance(raw, dict):
        return _nothing(Stored(), "it is no object")
    text = _without_nulls(raw)
    places = {name: list(range(len(entries))) for name, entries in raw.items() if isinstance(entries, list)}
    lost = _cut(text, places)
    for _ in range(_MOST_ROUNDS):
        try:
            # Strictly, as JSON: a word or a flag is no number, though it could be made into one.
            status = RolloutStatus.model_validate_json(json.dumps(text), strict=True, context=values.STORED)
        except pydantic.ValidationError as error:
            found = _strange(text, error)
            if not found:
                break
            lost |= {_taken_out(text, path, places, instead) for path, instead in found}
        else:
            if any(path[0] == "begun" for path in lost):
                status = status.model_copy(update={"begun": None})  # with a part of it users might be overlooked
            return Read(
                _bounded(_single(status), lost), Stored(raw, _dropped(raw, places)), frozenset(lost), _unread(lost)
            )
    return _nothing(Stored(raw), "nearly all of it is not understood")


def _cut(text: Json, places: Mapping[str, list[int]]) -> set[Path]:
    """Take out of *text* what is more than any list of ours has, and return where that begins."""
    long = {name for name in _FIELDS & places.keys() if len(places[name]) > _MOST_ENTRIES}
    for name in long:
        del text[name][_MOST_ENTRIES:], places[name][_MOST_ENTRIES:]
    return {(name, _MOST_ENTRIES) for name in long}


def _strange(text: Any, error: pydantic.ValidationError) -> list[tuple[Path, str]]:
    """Return where there is something that is not understood, and which field something can stand for there.

    Nothing stands in anything else that is there, and of a list the last entry comes first, so that none moves
    another one. It is empty where as a whole *text* is not understood.
    """
    if error.error_count() > _MOST_ERRORS:
        return []
    found: dict[tuple[Path, str], None] = {}
    for told in error.errors(include_url=False, include_context=False, include_input=False):
        path = _existing(text, told["loc"])
        field = str(told["loc"][len(path)]) if told["type"] == "missing" else ""
        able = field in _STANDS_FOR.get(str(path[0]) if path else "", {}) and isinstance(_at(text, path), dict)
        found[path, field if able else ""] = None
    gone = {path for path, instead in found if not instead}
    if () in gone:
        return []
    within = (any(path[:end] in gone for end in range(1, len(path))) for path, _ in found)
    kept = [one for one, inside in zip(found, within, strict=True) if not inside and not (one[1] and one[0] in gone)]
    return sorted(kept, key=lambda one: [(isinstance(part, str), part) for part in one[0]], reverse=True)


def _without_nulls(raw: Any) -> Any:
    """Return a copy of *raw* in which what no field can be stands for null: no Headgate writes one for absent."""
    if raw is None:
        return [{}]
    if isinstance(raw, dict):
        return {name: _without_nulls(value) for name, value in raw.items()}
    return [_without_nulls(entry) for entry in raw] if isinstance(raw, list) else raw


def _nothing(stored: Stored, why: str) -> Read:
    return Read(RolloutStatus(), stored, frozenset({()}), {Part.STATUS: Unreadable(why)})


def _dropped(raw: Json, places: Mapping[str, list[int]]) -> frozenset[tuple[str, int]]:
    """Return which entries of lists are not among the *places* that are left."""
    return frozenset((name, at) for name, left in places.items() for at in set(range(len(raw[name]))).difference(left))


def _single(status: RolloutStatus) -> RolloutStatus:
    """Return *status* with each revision once: two sizes for one Deployment would follow each other for ever."""
    stable = status.stable.hash if status.stable else ""
    twice = {
        field: None for field in ("canary", "previous") if (side := getattr(status, field)) and side.hash == stable
    }
    return status.model_copy(update=twice) if twice else status


def _bounded(status: RolloutStatus, lost: set[Path]) -> RolloutStatus:
    """Return *status* with no more than the step asks for as what Gateways may still give, where that is *lost*.

    No route was ever written with more, so that no canary needs more pods for it; copies of requests are told apart.
    """
    traffic, weight = status.traffic, status.weight
    known = ("traffic", "highest") in lost and not any(path[0] == "weight" for path in lost)
    if not known or traffic is None or weight is None or traffic.managed_rules or ("traffic", "managedRules") in lost:
        return status
    most = max(weight.desired, traffic.weight, traffic.lowest)
    return status.model_copy(update={"traffic": traffic.model_copy(update={"highest": most})})


def _taken_out(text: Any, path: Path, places: Mapping[str, list[int]], instead: str) -> Path:
    """Take out of *text* what stands at *path*, or put the field *instead* there, and return where that was.

    Of an entry of a list nothing moves for it: *places* keeps where each one stood.
    """
    head, last = str(path[0]), path[-1]
    if instead:
        _at(text, path)[instead] = _STANDS_FOR[head][instead]
        return (*path, instead)
    if len(path) == 2 and isinstance(last, int):  # noqa: PLR2004  # a list of the status, and an entry of it
        if head in places:
            del places[head][last]
    elif len(path) == 1:
        places.get(head, []).clear()
    del _at(text, path[:-1])[last]
    return path


def _existing(text: Any, location: tuple[int | str, ...]) -> Path:
    """Return as much of *location* as there is: behind it may stand what a model calls its alternatives."""
    for at, part in enumerate(location):
        there = (isinstance(text, dict) and part in text) or (isinstance(text, list) and isinstance(part, int))
        if not there:
            return location[:at]
        text = text[part]
    return location


def _at(text: Any, path: Path) -> Any:
    for part in path:
        text = text[part]
    return text


def _unread(lost: set[Path]) -> dict[Part, Unreadable]:
    """Return what must not be decided without what is *lost*."""
    found: dict[Part, Unreadable] = {}
    if {("traffic", name) for name in _STANDS_FOR["traffic"]} <= lost:
        lost = {*lost, ("traffic",)}  # nothing of it is like ours, so that it may keep elsewhere what was put where
    for part, concerns in ((Part.STATUS, _tells_who_serves), (Part.STATUS_PART, _tells_the_step)):
        places = sorted({_named(path) for path in lost if concerns(path)})
        if places:
            found[part] = Unreadable(f"{', '.join(places[:5])}: not understood by this version of Headgate")
    return found


def _named(path: Path) -> str:
    return "status" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _tells_who_serves(path: Path) -> bool:
    head, deepest = path[0], str(path[-1])
    if head in _SIDES:
        inside = len(path) > 1 and (deepest in _SPARED or path[1] in ("images", "progress"))
        return not inside
    return head in _WAYS and not (len(path) > 1 and deepest in _WAYS_SPARED)


def _tells_the_step(path: Path) -> bool:
    head = str(path[0])
    if head == "rejected":
        return len(path) <= 2  # noqa: PLR2004  # the list, or one entry as a whole
    if head == "history":
        return len(path) == 1
    return head in _STEPS and not (len(path) > 1 and path[1] in _STEPS[head])
