"""Writes objects over HTTP with the requests that kubectl makes, at a twentieth of the cost of its process.

Owns which request is which command, and what the API server answered. Must not know what is right to write.
"""

import dataclasses
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from hack.cluster import Cluster
from tests.control_plane.access import Access

Json = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What the API server said to one request."""

    status: int
    body: Json
    warning: str
    """The header Warning, which kubectl prints; empty where there is none."""

    @property
    def accepted(self) -> bool:
        """Whether the API server did it. It must have decided: that it was busy or broken is no answer."""
        assert self.status < HTTPStatus.INTERNAL_SERVER_ERROR, self.body
        assert self.status != HTTPStatus.TOO_MANY_REQUESTS, self.body
        return self.status < HTTPStatus.BAD_REQUEST

    def done(self) -> Json:
        """Return the object; it must have been accepted, without a warning."""
        assert (self.accepted, self.warning) == (True, ""), (self.body, self.warning)
        return self.body

    def refusal(self) -> str:
        """Return the words of the refusal, which there must be."""
        # Status 500 as well: so the API server says that a Rollout without replicas has no scale.
        assert self.status >= HTTPStatus.BAD_REQUEST, self.body
        return str(self.body["message"])


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """How to write."""

    dry_run: bool = False
    manager: str = ""
    force: bool = False
    """To take fields of other managers over."""

    def query(self) -> dict[str, str]:
        """Return the parameters of the request; kubectl validates strictly unless told otherwise."""
        found = {"fieldValidation": "Strict"}
        found |= {"dryRun": "All"} if self.dry_run else {}
        found |= {"fieldManager": self.manager} if self.manager else {}
        return found | ({"force": "true"} if self.force else {})


SIMPLY: Final = Options()
DRY_RUN: Final = Options(dry_run=True)


class HttpWriter:
    """Writes in one namespace as the administrator, or in the name of a user."""

    def __init__(self, cluster: Cluster, namespace: str, *, user: str = "") -> None:
        self.namespace = namespace
        self._access = Access.to(cluster)
        self._session = self._access.session()
        if user:
            self._session.headers["Impersonate-User"] = user

    def create(self, kind: str, body: Mapping[str, Any], options: Options = SIMPLY) -> Answer:
        """Do as `kubectl create`; *kind* is a plural."""
        return self._request("POST", kind, "", body, query=options.query())

    def apply(self, kind: str, body: Mapping[str, Any], options: Options) -> Answer:
        """Do as `kubectl apply --server-side`."""
        name = body["metadata"]["name"]
        return self._request("PATCH", kind, name, body, content=APPLY, query=options.query())

    def merge(self, kind: str, path: str, patch: Mapping[str, Any], options: Options = SIMPLY) -> Answer:
        """Do as `kubectl patch --type=merge`; *path* is a name, or a name and a subresource."""
        return self._request("PATCH", kind, path, patch, content=MERGE, query=options.query())

    def replace(self, kind: str, body: Mapping[str, Any], options: Options = SIMPLY) -> Answer:
        """Do as `kubectl replace`: in place of the object as it is at this moment."""
        name = body["metadata"]["name"]
        version = self.get(kind, name).done()["metadata"]["resourceVersion"]
        given = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        return self._request("PUT", kind, name, given, query=options.query())

    def get(self, kind: str, path: str) -> Answer:
        """Do as `kubectl get`; *path* is a name, or a name and a subresource."""
        return self._request("GET", kind, path, None, query={})

    def delete(self, kind: str, name: str) -> Answer:
        """Do as `kubectl delete --wait=false`."""
        return self._request("DELETE", kind, name, None, query={})

    def may(self, verb: str, resource: str, *, group: str = "", subresource: str = "") -> bool:
        """Do as `kubectl auth can-i`."""
        asked = {"namespace": self.namespace, "verb": verb, "resource": resource, "group": group}
        asked |= {"subresource": subresource} if subresource else {}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        url = self._access.url("selfsubjectaccessreviews")
        answer = self._session.post(url, json=review, timeout=30)
        answer.raise_for_status()
        return bool(answer.json()["status"]["allowed"])

    def _request(
        self,
        verb: str,
        kind: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        content: str = "application/json",
        query: Mapping[str, str],
    ) -> Answer:
        answer = self._session.request(
            verb,
            self._access.url(kind, self.namespace, path),
            params=query,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content},
            timeout=30,
        )
        return Answer(answer.status_code, answer.json(), answer.headers.get("Warning", ""))


def created_namespace(cluster: Cluster, name: str) -> HttpWriter:
    """Create the namespace *name* and return the administrator's way to write in it."""
    everywhere = HttpWriter(cluster, "")
    everywhere.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).done()
    return HttpWriter(cluster, name)
