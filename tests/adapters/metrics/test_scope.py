"""Queries of one namespace and of another: what ties each to its own, and what keeps names and values from more."""

import dataclasses
import json
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from headgate.adapters.metrics import request_context, transport
from headgate.adapters.metrics.prometheus import PrometheusServer
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Key, Reading
from tests.adapters.metrics import hostile_server
from tests.adapters.metrics.requests_for import metric, ticks
from tests.adapters.metrics.sampled import T, world
from tests.prometheus import scripts
from tests.prometheus.server import Asked, ScriptedPrometheus

TICKS = range(1_700_000_000, 1_700_000_030 + 1, 10)
SECRET = "s3cr3t-t3nant"  # noqa: S105 - it opens nothing
SCOPED: dict[str, Any] = {"namespace_header": "X-Scope-OrgID", "namespace_parameter": "namespace"}


def asked_for(namespace: str, *, trusted: bool = True, query: str = "up", **settings: Any) -> tuple[Reading, Any]:
    """Return what is understood, and what the server was asked, if it was."""
    with ScriptedPrometheus(scripts.constant(1)) as prometheus:
        default = prometheus.address if trusted else "http://the-default"
        server = PrometheusServer(prometheus.address, ServerSettings(address=default, **settings))
        reading = server.read(query, TICKS, namespace)
        server.close()
        asked: list[Asked] = prometheus.asked
        return reading, asked[0] if asked else None


@pytest.mark.parametrize("trusted", [True, False])
def test_the_namespace_goes_with_every_query_to_every_server(trusted: bool) -> None:  # noqa: FBT001 - a parameter
    """A server behind which tenants are told apart hears for whom it is asked; another address is no way around it."""
    reading, asked = asked_for("team-a", trusted=trusted, **SCOPED)

    assert not reading.problem
    assert asked.headers["X-Scope-OrgID"] == "team-a"
    assert asked.form["namespace"] == "team-a"


def test_without_settings_nothing_is_added() -> None:
    """A query goes out as it always did."""
    _, asked = asked_for("team-a")

    assert set(asked.form) == {"query", "start", "end", "step", "timeout"}
    assert not {name.lower() for name in asked.headers} - {
        "host",
        "user-agent",
        "accept",
        "accept-encoding",
        "connection",
    }


@pytest.mark.parametrize(
    "query", ["up&namespace=payroll", "up#", "up\r\nX-Scope-OrgID: payroll", "up?namespace=b", "é&"]
)
def test_no_query_changes_for_whom_it_is_asked(query: str) -> None:
    """What a Rollout writes stays within the question."""
    _, asked = asked_for("team-a", query=query, **SCOPED)

    assert asked.form["namespace"] == "team-a"
    assert asked.form["query"] == query
    assert asked.headers["X-Scope-OrgID"] == "team-a"


@pytest.mark.parametrize(
    "namespace", ["", "a b", "a\r\nX-Other: b", "a|b", "a&query=up", "Ä", "..", "a" * 64, "a\x00", "-a", "a.b"]
)
@pytest.mark.parametrize("settings", [{"namespace_header": "X-Scope-OrgID"}, {"namespace_parameter": "namespace"}])
def test_what_is_no_namespace_is_not_asked_for(namespace: str, settings: dict[str, Any]) -> None:
    """Mimir reads a|b as two tenants: only what Kubernetes allows as a namespace is ever sent."""
    reading, asked = asked_for(namespace, **settings)

    assert reading.problem.endswith("it was not asked: the namespace's name is none that Kubernetes gives")
    assert asked is None


@pytest.mark.parametrize(
    "name",
    ["X Scope", "X-Scope:", "X-Scope\r\nX", "é", "-x", "x" * 101, "Authorization", "HOST", "content-length", "Cookie"],
)
def test_a_header_that_cannot_be_filled_is_refused_at_the_start(name: str) -> None:
    """A name that would split the request, or take the place of a header of ours, never counts."""
    with pytest.raises(ValueError, match="is no header that can be filled with the namespace"):
        ServerSettings(namespace_header=name)


