"""Whatever the API server, or what stands before it, answers, becomes the fault that the caller can act on."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from headgate.adapters import cluster
from headgate.adapters.cluster.errors import RetryLater
from headgate.core.faults import Conflict, Fault, Refused, Unreachable
from headgate.core.model import Json, Key, Kind
from tests.shell.stubs import Stub


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (400, Refused),
        (401, Unreachable),
        (403, Refused),
        (405, Refused),
        (409, Conflict),
        (410, Unreachable),
        (413, Refused),
        (422, Refused),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
        (504, Unreachable),
    ],
)
async def test_answer_becomes_fault(stub: Stub, client: cluster.Cluster, code: int, fault: type[Fault]) -> None:
    """Each status code is the fault that it means, with the server's words."""
    stub.status(code, "the server's words", name="web", causes=[{}])
    with pytest.raises(fault, match="the server's words"):
        await client.patch(Kind.DEPLOYMENT, "shop", "web", [], "headgate")


async def test_failed_test_is_a_lost_race(stub: Stub, client: cluster.Cluster) -> None:
    """A 422 that names no object answers our own patch's test; anywhere else it is a refusal."""
    stub.status(422, "the server rejected our request due to an error in our request")
    with pytest.raises(Conflict):
        await client.patch(Kind.DEPLOYMENT, "shop", "web", [], "headgate")
    stub.status(422)
    with pytest.raises(Refused):
        await client.create(Kind.DEPLOYMENT, "shop", {})


async def test_words_never_hold_an_object(stub: Stub, client: cluster.Cluster) -> None:
    """The server's answer to a patch with a wrong type repeats the whole object: that is cut out."""
    whole = json.dumps({"env": [{"name": "PASSWORD", "value": "hunter2"}]}).replace('"', '\\"')
    message = f' "" is invalid: patch: Invalid value: "{whole}": cannot unmarshal string into int32'
    stub.status(422, message, causes=[{"field": "patch"}])
    with pytest.raises(Refused) as error:
        await client.patch(Kind.DEPLOYMENT, "shop", "web", [], "headgate")

    assert str(error.value) == "the patched object is invalid: cannot unmarshal string into int32"


async def test_words_are_short(stub: Stub, client: cluster.Cluster) -> None:
    """However much the server says, a message stays one that can be shown."""
    stub.status(403, "x" * 100_000)
    with pytest.raises(Refused) as error:
        await client.get(Kind.POD, "shop", "web")

    assert len(str(error.value)) <= 1024


async def test_page_of_a_proxy_is_not_repeated(stub: Stub, client: cluster.Cluster) -> None:
    """What is no Status is not shown."""
    stub.answers.append(web.Response(status=403, text="<html>session=secret</html>"))
    with pytest.raises(Refused, match=r"^HTTP 403$"):
        await client.get(Kind.POD, "shop", "web")


@pytest.mark.parametrize("text", ["<html>welcome</html>", "[1, 2]", "", "\xff"])
async def test_success_without_an_object_is_no_success(stub: Stub, client: cluster.Cluster, text: str) -> None:
    """A 200 from something that is no API server is not believed."""
    stub.answers.append(web.Response(status=200, body=text.encode("latin-1")))
    with pytest.raises(Unreachable):
        await client.get(Kind.ROLLOUT, "shop", "web")


@pytest.mark.parametrize("where", ["header", "body"])
async def test_retry_after_is_carried(stub: Stub, client: cluster.Cluster, where: str) -> None:
    """A server that says when to come back is heard."""
    if where == "header":
        stub.status(429, headers={"Retry-After": "7"})
    else:
        stub.status(429, retryAfterSeconds=7)
    with pytest.raises(RetryLater) as error:
        await client.get(Kind.ROLLOUT, "shop", "web")

    assert error.value.retry_after_seconds == 7


def budget(words: str) -> dict[str, str]:
    """Return a cause of the refusal of an eviction."""
    return {"reason": "DisruptionBudget", "message": words}


async def test_an_eviction_asks_for_one_pod(stub: Stub, client: cluster.Cluster) -> None:
    """It is bound to the pod that was meant; one that is gone is fine."""
    stub.objects({"kind": "Status", "status": "Success"})
    await client.evict("shop", "web-1", "uid-1")
    stub.status(404, name="web-1")
    await client.evict("shop", "web-1", "uid-1")

    method, path, _, _, body = stub.asked[0]
    assert ("POST", "/api/v1/namespaces/shop/pods/web-1/eviction") == (method, path)
    assert (body["apiVersion"], body["kind"], body["metadata"]["name"]) == ("policy/v1", "Eviction", "web-1")
    assert {"preconditions": {"uid": "uid-1"}} == body["deleteOptions"]


