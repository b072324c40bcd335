"""What waits for its turn, in rounds over namespaces: a crowd in one namespace delays another by one turn, not by all.

    namespace   waits        order
    a           a1 a2 a3     a1, b1, a2, b2, a3
    b           b1 b2

Each operation costs the same with 5,000 waiting as with five; `take` looks in addition at each namespace that may not
have a turn now.
"""

import collections
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

_Item = TypeVar("_Item", bound=Hashable)


def _anyone(_namespace: str) -> bool:
    return True


class RoundRobin(Generic[_Item]):
    """Items that wait, each once, in the order in which they came to their namespace."""

    def __init__(self) -> None:
        # Not plain dicts: to find the first key of one from which thousands were taken out costs as many steps.
        self._waiting: collections.OrderedDict[str, collections.OrderedDict[_Item, None]] = collections.OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[_Item]:
        return (item for items in self._waiting.values() for item in items)

    def count(self, namespace: str) -> int:
        """Return how many wait in *namespace*."""
        return len(self._waiting.get(namespace, ()))

    def holds(self, namespace: str, item: _Item) -> bool:
        """Return whether *item* of *namespace* waits."""
        return item in self._waiting.get(namespace, ())

    def add(self, namespace: str, item: _Item) -> None:
        """Let *item* wait behind those of its namespace; one that waits already keeps its place."""
        items = self._waiting.setdefault(namespace, collections.OrderedDict())
        self._count += item not in items
        items.setdefault(item)

    def discard(self, namespace: str, item: _Item) -> None:
        """Let *item* wait no longer, if it does."""
        if self.holds(namespace, item):
            self._removed(namespace, item)

    def may_take(self, allowed: Callable[[str], bool] = _anyone) -> bool:
        """Return whether `take` would find something."""
        return any(map(allowed, self._waiting))

    def take(self, allowed: Callable[[str], bool] = _anyone) -> _Item | None:
        """Take out the first item of the namespace whose turn it is; None if none of those that are *allowed* has any.

        A namespace that may not have its turn now keeps its place in the round.
        """
        namespace = next(filter(allowed, self._waiting), None)
        if namespace is None:
            return None
        item = next(iter(self._waiting[namespace]))
        self._waiting.move_to_end(namespace)
        self._removed(namespace, item)
        return item

    def drop_newest(self) -> _Item | None:
        """Take out what came last in the namespace in which most wait; None if there is nothing."""
        if not self._waiting:
            return None
        namespace = max(self._waiting, key=self.count)
        item = next(reversed(self._waiting[namespace]))
        self._removed(namespace, item)
        return item

    def clear(self) -> None:
        """Drop everything."""
        self._waiting.clear()
        self._count = 0

    def _removed(self, namespace: str, item: _Item) -> None:
        items = self._waiting[namespace]
        del items[item]
        self._count -= 1
        if not items:
            del self._waiting[namespace]