@pytest.mark.parametrize(
    "name", ["a b", "a=b", "a&b", "a#", "query", "start", "end", "step", "timeout", "é", "1", "a\n"]
)
def test_a_parameter_that_cannot_be_filled_is_refused_at_the_start(name: str) -> None:
    """A name that would be another parameter, or take the place of one of ours, never counts."""
    with pytest.raises(ValueError, match="is no query parameter that can be filled with the namespace"):
        ServerSettings(namespace_parameter=name)


async def test_namespaces_are_asked_for_apart() -> None:
    """The same query of two namespaces is two queries, and each namespace gets the answer to its own."""
    with ScriptedPrometheus() as prometheus:
        tenants = {"team-a": 1.0, "team-b": 2.0}
        prometheus.receive = lambda asked: _by_tenant(prometheus, asked, tenants)  # type: ignore[method-assign]  # one test
        async with world(address=prometheus.address, namespace_header="X-Scope-OrgID") as w:
            keys = [Key(namespace, "web") for namespace in tenants]
            for key in keys:
                w.sampler.read(key, [ticks(T, T)])
            await w.bell.rings(2)
            got = [w.sampler.read(key, [ticks(T, T)])["errors"].samples[0].value for key in keys]

            assert got == [1.0, 2.0]
            assert sorted(asked.headers["X-Scope-OrgID"] for asked in prometheus.asked) == ["team-a", "team-b"]


def _by_tenant(prometheus: ScriptedPrometheus, asked: Asked, tenants: dict[str, float]) -> scripts.Rule:
    ScriptedPrometheus.receive(prometheus, asked)
    return scripts.constant(tenants[asked.headers["X-Scope-OrgID"]])


async def test_many_namespaces_at_once_get_their_own() -> None:
    """With all places of a server in use, and connections that are used again, no header goes with another's query."""
    with ScriptedPrometheus() as prometheus:
        tenants = {f"team-{number}": float(number) for number in range(40)}
        prometheus.receive = lambda asked: _by_tenant(prometheus, asked, tenants)  # type: ignore[method-assign]  # one test
        async with world(address=prometheus.address, **SCOPED) as w:
            wanted = {
                Key(name, "web"): [ticks(T, T, metric(f"q{n}", name=f"q{n}")) for n in range(5)] for name in tenants
            }
            for key, requests in wanted.items():
                w.sampler.read(key, requests)
            await w.bell.rings(200)

            for key, requests in wanted.items():
                readings = w.sampler.read(key, requests).values()
                assert {reading.samples[0].value for reading in readings} == {tenants[key.namespace]}
            assert all(asked.form["namespace"] == asked.headers["X-Scope-OrgID"] for asked in prometheus.asked)


