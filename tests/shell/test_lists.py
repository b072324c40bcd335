"""What is listed is whole, and never older than what was seen before."""

import pytest

from headgate.adapters import cluster
from headgate.core.faults import Unreachable
from headgate.core.model import Kind
from tests.shell.stubs import Stub


def bounds(stub: Stub) -> list[str]:
    """Return how fresh each list had to be, in the order in which they were asked for; empty: as fresh as etcd."""
    lists = [query for _, path, query, _, _ in stub.asked if path.endswith("s")]
    assert all(("resourceVersion" in query) == (query.get("resourceVersionMatch") == "NotOlderThan") for query in lists)
    return [query.get("resourceVersion", "") for query in lists]


async def test_lists_are_never_older_than_what_was_seen(stub: Stub, client: cluster.Cluster) -> None:
    """Until something of a kind was seen a list is as fresh as etcd; then as fresh as the newest object that was."""
    stub.objects(
        {"items": [{"metadata": {"resourceVersion": "7"}}, {"metadata": {}}], "metadata": {"resourceVersion": "99"}}
    )
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
    stub.objects({"items": [{"metadata": {"resourceVersion": "7"}}]}, {"items": []})
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


async def test_next_page_has_the_version_of_the_first(stub: Stub, client: cluster.Cluster) -> None:
    """Only the first page names a bound: the server refuses one beside the place where the next begins."""
    client.seen(Kind.DEPLOYMENT, "5")
    stub.objects({"items": [], "metadata": {"continue": "c1"}}, {"items": []})
    await client.select(Kind.DEPLOYMENT, "shop", {})

    assert bounds(stub) == ["5", ""]


async def test_lists_come_page_by_page(stub: Stub, client: cluster.Cluster) -> None:
    """A long list is read to its end, with the same selector on each page."""
    stub.objects({"items": [{"a": 1}], "metadata": {"continue": "c1"}}, {"items": [{"a": 2}], "metadata": {}})

    assert await client.select(Kind.POD, "shop", {"b": "2", "a": "1"}) == [{"a": 1}, {"a": 2}]
    assert [(path, query) for _, path, query, _, _ in stub.asked] == [
        ("/api/v1/namespaces/shop/pods", {"limit": "100", "labelSelector": "a=1,b=2"}),
        ("/api/v1/namespaces/shop/pods", {"limit": "100", "labelSelector": "a=1,b=2", "continue": "c1"}),
    ]
