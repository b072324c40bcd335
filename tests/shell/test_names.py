"""What is no name never becomes a request, and an answer is believed only where it is the one that was asked for."""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.adapters import cluster
from headgate.adapters.cluster import answers
from headgate.adapters.cluster.requests import Request, selector
from headgate.api import dns, nesting
from headgate.core.faults import Fault, Refused, Unreachable
from headgate.core.model import Json, Key, Kind
from headgate.kinds import KINDS
from tests.shell.stubs import Stub

HOSTILE = [
    "..",
    ".",
    "../../other/httproutes/payroll",
    "../../../../../../api/v1/pods?n=1",
    "a/b",
    "a/",
    "/a",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a-",
    "a.-b",
    "%2e%2e",
    "a%2fb",
    "%",
    "x?watch=true",
    "x#y",
    "x;y",
    "x&y=1",
    "x y",
    " x",
    "x ",
    "x\t",
    "x\n",
    "x\r\nHost: y",
    "x\0",
    "\0",
    "X",
    "x_y",
    "x:y",
    "x@y",
    "x\\y",
    "\uff58",
    "x\u2170",
    "x\u0131",
    "x\u200b",
    "x\u2024y",
    "x\uff0fy",
    "\u0661",
    "\ud800",
    "a" * 254,
    "a" * 1_000_000,
    ".".join(["a"] * 128),
    "",
]
NAMED = [kind for kind in Kind if kind is not Kind.GATEWAY_CLASS]


def calls(client: cluster.Cluster, kind: Kind, namespace: str, name: str) -> Iterator[Callable[[], Awaitable[Any]]]:
    """Yield everything that can be done with one object by its name."""
    yield lambda: client.get(kind, namespace, name)
    yield lambda: client.patch(kind, namespace, name, [], "test")
    yield lambda: client.patch(kind, namespace, name, [], "test", strict=True)
    yield lambda: client.delete(kind, namespace, name, "uid")
    yield lambda: client.create(kind, namespace, {"metadata": {"name": name}})
    yield lambda: client.try_create(kind, namespace, {"metadata": {"name": name}})
    if kind is Kind.ROLLOUT:
        yield lambda: client.apply_status(Key(namespace, name), "uid", "1", {})
        yield lambda: client.patch_event(namespace, name, [])
        yield lambda: client.create_event(namespace, {"metadata": {"name": name}})
    if kind is Kind.POD:
        yield lambda: client.evict(namespace, name, "uid")


async def refused(call: Callable[[], Awaitable[Any]]) -> str:
    """Hold that *call* is refused, and return the words."""
    with pytest.raises(Refused) as refusal:
        await call()
    return str(refusal.value)


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
async def test_h29_what_is_no_name_is_never_asked_for(stub: Stub, client: cluster.Cluster, name: str) -> None:
    """H29: with what is no name of an object nothing is read, created, patched, deleted or evicted, of any kind."""
    for kind in NAMED:
        for call in calls(client, kind, "shop", name):
            words = await refused(call)
            assert "nothing was asked" in words
            assert words.isascii()
            assert words.isprintable()
            assert len(words) < 250
    await refused(lambda: client.get(Kind.GATEWAY_CLASS, "", name))

    assert stub.asked == []


@pytest.mark.parametrize("namespace", [*HOSTILE, "a.b", "a" * 64], ids=lambda name: ascii(name[:20]))
async def test_h29_no_request_leaves_its_namespace(stub: Stub, client: cluster.Cluster, namespace: str) -> None:
    """H29: what is no name of a namespace leads nowhere, and an object is never looked for in all of them."""
    for kind in NAMED:
        for call in calls(client, kind, namespace, "web"):
            await refused(call)
        if namespace:
            await refused(functools.partial(client.select, kind, namespace, {}))
            await refused(functools.partial(client.list_metadata, kind, namespace))
            await refused(functools.partial(anext, aiter(client.pages(kind, namespace, ""))))

    assert stub.asked == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("app", value) for value in HOSTILE if value not in ("", "X", "x_y", "a..b", "a.-b")),
        *((key, "web") for key in HOSTILE if key not in ("X", "x_y", "a..b", "a.-b", "a/b")),
        ("app", "a,b=c"),
        ("app", "a in (b)"),
        ("app)", "web"),
        ("!app", "web"),
        ("app", "a" * 64),
        ("x/y/z", "web"),
        ("a..b/c", "web"),
    ],
    ids=lambda text: ascii(text[:20]),
)
async def test_h29_selectors_hold_labels_alone(stub: Stub, client: cluster.Cluster, key: str, value: str) -> None:
    """H29: what is no label selects nothing, instead of something else."""
    assert "nothing was asked" in await refused(lambda: client.select(Kind.POD, "shop", {key: value}))
    assert "nothing was asked" in await refused(lambda: client.list_metadata(Kind.POD, "shop", {key: value}))
    assert stub.asked == []


