"""People with few rights, as the API server sees them: the administrator speaks for each.

Owns who they are and what they are granted. Must not know what they write.
"""

import dataclasses
import functools
import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.control_plane.conftest import ControlPlane
from tests.control_plane.writing import HttpWriter, Options

Json = dict[str, Any]
GATEWAY_GROUP = "gateway.networking.k8s.io"


def rule(resource: str, *named: str, verb: str = "patch", group: str = "") -> Json:
    """Return the right to *verb* that *resource*: those that are *named*, or all if none is."""
    found: Json = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
    return {**found, "resourceNames": list(named)} if named else found


ROLLOUTS = rule("rollouts", verb="*", group="headgate.dev")
SCALE = rule("rollouts/scale", verb="*", group="headgate.dev")
STATUS = rule("rollouts/status", verb="*", group="headgate.dev")


@dataclasses.dataclass(frozen=True)
class Person:
    """A user in one namespace."""

    control_plane: ControlPlane
    name: str
    namespace: str

    @functools.cached_property
    def http(self) -> HttpWriter:
        """The person's own way to the API server, without kubectl."""
        return HttpWriter(self.control_plane.cluster, self.namespace, user=self.name)

    def grant(self, *rules: Json) -> None:
        """Let the person do these things in the namespace, and nothing else from now on."""
        about = {"name": self.name, "namespace": self.namespace}
        group = "rbac.authorization.k8s.io"
        role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": about, "rules": list(rules)}
        binding = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": self.name},
            "subjects": [{"apiGroup": group, "kind": "User", "name": self.name}],
        }
        administrator = HttpWriter(self.control_plane.cluster, self.namespace)
        granting = Options(manager="tests", force=True)
        administrator.apply("roles", role, granting).done()
        administrator.apply("rolebindings", binding, granting).done()

    def tries(self, *arguments: str, given: Json | None = None) -> subprocess.CompletedProcess[str]:
        """Return how kubectl ends in this person's name; *given* is what it reads from `-f -`."""
        stdin = None if given is None else json.dumps(given)
        return self.control_plane.kubectl(f"--as={self.name}", f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def does(self, *arguments: str, given: Json | None = None) -> str:
        """Do it, which must succeed, and return what kubectl prints."""
        ended = self.tries(*arguments, given=given)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def is_refused(self, *arguments: str, given: Json | None = None) -> str:
        """Try it, which must be refused, and return the words."""
        ended = self.tries(*arguments, given=given)
        assert ended.returncode != 0, ended.stdout
        return ended.stderr


def routes(names: Sequence[str], kind: str = "HTTPRoute") -> list[Json]:
    """Return the entries of spec.traffic.gatewayAPI.routes for routes of these *names*."""
    return [{"kind": kind, "name": name} for name in names]
