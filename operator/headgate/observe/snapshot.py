"""What lists have shown of one namespace, as a Reader: enough to see that nothing is to be done, and for no more.

It is some moments old. A decision to write must be made on what is there now, so that everything that is not in the
lists, or that could be there without the labels by which was listed, is left to a look at the cluster itself.
"""

from collections.abc import Iterable, Mapping

from headgate import kinds
from headgate.api import names
from headgate.core.model import Json, Kind


class NotListedError(Exception):
    """Only the cluster itself can tell. No Fault: nothing may take it for an answer."""


class Snapshot:
    """The listed objects of one namespace."""

    def __init__(self, namespace: str, things: Mapping[Kind, Iterable[Json]]) -> None:
        """Keep *things*: by kind all objects of *namespace* that `kinds.FIRST_LISTS` choose."""
        self._namespace = namespace
        self._things = {kind: {str(one["metadata"]["name"]): one for one in found} for kind, found in things.items()}

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the object as it was listed; None for a Rollout that was not.

        Raises:
            NotListedError: for any other object that was not.
        """
        found = self._of(kind, namespace).get(name)
        if found is None and kind is not Kind.ROLLOUT:
            raise NotListedError(name)
        return found

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return the listed objects that carry all of *labels*.

        Raises:
            NotListedError: if there are none, and there may be some that were not listed.
        """
        found = [
            thing
            for thing in self._of(kind, namespace).values()
            if labels.items() <= (thing["metadata"].get("labels") or {}).items()
        ]
        if not found and not kinds.FIRST_LISTS[kind].complete and labels.get(names.MANAGED) != "true":
            raise NotListedError(kind.value)
        return found

    async def try_create(self, kind: Kind, namespace: str, body: Json) -> Json:  # noqa: ARG002 - a Reader's signature
        """Raise NotListedError: a dry run is the cluster's to answer."""
        raise NotListedError(kind.value)

    def _of(self, kind: Kind, namespace: str) -> Mapping[str, Json]:
        if kind not in self._things or namespace != self._namespace:
            raise NotListedError(kind.value)
        return self._things[kind]
