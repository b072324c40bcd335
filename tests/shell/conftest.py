"""The control plane, the same as that of tests/control_plane, and a stub of one."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from headgate.adapters import cluster
from tests.control_plane.conftest import control_plane
from tests.shell.stubs import Stub

__all__ = ["control_plane"]

TIMEOUT_SECONDS = 5.0
"""For one call: with 1 s a stub that answers at once was too late, on two cores that run everything."""


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    """An API server on a free port."""
    stub = Stub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    stub.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()


@pytest.fixture
async def client(stub: Stub) -> AsyncIterator[cluster.Cluster]:
    """A client of the stub."""
    access = cluster.Access(Configuration(host=stub.address), "a test")

    def hear(verb: str, plural: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        stub.heard.append((verb, plural, outcome))

    client = cluster.Cluster(access, timeout_seconds=TIMEOUT_SECONDS, on_request=hear)
    yield client
    await client.close()
