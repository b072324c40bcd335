"""The scripted server as a process of its own, as the tests of the control plane use it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.prometheus import scripts
from tests.prometheus.promql import Series
from tests.prometheus.server import ScriptedPrometheus

ROOT = Path(__file__).resolve().parents[3]
RULES = [
    scripts.Rule(match="^steps$", values=((0, 0.0), (100, None), (200, "+Inf")), times=2),
    scripts.Rule(match="rate", traffic=(Series({"__name__": "x", "code": "200"}, 2.0),)),
    scripts.error(match="bad", status=503),
]


@pytest.fixture
def address() -> Iterator[str]:
    """Give the address of a server that is a process."""
    command = [sys.executable, "-m", "tests.prometheus", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def call(url: str, method: str = "GET", document: Any = None) -> Any:
    """Return the JSON, or the text, that *url* answers."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, body, method=method)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310 - our own server
        content = response.read()
    return json.loads(content) if response.headers["Content-Type"] == "application/json" else content.decode()


def test_it_is_scripted_from_outside(address: str) -> None:
    """A script goes in, answers by it come out, and what was asked is told."""
    assert "Ready" in call(f"{address}/-/ready")
    assert call(f"{address}/script", "PUT", scripts.to_json(RULES)) == json.loads(json.dumps(scripts.to_json(RULES)))

    ranged = call(f"{address}/api/v1/query_range?query=steps&start=90&end=210&step=10")
    assert ranged["data"]["result"] == [{"metric": {}, "values": [[90, "0.0"], [200, "+Inf"], [210, "+Inf"]]}]
    assert call(f"{address}/api/v1/query?query=steps&time=50")["data"]["result"][0]["value"] == [50, "0.0"]
    assert call(f"{address}/api/v1/query?query=steps&time=50")["data"]["result"] == []
    rate = call(f"{address}/api/v1/query?query=sum(rate(x%7B%7D[1m]))&time=50")
    assert rate["data"] == {"resultType": "vector", "result": [{"metric": {}, "value": [50, "2.0"]}]}

    asked = call(f"{address}/requests")
    assert [(one["query"], one["first"], one["last"], one["step"]) for one in asked[:2]] == [
        ("steps", 90, 210, 10),
        ("steps", 50, 50, 1),
    ]
    assert call(f"{address}/requests", "DELETE") == call(f"{address}/requests") == []


def test_a_script_with_a_mistake_is_refused(address: str) -> None:
    """A field that does not exist is an error, so that no test passes by a typing mistake."""
    with pytest.raises(urllib.error.HTTPError, match="400") as refused:
        call(f"{address}/script", "PUT", [{"vaules": []}])
    refused.value.close()


def test_a_server_that_starts_again_hangs_again() -> None:
    """A stop lets go what hangs, and the next start is as the first: a test does not depend on those before it."""
    with ScriptedPrometheus(scripts.Rule(hang=True)) as server:
        server.stop()
        server.start()
        address = f"{server.address}/api/v1/query?query=up&time=50"
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(address, timeout=0.3)  # noqa: S310 - our own server
