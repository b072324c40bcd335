"""What observing needs of the world; adapters fit these."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from headgate.core.model import Json, Key, Kind, MeasureRequest, Reading
from headgate.core.model.overlaps import Overlaps

Clock = Callable[[], float]
"""Returns seconds since the epoch."""


class Reader(Protocol):
    """What observing needs of the cluster. Every method may raise `core.faults.Unreachable` or `Refused`."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object as it is now, or None if there is none."""

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return all objects in *namespace* that carry all of *labels*, as they are now."""

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Return what the API server would make of creating *body*: a dry run with strict field validation."""


class Neighbours(Protocol):
    """Knows all Rollouts without a read."""

    def of(self, key: Key) -> Overlaps | None:
        """Return what *key* has in common with others; None while that is not known."""


class Measurements(Protocol):
    """Where readings come from. Never waits: a slow server must not delay a decision."""

    def read(self, key: Key, requests: Sequence[MeasureRequest]) -> Mapping[str, Reading]:
        """Return by metric name what is known of the requested ticks, and see to it that the rest is fetched.

        Of each request *key* waits for the first tick that is not known: one that has settled, or the one that comes
        next, which is asked for as soon as it has. *key* is woken when that tick is known or cannot be read, and from
        then on waits for nothing until it reads again. What it read before and does not request now is dropped.
        """

    def quiet(self, key: Key, until: int) -> None:
        """Do not wake *key* for ticks up to *until* that pass, but go on to the next one. Ends with its next read."""

    def forget(self, key: Key) -> None:
        """Drop what is kept for *key*: nothing is in flight there any more."""
