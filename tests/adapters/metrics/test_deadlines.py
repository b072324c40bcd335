"""No server holds a thread for longer, or takes more memory, than the settings say, in whichever phase it dawdles."""

import gzip
import resource
import socket
import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hack.cluster import certificates
from headgate.adapters.metrics.prometheus import PrometheusServer
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Reading
from tests.adapters.metrics import hostile_server

TICKS = range(1_700_000_000, 1_700_000_030 + 1, 10)
LIMIT_SECONDS = 0.3
SLACK_SECONDS = 1.5
"""For a machine that is busy: far below what each of these servers would like."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DRIPPED = CHUNKED + b"40;slow=yes\r\n" + b" " * 0x40 + b"\r\n0\r\nX-Trailer: " + b"y" * 1000


def read(port: int, *, scheme: str = "http", host: str = "127.0.0.1", **settings: Any) -> tuple[Reading, float]:
    """Return what a server is understood to say, and how many seconds that took."""
    address = f"{scheme}://{host}:{port}"
    limits: dict[str, Any] = {"timeout_seconds": LIMIT_SECONDS, "connect_timeout_seconds": LIMIT_SECONDS}
    server = PrometheusServer(address, ServerSettings(address=address, **(limits | settings)))
    began = time.monotonic()
    reading = server.read("up", TICKS)
    took = time.monotonic() - began
    server.close()
    return reading, took


def assert_given_up(got: tuple[Reading, float], words: str) -> None:
    """Assert that a server was given up in time, with *words*."""
    reading, took = got
    assert reading.problem.endswith(f"{words} within {LIMIT_SECONDS:g} s"), reading
    assert took < 2 * LIMIT_SECONDS + SLACK_SECONDS


@pytest.mark.parametrize("begins", range(0, len(DRIPPED) - 900, 13))
def test_a_server_that_drips_from_any_byte_on_is_given_up(begins: int) -> None:
    """A byte now and then, in the status line, a header, a chunk's size, its body or a trailer, holds nothing up."""
    with hostile_server.serving(hostile_server.dripping(DRIPPED, begins)) as port:
        assert_given_up(read(port), "no answer")


@pytest.mark.parametrize("begins", [0, len(HEAD), len(CHUNKED) + 3])
def test_a_server_that_drips_through_tls_is_given_up(begins: int, tmp_path: Path) -> None:
    """TLS is no way around the deadline."""
    authority = certificates.authority(tmp_path, "ours")
    pair = authority.server("prometheus", ["127.0.0.1"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    with hostile_server.serving(hostile_server.dripping(DRIPPED, begins), tls=tls) as port:
        assert_given_up(read(port, scheme="https", ca_file=authority.pair.certificate), "no answer")


def test_a_handshake_that_drips_is_given_up() -> None:
    """A TLS record of 16 kB, a byte at a time, ends with the time for the connection."""
    record = hostile_server.dripping(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\x03" * 16_000, 5)
    with hostile_server.serving(record, greets=False) as port:
        assert_given_up(read(port, scheme="https"), "no connection")


def test_a_connection_that_nobody_takes_is_given_up() -> None:
    """Where a packet filter swallows everything, the time for the connection ends it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        # The queue of the listener is full with these; the next one hears nothing.
        full = [socket.socket() for _ in range(4)]
        for waiting in full:
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", port))
        assert_given_up(read(port), "no connection")
        for waiting in full:
            waiting.close()


def test_many_addresses_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with twenty addresses that all swallow everything takes no longer than one, and a good last one is met."""
    tried: list[float] = []

    class Swallows(socket.socket):
        def connect(self, where: Any) -> None:
            if where[1] != 1:
                super().connect(where)
                return
            tried.append(self.gettimeout() or 0.0)
            threading.Event().wait(tried[-1])
            raise TimeoutError

    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 1))] * 20
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    monkeypatch.setattr(socket, "socket", Swallows)
    assert_given_up(read(9090, host="prometheus.example"), "no connection")
    assert len(tried) == 20
    body = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with hostile_server.serving(hostile_server.dripping(answer, len(answer))) as port:
        found.append((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)))
        reading, _ = read(port, host="prometheus.example")

    assert len(reading.samples) == len(TICKS)


def test_a_name_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask for a name meanwhile, one thread hangs for it; once it answers the next one is served."""
    hangs, asked = threading.Event(), []

    def slowly(*wanted: object) -> list[Any]:
        asked.append(wanted)
        hangs.wait()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    limits = ServerSettings(timeout_seconds=LIMIT_SECONDS, connect_timeout_seconds=LIMIT_SECONDS)
    server = PrometheusServer("http://prometheus.example:9090", limits)
    for _ in range(3):
        assert server.read("up", TICKS).problem.endswith(f"no connection within {LIMIT_SECONDS:g} s")
    assert len(asked) == 1
    (looking,) = [thread for thread in threading.enumerate() if thread.name == "look-up of prometheus.example"]
    assert looking.daemon
    hangs.set()
    looking.join()
    assert "Name or service not known" in server.read("up", TICKS).problem
    server.close()


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"y" * 60_000 + b"\r\n"),
        (HEAD + b"\r\n", b" " * 65_536),
        (HEAD + b"Content-Length: 100000000000\r\n\r\n", b" " * 65_536),
        (CHUNKED, b"1\r\n \r\n" * 1000),
        (CHUNKED + b"1;", b"x" * 60_000),
        (CHUNKED + b"0\r\n", b"X-A: " + b"y" * 60_000 + b"\r\n"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b" " * 50_000_000)),
    ],
    ids=["continue", "header", "body", "length", "chunks", "extension", "trailer", "gzip"],
)
def test_a_server_that_floods_is_cut_off(head: bytes, piece: bytes) -> None:
    """What never ends, in any part of an answer, is a problem soon and takes little memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with hostile_server.serving(hostile_server.flooding(head, piece)) as port:
        reading, took = read(port, timeout_seconds=5.0)

    assert reading.problem
    assert reading.samples == ()
    assert took < 5.0 + SLACK_SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_a_reused_connection_has_a_new_deadline() -> None:
    """A connection that served for longer than one query may take serves the next one."""
    body = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body

    taken: list[socket.socket] = []

    def play(connection: socket.socket, over: threading.Event) -> None:
        taken.append(connection)
        while not over.is_set():
            over.wait(LIMIT_SECONDS / 2)
            connection.sendall(answer)
            connection.recv(65_536)

    with hostile_server.serving(play) as port:
        address = f"http://127.0.0.1:{port}"
        server = PrometheusServer(address, ServerSettings(address=address, timeout_seconds=LIMIT_SECONDS))
        problems = [server.read("up", TICKS).problem for _ in range(4)]
        server.close()

    assert problems == [""] * 4
    assert len(taken) == 1