SUBDOMAINS = st.from_regex(rf"\A{dns.SUBDOMAIN}\Z").filter(lambda text: len(text) <= 253)
TEXTS = st.text(max_size=300) | st.text(alphabet="./%?#-aZ0 \0", max_size=20) | SUBDOMAINS


@given(st.sampled_from(NAMED), TEXTS, TEXTS)
def test_h29_a_path_is_its_parts(kind: Kind, namespace: str, name: str) -> None:
    """H29: whatever is named, a path that is built has exactly the parts that were meant, as they were meant."""
    request = Request(verb="GET", resource=KINDS[kind], namespace=namespace, name=name)
    try:
        path = request.path
    except Refused:
        assert not (dns.is_label(namespace) and KINDS[kind].names(name))
        return
    root = KINDS[kind].root
    assert path.removeprefix(f"{root}/").split("/") == ["namespaces", namespace, KINDS[kind].plural, name]
    assert not set(path) & set("%?#\\ ;&@")
    assert ".." not in path


@given(st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_h29_a_selector_is_its_labels(labels: dict[str, str]) -> None:
    """H29: a selector that is built asks for those labels and no others."""
    try:
        text = selector(labels)
    except Refused:
        assert not all(dns.is_label_key(key) and dns.is_label_value(value) for key, value in labels.items())
        return
    assert dict(part.split("=") for part in text.split(",") if part) == labels


@given(TEXTS)
def test_what_is_shown_is_one_short_line(text: str) -> None:
    """A hostile name can be said in a condition, an Event or a log."""
    assert dns.shown(text).isascii()
    assert dns.shown(text).isprintable()
    assert len(dns.shown(text)) <= 63


def test_names_are_those_of_the_api_server() -> None:
    """Long and dotted names are names of all kinds but Services and namespaces."""
    assert all(map(dns.is_subdomain, ("a", "1", "a.b", "a--b", "a" * 253, ".".join(["a"] * 127))))
    assert all(map(dns.is_label, ("a", "1", "a--b", "a" * 63)))
    assert not any(map(dns.is_label, ("a.b", "a" * 64, 5, None)))
    assert all(map(dns.is_label_value, ("", "a", "A_b.c", "a" * 63)))
    assert all(map(dns.is_label_key, ("a", "A_b.c", "example.com/a", f"{'a' * 253}/{'a' * 63}")))


async def test_continue_tokens_are_encoded(stub: Stub, client: cluster.Cluster) -> None:
    """Where a page ends is said by the server; whatever it says comes back as one value."""
    place = "a/b?c=d&limit=0#e %2e+=\u00e9"
    stub.objects({"items": [], "metadata": {"continue": place}}, {"items": []})
    await client.select(Kind.POD, "shop", {"a": "b"})

    (_, first, *_), (_, path, query, *_) = stub.asked
    assert path == first == "/api/v1/namespaces/shop/pods"
    assert query == {"continue": place, "labelSelector": "a=b", "limit": "100"}


# --- what comes back --------------------------------------------------------------------------------------------------

ROUTE: Json = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"namespace": "shop", "name": "web"},
}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {**ROUTE, "kind": "Secret"},
        {**ROUTE, "kind": "HTTPRouteList", "items": []},
        {**ROUTE, "apiVersion": "v1"},
        {**ROUTE, "metadata": None},
        {**ROUTE, "metadata": []},
        {**ROUTE, "metadata": {"namespace": "bank", "name": "web"}},
        {**ROUTE, "metadata": {"namespace": "shop", "name": "payroll"}},
        {**ROUTE, "metadata": {"name": "web"}},
        {"kind": "Status", "status": "Success"},
    ],
    ids=repr,
)
async def test_h29_another_object_is_not_believed(stub: Stub, client: cluster.Cluster, answer: Json) -> None:
    """H29: an answer that is not the object that was asked for is a fault, and never taken for it."""
    stub.objects(answer)
    with pytest.raises(Unreachable, match="not the HTTPRoute shop/web"):
        await client.get(Kind.HTTP_ROUTE, "shop", "web")