@pytest.mark.parametrize(
    ("code", "words", "causes", "told"),
    [
        (429, "Cannot evict pod.", [budget("The disruption budget web needs 3.")], "Cannot evict pod. The disruption"),
        (500, "This pod has more than one PodDisruptionBudget, which …", [], "more than one PodDisruptionBudget"),
    ],
)
async def test_a_budget_is_a_refusal_with_its_name(
    stub: Stub, client: cluster.Cluster, code: int, words: str, causes: list[dict[str, str]], told: str
) -> None:
    """Coming back at once would not help, and somebody has to know which budget it is."""
    stub.status(code, words, causes=causes)
    with pytest.raises(Refused, match=told):
        await client.evict("shop", "web-1", "uid-1")


@pytest.mark.parametrize(("code", "fault"), [(429, Unreachable), (503, Unreachable), (409, Conflict)])
async def test_other_answers_to_an_eviction(stub: Stub, client: cluster.Cluster, code: int, fault: type[Fault]) -> None:
    """An API server that is busy is no budget; another pod of that name is a lost race."""
    stub.status(code)
    with pytest.raises(fault):
        await client.evict("shop", "web-1", "uid-1")


async def test_silence_is_unreachable(stub: Stub, client: cluster.Cluster) -> None:
    """A server that takes the request and says nothing is given up in time."""
    stub.answers.append(asyncio.Event())
    with pytest.raises(Unreachable, match="no answer within 5 s"):
        await client.get(Kind.ROLLOUT, "shop", "web")


async def test_broken_connection_is_unreachable_and_not_retried(stub: Stub, client: cluster.Cluster) -> None:
    """A connection that breaks is the queue's to retry, not the client's: a create might be done twice."""
    stub.answers.append(ConnectionError())
    with pytest.raises(Unreachable):
        await client.create(Kind.DEPLOYMENT, "shop", {})

    assert len(stub.asked) == 1
    assert stub.heard == [("create", "deployments", "unreachable")]


async def test_nobody_there_is_unreachable() -> None:
    """A port where nobody listens is unreachable."""
    client = cluster.Cluster(cluster.Access(Configuration(host="http://127.0.0.1:1"), "a test"))
    with pytest.raises(Unreachable):
        await client.get(Kind.ROLLOUT, "shop", "web")
    await client.close()


async def test_missing_is_a_fact(stub: Stub, client: cluster.Cluster) -> None:
    """That there is no such object is an answer; only creating something needs its place to exist."""
    for _ in range(5):
        stub.status(404, 'namespaces "shop" not found', name="shop")

    assert await client.get(Kind.ROLLOUT, "shop", "web") is None
    assert await client.patch(Kind.ROLLOUT, "shop", "web", [], "headgate") is None
    assert await client.apply_status(Key("shop", "web"), "u", "1", {}) is None
    await client.delete(Kind.DEPLOYMENT, "shop", "web", "u")
    with pytest.raises(Refused, match="not found"):
        await client.create(Kind.DEPLOYMENT, "shop", {})
    assert {outcome for _, _, outcome in stub.heard} == {"missing"}


async def test_unknown_kind_is_refused(stub: Stub, client: cluster.Cluster) -> None:
    """What is not served, or answered by a proxy, is not taken for gone: neither a list nor an object."""
    for _ in range(2):
        stub.answers.append(web.Response(status=404, text="404 page not found"))
    stub.status(404, "the server could not find the requested resource")
    with pytest.raises(Refused, match="is the CRD installed"):
        await client.list_metadata(Kind.ROLLOUT)
    for _ in range(2):
        with pytest.raises(Refused):
            await client.get(Kind.ROLLOUT, "shop", "web")


