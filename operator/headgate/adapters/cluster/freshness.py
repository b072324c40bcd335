"""How fresh a list must be: never older than what this process has seen or written of that kind.

A list without that bound is as fresh as etcd: the API server's cache has to hear that it missed nothing up to the
newest write of any kind. While anybody writes anything that takes up to 100 ms, a third of what a reaction may take
with 200 canaries in flight. With it the cache answers at once, as fresh as the watches, which come from that cache and
wake us with whatever it had not heard of yet. Each pass still reads its Rollout from etcd: where a server is cut off
from etcd, that fails.
"""

from collections.abc import Mapping
from typing import Any, Final

from headgate.adapters.cluster.kinds import RESOURCES, Resource
from headgate.core.model import Kind

BOUNDED: Final = frozenset(
    RESOURCES[kind] for kind in (Kind.DEPLOYMENT, Kind.CONTROLLER_REVISION, Kind.SERVICE, Kind.ENDPOINT_SLICE)
)
"""What is watched, and what we alone write; anything else is listed as fresh as etcd."""


class Freshness:
    """The newest version that was seen of each kind."""

    def __init__(self) -> None:
        self._newest: dict[Resource, int] = {}

    def note(self, resource: Resource, version: Any) -> None:
        """Take in that an object of that kind was seen at the resourceVersion *version*."""
        if resource in BOUNDED and isinstance(version, str) and version.isdecimal():
            self._newest[resource] = max(int(version), self._newest.get(resource, 0))

    def query(self, resource: Resource) -> Mapping[str, str]:
        """Return what to add to the query of a list; nothing while nothing was seen."""
        newest = self._newest.get(resource)
        if newest is None:
            return {}
        return {"resourceVersion": str(newest), "resourceVersionMatch": "NotOlderThan"}

    def forget(self, resource: Resource) -> None:
        """Ask for no bound any more: after etcd was restored from a backup no server ever reaches it."""
        self._newest.pop(resource, None)
