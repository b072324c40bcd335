"""What vegeta says is counted right. No cluster is needed for it."""

import base64
import json

import pytest

from tests.e2e import load, podinfo
from tests.e2e.load import Counts, Response, Tally


def line(code: int, body: bytes = b"", at: str = "2026-01-01T00:00:00.5Z", latency: int = 10_000_000) -> str:
    """Return a line as vegeta encode writes it."""
    encoded = base64.b64encode(body).decode() if body else None
    return json.dumps({"code": code, "timestamp": at, "latency": latency, "body": encoded, "error": ""})


def of(version: str) -> bytes:
    """Return the body by which podinfo says its version."""
    return json.dumps({"version": version, "commit": "unknown"}).encode()


@pytest.mark.parametrize(
    ("code", "body", "version"),
    [
        (200, of("1.0.0"), "1.0.0"),
        (200, of("3.0.0"), "3.0.0"),
        (500, b"", "3.0.0"),
        (409, b"", "3.0.0"),
        (502, b"Bad Gateway", ""),
        (503, b"no available server", ""),
        (404, b"404 page not found", ""),
        (200, b"[]", ""),
        (0, b"", ""),
    ],
)
def test_a_response_tells_its_version(code: int, body: bytes, version: str) -> None:
    """Podinfo says its version, or fails as the bad one alone does; a gateway's own words are no version's."""
    assert version == podinfo.version_of(load.read(line(code, body)))


def test_a_nanosecond_is_no_stumbling_block() -> None:
    """Times are read with as many digits as vegeta writes."""
    assert load.read(line(200, at="2026-01-01T00:00:00.262756251Z")).at == pytest.approx(1767225600.262756)


def test_requests_are_counted_per_version() -> None:
    """Each request counts once, by class; 4xx, 5xx and no answer are errors."""
    tally = Tally(podinfo.version_of)
    for code, body in ((200, of("1.0.0")), (200, of("1.0.0")), (500, b""), (400, b""), (200, of("3.0.0")), (0, b"")):
        tally.add(load.read(line(code, body)))
    counted = tally.snapshot()

    assert (6, 3) == (counted.requests, counted.errors)
    assert {"2xx": 2} == counted.of("1.0.0").by_class
    assert {"2xx": 1, "4xx": 1, "5xx": 1} == counted.of("3.0.0").by_class
    assert (1, 1) == (counted.of(load.NOBODY).unanswered, counted.of(load.NOBODY).errors)
    assert ["3.0.0", "3.0.0", load.NOBODY] == [version for version, _ in counted.failures]
    assert Counts() == counted.of("2.0.0")


def test_a_snapshot_does_not_change() -> None:
    """What was counted later is in a later snapshot."""
    tally = Tally(podinfo.version_of)
    before = tally.snapshot()
    tally.add(Response(1.0, 200, 0.01, of("1.0.0")))

    assert (0, 1) == (before.requests, tally.snapshot().requests)


def test_percentiles_are_true_to_five_percent() -> None:
    """Of 99 requests of 10 ms and one of a second, the 99th percentile is the former and the 100th the latter."""
    counts = Counts()
    for latency_seconds in [0.01] * 99 + [1.0]:
        counts = counts.with_one_more(Response(1.0, 200, latency_seconds))

    assert counts.latency_seconds(99) == pytest.approx(0.01, rel=0.05)
    assert counts.latency_seconds(100) == pytest.approx(1.0, rel=0.05)
    assert Counts().latency_seconds(99) == 0


def test_errors_have_a_first_and_a_last() -> None:
    """The time in which users were hurt spans the errors, in whatever order the answers came."""
    counts = Counts()
    for at, code in ((5.0, 500), (3.0, 500), (9.0, 200), (1.0, 200)):
        counts = counts.with_one_more(Response(at, code, 0.01))

    assert (1.0, 9.0) == (counts.first_at, counts.last_at)
    assert (3.0, 5.0) == (counts.first_error_at, counts.last_error_at)
