"""What is listed is whole, and never older than what was seen before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from headgate.adapters import cluster
from headgate.adapters.cluster import answers, lists
from headgate.core.faults import Refused, Unreachable
from headgate.core.model import Json, Kind
from tests.shell.stubs import Stub


def bounds(stub: Stub) -> list[str]:
    """Return how fresh each list had to be, in the order in which they were asked for; empty: as fresh as etcd."""
    lists = [query for _, path, query, _, _ in stub.asked if path.endswith("s")]
    assert all(("resourceVersion" in query) == (query.get("resourceVersionMatch") == "NotOlderThan") for query in lists)
    return [query.get("resourceVersion", "") for query in lists]


def pod(name: str, version: str = "", **metadata: object) -> Json:
    """Return a pod of the namespace shop with the labels a and b."""
    labels = {"a": "1", "b": "2"}
    return {"metadata": {"name": name, "namespace": "shop", "labels": labels, "resourceVersion": version, **metadata}}


async def test_lists_are_never_older_than_what_was_seen(stub: Stub, client: cluster.Cluster) -> None:
    """Until something of a kind was seen a list is as fresh as etcd; then as fresh as the newest object that was."""
    stub.objects({"items": [pod("web", "7"), pod("api")], "metadata": {"resourceVersion": "99"}})
    await client.select(Kind.DEPLOYMENT, "shop", {})
    stub.objects({"metadata": {"resourceVersion": "12"}}, {"items": []}, {"items": []}, {"items": []})
    await client.patch(Kind.DEPLOYMENT, "shop", "web", [], "headgate")
    await client.select(Kind.DEPLOYMENT, "shop", {})
    for version in ("40", "8", "", "x"):
        client.seen(Kind.DEPLOYMENT, version)
    await client.select(Kind.DEPLOYMENT, "shop", {})
    await client.select(Kind.CONTROLLER_REVISION, "shop", {})

    assert bounds(stub) == ["", "12", "40", ""]


async def test_pods_are_listed_as_fresh_as_etcd(stub: Stub, client: cluster.Cluster) -> None:
    """Nobody wakes us for a pod: what is listed of them now is all that we know."""
    stub.objects({"items": [pod("web", "7")]}, {"items": []})
    await client.select(Kind.POD, "shop", {})
    await client.select(Kind.POD, "shop", {})

    assert bounds(stub) == ["", ""]


async def test_bound_that_no_server_reaches_is_given_up(stub: Stub, client: cluster.Cluster) -> None:
    """After etcd was restored versions begin lower: one list fails, and the next asks for what there is."""
    client.seen(Kind.DEPLOYMENT, "4000")
    stub.status(504, "Timeout: Too large resource version: 4000, current: 30")
    with pytest.raises(Unreachable):
        await client.select(Kind.DEPLOYMENT, "shop", {})
    stub.objects({"items": []})
    await client.select(Kind.DEPLOYMENT, "shop", {})

    assert bounds(stub) == ["4000", ""]


async def test_a_kind_that_the_cluster_does_without_has_no_objects(stub: Stub, client: cluster.Cluster) -> None:
    """Without the Gateway API there are no routes, by pages and at once; a kind of ours that is missing is a fault."""
    for _ in range(2):
        stub.answers.append(web.Response(status=404, text="404 page not found\n"))
    assert [page async for page in client.pages(Kind.HTTP_ROUTE, "", "")] == []
    assert list(await client.select(Kind.HTTP_ROUTE, "shop", {})) == []
    stub.status(404, "the server could not find the requested resource")
    with pytest.raises(Refused):
        await client.select(Kind.ROLLOUT, "shop", {})


async def test_next_page_has_the_version_of_the_first(stub: Stub, client: cluster.Cluster) -> None:
    """Only the first page names a bound: the server refuses one beside the place where the next begins."""
    client.seen(Kind.DEPLOYMENT, "5")
    stub.objects({"items": [], "metadata": {"continue": "c1"}}, {"items": []})
    await client.select(Kind.DEPLOYMENT, "shop", {})

    assert bounds(stub) == ["5", ""]


async def test_lists_come_page_by_page(stub: Stub, client: cluster.Cluster) -> None:
    """A long list is read to its end, with the same selector on each page."""
    one, two = pod("one"), pod("two")
    stub.objects({"items": [one], "metadata": {"continue": "c1"}}, {"items": [two], "metadata": {}})

    assert await client.select(Kind.POD, "shop", {"b": "2", "a": "1"}) == [one, two]
    assert [(path, query) for _, path, query, _, _ in stub.asked] == [
        ("/api/v1/namespaces/shop/pods", {"limit": "100", "labelSelector": "a=1,b=2"}),
        ("/api/v1/namespaces/shop/pods", {"limit": "100", "labelSelector": "a=1,b=2", "continue": "c1"}),
    ]


# --- what is in them --------------------------------------------------------------------------------------------------

STRANGERS = [
    pod("other", namespace="bank"),
    pod("homeless", namespace=None),
    pod("unlabelled", labels=None),
    pod("mislabelled", labels={"a": "1", "b": "3"}),
    pod("nonsense", labels=["a"]),
    pod("../../pods/x"),
    pod(""),
    {**pod("secret"), "kind": "Secret"},
    {"metadata": "text"},
    {},
    None,
    5,
    "web",
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=repr)
async def test_h29_one_bad_item_hides_no_other(stub: Stub, client: cluster.Cluster, stranger: object) -> None:
    """H29: what was not asked for is passed over in a list, and what is listed beside it is found."""
    stub.objects({"items": [pod("one"), stranger, pod("two")], "kind": "PodList", "apiVersion": "v1"})
    found = await client.select(Kind.POD, "shop", {"a": "1", "b": "2"})

    assert [one["metadata"]["name"] for one in found] == ["one", "two"]


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "SecretList", "items": []},
        {"kind": "Pod", "items": []},
        {"kind": "PodList", "apiVersion": "apps/v1", "items": []},
        {"items": {"a": 1}},
        {"items": "all"},
    ],
    ids=repr,
)
async def test_h29_another_list_is_a_fault(stub: Stub, client: cluster.Cluster, answer: Json) -> None:
    """H29: a list of another kind is not taken for an empty one."""
    stub.objects(answer)
    with pytest.raises(Unreachable, match="no list of pods"):
        await client.select(Kind.POD, "shop", {})


async def test_lists_over_all_namespaces_know_where_each_is(stub: Stub, client: cluster.Cluster) -> None:
    """Without a namespace each object names its own; a selector that asks for a key takes every value."""
    stub.objects({"items": [pod("one"), pod("two", namespace="bank"), pod("three", namespace="a/b")]})
    found = [one["metadata"]["name"] async for page in client.pages(Kind.POD, "", "a,b=2") for one in page]

    assert found == ["one", "two"]


# --- how large they are -----------------------------------------------------------------------------------------------


class Store:
    """Lists pods page by page, as the API server does, and counts what it was asked for."""

    def __init__(self, *sizes_bytes: int) -> None:
        self.pods = [pod(f"p{index:03}", text="x" * size) for index, size in enumerate(sizes_bytes)]
        self.asked: list[int] = []

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one page."""
        begin, count = int(request.query.get("continue", 0)), int(request.query["limit"])
        self.asked.append(count)
        more = str(begin + count) if begin + count < len(self.pods) else ""
        return web.json_response({"metadata": {"continue": more}, "items": self.pods[begin : begin + count]})


