"""Values of a future version: what it might write into any field of a status or a policy, and how that is undone.

Knows the fields from the models of today. Must not know what becomes of such a value. Null is none of them: the API
server keeps no null where a field is not nullable.
"""

import copy
import dataclasses
import enum
import typing
from collections.abc import Iterator
from typing import Any, Final

import pydantic

from headgate.core.model import Json

Path = tuple[int | str, ...]
NEWS: Final = "newsOfTomorrow"
_WORD: Final = "Quarantined"
_THING: Final[Json] = {NEWS: "yes"}


class Way(enum.StrEnum):
    """How a future version may differ in one place."""

    WORD = "a word that is not known"
    THING = "an object"
    LIST = "a list"
    NUMBER = "a number"
    RENAMED = "another name for it"
    FIELD = "one more field in it"
    ENTRY = "one more entry of another shape in it"


_VALUES: Final[dict[Way, Any]] = {
    Way.WORD: _WORD,
    Way.THING: _THING,
    Way.LIST: [_WORD],
    Way.NUMBER: 4711,
}
_WORDS: Final = {"phase", "outcome", "ending", "verdict", "type", "status", "reason", "policy", "revisionHash"}
"""Texts of which only some are known."""
_MAPS: Final = {"conditions": "type", "analysis": "name"}
"""Lists that the API server merges by a field, which has to be there and a text in every version."""


@dataclasses.dataclass(frozen=True, slots=True)
class Future:
    """One difference, at one place."""

    path: Path
    way: Way

    def __str__(self) -> str:
        """Return both, for people."""
        return f"{'.'.join(map(str, self.path)) or 'the whole'}: {self.way.value}"

    def put(self, whole: Json) -> Json:
        """Return *whole* as the future version would have written it."""
        changed = copy.deepcopy(whole)
        if self.way is Way.FIELD:
            _at(changed, self.path)[NEWS] = _THING
            return changed
        if self.way is Way.ENTRY:
            _at(changed, self.path).append(self._entry)
            return changed
        holder, last = _at(changed, self.path[:-1]), self.path[-1]
        if self.way is Way.RENAMED:
            holder[f"{last}{NEWS}"] = holder.pop(last)
        else:
            holder[last] = copy.deepcopy(_VALUES[self.way])
        return changed

    def undone(self, whole: Any, before: Json) -> Any:
        """Return *whole* as a version of today would have it, where it still has what the future version wrote.

        Args:
            whole: what it has become.
            before: what it was before the future version wrote it.
        """
        if self.way is Way.FIELD or not isinstance(whole, dict):
            return whole
        changed = copy.deepcopy(whole)
        if self.way is Way.ENTRY:
            entries = found(changed, self.path)
            if isinstance(entries, list) and self._entry in entries:
                entries.remove(self._entry)
            return changed
        for path in _alike(changed, self.path):
            self._undo(found(changed, path[:-1]), path[-1], found(before, self.path))
        return changed

    @property
    def _entry(self) -> Json:
        key = _MAPS.get(str(self.path[-1]))
        return {**_THING, key: _WORD} if key else _THING

    def _undo(self, holder: Any, last: int | str, meant: Any) -> None:
        if self.way is Way.RENAMED:
            if isinstance(holder, dict) and f"{last}{NEWS}" in holder:
                kept = holder.pop(f"{last}{NEWS}")
                holder[last] = holder.get(last) or kept  # no text and no number are what is written for nothing
        elif _has(holder, last) and holder[last] == _VALUES[self.way]:
            if meant is MISSING:
                del holder[last]
            else:
                holder[last] = copy.deepcopy(meant)

    def stands(self, whole: Json) -> bool:
        """Return whether *whole* still has what was put into it."""
        if self.way is Way.ENTRY:
            entries = found(whole, self.path)
            return isinstance(entries, list) and self._entry in entries
        name = NEWS if self.way is Way.FIELD else f"{self.path[-1]}{NEWS}"
        if self.way in (Way.FIELD, Way.RENAMED):
            under = (*self.path, 0) if self.way is Way.FIELD else self.path
            return any(_has(found(whole, path[:-1]), name) for path in _alike(whole, under))
        return any(found(whole, path) == _VALUES[self.way] for path in _alike(whole, self.path))


MISSING: Final = object()


def _at(whole: Any, path: Path) -> Any:
    for part in path:
        whole = whole[part]
    return whole


def _has(holder: Any, part: int | str) -> bool:
    if isinstance(holder, dict):
        return part in holder
    return isinstance(holder, list) and isinstance(part, int) and part < len(holder)


def found(whole: Any, path: Path) -> Any:
    """Return what stands at *path*, or MISSING."""
    for part in path:
        if not _has(whole, part):
            return MISSING
        whole = whole[part]
    return whole


def _alike(whole: Any, path: Path) -> list[Path]:
    """Return *path* for each entry of the list that it leads through first: entries move when others come."""
    at = next((index for index, part in enumerate(path[:-1]) if isinstance(part, int)), None)
    if at is None:
        return [path]
    entries = found(whole, path[:at])
    count = len(entries) if isinstance(entries, list) else 0
    return [(*path[:at], index, *path[at + 1 :]) for index in range(count)]


def _models(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """Yield the models that *annotation* allows."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def _kinds(annotation: Any) -> set[type]:
    """Return the plain types that *annotation* allows."""
    own = {annotation} if isinstance(annotation, type) else set()
    return own.union(*(_kinds(part) for part in typing.get_args(annotation)))


def everywhere(model: type[pydantic.BaseModel], whole: Json) -> list[Future]:
    """Return every difference that a future version may make of *whole*, which is written by *model*."""
    return [Future(path, way) for path, way in _of_object(model, whole, ())]


def _of_object(model: type[pydantic.BaseModel], value: Json, path: Path) -> Iterator[tuple[Path, Way]]:
    yield path, Way.FIELD
    for name, field in model.model_fields.items():
        alias = field.alias or name
        place = (*path, alias)
        if path and _MAPS.get(str(path[0])) == alias:
            continue
        for way in _VALUES:
            if not _usual(way, alias, field.annotation):
                yield place, way
        if alias in value:
            yield place, Way.RENAMED
            yield from _inside(field.annotation, value[alias], place)


def _usual(way: Way, alias: str, annotation: Any) -> bool:
    """Return whether that is what a version of today may write there as well."""
    kinds = _kinds(annotation)
    if way is Way.WORD:
        return str in kinds and alias not in _WORDS
    if way is Way.NUMBER:
        return bool({int, float} & kinds)
    return way is Way.LIST and (alias in _MAPS or (tuple in kinds and str in kinds))


def _inside(annotation: Any, value: Any, path: Path) -> Iterator[tuple[Path, Way]]:
    model = next(_models(annotation), None)
    if isinstance(value, list):
        yield path, Way.ENTRY
        for index, entry in enumerate(value) if model is not None else ():
            yield from (((*path, index), way) for way in _VALUES if path[-1] not in _MAPS)
            if model is not None and isinstance(entry, dict):
                yield from _of_object(model, entry, (*path, index))
    elif model is not None and isinstance(value, dict):
        yield from _of_object(model, value, path)
