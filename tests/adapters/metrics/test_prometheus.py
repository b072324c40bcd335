"""One query to one server: every way to answer, and the Reading that it becomes."""

import contextlib
import dataclasses
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from hack.cluster import certificates
from headgate.adapters.metrics import series, transport
from headgate.adapters.metrics.prometheus import PrometheusServer
from headgate.adapters.metrics.settings import ServerSettings
from headgate.api.status import Outcome
from headgate.core.model import Reading, Sample
from tests.prometheus import scripts
from tests.prometheus.server import ScriptedPrometheus

TICKS = range(1_700_000_000, 1_700_000_030 + 1, 10)
SECRET = "s3cr3t-t0ken"  # noqa: S105 - it opens nothing


@contextlib.contextmanager
def asking(server_address: str, **settings: Any) -> Iterator[PrometheusServer]:
    """Give a server to ask; it is the operator's own unless *settings* say otherwise."""
    server = PrometheusServer(server_address, ServerSettings(**({"address": server_address} | settings)))
    try:
        yield server
    finally:
        server.close()


def read(*rules: scripts.Rule, ticks: range = TICKS, **settings: Any) -> Reading:
    """Return what a server that answers by *rules* is understood to say."""
    with ScriptedPrometheus(*rules) as prometheus, asking(prometheus.address, **settings) as server:
        return server.read("up", ticks)


def matrix(result: str, **more: str) -> scripts.Rule:
    """Return a rule that answers with *result*, whatever that is."""
    extra = "".join(f',"{name}":{value}' for name, value in more.items())
    return scripts.raw(f'{{"status":"success","data":{{"resultType":"matrix","result":{result}}}{extra}}}')


def test_each_tick_has_its_value() -> None:
    """A single series gives the value at each tick, in order."""
    reading = read(scripts.Rule(values=((0, 0.25), (TICKS[2], 1e-9))))

    assert reading == Reading(
        tuple(Sample(at, value) for at, value in zip(TICKS, (0.25, 0.25, 1e-9, 1e-9), strict=True))
    )


def test_ticks_without_data_stand_between_those_with() -> None:
    """A tick that is absent from the answer has no data; its neighbours keep their values."""
    reading = read(scripts.Rule(values=((0, 1.0), (TICKS[1], None), (TICKS[2], 2.0))))

    assert [sample.value for sample in reading.samples] == [1.0, None, 2.0, 2.0]
    assert reading.samples[1].outcome is Outcome.NO_DATA


@pytest.mark.parametrize(
    ("rule", "outcome", "message"),
    [
        (scripts.empty(), Outcome.NO_DATA, "no value"),
        (scripts.constant("NaN"), Outcome.NO_DATA, "NaN"),
        (scripts.constant("+Inf"), Outcome.AMBIGUOUS, "+Inf"),
        (scripts.constant("-Inf"), Outcome.AMBIGUOUS, "-Inf"),
        (scripts.constant(1, series=3), Outcome.AMBIGUOUS, "3 series"),
        (scripts.constant(1, histogram=True), Outcome.AMBIGUOUS, "native histogram"),
        (scripts.constant(1, warnings=("store 2 is down",)), Outcome.AMBIGUOUS, "store 2 is down"),
        (matrix("[]", isPartial="true"), Outcome.AMBIGUOUS, "partial"),
    ],
)
def test_what_is_no_single_finite_value_is_typed(rule: scripts.Rule, outcome: Outcome, message: str) -> None:
    """An answer that is not one finite number is neither a value nor a problem, and says what it was."""
    reading = read(rule)

    assert not reading.problem
    assert [sample.at for sample in reading.samples] == list(TICKS)
    assert {(sample.value, sample.outcome) for sample in reading.samples} == {(None, outcome)}
    assert message in reading.samples[0].message


def test_each_tick_is_judged_alone() -> None:
    """Two series that never meet at a tick are not ambiguous: it does not matter how many ticks are read at once."""
    first, second, third, _ = TICKS
    series = f'[{{"metric":{{"a":"1"}},"values":[[{first},"1"],[{second},"2"]]}},'
    series += f'{{"metric":{{"a":"2"}},"values":[[{second},"3"],[{third},"4"]]}}]'

    samples = read(matrix(series)).samples

    assert [sample.value for sample in samples] == [1.0, None, 4.0, None]
    assert [sample.outcome for sample in samples] == [None, Outcome.AMBIGUOUS, None, Outcome.NO_DATA]


