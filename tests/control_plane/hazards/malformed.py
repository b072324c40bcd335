"""Rollouts that no schema of ours would let in, as an old CRD or none did, and how a cluster comes to have such.

Each is a spec by name; what they have in common is that nobody should suffer from them but their owners.
"""

import contextlib
import copy
import json
from collections.abc import Iterator
from typing import Any

import yaml

from hack.cluster import wait_until
from headgate.api import consent
from headgate.cli import crds
from tests.control_plane.access import Access
from tests.control_plane.life import rollouts

Json = dict[str, Any]

HUGE_BYTES = 900_000
DEPTH = 200
_CRDS = "customresourcedefinitions"
_BINDINGS = "validatingadmissionpolicybindings"
WRONG_SIDES = "wrong-sides"
"""The Rollout whose spec is right, and whose status has SIDES."""
INJECTION = '"}) or vector(0) #'


def specs(namespace: str) -> dict[str, Any]:
    """Return the malformed specs by the names of their Rollouts."""
    return {
        "no-spec": None,
        "spec-is-text": "four replicas of web:v1, please",
        "wrong-types": {
            "replicas": "four",
            "selector": 5,
            "template": [1],
            "strategy": "canary",
            "analysis": {"metrics": {"a": 1}},
            "traffic": [],
        },
        "wrong-inside": _changed(
            namespace,
            replicas=-3,
            strategy={"canary": {"steps": [{"setWeight": "25"}, 7, None, {"pause": {"duration": 10**30}}]}},
            progressDeadlineSeconds=1e300,
            analysis={"metrics": [None, {"name": INJECTION, "prometheus": {"query": 5}}]},
            traffic={"stableService": ["web"], "gatewayAPI": {"routes": [{"kind": "Secret", "name": "../../x"}]}},
        ),
        "wrong-template": _template(namespace, {"containers": {"a": 1}, "volumes": "all of them"}),
        "huge": _template(namespace, {"containers": [{"name": "a", "image": "a", "args": ["x" * HUGE_BYTES]}]}),
        "deep": _template(namespace, {"containers": [{"name": "a", "image": "a"}], "affinity": _nested(DEPTH)}),
        "hostile-labels": _changed(
            namespace,
            selector={"matchLabels": {"app": "a,b in (c)", "x/y/z": "$(canary.pods)", "": ""}},
            template={"metadata": {"labels": {"app": "a,b in (c)"}}, "spec": {"containers": [{"name": INJECTION}]}},
        ),
        "hostile-metric": _changed(
            namespace,
            selector={"matchLabels": {"app": "hostile-metric"}},
            analysis={"metrics": [{**rollouts.metric(namespace), "name": INJECTION, "window": "1s}] or vector(0)"}]},
        ),
        WRONG_SIDES: _changed(namespace),
    }


STATUS: Json = {"observedGeneration": "seven", "phase": 5, "history": [5], "analysis": [{"name": None}]}
"""A status whose every field is wrong, and none of them says which versions serve."""
SIDES: Json = {**STATUS, "stable": "web", "canary": {"hash": INJECTION, "revision": {}}, "history": {"a": 1}}
"""One that says this, too, and not so that it can be understood."""


def _changed(namespace: str, **spec: Any) -> Json:
    changed: Json = rollouts.manifest(namespace, **spec)["spec"]
    return changed


def _template(namespace: str, pod_spec: Any) -> Json:
    changed = copy.deepcopy(_changed(namespace))
    changed["template"]["spec"] = pod_spec
    return changed


def _nested(depth: int) -> Json:
    inside: Json = {}
    for _ in range(depth):
        inside = {"a": inside}
    return inside


def _put(access: Access, plural: str, definition: Json) -> None:
    said = access.session().patch(
        _url(access, plural, definition),
        params={"fieldManager": "kubectl", "force": "true"},
        data=json.dumps(definition),
        headers={"Content-Type": "application/apply-patch+yaml"},
        timeout=30,
    )
    assert said.ok, said.text


def _url(access: Access, plural: str, definition: Json) -> str:
    return f"{access.server}/apis/{definition['apiVersion']}/{plural}/{definition['metadata']['name']}"


@contextlib.contextmanager
def without_schema(access: Access) -> Iterator[None]:
    """Have a CRD that lets everything in, and the real one again afterwards.

    Meanwhile the policy of consent counts for nothing, as before there was one: it cannot ask about wrong types.
    """
    real = yaml.safe_load(crds.text())
    loose = copy.deepcopy(real)
    for version in loose["spec"]["versions"]:
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version["schema"] = {"openAPIV3Schema": anything}
        version["subresources"] = {"status": {}}  # scale would look into the spec
    binding = next(one for one in consent.definitions() if one["kind"] == "ValidatingAdmissionPolicyBinding")
    nonsense = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "probe"},
        "spec": {"traffic": []},
    }
    probe = f"{access.url('rollouts', 'default')}?dryRun=All"
    session = access.session()
    _put(access, _CRDS, loose)
    assert session.delete(_url(access, _BINDINGS, binding), timeout=30).ok
    assert wait_until(lambda: session.post(probe, json=nonsense, timeout=30).ok, deadline_seconds=30)
    try:
        yield
    finally:
        _put(access, _BINDINGS, binding)
        _put(access, _CRDS, real)
        assert wait_until(lambda: not session.post(probe, json=nonsense, timeout=30).ok, deadline_seconds=30)