async def test_apply_that_does_not_fit_the_crd_is_refused(stub: Stub, client: cluster.Cluster) -> None:
    """An old CRD does not become new by asking again, though the server calls it its own error."""
    stub.status(500, "failed to create typed patch object (shop/web): .status.x: field not declared in schema")
    with pytest.raises(Refused, match="is the CRD older"):
        await client.apply_status(Key("shop", "web"), "u", "1", {})


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (500, "failed to create typed live object (shop/web): .status.phase: expected string, got 5"),
        (500, "failed to create manager for existing fields: failed to convert new object (shop/web) to smd typed: …"),
        (422, 'Rollout.headgate.dev "web" is invalid: status.stable.progress.desired: Required value'),
    ],
    ids=["owned", "nobody's", "half somebody else's"],
)
async def test_status_that_cannot_be_merged_is_replaced(
    stub: Stub, client: cluster.Cluster, status: int, words: str
) -> None:
    """What fits no schema cannot be applied to; the status is put there as a whole, on the version that was read."""
    stub.status(status, words, name="web")
    stub.objects({})
    await client.apply_status(Key("shop", "web"), "u", "42", {"phase": "Paused"})

    *where, operations = stub.asked[1]
    assert where == [
        "PATCH",
        "/apis/headgate.dev/v1alpha1/namespaces/shop/rollouts/web/status",
        {"fieldManager": "headgate-status"},
        "application/json-patch+json",
    ]
    assert operations == [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "42"},
        {"op": "add", "path": "/status", "value": {"phase": "Paused"}},
    ]
    assert ("patch", "rollouts", "unreachable") not in stub.heard


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ({"phase": "Healthy", "history": [{"revision": 2}]}, 1),
        ({"phase": "Healthy"}, 1),
        ({"phase": "Healthy", "history": [{"revision": 2}], "canary": {"hash": "a"}}, 2),
        ({"phase": "Healthy", "history": [{"revision": 2, "by": "me"}]}, 2),
        ({"phase": "Healthy", "history": [{"revision": 2}, {"revision": 1}]}, 2),
    ],
)
async def test_status_is_ours_alone(stub: Stub, client: cluster.Cluster, stored: Json, asked: int) -> None:
    """What somebody else wrote into the status does not stay there beside ours."""
    stub.objects({"metadata": {"resourceVersion": "43"}, "status": stored}, {})
    await client.apply_status(Key("shop", "web"), "u", "42", {"phase": "Healthy", "history": [{"revision": 2}]})

    assert asked == len(stub.asked)
    if asked == 2:
        assert {"op": "test", "path": "/metadata/resourceVersion", "value": "43"} in stub.asked[1][4]


async def test_writes_are_what_they_promise(stub: Stub, client: cluster.Cluster) -> None:
    """Each write carries its field manager, its content type and its preconditions."""
    stub.objects(*[{}] * 5)
    await client.try_create(Kind.DEPLOYMENT, "shop", {"metadata": {"name": "web"}})
    await client.create(Kind.CONTROLLER_REVISION, "shop", {"metadata": {"name": "web"}})
    await client.patch(Kind.DEPLOYMENT, "shop", "web", [{"op": "test"}], "someone")
    await client.apply_status(Key("shop", "web"), "uid-1", "42", {"phase": "Paused"})
    await client.delete(Kind.DEPLOYMENT, "shop", "web", "uid-2", "41")
    dry, create, patch, status, delete = stub.asked

    assert dry[:3] == (
        "POST",
        "/apis/apps/v1/namespaces/shop/deployments",
        {"dryRun": "All", "fieldValidation": "Strict", "fieldManager": "headgate"},
    )
    assert create[2] == {"fieldValidation": "Warn", "fieldManager": "headgate"}
    assert create[4]["apiVersion"] == "apps/v1"
    assert (patch[0], patch[2], patch[3]) == ("PATCH", {"fieldManager": "someone"}, "application/json-patch+json")
    assert patch[4] == [{"op": "test"}]
    assert status[1] == "/apis/headgate.dev/v1alpha1/namespaces/shop/rollouts/web/status"
    assert (status[2], status[3]) == (
        {"fieldManager": "headgate-status", "force": "true"},
        "application/apply-patch+yaml",
    )
    assert status[4]["metadata"]["resourceVersion"] == "42"
    assert (delete[0], delete[4]) == (
        "DELETE",
        {"preconditions": {"uid": "uid-2", "resourceVersion": "41"}, "propagationPolicy": "Background"},
    )


async def test_cancelled_request_is_counted_as_such(stub: Stub, client: cluster.Cluster) -> None:
    """Our own end says nothing about the server."""
    stub.answers.append(asyncio.Event())
    running = asyncio.create_task(client.get(Kind.ROLLOUT, "shop", "web"))
    while not stub.asked:
        await asyncio.wait([running], timeout=0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert stub.heard == [("read", "rollouts", "cancelled")]


def test_aiohttp_faults_are_known() -> None:
    """All that the transport raises by itself is among what becomes Unreachable."""
    assert issubclass(aiohttp.ClientConnectorError, (aiohttp.ClientError, OSError))
    assert issubclass(aiohttp.ServerTimeoutError, (aiohttp.ClientError, TimeoutError))


@pytest.mark.parametrize(("namespace", "path"), [("", ""), ("shop", "/namespaces/shop")])
async def test_probe_asks_where_it_may(stub: Stub, client: cluster.Cluster, namespace: str, path: str) -> None:
    """Whether the server is there is asked in a namespace where nothing else may be read."""
    stub.objects({"kind": "PartialObjectMetadataList", "items": []})
    await client.probe(namespace)
    assert [asked[1] for asked in stub.asked] == [f"/apis/headgate.dev/v1alpha1{path}/rollouts"]