def test_ticks_that_nobody_asked_for_are_ignored() -> None:
    """VictoriaMetrics widens long ranges; what lies outside is of no interest."""
    wide = f'[{{"metric":{{}},"values":[[{TICKS[0] - 10},"5"],[{TICKS[0]},"1"],[{TICKS[-1] + 10},"5"]]}}]'

    assert [sample.value for sample in read(matrix(wide)).samples] == [1.0, None, None, None]


AT = TICKS[0]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (scripts.html(), "text/html"),
        (scripts.raw("", content_type=""), "HTTP 200"),
        (scripts.raw("null"), "HTTP 200"),
        (scripts.raw("[" * 100_000), "HTTP 200"),
        (scripts.raw("9" * 10_000), "HTTP 200"),
        (scripts.raw("{}"), "no success"),
        (scripts.error(status=200), "execution: query processing would load too many samples"),
        (scripts.error(status=400, message="parse error"), "HTTP 400: execution: parse error"),
        (scripts.error(status=422), "HTTP 422"),
        (scripts.raw("no", status=401, content_type="text/plain"), "HTTP 401"),
        (scripts.raw("oops", status=500), "HTTP 500"),
        (scripts.raw("busy", status=503), "HTTP 503"),
        (scripts.raw("slow down", status=429), "HTTP 429"),
        (scripts.raw("", status=204), "HTTP 204"),
        (scripts.Rule(drop=True), "the connection failed"),
        (scripts.raw('{"status":"success"}'), "not a matrix"),
        (scripts.raw('{"status":"success","data":{"resultType":"vector","result":[]}}'), "not a matrix"),
        (scripts.raw('{"status":"success","data":{"resultType":"matrix","result":{}}}'), "not a matrix"),
        (matrix("[]", warnings='"none"'), "not a matrix"),
        (matrix("[1]"), "not a matrix"),
        (matrix('[{"values":[]}]'), "not a matrix"),
        (matrix('[{"metric":{},"values":{}}]'), "not a matrix"),
        (matrix('[{"metric":{},"values":[1]}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT}]]}}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT},1]]}}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT},"1_0"]]}}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT},"infinity"]]}}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[["{AT}","1"]]}}]'), "not a matrix"),
        (matrix('[{"metric":{},"values":[[true,"1"]]}]'), "not a matrix"),
        (matrix('[{"metric":{},"values":[[1e999,"1"]]}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT}.5,"1"]]}}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"histograms":[{AT}]}}]'), "not a matrix"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT + 1},"1"]]}}]'), "other points in time"),
        (matrix(f'[{{"metric":{{}},"values":[[{AT},"1"],[{AT},"2"]]}}]'), "other points in time"),
    ],
)
def test_what_is_no_answer_is_a_problem(rule: scripts.Rule, message: str) -> None:
    """Whatever is not an answer as Prometheus writes it leaves the ticks unread, says so, and raises nothing."""
    reading = read(rule)

    assert reading.samples == ()
    assert reading.problem.startswith("Prometheus at http://127.0.0.1:")
    assert message in reading.problem
    assert len(reading.problem) < 1000


def test_one_query_is_one_request() -> None:
    """No retries behind our back: a server that is overloaded is asked once."""
    with ScriptedPrometheus(scripts.raw("busy", status=503)) as prometheus, asking(prometheus.address) as server:
        server.read("up", TICKS)

        assert [(asked.query, asked.ticks) for asked in prometheus.asked] == [("up", TICKS)]


@pytest.mark.parametrize(("seconds", "sent"), [(5.0, "5000ms"), (0.25, "250ms"), (0.0001, "1ms")])
def test_prometheus_is_told_how_long_we_wait(seconds: float, sent: str) -> None:
    """The server stops working on what nobody waits for any more."""
    with (
        ScriptedPrometheus() as prometheus,
        asking(prometheus.address, timeout_seconds=seconds, connect_timeout_seconds=1.0) as server,
    ):
        server.read("up", TICKS)
        prometheus.wait_for(1)

        assert prometheus.asked[0].form["timeout"] == sent