@pytest.fixture
async def listed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[Store], cluster.Cluster]]:
    """Return a client of a store; what can be held is a thousandth of what it is in earnest."""
    monkeypatch.setattr(answers, "LARGEST_BYTES", 3000)
    monkeypatch.setattr(answers, "SMALL_BYTES", 64)
    monkeypatch.setattr(lists, "_WANTED_BYTES", 2000)
    monkeypatch.setattr(lists, "WHOLE_BYTES", 16_000)
    monkeypatch.setattr(lists, "DROPPED_SHARE", 2)
    closing: list[Callable[[], Awaitable[None]]] = []
    server = web.Application()
    stores: list[Store] = []

    async def handle(request: web.Request) -> web.Response:
        return await stores[-1].handle(request)

    server.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    def opened(store: Store) -> cluster.Cluster:
        stores.append(store)
        configuration = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
        client = cluster.Cluster(cluster.Access(configuration, "a test"), timeout_seconds=5.0)
        closing.append(client.close)
        return client

    yield opened
    for close in closing:
        await close()
    await runner.cleanup()


async def test_h33_large_pages_are_asked_for_again(listed: Callable[[Store], cluster.Cluster]) -> None:
    """H33: where a page is more than can be held, fewer objects are asked for, and each of them is found once."""
    store = Store(*[10] * 20, *[2000] * 5, *[10] * 30)
    found = await listed(store).select(Kind.POD, "shop", {})

    assert [one["metadata"]["name"] for one in found] == [one["metadata"]["name"] for one in store.pods]
    assert store.asked[0] == 100
    assert min(store.asked) == 1
    assert store.asked[-1] > 1


