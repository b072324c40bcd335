"""Which Rollout has the next pass: urgent ones go first, but each fourth pass is for one that is not. Pure.

The operator's queue and the simulation give out keys in this order. Within each of the two kinds places go round over
lines (`core.round_robin`): namespaces, mostly.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from headgate.api import names
from headgate.core.model import Key
from headgate.core.round_robin import RoundRobin

URGENT_IN_A_ROW: Final = 3
"""So many urgent keys are given out while others wait, then one of those."""


def wishes(metadata: Mapping[str, Any]) -> list[Any]:
    """Return what of a Rollout's *metadata* makes a pass urgent when it changes: commands, deletions, new templates.

    A generation is new with other edits too.
    """
    return [metadata.get("generation"), metadata.get("deletionTimestamp"), names.ours(metadata.get("annotations"))]


class PassOrder:
    """Keys that wait, each once."""

    def __init__(self) -> None:
        self.ready: RoundRobin[Key] = RoundRobin()
        self.urgent: RoundRobin[Key] = RoundRobin()
        self._in_a_row = 0
        """How many urgent ones were given out since one that is not."""

    def __len__(self) -> int:
        return len(self.ready) + len(self.urgent)

    def add(self, line: str, key: Key) -> None:
        """Let *key* wait in *line*; one that waits already keeps its place."""
        if not self.urgent.holds(line, key):
            self.ready.add(line, key)

    def hurry(self, line: str, key: Key) -> None:
        """Let *key* wait in *line* before those that are not urgent."""
        self.ready.discard(line, key)
        self.urgent.add(line, key)

    def take(self, free: Callable[[str], bool], free_urgently: Callable[[str], bool]) -> Key | None:
        """Take out the key whose turn it is, of a line that is *free*; None if there is none."""
        others_turn = self._in_a_row >= URGENT_IN_A_ROW
        for waiting in (self.ready, self.urgent) if others_turn else (self.urgent, self.ready):
            key = waiting.take(free_urgently if waiting is self.urgent else free)
            if key is not None:
                self._in_a_row = 0 if waiting is self.ready else self._in_a_row + 1
                return key
        return None

    def clear(self) -> None:
        """Drop everything."""
        self.ready.clear()
        self.urgent.clear()
