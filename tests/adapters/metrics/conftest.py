"""A Prometheus in virtual time, in the place of all others."""

import pytest

from headgate.adapters.metrics import sampling
from tests.adapters.metrics.virtual_server import Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Return the server that every sampler asks."""
    made = Server()
    monkeypatch.setattr(sampling, "WorkerPool", made.lane)
    return made