async def test_h33_one_giant_hides_no_other(listed: Callable[[Store], cluster.Cluster]) -> None:
    """H33: an object that cannot be held is passed over where all are listed, and a fault where it counts."""
    for sizes in ((10, 9000, 10), (9000, 10, 10), (10, 10, 9000), (9000, 9000, 9000)):
        store = Store(*sizes)
        client = listed(store)
        found = [one["metadata"]["text"] async for page in client.pages(Kind.POD, "", "") for one in page]
        assert list(map(len, found)) == [size for size in sizes if size == 10]
        with pytest.raises(Refused, match="one of the pods is too large"):
            await client.select(Kind.POD, "shop", {})


@pytest.mark.parametrize(("objects", "within"), [(15, True), (17, False), (400, False)])
async def test_h33_whole_list_has_a_bound(
    listed: Callable[[Store], cluster.Cluster], objects: int, *, within: bool
) -> None:
    """H33: a list that is held as a whole is no longer than can be held; of a longer one the rest is not read."""
    store = Store(*[1900] * objects)
    client = listed(store)
    if within:
        assert len(await client.select(Kind.POD, "shop", {"a": "1"})) == objects
        return
    with pytest.raises(Refused, match="the pods with the labels a=1 take more than 0 MB, which is more than is read"):
        await client.select(Kind.POD, "shop", {"a": "1"})
    assert len(store.asked) <= 24


async def test_pods_are_held_without_what_nothing_rests_on(stub: Stub, client: cluster.Cluster) -> None:
    """Of a listed pod its spec and the record of its writers are dropped, of other objects nothing is."""
    whole = {**pod("web", managedFields=[{}]), "spec": {"containers": []}}
    stub.objects({"items": [whole]}, {"items": [whole]})

    assert await client.select(Kind.POD, "shop", {}) == [pod("web")]
    assert await client.select(Kind.DEPLOYMENT, "shop", {}) == [whole]


class _Turn(asyncio.Semaphore):
    """A turn that tells when seven have asked for it."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked = 0
        self.all_wait = asyncio.Event()

    async def acquire(self) -> Literal[True]:
        self.asked += 1
        if self.asked == 7:
            self.all_wait.set()
        return await super().acquire()


async def test_h33_long_lists_are_read_one_at_a_time(listed: Callable[[Store], cluster.Cluster]) -> None:
    """H33: what long lists hold together is one of them, and the first page of each other; a short one goes on."""
    store = Store(*[1900] * 8)
    client = listed(store)
    turn = client._exchange.long_lists = _Turn()
    lists_read = asyncio.gather(*(client.select(Kind.POD, "shop", {}) for _ in range(6)))
    async with turn:
        await asyncio.wait_for(turn.all_wait.wait(), 10)
        assert not lists_read.done()
        assert len(store.asked) <= 6 * 6
        store.pods, pods = [pod("short")], store.pods
        assert len(await client.select(Kind.POD, "shop", {})) == 1
        store.pods = pods
    assert [len(found) for found in await lists_read] == [8] * 6