async def test_the_object_itself_is_believed(stub: Stub, client: cluster.Cluster) -> None:
    """With its kind, and in no namespace where its kind is in none."""
    class_ = {"kind": "GatewayClass", "metadata": {"name": "any"}}
    stub.objects(ROUTE, class_)

    assert await client.get(Kind.HTTP_ROUTE, "shop", "web") == ROUTE
    assert await client.get(Kind.GATEWAY_CLASS, "", "any") == class_


async def test_h33_an_answer_is_bounded_while_it_is_read(
    stub: Stub, client: cluster.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H33: of an object that is larger than can be held no more is read, and that is a fault of this object."""
    monkeypatch.setattr(answers, "LARGEST_BYTES", 1024 * 1024)
    stub.objects({**ROUTE, "spec": "x" * 1024 * 1024}, {**ROUTE, "spec": "x" * 1000 * 1024}, ROUTE)
    with pytest.raises(Refused, match="longer than 1 MB"):
        await client.get(Kind.HTTP_ROUTE, "shop", "web")

    assert await client.get(Kind.HTTP_ROUTE, "shop", "web") is not None
    assert await client.get(Kind.HTTP_ROUTE, "shop", "web") == ROUTE


async def test_h33_a_giant_failure_is_one(stub: Stub, client: cluster.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """H33: a refusal that repeats a whole object is a refusal without its words."""
    monkeypatch.setattr(answers, "LARGEST_BYTES", 1024 * 1024)
    stub.status(422, "x" * 2 * 1024 * 1024, name="web")
    with pytest.raises(Refused, match="HTTP 422"):
        await client.patch(Kind.HTTP_ROUTE, "shop", "web", [], "headgate")


async def test_h33_large_answers_come_in_by_turns(
    stub: Stub, client: cluster.Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """H33: however many large answers come at once, two are held at a time; a small one waits for none of them."""
    held, most = 0, 0
    read = answers._read

    async def counting(response: Any, pieces: list[bytes], most_bytes: int) -> bool:
        nonlocal held, most
        large = most_bytes == answers.LARGEST_BYTES
        held += large
        most = max(most, held)
        try:
            return await read(response, pieces, most_bytes)
        finally:
            held -= large

    monkeypatch.setattr(answers, "_read", counting)
    stub.objects(*[{**ROUTE, "spec": "x" * 1024 * 1024}] * 10)
    found = await asyncio.gather(*(client.get(Kind.HTTP_ROUTE, "shop", "web") for _ in range(10)))

    assert all(found)
    assert most == answers.LARGE_AT_ONCE


@pytest.mark.parametrize("levels", [nesting.KEPT, nesting.KEPT + 1, 500, 1000, 10_000, 100_000])
async def test_h33_depth_is_cut_off(stub: Stub, client: cluster.Cluster, levels: int) -> None:
    """H33: however deep an answer is nested, what comes of it can be walked, copied and written."""
    deep = '{"a":' * levels + "1" + "}" * levels
    whole = json.dumps({**ROUTE, "spec": None}).replace("null", deep)
    stub.answers.append(web.Response(body=whole.encode(), content_type="application/json"))
    stub.answers.append(web.Response(body=f'{{"items":[{json.dumps(ROUTE)},{whole}]}}'.encode()))
    one = await client.get(Kind.HTTP_ROUTE, "shop", "web")
    listed = await client.select(Kind.HTTP_ROUTE, "shop", {})

    for thing in (one, *listed):
        assert not nesting.deeper(thing, nesting.KEPT)
        json.dumps(thing)
    assert len(listed) == 2
    assert nesting.deeper((one or {})["spec"], nesting.DEEPEST)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.text(alphabet='a"\\[]{}é\0'), lambda part: st.lists(part) | st.dictionaries(st.text(), part)
    )
)
def test_what_is_not_deep_is_kept(value: Any) -> None:
    """Braces in texts count for nothing."""
    assert nesting.parsed(json.dumps(value).encode()) == value
    assert json.loads(nesting._cut(json.dumps(value).encode())) == nesting.shallow(value)


async def test_faults_of_names_are_faults() -> None:
    """Whoever catches a fault catches a name that is none."""
    assert issubclass(cluster.NotAName, Fault)
