"""What kopf hears is bounded, cut, and never what it cannot decode."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from headgate import kinds
from headgate.api import nesting
from headgate.core.model import Json, Kind
from headgate.reconcile import watch_streams
from headgate.reconcile.predicates import observed, trimmed
from tests.shell import test_triggers as seen

OBJECTS = [
    (Kind.ROLLOUT, seen.naming({"kind": "HTTPRoute", "name": "web"})),
    (Kind.DEPLOYMENT, seen.DEPLOYMENT),
    (Kind.SERVICE, seen.SERVICE),
    (Kind.ENDPOINT_SLICE, seen.SLICE),
    (Kind.HTTP_ROUTE, seen.ROUTE),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=3), part, max_size=3),
    max_leaves=8,
)


def deep(levels: int = 5000) -> str:
    """Return JSON text that no recursive walk survives."""
    return '{"a":' * levels + "1" + "}" * levels


def nested(levels: int) -> Any:
    """Return a value of so many levels."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


class Server:
    """Lists Rollouts page by page and shows events, as they are put here."""

    def __init__(self) -> None:
        self.rollouts: list[str] = []
        self.lines: list[bytes] = []
        self.asked: list[int] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer."""
        if request.query.get("watch") == "true":
            stream = web.StreamResponse()
            await stream.prepare(request)
            for line in self.lines:
                await stream.write(line)
            return stream
        begin, count = int(request.query.get("continue") or 0), int(request.query["limit"])
        self.asked.append(count)
        more = str(begin + count) if begin + count < len(self.rollouts) else ""
        items = ",".join(self.rollouts[begin : begin + count])
        head = json.dumps({"kind": "RolloutList", "metadata": {"continue": more, "resourceVersion": "9"}})
        return web.Response(text=f'{head[:-1]},"items":[{items}]}}', content_type="application/json")


@pytest.fixture
async def running() -> AsyncIterator[tuple[Server, aiohttp.ClientSession, str]]:
    """A server, the session that kopf is given for it, and where it is."""
    scripted = Server()
    application = web.Application()
    application.router.add_get("/{path:.*}", scripted.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    info = kopf.ConnectionInfo(server=f"http://127.0.0.1:{runner.addresses[0][1]}", scheme="Bearer")
    session = watch_streams.session(info).aiohttp_session
    yield scripted, session, info.server
    await session.close()
    await runner.cleanup()


def rollout(name: str, spec: str = "{}") -> str:
    """Return a Rollout as it is stored."""
    return f'{{"metadata":{{"namespace":"shop","name":"{name}","uid":"{name}"}},"spec":{spec}}}'


async def listed(server: Server, session: aiohttp.ClientSession, url: str) -> list[str]:
    """List as kopf does, and return the names."""
    found, place = [], ""
    for _ in range(100):
        answer = await session.request(method="get", url=f"{url}/rollouts?limit=200&continue={place}")
        async with answer:
            page = await answer.json()
        found += [one["metadata"]["name"] for one in page["items"]]
        place = page["metadata"]["continue"]
        if not place:
            return found
    raise AssertionError(server.asked)


async def heard(session: aiohttp.ClientSession, url: str) -> list[Json]:
    """Watch as kopf does, and return the events."""
    answer = await session.request(method="get", url=f"{url}/rollouts?watch=true")
    async with answer:
        return [json.loads(line) async for line in answer.content.iter_chunked(1024 * 1024)]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little be held."""
    monkeypatch.setattr(watch_streams, "LARGEST_BYTES", 30_000)


@pytest.mark.usefixtures("small")
async def test_h33_pages_are_as_large_as_can_be_held(running: tuple[Server, aiohttp.ClientSession, str]) -> None:
    """H33: of large objects kopf is shown fewer at a time, of one that cannot be held none, and all others."""
    server, session, url = running
    big, giant = json.dumps("x" * 9_000), json.dumps("x" * 90_000)
    server.rollouts = [
        *(rollout(f"a{number}") for number in range(5)),
        *(rollout(f"b{number}", big) for number in range(7)),
        rollout("giant", giant),
        *(rollout(f"c{number}") for number in range(300)),
    ]
    found = await listed(server, session, url)

    names = [json.loads(one)["metadata"]["name"] for one in server.rollouts]
    assert found == [name for name in names if name != "giant"]
    assert len(server.asked) < 40


