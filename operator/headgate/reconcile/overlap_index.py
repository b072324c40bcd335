"""Which Rollouts of a namespace overlap, kept from event to event, so that no pass has to read or compare them.

A Rollout is found by a label of its selector that few others have, and by the labels of its template: a new one is
compared with those alone, and with no more than some of them. Of each no more than `overlaps.COUNTED` others are
remembered; with a hundred Rollouts of one label one more changes nothing for them.
"""

import itertools
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from headgate.core.model import Key, overlaps
from headgate.core.model.overlaps import Footprint, Overlaps

COMPARED: Final = 1000
"""With how many at most one is compared when it comes: a namespace of 5,000 that differ in little holds up no other."""
_NONE: Final[AbstractSet[str]] = frozenset()


class OverlapIndex:
    """The Rollouts that were seen and not seen to go."""

    def __init__(self) -> None:
        self._spaces: dict[str, _Space] = {}
        self._stirred: set[Key] = set()

    def seen(self, key: Key, footprint: Footprint) -> None:
        """Take in what *key* reaches for."""
        space = self._spaces.setdefault(key.namespace, _Space())
        if space.footprints.get(key.name) != footprint:
            touched = space.removed(key.name) | space.added(key.name, footprint)
            self._stirred |= {Key(key.namespace, name) for name in touched}

    def gone(self, key: Key) -> None:
        """Take in that there is no *key* any more."""
        space = self._spaces.get(key.namespace)
        if space is not None:
            self._stirred |= {Key(key.namespace, name) for name in space.removed(key.name)}
            self._stirred.discard(key)
            if not space.footprints:
                del self._spaces[key.namespace]

    def stirred(self) -> frozenset[Key]:
        """Return those of which `of` returns something else than when this was called last, for what others did."""
        found, self._stirred = frozenset(self._stirred), set()
        return found

    def of(self, key: Key) -> Overlaps | None:
        """Return what *key* has in common with others; None: it was not seen yet."""
        space = self._spaces.get(key.namespace)
        return space.of(key.name) if space is not None and key.name in space.footprints else None


class _Space:
    """Those of one namespace, by name."""

    def __init__(self) -> None:
        self.footprints: dict[str, Footprint] = {}
        self._open = _Index()
        """Those that are told of each one that comes."""
        self._full = _Index()
        """Those of which so many others are remembered already that no further one matters to them."""
        self._found: dict[str, set[str]] = {}
        """With whom each overlaps."""
        self._finding: dict[str, set[str]] = {}
        """In whose entry of these each stands."""

    def of(self, name: str) -> Overlaps:
        """Return what *name* has in common with others."""
        found = self._found.get(name, ())
        first = [self._between(name, other) for other in sorted(found)[: overlaps.NAMED]]
        others, uncounted = max(len(found) - overlaps.NAMED, 0), len(found) >= overlaps.COUNTED
        return Overlaps(tuple(one for one in first if one is not None), others, uncounted)

    def _between(self, name: str, other: str) -> overlaps.Overlap | None:
        return overlaps.between(self.footprints[name], other, self.footprints[other])

    def added(self, name: str, footprint: Footprint) -> set[str]:
        """Add *name*, and return for which others that changes something."""
        self.footprints[name] = footprint
        # Found first and told then: those that are told may have no room any more after that.
        near = dict.fromkeys(itertools.islice(self._open.near(footprint), COMPARED))
        touched = {other for other in near if self._between(name, other) is not None}
        self._open.add(name, footprint)
        for other in touched:
            self._remember(other, name)
        self._fill(name)
        return touched

    def removed(self, name: str) -> set[str]:
        """Remove *name*, and return for which others that changes something."""
        footprint = self.footprints.get(name)
        if footprint is None:
            return set()
        (self._full if self._room(name) == 0 else self._open).drop(name, footprint)
        del self.footprints[name]
        _drop(self._finding, self._found.pop(name, ()), name)
        touched = self._finding.pop(name, set())
        for other in touched:
            if self._room(other) == 0:
                self._full.drop(other, self.footprints[other])
                self._open.add(other, self.footprints[other])
            _drop(self._found, [other], name)
        for other in touched:
            self._fill(other)
        return touched

    def _room(self, name: str) -> int:
        return overlaps.COUNTED - len(self._found.get(name, ()))

    def _fill(self, name: str) -> None:
        """Have *name* remember those that it overlaps with, as far as there is room."""
        footprint, room, met = self.footprints[name], self._room(name), set[str]()
        known = self._found.get(name, frozenset[str]())
        for other in itertools.islice(self._near(footprint), COMPARED if room else 0):
            if other != name and other not in known and self._between(name, other) is not None:
                met.add(other)
                if len(met) == room:
                    break
        for other in met:
            self._remember(name, other)

    def _near(self, footprint: Footprint) -> Iterator[str]:
        yield from self._open.near(footprint)
        yield from self._full.near(footprint)

    def _remember(self, name: str, other: str) -> None:
        self._found.setdefault(name, set()).add(other)
        self._finding.setdefault(other, set()).add(name)
        if self._room(name) == 0:
            self._open.drop(name, self.footprints[name])
            self._full.add(name, self.footprints[name])


class _Index:
    """Some of them, by what they reach for."""

    def __init__(self) -> None:
        self._filed: dict[str, str] = {}
        """Under which label of its selector each stands."""
        self._selecting: dict[str, set[str]] = {}
        self._labelled: dict[str, set[str]] = {}
        self._naming: dict[str, set[str]] = {}

    def add(self, name: str, footprint: Footprint) -> None:
        """Add *name*."""
        if footprint.selector:
            rarest = min(footprint.selector, key=lambda label: (len(self._selecting.get(label, ())), label))
            self._filed[name] = rarest
            self._selecting.setdefault(rarest, set()).add(name)
        for index, entries in ((self._labelled, footprint.labels), (self._naming, footprint.named)):
            for entry in entries:
                index.setdefault(entry, set()).add(name)

    def drop(self, name: str, footprint: Footprint) -> None:
        """Remove *name*, which is there."""
        _drop(self._selecting, [self._filed.pop(name)] if footprint.selector else [], name)
        _drop(self._labelled, footprint.labels, name)
        _drop(self._naming, footprint.named, name)

    def near(self, footprint: Footprint) -> Iterator[str]:
        """Yield all that may overlap with *footprint*, some of them twice."""
        if footprint.selector:
            yield from min((self._labelled.get(label, _NONE) for label in footprint.selector), key=len)
        for index, entries in ((self._selecting, footprint.labels), (self._naming, footprint.named)):
            for entry in entries:
                yield from index.get(entry, _NONE)


def _drop(index: dict[str, set[str]], entries: Iterable[str], name: str) -> None:
    for entry in entries:
        index[entry].discard(name)
        if not index[entry]:
            del index[entry]
