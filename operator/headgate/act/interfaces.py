"""What acting needs of the world; adapters fit these."""

from collections.abc import Sequence
from typing import Protocol

from headgate.core.model import Json, Key, Kind, Notice


class Writer(Protocol):
    """What acting needs of the cluster. Every method may raise any of `core.faults`."""

    async def create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """Create *body* and return it as stored. An object of that name is a Conflict."""

    async def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        operations: Sequence[Json],
        field_manager: str,
        *,
        strict: bool = False,
    ) -> Json | None:
        """Apply a JSON patch and return the object, or None if there is none. A failed test operation is a Conflict.

        If *strict*, a field that the server does not know is Refused instead of dropped.
        """

    async def apply_status(self, key: Key, uid: str, resource_version: str, status: Json) -> Json | None:
        """Apply a Rollout's status; a Conflict unless it is still at *resource_version*. None: it is gone."""

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str, resource_version: str = "") -> None:
        """Delete the object if it is still the one with *uid*, at *resource_version*; one that is gone is fine.

        What is empty is not asked for. One that is another by now is a Conflict.
        """

    async def evict(self, namespace: str, name: str, uid: str) -> None:
        """Evict a pod if it is still the one with *uid*; one that is gone is fine. Refused where a budget says no."""


class Notices(Protocol):
    """Where Kubernetes Events go. Posting is in the background and never fails a pass."""

    def post(self, key: Key, uid: str, notice: Notice) -> None:
        """Post *notice* about the Rollout; one that repeats itself is counted, not multiplied."""