def test_a_cookie_of_one_query_does_not_go_with_the_next() -> None:
    """A proxy that ties a session to a namespace by a cookie is not handed it with another namespace's query."""
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": []}}).encode()
    head = b"HTTP/1.1 200 OK\r\nSet-Cookie: tenant=team-a; Path=/\r\nContent-Length: %d\r\n\r\n" % len(body)
    heard: list[bytes] = []

    def play(connection: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            connection.sendall(head + body)
            heard.append(connection.recv(65_536))

    with hostile_server.serving(play) as port:
        address = f"http://127.0.0.1:{port}"
        server = PrometheusServer(address, ServerSettings(address=address))
        problems = [server.read("up", TICKS, namespace).problem for namespace in ("team-a", "team-b", "team-b")]
        server.close()

    assert problems == [""] * 3
    assert heard
    assert not any(b"cookie" in request.lower() for request in heard)


def test_fixed_headers_are_read_anew_and_go_to_the_default_address_alone(tmp_path: Path) -> None:
    """What the file holds now is sent, beside the token; an address that a Rollout names gets none of it."""
    file, token = tmp_path / "headers", tmp_path / "token"
    token.write_text("t0ken")
    settings: dict[str, Any] = {"headers_file": file, "bearer_token_file": token}
    for value in ("first", "second one"):
        file.write_text(f"# the tenant\n\nX-Scope-OrgID: {value}\r\nX-Other:more \n")
        _, asked = asked_for("team-a", **settings)
        assert asked.headers["X-Scope-OrgID"] == value
        assert asked.headers["X-Other"] == "more"
        assert asked.headers["Authorization"] == "Bearer t0ken"
    reading, asked = asked_for("team-a", trusted=False, **settings)
    assert not reading.problem
    assert "X-Scope-OrgID" not in asked.headers


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("", "holds 0 headers"),
        (f"X-A {SECRET}", "line 1 is no header"),
        (f"X-A: ok\nX B: {SECRET}", "line 2 is no header"),
        (f"X-A: {SECRET}\x00", "line 1 is no header"),
        (f"X-A: {SECRET}\rX-B: b", "line 1 is no header"),
        (f"X-A: {SECRET}\x0bX-B: b", "line 1 is no header"),
        (f"X-A: {SECRET}é", "line 1 is no header"),
        (f"X-A: {SECRET}\n folded", "line 2 is no header"),
        ("X-A:", "line 1 is no header"),
        (f"X-A: {SECRET * 1000}", "line 1 is no header"),
        (f"Content-Length: {SECRET}", "line 1 names a header that is ours to send"),
        (f"Host: {SECRET}", "line 1 names a header that is ours to send"),
        (f"X-A: {SECRET}\nx-a: {SECRET}", "line 2 names a header that is ours to send, or names it twice"),
        ("".join(f"X-{n}: {SECRET}\n" for n in range(33)), "holds 33 headers"),
        (f"Authorization: {SECRET}", "names Authorization, beside a token or a user name and password"),
        (f"x-scope-orgid: {SECRET}", "names X-Scope-OrgID, which the Rollout's namespace fills"),
    ],
)
def test_a_file_that_holds_no_headers_is_a_problem(content: str | None, words: str, tmp_path: Path) -> None:
    """Nothing is sent without all of them; the message names the file and the line, and nothing that is in it."""
    file, token = tmp_path / "headers", tmp_path / "token"
    token.write_text("t0ken")
    if content is not None:
        file.write_bytes(content.encode())
    reading, asked = asked_for("team-a", headers_file=file, bearer_token_file=token, **SCOPED)

    assert str(file) in reading.problem
    assert words in reading.problem
    assert SECRET not in str(dataclasses.asdict(reading))
    assert asked is None


def test_authorization_may_come_from_the_file_alone(tmp_path: Path) -> None:
    """A scheme of its own is possible where neither token nor password is given."""
    file = tmp_path / "headers"
    file.write_text("Authorization: ApiKey abcdef\n")
    _, asked = asked_for("team-a", headers_file=file)

    assert asked.headers["Authorization"] == "ApiKey abcdef"


@pytest.mark.parametrize(
    "rule",
    [
        scripts.error(status=401, message=f"no tenant {SECRET}"),
        scripts.constant(1, warnings=(f"who is {SECRET}",)),
        scripts.raw("{}", content_type=SECRET),
        scripts.redirect(f"http://{SECRET}/"),
        scripts.Rule(drop=True),
        scripts.raw("[" * 100_000),
    ],
)
def test_a_value_that_comes_back_is_not_repeated(
    rule: scripts.Rule, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the reading, nor the log, nor what the parts say of themselves holds a value of the file."""
    file = tmp_path / "headers"
    file.write_text(f"X-Scope-OrgID: {SECRET}\n")
    caplog.set_level(logging.DEBUG)
    with ScriptedPrometheus(rule) as prometheus:
        settings = ServerSettings(address=prometheus.address, headers_file=file)
        server = PrometheusServer(prometheus.address, settings)
        reading = server.read("up", TICKS, "team-a")
        server.close()

        assert prometheus.asked[0].headers["X-Scope-OrgID"] == SECRET
    assert SECRET not in f"{dataclasses.asdict(reading)}{caplog.text}{settings!r}{server!r}{server._scope!r}"


def test_the_reader_of_the_file_raises_in_words_only(tmp_path: Path) -> None:
    """What goes wrong has no cause that would quote the file."""
    file = tmp_path / "headers"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(transport.QueryError, match="are not UTF-8") as raised:
        request_context.fixed_headers(file)

    assert raised.value.__cause__ is None
