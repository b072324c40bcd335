"""The names that Headgate puts on Kubernetes objects: part of the public contract, so none may change lightly."""

from collections.abc import Mapping
from typing import Any, Final

GROUP: Final = "headgate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "Rollout"
PLURAL: Final = "rollouts"
RESOURCE: Final = f"{PLURAL}.{GROUP}"
"""What commands name: another group may have a resource with the same plural."""

MANAGED: Final = f"{GROUP}/managed"
"""Label with value "true" on every object we create: watches select by it."""
ROLLOUT: Final = f"{GROUP}/rollout"
"""Label on every object we create: the Rollout's name, or its beginning and a hash where it is too long."""
POD_HASH: Final = f"{GROUP}/pod-hash"
"""Label on Deployments and their pods: the hash of the revision they run."""
RECORD: Final = f"{GROUP}/record"
"""Label on ControllerRevisions: what is recorded in it, one of `RECORD_TEMPLATE` and `RECORD_POLICY`."""
RECORD_TEMPLATE: Final = "template"
RECORD_POLICY: Final = "policy"

REVISION: Final = f"{GROUP}/revision"
"""Annotation on Deployments: the revision's number, for people."""
REJECTED: Final = f"{GROUP}/rejected"
"""Annotation on a canary's Deployment, and on its routes: `<hash>/<start of the attempt>` of the attempt that was taken
back."""
REJECTED_FOR: Final = f"{GROUP}/rejected-for"
"""Annotation on a canary's Deployment: when and why it was taken back, `<time> <reason>: <message>`."""
STABLE_SINCE: Final = f"{GROUP}/stable-since"
"""Annotation on a revision's Deployment: when it became the stable one."""
SUCCEEDED_BY: Final = f"{GROUP}/succeeded-by"
"""Annotation on a Deployment: `<hash> <time>` of the revision that became stable in its place."""

SERVICE_NAME: Final = "kubernetes.io/service-name"
"""Label on EndpointSlices: the Service that they belong to."""

PROMOTE: Final = f"{GROUP}/promote"
PROMOTE_FULL: Final = f"{GROUP}/promote-full"
ABORT: Final = f"{GROUP}/abort"
RETRY: Final = f"{GROUP}/retry"
DRILL: Final = f"{GROUP}/drill"
"""The command that starts a drill; also the label with value "true" on the pods of one."""
ROLLBACK_TO: Final = f"{GROUP}/rollback-to"
RESTART: Final = f"{GROUP}/restart"
COMMANDS: Final = (ABORT, RETRY, ROLLBACK_TO, PROMOTE, PROMOTE_FULL, RESTART, DRILL)
"""Annotations on a Rollout by which people give commands, in the order in which they are heard.

Abort comes first. A retry comes before what may be asked of the revision that it frees, and a rollback after it, so
that this has the last word. A drill comes last: whatever else there is to do ends it.
"""
ABORT_NOW: Final = "now"
"""Value of the abort command that means whatever is in flight."""
DRILL_NOW: Final = "now"
"""Value of the drill command that means whatever is stable."""

FINALIZER: Final = f"{GROUP}/in-flight"
"""Finalizer on a Rollout while a canary is in flight, so that a deletion takes the new version back first."""
OBJECT_MANAGER: Final = "headgate"
"""Field manager of the objects we create."""
STATUS_MANAGER: Final = "headgate-status"
"""Field manager of a Rollout's status, finalizer and consumed annotations."""


def ours(marks: Any) -> dict[str, Any]:
    """Return those of an object's labels or annotations that Headgate gives a meaning; none where *marks* is no map."""
    if not isinstance(marks, Mapping):
        return {}
    return {name: value for name, value in marks.items() if name.startswith(f"{GROUP}/")}