async def test_h33_no_depth_ends_a_list_or_a_watch(running: tuple[Server, aiohttp.ClientSession, str]) -> None:
    """H33: an object that is nested too deep to be decoded is shown all the same, in lists and in events."""
    server, session, url = running
    server.rollouts = [rollout("before"), rollout("deep", deep()), rollout("behind")]
    server.lines = [f'{{"type":"ADDED","object":{one}}}\n'.encode() for one in server.rollouts]
    server.lines.append(b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}\n')
    events = await heard(session, url)

    assert await listed(server, session, url) == ["before", "deep", "behind"]
    assert [one["object"]["metadata"].get("name") for one in events] == ["before", "deep", "behind", None]


@pytest.mark.usefixtures("small")
async def test_h33_an_event_too_large_is_left_out(running: tuple[Server, aiohttp.ClientSession, str]) -> None:
    """H33: of a watch one event is left out where it cannot be held; those before and behind it are shown."""
    server, session, url = running
    events = [rollout("before"), rollout("giant", json.dumps("x" * 90_000)), rollout("behind")]
    whole = b"".join(f'{{"type":"ADDED","object":{one}}}\n'.encode() for one in events)
    server.lines = [whole[begin : begin + 7_000] for begin in range(0, len(whole), 7_000)]

    assert [one["object"]["metadata"]["name"] for one in await heard(session, url)] == ["before", "behind"]


REACHING: Json = {
    "selector": {"matchLabels": {"app": "web"}},
    "template": {"metadata": {"labels": {"app": "web", "tier": "a"}}, "spec": {"containers": []}},
}


@pytest.mark.parametrize(("kind", "body"), OBJECTS)
def test_what_is_cut_makes_no_difference(kind: Kind, body: Json) -> None:
    """A sighting of what kopf is shown is that of the object itself."""
    whole = {
        **body,
        "metadata": {
            **body["metadata"],
            "managedFields": [{"manager": "x"}],
            "annotations": {**body["metadata"].get("annotations", {}), "long": "x" * 1000},
        },
        "spec": {**body.get("spec", {}), **REACHING},
    }
    small = trimmed(whole)

    assert observed(kind, small) == observed(kind, whole)
    assert trimmed(small) == small
    assert "x" * 300 not in json.dumps(small)
    assert "containers" not in json.dumps(small)


PLACES = [
    (),
    ("metadata",),
    *(("metadata", part) for part in ("annotations", "labels", "ownerReferences", "managedFields", "finalizers")),
    ("spec", "selector", "matchLabels"),
    ("spec", "template", "metadata"),
    ("spec", "template", "metadata", "labels"),
    *(("spec", "traffic", part) for part in ("stableService", "canaryService")),
    *(("metadata", part) for part in ("name", "namespace", "uid", "resourceVersion", "generation")),
    *((part,) for part in ("spec", "status", "endpoints")),
    *(("spec", part) for part in ("traffic", "selector", "ports", "template")),
    *(("status", part) for part in ("conditions", "parents", "replicas")),
    ("spec", "traffic", "gatewayAPI"),
    ("spec", "traffic", "gatewayAPI", "routes"),
]


def with_(body: Any, place: tuple[str, ...], value: Any) -> Any:
    """Return *body* with *value* at *place*."""
    if not place:
        return value
    return {**body, place[0]: with_(body.get(place[0], {}), place[1:], value)}


@given(
    st.sampled_from(list(kinds.WATCHES)), st.sampled_from(PLACES[1:]), VALUES, st.sampled_from([0, 0, 0, 600, 50_000])
)
def test_h33_nothing_in_an_object_can_raise(kind: Kind, place: tuple[str, ...], value: Any, levels: int) -> None:
    """H33: whatever stands anywhere in an object of any kind that is watched, there is a sighting of it."""
    body = dict(OBJECTS)[kind] if kind is not Kind.GRPC_ROUTE else seen.ROUTE
    hostile = with_(body, place, [nested(levels)] if levels else value)
    observed(kind, hostile)
    observed(kind, trimmed(hostile))
    assert not nesting.deeper(trimmed(hostile), nesting.DEEPEST)


def test_what_is_no_event_is_left_to_kopf() -> None:
    """What does not come from an API server ends the watch, and it is started anew, later and later."""
    assert watch_streams.event(b"<html>") == b"<html>\n"
    assert json.loads(watch_streams.event(b'{"type":"ERROR","object":{"code":410}}'))["object"] == {"code": 410}
