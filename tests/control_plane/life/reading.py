"""Reads objects over HTTP: tests look ten times a second, and a kubectl for each look would be most of their cost."""

from http import HTTPStatus
from typing import Any

from hack.cluster import Cluster
from tests.control_plane.access import Access

Json = dict[str, Any]


class HttpReader:
    """Reads as the administrator of a cluster whose API server listens on loopback."""

    def __init__(self, cluster: Cluster) -> None:
        self._access = Access.to(cluster)
        self._session = self._access.session()

    def get(self, kind: str, namespace: str, name: str) -> Json:
        """Return the object, which must be there; *kind* is its plural or its singular."""
        return self._read(kind, namespace, name)

    def listed(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """Return all objects of a kind in a namespace that have the labels of *selector*."""
        found: list[Json] = self._read(kind, namespace, labelSelector=selector)["items"]
        return found

    def _read(self, kind: str, namespace: str, name: str = "", **query: str) -> Json:
        plural = kind.lower().removesuffix("s") + "s"
        answer = self._session.get(self._access.url(plural, namespace, name), params=query, timeout=30)
        assert answer.status_code == HTTPStatus.OK, answer.text
        found: Json = answer.json()
        return found
