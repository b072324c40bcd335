"""One node with one operator for this folder, a shop for each test, and what a failure leaves behind."""

import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack import cluster
from tests.clusters import name_of
from tests.control_plane.life.operators import Operator
from tests.e2e import evidence, nodes, shops
from tests.e2e.nodes import Node
from tests.e2e.shops import Shop
from tests.e2e.timeline import Timeline

LOGS = pytest.StashKey[Path]()
SHOPS = pytest.StashKey[list[Shop]]()
OPERATOR = pytest.StashKey[Operator]()


@pytest.fixture(scope="session")
def logs(request: pytest.FixtureRequest) -> Path:
    """Return the folder for logs, and for what failed tests leave behind."""
    folder = evidence.root()
    request.session.stash[LOGS] = folder
    return folder


@pytest.fixture(scope="package")
def node() -> Iterator[Node]:
    """The node of this folder, with the kind Rollout."""
    nodes.require()
    with nodes.running(name_of("e2e")) as started:
        started.install_crd()
        yield started


@pytest.fixture(scope="package")
def timeline(node: Node) -> Iterator[Timeline]:
    """All that happens on the node."""
    with Timeline(node) as watching:
        yield watching


@pytest.fixture(scope="package")
def operator(node: Node, logs: Path, request: pytest.FixtureRequest) -> Iterator[Operator]:
    """The operator: a process in the node's network, with the rights of its service account."""
    with nodes.operated(node, logs) as running:
        request.session.stash[OPERATOR] = running
        yield running


OpenShop = Callable[..., Shop]


@pytest.fixture(scope="module")
def open_shop(node: Node, timeline: Timeline, operator: Operator, request: pytest.FixtureRequest) -> Iterator[OpenShop]:
    """Return what opens a shop, whose first version is on its way; they are closed when the file is done."""
    opened: list[Shop] = []
    request.session.stash[SHOPS] = opened

    def made(purpose: str, **defaults: Any) -> Shop:
        shop = shops.opened(node, timeline, f"{purpose}-{uuid.uuid4().hex[:6]}", **defaults)
        opened.append(shop)
        return shop

    with cluster.entered(node.cluster):
        operator.start()
    yield made
    for shop in opened:
        shop.visitors.stop()
        node.kubectl("delete", "namespace", shop.namespace, "--wait=false")
    opened.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Let a failed test say where its evidence lies."""
    logs = item.session.stash.get(LOGS, None)
    if logs is not None and call.excinfo is not None and not call.excinfo.errisinstance(pytest.skip.Exception):
        folder = logs / item.name.replace("/", "-")
        given = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Shop)]
        for shop in given or item.session.stash.get(SHOPS, []):
            evidence.keep(shop, folder / shop.namespace, logs / "operator.log")
        call.excinfo.value.add_note(f"objects, events, logs and a timeline: {folder}")
        process = known.process if (known := item.session.stash.get(OPERATOR, None)) else None
        if process is not None and (code := process.poll()) is not None:
            call.excinfo.value.add_note(f"the operator has ended, with exit code {code}, and no test ended it")
    return (yield)
