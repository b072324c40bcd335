"""A real API server answers as the cluster adapter believes it does."""

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.adapters import cluster
from headgate.core.faults import Conflict, Refused
from headgate.core.model import Json, Key, Kind
from tests.control_plane.conftest import ControlPlane

pytestmark = pytest.mark.control_plane

TEMPLATE: Json = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
DEPLOYMENT: Json = {
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"headgate.dev/managed": "true"}},
    "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE},
}
ROLLOUT: Json = {
    "kind": "Rollout",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": TEMPLATE,
        "strategy": {"canary": {"steps": [{"setWeight": 50}]}},
    },
}
STRANGER = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
async def client(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[tuple[cluster.Cluster, str]]:
    """A client of the API server, and a namespace for one test."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    namespace = request.node.name.replace("_", "-")[:50].strip("-")
    control_plane.kubectl("create", "namespace", namespace)
    client = cluster.Cluster(await cluster.find())
    yield client, namespace
    await client.close()


def with_(body: Json, path: str, value: Any) -> Json:
    """Return *body* with *value* at the slashed *path*."""
    result = copy.deepcopy(body)
    *parents, last = path.split("/")
    spot: Any = result
    for parent in parents:
        spot = spot[int(parent)] if isinstance(spot, list) else spot[parent]
    spot[last] = value
    return result


async def test_status_needs_the_version_that_was_read(client: tuple[cluster.Cluster, str]) -> None:
    """A status is written on the version that was observed, and on no later one."""
    api, namespace = client
    key = Key(namespace, "web")
    created = await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    uid, version = created["metadata"]["uid"], created["metadata"]["resourceVersion"]
    stored = await api.apply_status(key, uid, version, {"phase": "Paused"})

    assert stored is not None
    assert stored["status"]["phase"] == "Paused"
    with pytest.raises(Conflict):
        await api.apply_status(key, uid, version, {"phase": "Healthy"})
    assert await api.apply_status(Key(namespace, "nope"), uid, version, {}) is None


async def test_status_is_ours_alone(control_plane: ControlPlane, client: tuple[cluster.Cluster, str]) -> None:
    """What another manager wrote into the status is gone with our next write, though a server-side apply keeps it."""
    api, namespace = client
    created = await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    canary = {"hash": "a", "revision": 1, "started": "2026-01-01T00:00:00Z"}
    theirs = json.dumps({"status": {"canary": canary, "phase": "Paused"}})
    where = ("rollout", "web", "-n", namespace, "--subresource=status")
    done = control_plane.kubectl("patch", *where, "--type=merge", "-p", theirs)
    assert done.returncode == 0, done.stderr
    read = await api.get(Kind.ROLLOUT, namespace, "web")
    assert read is not None
    key, uid = Key(namespace, "web"), created["metadata"]["uid"]
    stored = await api.apply_status(key, uid, read["metadata"]["resourceVersion"], {"phase": "Healthy"})

    assert stored is not None
    assert stored["status"] == {"phase": "Healthy"}


async def test_status_of_a_successor_is_left_alone(client: tuple[cluster.Cluster, str]) -> None:
    """A Rollout that was deleted and created anew does not get its predecessor's status."""
    api, namespace = client
    first = await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    await api.delete(Kind.ROLLOUT, namespace, "web", first["metadata"]["uid"])
    await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    with pytest.raises(Conflict):
        await api.apply_status(
            Key(namespace, "web"), first["metadata"]["uid"], first["metadata"]["resourceVersion"], {"phase": "Paused"}
        )


async def test_status_of_another_crd_is_refused(client: tuple[cluster.Cluster, str]) -> None:
    """A status with a field that the installed CRD does not know is a refusal with words, not an outage."""
    api, namespace = client
    created = await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    metadata = created["metadata"]
    with pytest.raises(Refused, match="CRD older"):
        await api.apply_status(Key(namespace, "web"), metadata["uid"], metadata["resourceVersion"], {"novelty": 1})


async def test_failed_patch_test_is_a_conflict(client: tuple[cluster.Cluster, str]) -> None:
    """A patch whose test no longer holds is a lost race; one that makes the object invalid is a refusal."""
    api, namespace = client
    await api.create(Kind.DEPLOYMENT, namespace, DEPLOYMENT)
    test = {"op": "test", "path": "/spec/replicas", "value": 0}
    scale = {"op": "replace", "path": "/spec/replicas", "value": 1}
    scaled = await api.patch(Kind.DEPLOYMENT, namespace, "web", [test, scale], "headgate")

    assert scaled is not None
    assert scaled["spec"]["replicas"] == 1
    assert {entry["manager"] for entry in scaled["metadata"]["managedFields"]} >= {"headgate"}
    for stale in (test, {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}):
        with pytest.raises(Conflict):
            await api.patch(Kind.DEPLOYMENT, namespace, "web", [stale, scale], "headgate")
    with pytest.raises(Refused, match="greater than or equal to 0"):
        await api.patch(Kind.DEPLOYMENT, namespace, "web", [{**scale, "value": -1}], "headgate")
    assert await api.patch(Kind.DEPLOYMENT, namespace, "nope", [scale], "headgate") is None


async def test_refused_patch_repeats_no_secret(client: tuple[cluster.Cluster, str]) -> None:
    """The server's words about a patch with a wrong type hold nothing of the object."""
    api, namespace = client
    secret = [{"name": "PASSWORD", "value": "hunter2"}]
    body = with_(DEPLOYMENT, "spec/template/spec/containers/0/env", secret)
    await api.create(Kind.DEPLOYMENT, namespace, body)
    wrong = {"op": "replace", "path": "/spec/replicas", "value": "many"}
    with pytest.raises(Refused) as error:
        await api.patch(Kind.DEPLOYMENT, namespace, "web", [wrong], "headgate")

    assert "hunter2" not in str(error.value)
    assert "cannot unmarshal" in str(error.value) or "expected" in str(error.value)


async def test_dry_run_is_strict_and_changes_nothing(client: tuple[cluster.Cluster, str]) -> None:
    """A dry run returns the object with its defaults, refuses what a server would drop, and leaves no trace."""
    api, namespace = client
    shown = await api.try_create(Kind.DEPLOYMENT, namespace, DEPLOYMENT)

    assert shown["spec"]["template"]["spec"]["restartPolicy"] == "Always"
    assert await api.get(Kind.DEPLOYMENT, namespace, "web") is None
    unknown = with_(DEPLOYMENT, "spec/template/spec/containers/0/imaeg", "x")
    with pytest.raises(Refused, match="unknown field"):
        await api.try_create(Kind.DEPLOYMENT, namespace, unknown)
    with pytest.raises(Refused, match="RFC 1123"):
        await api.try_create(
            Kind.DEPLOYMENT, namespace, with_(DEPLOYMENT, "spec/template/spec/containers/0/name", "Not Valid")
        )
    assert "imaeg" not in str((await api.create(Kind.DEPLOYMENT, namespace, unknown))["spec"])


async def test_create_says_what_is_there_and_what_is_missing(client: tuple[cluster.Cluster, str]) -> None:
    """What exists is a conflict, a namespace that does not is a refusal."""
    api, namespace = client
    await api.create(Kind.DEPLOYMENT, namespace, DEPLOYMENT)
    with pytest.raises(Conflict, match="already exists"):
        await api.create(Kind.DEPLOYMENT, namespace, DEPLOYMENT)
    with pytest.raises(Refused, match="nowhere"):
        await api.create(Kind.DEPLOYMENT, "nowhere", DEPLOYMENT)


async def test_delete_is_of_that_object_alone(client: tuple[cluster.Cluster, str]) -> None:
    """Another object of the same name is not deleted; one that is gone is fine."""
    api, namespace = client
    created = await api.create(Kind.DEPLOYMENT, namespace, DEPLOYMENT)
    with pytest.raises(Conflict):
        await api.delete(Kind.DEPLOYMENT, namespace, "web", STRANGER)
    await api.delete(Kind.DEPLOYMENT, namespace, "web", created["metadata"]["uid"])
    await api.delete(Kind.DEPLOYMENT, namespace, "web", created["metadata"]["uid"])


async def test_lists_hold_what_was_asked_for(client: tuple[cluster.Cluster, str]) -> None:
    """Lists select by label, know an empty namespace from an unknown kind, and metadata lists hold nothing else."""
    api, namespace = client
    await api.create(Kind.DEPLOYMENT, namespace, DEPLOYMENT)
    (found,) = await api.select(Kind.DEPLOYMENT, namespace, {"headgate.dev/managed": "true"})

    assert found["metadata"]["name"] == "web"
    assert await api.select(Kind.DEPLOYMENT, namespace, {"headgate.dev/managed": "false"}) == []
    assert await api.select(Kind.POD, "nowhere", {}) == []
    (slim,) = await api.list_metadata(Kind.DEPLOYMENT, namespace, {"headgate.dev/managed": "true"})
    assert set(slim) <= {"kind", "apiVersion", "metadata"}
    assert len(await api.list_metadata(Kind.ROLLOUT)) >= 0


async def test_events_are_accepted(client: tuple[cluster.Cluster, str]) -> None:
    """The API server takes our Events and the counts of their series."""
    api, namespace = client
    created = await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    regarding = {
        "apiVersion": "headgate.dev/v1alpha1",
        "kind": "Rollout",
        "namespace": namespace,
        "name": "web",
        "uid": created["metadata"]["uid"],
    }
    at = "2026-01-01T00:00:00.000000Z"
    body = {
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": "web.1"},
        "eventTime": at,
        "reportingController": "headgate.dev/headgate",
        "reportingInstance": "test",
        "action": "Reconcile",
        "reason": "Held",
        "type": "Normal",
        "note": "words",
        "regarding": regarding,
    }
    await api.create_event(namespace, body)
    series = {"op": "add", "path": "/series", "value": {"count": 2, "lastObservedTime": at}}

    assert await api.patch_event(namespace, "web.1", [series])
    assert not await api.patch_event(namespace, "web.2", [series])
