"""An independent observer: watches everything that a Rollout may touch, records it, and knows the present.

Owns the watches and the order of what they say. Must not know what is right or wrong about any of it.
"""

import collections
import dataclasses
import threading
from typing import Any, Final, Self

import requests

from hack.cluster import wait_until
from headgate.api import nesting
from tests.control_plane.access import Access

Json = dict[str, Any]

KINDS: Final = ("rollouts", "deployments", "pods", "services", "httproutes")
"""What it records."""


@dataclasses.dataclass(frozen=True, slots=True)
class Event:
    """One change of one object, as the API server told it."""

    version: int
    """The resourceVersion: one order for the changes of all kinds."""
    kind: str
    name: str
    found: Json | None
    """None: it was deleted."""


class Recorder:
    """Watches a cluster from its beginning to its end."""

    def __init__(self, access: Access) -> None:
        self.problems: list[str] = []
        """What it may have missed."""
        self._access = access
        self._lock = threading.Lock()
        self._events: dict[str, list[Event]] = collections.defaultdict(list)
        self._now: dict[str, dict[tuple[str, str], Json]] = collections.defaultdict(dict)
        self._seen: dict[str, str] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        for kind in KINDS:
            threading.Thread(target=self._follow, args=(kind,), name=f"recorder of {kind}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def now(self, namespace: str, kind: str) -> dict[str, Json]:
        """Return the objects of *kind* by name, as last heard of."""
        with self._lock:
            return {name: found for (one, name), found in self._now[namespace].items() if one == kind}

    def get(self, namespace: str, kind: str, name: str) -> Json:
        """Return one object as last heard of; an empty one if there is none."""
        with self._lock:
            return self._now[namespace].get((kind, name), {})

    def told(self, namespace: str) -> list[Event]:
        """Return everything that happened in *namespace* so far, in the order in which it happened.

        Raises:
            AssertionError: if it has missed something.
        """
        assert wait_until(lambda: self._heard_all(namespace), deadline_seconds=10), "the recorder lags behind"
        assert not self.problems, self.problems
        with self._lock:
            return sorted(self._events[namespace], key=lambda event: event.version)

    def _heard_all(self, namespace: str) -> bool:
        session = self._access.session()
        for kind in KINDS:
            listed = session.get(self._access.url(kind, namespace), timeout=30).json()
            there = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in listed["items"]}
            known = {name: one["metadata"]["resourceVersion"] for name, one in self.now(namespace, kind).items()}
            if there != known:
                return False
        return True

    def _follow(self, kind: str) -> None:
        while not self._ended.is_set():
            try:
                self._watch(kind)
            except (OSError, requests.RequestException, ValueError):
                self._ended.wait(0.2)  # the API server is away, or the kind is being replaced

    def _watch(self, kind: str) -> None:
        query = {"watch": "true", "timeoutSeconds": "3000", "allowWatchBookmarks": "true"}
        if kind in self._seen:
            query["resourceVersion"] = self._seen[kind]
        url = self._access.url(kind)
        with self._access.session().get(url, params=query, stream=True, timeout=(5, 3100)) as stream:
            stream.raise_for_status()
            for line in stream.iter_lines(chunk_size=None):
                event = nesting.parsed(line)
                if event["type"] == "ERROR":  # such as when the kind was replaced: it begins anew with what is there
                    self.problems.append(f"{kind}: {event['object']}")
                    self._seen.pop(kind, None)
                    return
                if event["type"] != "BOOKMARK":
                    self._take_in(kind, event["type"], event["object"])
                self._seen[kind] = event["object"]["metadata"]["resourceVersion"]

    def _take_in(self, kind: str, what: str, found: Json) -> None:
        metadata = found["metadata"]
        metadata.pop("managedFields", None)
        namespace, name = metadata["namespace"], metadata["name"]
        gone = what == "DELETED"
        event = Event(int(metadata["resourceVersion"]), kind, name, None if gone else found)
        with self._lock:
            self._events[namespace].append(event)
            if gone:
                self._now[namespace].pop((kind, name), None)
            else:
                self._now[namespace][kind, name] = found
