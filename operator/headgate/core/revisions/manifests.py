"""The objects that we create, as the API server is given them."""

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from headgate.api import names
from headgate.core.model import Json, RolloutFacts
from headgate.core.revisions import identity as revisions_identity

_NO_DEADLINE = 2_147_483_647
"""We measure progress ourselves; a Deployment's own deadline would also have to exceed minReadySeconds."""
_IDENTITY_HASH = "identity"
"""Stands in the dry runs that compare templates, where the hash must not make a difference."""


def owner_reference(rollout: RolloutFacts) -> Json:
    """Return the reference by which what we create belongs to its Rollout."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": rollout.name,
        "uid": rollout.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def labels(rollout: RolloutFacts, **more: str) -> dict[str, str]:
    """Return the labels of everything that belongs to *rollout*."""
    return {
        "app.kubernetes.io/managed-by": names.OBJECT_MANAGER,
        names.MANAGED: "true",
        names.ROLLOUT: revisions_identity.label_value(rollout.name),
        **more,
    }


def pod_template(template: Json, revision_hash: str) -> Json:
    """Return the user's *template* with the one label that tells its pods from those of other revisions."""
    marked = copy.deepcopy(template)
    metadata = marked["metadata"] = {**(marked.get("metadata") or {})}
    metadata["labels"] = {**(metadata.get("labels") or {}), names.POD_HASH: revision_hash}
    return marked


def drilled(deployment_: Json) -> Json:
    """Return a Deployment whose pods are marked as those of a drill."""
    marked = copy.deepcopy(deployment_)
    marked["metadata"]["labels"][names.DRILL] = "true"
    marked["spec"]["template"]["metadata"]["labels"][names.DRILL] = "true"
    return marked


def deployment(
    rollout: RolloutFacts, template: Json, revision_hash: str, revision: int, replicas: int, min_ready_seconds: int
) -> Json:
    """Return the Deployment of one revision."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": revisions_identity.deployment_name(rollout.name, revision_hash),
            "namespace": rollout.namespace,
            "labels": {**labels(rollout), names.POD_HASH: revision_hash},
            "annotations": {names.REVISION: str(revision)},
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": min_ready_seconds,
            "progressDeadlineSeconds": _NO_DEADLINE,
            "selector": {"matchLabels": {**rollout.match_labels, names.POD_HASH: revision_hash}},
            "template": pod_template(template, revision_hash),
        },
    }


def service(rollout: RolloutFacts, name: str, revision_hash: str, ports: Iterable[Mapping[str, Any]]) -> Json:
    """Return a Service that selects one revision's pods."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": rollout.namespace,
            "labels": labels(rollout),
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": {
            "selector": {**rollout.match_labels, names.POD_HASH: revision_hash},
            "ports": [dict(port) for port in ports],
        },
    }


def identity_probe(rollout: RolloutFacts, template: Json) -> Json:
    """Return a Deployment to try by dry run: what the API server makes of its template is that template's identity."""
    probe = deployment(rollout, template, _IDENTITY_HASH, 0, 0, 0)
    del probe["metadata"]["name"]
    del probe["metadata"]["ownerReferences"]
    probe["metadata"]["generateName"] = f"{rollout.name[:30].rstrip('-.')}-"
    return probe


def identity(stored: Json) -> Any:
    """Return a Deployment's template as the API server keeps it, without what differs between revisions."""
    template = copy.deepcopy(stored["spec"]["template"])
    metadata = template.get("metadata") or {}
    (metadata.get("labels") or {}).pop(names.POD_HASH, None)
    metadata.pop("creationTimestamp", None)
    return template


def _record(rollout: RolloutFacts, name: str, kind: str, revision: int, data: Json) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": rollout.namespace,
            "labels": {**labels(rollout), names.RECORD: kind},
            "ownerReferences": [owner_reference(rollout)],
        },
        "revision": revision,
        "data": data,
    }


def template_record(rollout: RolloutFacts, revision_hash: str, revision: int) -> Json:
    """Return the ControllerRevision that keeps the spec's template, raw, as a revision."""
    name = revisions_identity.deployment_name(rollout.name, revision_hash)
    data = {"hash": revision_hash, "template": rollout.template}
    return _record(rollout, name, names.RECORD_TEMPLATE, revision, data)


def policy_record(rollout: RolloutFacts) -> Json:
    """Return the ControllerRevision that keeps the spec's policy, raw."""
    name = revisions_identity.policy_name(rollout.name, rollout.policy_hash)
    data = {"hash": rollout.policy_hash, "policy": rollout.policy}
    return _record(rollout, name, names.RECORD_POLICY, 0, data)
