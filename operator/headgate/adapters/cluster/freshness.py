"""How fresh a list must be: never older than what this process has seen or written of that kind.

A list without that bound is as fresh as etcd: the API server's cache has to hear that it missed nothing up to the
newest write of any kind. While any client writes, that takes up to 100 ms, a third of what a reaction may take
with 200 canaries in flight. With it the cache answers at once, as fresh as the watches, which come from that cache and
wake us with whatever it had not heard of yet. So the bound is for kinds that are watched, or that Headgate alone
writes. Each pass still reads its Rollout from etcd: where a server is cut off from etcd, that fails.
"""

from collections.abc import Mapping
from typing import Any

from headgate.kinds.resource_kind import ResourceKind


class Freshness:
    """The newest version that was seen of each kind."""

    def __init__(self) -> None:
        self._newest: dict[ResourceKind, int] = {}

    def note(self, resource: ResourceKind, version: Any) -> None:
        """Take in that an object of that kind was seen at the resourceVersion *version*."""
        if resource.bounded and isinstance(version, str) and version.isdecimal():
            self._newest[resource] = max(int(version), self._newest.get(resource, 0))

    def query(self, resource: ResourceKind) -> Mapping[str, str]:
        """Return what to add to the query of a list; nothing while nothing was seen."""
        newest = self._newest.get(resource)
        if newest is None:
            return {}
        return {"resourceVersion": str(newest), "resourceVersionMatch": "NotOlderThan"}

    def forget(self, resource: ResourceKind) -> None:
        """Ask for no bound any more: after etcd was restored from a backup no server ever reaches it."""
        self._newest.pop(resource, None)
