"""Whatever answers in place of the API server: it is a fault, and nothing is taken for absent or for written."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import hypothesis
import pytest
from aiohttp import web
from hypothesis import strategies as st

from headgate.adapters import cluster
from headgate.core.faults import Fault, Refused, Unreachable
from headgate.core.model import Json, Key, Kind
from tests.shell.stubs import Stub

Ask = Callable[[cluster.Cluster], Awaitable[object]]
SHOP: Final = Key("shop", "web")
BODY: Final[Json] = {"metadata": {"name": "web"}}
READS: Final[dict[str, Ask]] = {
    "get": lambda client: client.get(Kind.DEPLOYMENT, "shop", "web"),
    "get of a kind that may be absent": lambda client: client.get(Kind.HTTP_ROUTE, "shop", "web"),
    "select": lambda client: client.select(Kind.DEPLOYMENT, "shop", {"a": "1"}),
    "select of a kind that may be absent": lambda client: client.select(Kind.AUTOSCALER, "shop", {}),
    "list of metadata": lambda client: client.list_metadata(Kind.DEPLOYMENT),
    "serves": lambda client: client.serves(Kind.HTTP_ROUTE),
    "probe": lambda client: client.probe(),
}
WRITES: Final[dict[str, Ask]] = {
    "create": lambda client: client.create(Kind.DEPLOYMENT, "shop", BODY),
    "dry run": lambda client: client.try_create(Kind.DEPLOYMENT, "shop", {"metadata": {"generateName": "web-"}}),
    "patch": lambda client: client.patch(Kind.DEPLOYMENT, "shop", "web", [], "headgate"),
    "status": lambda client: client.apply_status(SHOP, "u", "1", {"phase": "Healthy"}),
    "delete": lambda client: client.delete(Kind.DEPLOYMENT, "shop", "web", "u"),
    "evict": lambda client: client.evict("shop", "web", "u"),
    "event": lambda client: client.create_event("shop", BODY),
}
ALL: Final = {**READS, **WRITES}

ODD: Final[dict[str, Any]] = {
    "metadata is a list": {"metadata": ["x"], "items": []},
    "metadata is a text": {"metadata": "x", "items": []},
    "the way on is an object": {"metadata": {"continue": {"a": 1}}, "items": []},
    "a version is a list": {"metadata": {"resourceVersion": []}},
    "details are a list": {"kind": "Status", "reason": "NotFound", "details": ["x"]},
    "causes are texts": {"kind": "Status", "details": {"causes": ["x"]}},
    "causes are an object": {"kind": "Status", "details": {"causes": {"x": 1}}},
    "a time is a list": {"kind": "Status", "details": {"retryAfterSeconds": [1]}},
    "a time without end": {"kind": "Status", "details": {"retryAfterSeconds": 1e999}},
    "a message is an object": {"kind": "Status", "message": {"x": 1}},
    "resources are texts": {"kind": "APIResourceList", "resources": ["x"]},
    "resources are an object": {"kind": "APIResourceList", "resources": {"x": 1}},
    "nothing": {},
    "a number": 5,
    "null": None,
    "a list": [],
}


STATUSES: Final = (200, 403, 404, 409, 422, 429, 500)


@pytest.mark.parametrize("ask", ALL.values(), ids=ALL)
async def test_h29_odd_answers_are_faults(stub: Stub, client: cluster.Cluster, ask: Ask) -> None:
    """H29: an answer of a shape that no API server gives is a fault at most, for reads and for writes."""
    for what, odd in ODD.items():
        for status in STATUSES:
            stub.answers = [web.json_response(odd, status=status) for _ in range(3)]
            try:
                await ask(client)
            except Fault:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told with what caused it
                pytest.fail(f"{what}, with HTTP {status}: {error!r}")


DEEP: Final = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("ask", ALL.values(), ids=ALL)
async def test_h23_failures_of_any_depth_are_faults(stub: Stub, client: cluster.Cluster, ask: Ask) -> None:
    """H23: an answer that is nested a hundred thousand levels deep is a fault, a failure as well as a success."""
    for status in (200, 404, 500):
        stub.answers = [web.Response(body=DEEP, status=status, content_type="application/json") for _ in range(3)]
        with pytest.raises(Fault):
            await ask(client)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["web", "shop", "Status"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "metadata", "items", "details", "causes", "name", "continue", "status", "reason"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@hypothesis.given(
    answer=JSONS, status=st.sampled_from([200, 201, 404, 409, 422, 429, 500]), ask=st.sampled_from([*ALL])
)
@hypothesis.settings(
    deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
async def test_h29_generated_answers_are_faults(
    stub: Stub, client: cluster.Cluster, answer: object, status: int, ask: str
) -> None:
    """H29: whatever JSON comes back, what comes out of it is a fault or a result."""
    stub.answers = [web.Response(body=json.dumps(answer).encode(), status=status) for _ in range(5)]
    try:
        await ALL[ask](client)
    except Fault:
        return


# --- what is absent ---------------------------------------------------------------------------------------------------

OTHERS: Final[dict[str, Json]] = {
    "a cluster of a proxy": {"name": "c-1", "kind": "clusters"},
    "another name": {"name": "web-2", "kind": "deployments"},
    "another kind": {"name": "web", "kind": "secrets"},
    "another namespace": {"name": "bank", "kind": "namespaces"},
    "what a webhook looked for": {"name": "team-a", "kind": "quotas"},
}
ABSENT: Final = ("get", "get of a kind that may be absent", "patch", "status", "delete", "evict")


@pytest.mark.parametrize("about", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("ask", [*ABSENT, "select of a kind that may be absent"])
async def test_h30_something_else_is_missing(stub: Stub, client: cluster.Cluster, ask: str, about: Json) -> None:
    """H30: a 404 about something else says nothing of what was asked for: it is not absent, and no list is empty."""
    stub.status(404, "not found", **about)
    with pytest.raises(Refused):
        await ALL[ask](client)


@pytest.mark.parametrize(
    "about", [{"name": "web"}, {"name": "shop", "kind": "namespaces"}], ids=["object", "namespace"]
)
@pytest.mark.parametrize("ask", ABSENT)
async def test_what_was_asked_for_is_missing(stub: Stub, client: cluster.Cluster, ask: str, about: Json) -> None:
    """That the object, or the namespace around it, does not exist is an answer."""
    stub.status(404, "not found", **about)
    assert await ALL[ask](client) is None


# --- what was written -------------------------------------------------------------------------------------------------

NOT_WRITTEN: Final[dict[str, Json]] = {
    "a Status": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"},
    "another kind": {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "shop"}},
    "another name": {"metadata": {"name": "web-2", "namespace": "shop"}},
    "another namespace": {"metadata": {"name": "web", "namespace": "bank"}},
}


@pytest.mark.parametrize("answer", NOT_WRITTEN.values(), ids=NOT_WRITTEN)
@pytest.mark.parametrize("ask", ["create", "patch", "status"])
async def test_h29_another_object_was_written(stub: Stub, client: cluster.Cluster, ask: str, answer: Json) -> None:
    """H29: a success that shows something else than what was written proves nothing."""
    stub.objects(answer)
    with pytest.raises(Unreachable, match="is not the"):
        await WRITES[ask](client)


async def test_h33_list_that_goes_on_where_it_was_is_a_fault(stub: Stub, client: cluster.Cluster) -> None:
    """H33: a list that names the same next page again is not asked for without end."""
    stub.objects(*[{"items": [], "metadata": {"continue": "again"}}] * 3)
    with pytest.raises(Unreachable, match="goes on where it was before"):
        await client.select(Kind.DEPLOYMENT, "shop", {})
    assert len(stub.asked) == 2