def test_an_answer_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our check of an answer and prometheus-api-client look at the same parsed body."""
    parsed: list[object] = []
    parse = requests.Response.json

    def counted(response: requests.Response, **options: Any) -> Any:
        parsed.append(response)
        return parse(response, **options)

    monkeypatch.setattr(requests.Response, "json", counted)
    assert len(read(scripts.constant(1)).samples) == len(TICKS)
    assert len(parsed) == 1


def test_the_default_bound_takes_every_answer_of_one_value() -> None:
    """As many ticks as are ever asked for, with long labels and numbers, fit into it many times; ten series do, too."""
    ticks = range(1_700_000_000, 1_700_000_000 + 3600 * series.TICKS_PER_QUERY, 3600)

    assert len(read(scripts.constant("1.2345678901234567e-300", series=10), ticks=ticks).samples) == len(ticks)


def test_queries_share_a_connection() -> None:
    """A connection is used again, also after an answer that was a problem."""
    rules = (scripts.raw("busy", times=1, status=503), scripts.constant(1))
    with ScriptedPrometheus(*rules) as prometheus, asking(prometheus.address) as server:
        for _ in range(3):
            server.read("up", TICKS)

        assert len({asked.port for asked in prometheus.asked}) == 1


def test_a_refused_connection_is_a_problem() -> None:
    """A server that is gone is named, with the system's own words."""
    with ScriptedPrometheus() as prometheus:
        address = prometheus.address

    with asking(address) as server:
        assert server.read("up", TICKS) == Reading(
            problem=f"Prometheus at {address}: the connection failed: Connection refused"
        )


def test_a_name_that_does_not_resolve_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's own words are told."""

    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with asking("http://prometheus.invalid:9090") as server:
        assert "the connection failed: Name or service not known" in server.read("up", TICKS).problem


def test_a_server_that_does_not_answer_is_given_up() -> None:
    """The timeout is the setting's, and the message is the same each time."""
    with (
        ScriptedPrometheus(scripts.Rule(hang=True)) as prometheus,
        asking(prometheus.address, timeout_seconds=0.1) as server,
    ):
        problem = server.read("up", TICKS).problem

        assert problem == f"Prometheus at {prometheus.address}: no answer within 0.1 s"


def test_a_connection_that_is_not_taken_is_given_up() -> None:
    """A packet filter that swallows everything is told from a server that thinks."""
    why = transport.describe(requests.ConnectTimeout(), connect_seconds=2.0, read_seconds=5.0)

    assert why == "no connection within 2 s"


def test_a_server_that_drips_is_given_up() -> None:
    """A byte now and then keeps a socket alive, but not our patience."""
    stopped = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not stopped.wait(0.02):
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        with asking(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_seconds=0.3) as server:
            problem = server.read("up", TICKS).problem
        stopped.set()
        thread.join()

    assert "no answer within 0.3 s" in problem


def test_an_answer_that_is_too_large_is_not_read() -> None:
    """Memory is bounded, also for what gzip makes small on the wire."""
    assert "larger than 262,144 bytes" in read(scripts.raw(" " * 10_000_000)).problem


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, tmp_path: Path) -> None:
    """A redirect is a problem that names the host alone, and nobody gets the token by it."""
    token = tmp_path / "token"
    token.write_text(SECRET)
    with ScriptedPrometheus() as elsewhere:
        location = elsewhere.address.replace("://", "://user:hunter2@") + "/api/v1/query_range?key=hunter2"
        reading = read(scripts.redirect(location, status=status), bearer_token_file=token)

        assert elsewhere.asked == []
    assert reading.problem.endswith(f"HTTP {status}, a redirect to 127.0.0.1: redirects are not followed")


def test_a_redirect_to_nowhere_is_a_problem() -> None:
    """A location that is no URL is not repeated."""
    assert read(scripts.redirect("http://[", status=302)).problem.endswith("a redirect: redirects are not followed")


