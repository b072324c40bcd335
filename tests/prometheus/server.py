"""The server: answers by its script and remembers what it was asked.

Listens on loopback only. Control, beside Prometheus' own paths: `PUT /script` with a list of rules, `GET /requests` for
what was asked since the last `DELETE /requests`. Must not know what a query means.
"""

import dataclasses
import gzip
import http.server
import json
import socket
import ssl
import threading
import time
import types
import urllib.parse
from collections.abc import Iterable
from typing import Any, Self

from hack.cluster import free_port
from tests.prometheus import scripts

ANSWER_SECONDS = 10.0


@dataclasses.dataclass(slots=True)
class Asked:
    """One query as it came in."""

    path: str
    query: str
    first: int
    last: int
    step: int
    headers: dict[str, str]
    port: int
    """The client's: the same for queries over one connection."""
    arrived: float
    answered: float | None = None
    """When the answer was ready to be sent: nobody can have had it before."""
    form: dict[str, str] = dataclasses.field(default_factory=dict)
    """All parameters, as they came in."""

    @property
    def ticks(self) -> range:
        """The points in time that were asked for."""
        return range(self.first, self.last + 1, self.step)


class ScriptedPrometheus:
    """A server in a thread: start it with `with`, script it, look at what it was asked."""

    def __init__(self, *rules: scripts.Rule, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._changed = threading.Condition()
        self._rules: list[scripts.Rule] = []
        self._left: list[int | None] = []
        self._asked: list[Asked] = []
        self._released = threading.Event()
        # Its own for good, also while it is stopped: no outgoing connection may take it meanwhile.
        self._port = port or free_port()
        self._tls = tls
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.script(*rules)

    @property
    def address(self) -> str:
        """Where the server listens."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}"

    @property
    def asked(self) -> list[Asked]:
        """The queries that came in since the last `forget`, in order."""
        with self._changed:
            return list(self._asked)

    def script(self, *rules: scripts.Rule) -> None:
        """Answer by *rules* from now on; the first that matches counts."""
        with self._changed:
            self._rules = list(rules)
            self._left = [rule.times for rule in rules]

    def release(self) -> None:
        """Let every query that hangs or is delayed be answered at once, now and from now on."""
        self._released.set()

    def forget(self) -> None:
        """Forget what was asked."""
        with self._changed:
            self._asked.clear()

    def ticks(self, match: str = "") -> list[int]:
        """Return all points in time that were asked for by queries in which *match* occurs, in order of arrival."""
        return [tick for asked in self.asked if match in asked.query for tick in asked.ticks]

    def wait_for(self, count: int, deadline_seconds: float = ANSWER_SECONDS) -> None:
        """Wait until *count* queries have come in.

        Raises:
            TimeoutError: if they have not by the deadline.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._asked) >= count, deadline_seconds):
                message = f"{len(self._asked)} of {count} queries after {deadline_seconds} s"
                raise TimeoutError(message)

    def start(self) -> None:
        """Listen; a server that was stopped listens where it did before, and what its rules let hang hangs again."""
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", self._port), self, self._tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on; queries that hang are answered."""
        self._released.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.stop()

    def receive(self, asked: Asked) -> scripts.Rule:
        """Remember what was *asked* and return the rule to answer by, once its delay is over."""
        with self._changed:
            rule = self._matching(asked.query)
            self._asked.append(asked)
            self._changed.notify_all()
        if rule.hang or rule.delay_seconds:
            self._released.wait(None if rule.hang else rule.delay_seconds)
        return rule

    def _matching(self, query: str) -> scripts.Rule:
        for index, rule in enumerate(self._rules):
            left = self._left[index]
            if left != 0 and rule.answers(query):
                self._left[index] = None if left is None else left - 1
                return rule
        return scripts.empty()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], prometheus: ScriptedPrometheus, tls: ssl.SSLContext | None) -> None:
        self.prometheus = prometheus
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)
        if tls is not None:
            # The handshake is left to the connection's own thread.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        # A server that is gone keeps no connection alive either.
        for connection in list(self._open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up is part of the play."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: the second one would wait up to 40 ms for the client's word on the first.
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith("/api/v1/query"):
            self._answer(url.path, dict(urllib.parse.parse_qsl(url.query)))
        elif url.path == "/-/ready":
            self._send(200, "Prometheus Server is Ready.\n", "text/plain")
        elif url.path == "/requests":
            self._send(200, json.dumps([dataclasses.asdict(asked) for asked in self.server.prometheus.asked]))
        else:
            self._send(404, "not found\n", "text/plain")

    def do_POST(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(url.path, dict(urllib.parse.parse_qsl(f"{url.query}&{form}")))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            rules = scripts.from_json(json.loads(body))
        except (ValueError, TypeError, AttributeError) as error:
            self._send(400, f"{error}\n", "text/plain")
            return
        self.server.prometheus.script(*rules)
        self._send(200, json.dumps(scripts.to_json(rules)))

    def do_DELETE(self) -> None:
        self.server.prometheus.forget()
        self._send(200, "[]")

    def log_message(self, *_: object) -> None:
        """Say nothing: what was asked is remembered."""

    def _answer(self, path: str, form: dict[str, str]) -> None:
        try:
            asked = self._asked(path, form)
        except (KeyError, ValueError) as error:
            self._send(400, json.dumps({"status": "error", "errorType": "bad_data", "error": str(error)}))
            return
        rule = self.server.prometheus.receive(asked)
        if rule.drop:
            self.close_connection = True
            return
        body = json.dumps(self._said(asked, rule)) if rule.body is None else rule.body
        asked.answered = time.time()
        self._send(rule.status, body, rule.content_type, (("Location", rule.location),) if rule.location else ())

    def _said(self, asked: Asked, rule: scripts.Rule) -> dict[str, Any]:
        if asked.path == "/api/v1/query_range":
            return scripts.matrix(rule, asked.query, asked.ticks)
        return scripts.vector(rule, asked.query, asked.first)

    def _asked(self, path: str, form: dict[str, str]) -> Asked:
        ranged = path == "/api/v1/query_range"
        now = time.time()
        first = int(float(form["start"] if ranged else form.get("time", now)))
        last = int(float(form["end"])) if ranged else first
        step = int(float(form["step"].removesuffix("s"))) if ranged else 1
        if step < 1:
            message = "zero or negative query resolution step widths are not accepted"
            raise ValueError(message)
        headers = dict(self.headers.items())
        return Asked(path, form["query"], first, last, step, headers, self.client_address[1], now, form=form)

    def _send(
        self, status: int, body: str, content_type: str = "application/json", more: Iterable[tuple[str, str]] = ()
    ) -> None:
        content = body.encode()
        if "gzip" in self.headers.get("Accept-Encoding", ""):
            content, more = gzip.compress(content, 1), (*more, ("Content-Encoding", "gzip"))
        self.send_response(status)
        for name, value in (("Content-Type", content_type), ("Content-Length", str(len(content))), *more):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