def test_a_rotated_token_is_used_at_once(tmp_path: Path) -> None:
    """The file is read at each request."""
    token = tmp_path / "token"
    with (
        ScriptedPrometheus(scripts.constant(1)) as prometheus,
        asking(prometheus.address, bearer_token_file=token) as server,
    ):
        for content in ("first-token\n", "second-token"):
            token.write_text(content)
            server.read("up", TICKS)

        sent = [asked.headers["Authorization"] for asked in prometheus.asked]
    assert sent == ["Bearer first-token", "Bearer second-token"]


def test_a_user_name_and_password_are_sent(tmp_path: Path) -> None:
    """Basic auth comes from two files, which may end with a newline and hold any UTF-8."""
    username, password = tmp_path / "username", tmp_path / "password"
    username.write_text("headgate\n")
    password.write_text("pässwort\n")
    with (
        ScriptedPrometheus(scripts.constant(1)) as prometheus,
        asking(prometheus.address, username_file=username, password_file=password) as server,
    ):
        server.read("up", TICKS)

        assert prometheus.asked[0].headers["Authorization"] == "Basic aGVhZGdhdGU6cMOkc3N3b3J0"


def test_credentials_go_to_the_default_address_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An allowed address gets neither the operator's token nor what a ~/.netrc or a proxy setting would add."""
    token, netrc = tmp_path / "token", tmp_path / "netrc"
    token.write_text(SECRET)
    netrc.write_text("machine 127.0.0.1 login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with ScriptedPrometheus(scripts.constant(1)) as prometheus:
        with asking(prometheus.address, address="http://the-default", bearer_token_file=token) as server:
            reading = server.read("up", TICKS)

        assert not reading.problem
        assert "Authorization" not in prometheus.asked[0].headers


@pytest.mark.parametrize("content", [None, b"", b"two words", b"two\nlines", b"\xff\xfe"])
def test_credentials_that_cannot_be_read_are_a_problem(content: bytes | None, tmp_path: Path) -> None:
    """Nothing is sent without the token, and the message names the file, not what is in it."""
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)
    with (
        ScriptedPrometheus(scripts.constant(1)) as prometheus,
        asking(prometheus.address, bearer_token_file=token) as server,
    ):
        problem = server.read("up", TICKS).problem

        assert prometheus.asked == []
    assert str(token) in problem
    assert "two" not in problem.replace(str(token), "")


@pytest.mark.parametrize(
    "rule",
    [
        scripts.error(status=401, message=f"who is Bearer {SECRET}"),
        scripts.constant(1, warnings=(f"who is {SECRET}",)),
        scripts.raw("{}", content_type=SECRET),
        scripts.raw("[]", content_type=f"text/{SECRET}"),
    ],
)
def test_a_secret_that_comes_back_is_not_repeated(rule: scripts.Rule, tmp_path: Path) -> None:
    """A proxy that echoes what it was sent puts no token into a Rollout's status."""
    token = tmp_path / "token"
    token.write_text(SECRET)

    reading = read(rule, bearer_token_file=token)

    assert SECRET not in str(dataclasses.asdict(reading))


def test_half_a_character_in_a_query_is_a_problem() -> None:
    """A query that has no UTF-8 cannot be asked; it raises nothing."""
    with ScriptedPrometheus() as prometheus, asking(prometheus.address) as server:
        assert "cannot be used: UnicodeEncodeError" in server.read("\ud800", TICKS).problem


def test_the_ca_is_the_one_that_is_mounted(tmp_path: Path) -> None:
    """A server is believed by the mounted authority alone."""
    ours, theirs = (certificates.authority(tmp_path / name, name) for name in ("ours", "theirs"))
    pair = ours.server("prometheus", ["127.0.0.1"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    with ScriptedPrometheus(scripts.constant(1), tls=tls) as prometheus:
        address = prometheus.address
        readings = []
        for ca_file in (ours.pair.certificate, theirs.pair.certificate, tmp_path / "missing"):
            with asking(address, ca_file=ca_file) as server:
                readings.append(server.read("up", TICKS))

    assert not readings[0].problem
    assert "TLS failed: [SSL: CERTIFICATE_VERIFY_FAILED]" in readings[1].problem
    assert "invalid path" in readings[2].problem
