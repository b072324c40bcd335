"""Sockets that keep one deadline and one bound of bytes, whatever the server does.

Owns the look-up of a name, the connecting and each wait on a socket. requests' timeout is for each wait alone: a server
that sends one byte of a header now and then, or has thirty addresses, would hold a thread for as long as it likes.
Knows sockets; must not know what is asked.
"""

import concurrent.futures
import contextvars
import io
import ipaddress
import socket
import threading
import time
from typing import Any, Final, Protocol

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_ENVELOPE_BYTES: Final = 65_536
"""What headers, chunk sizes and the TLS layer may take beside the body: more than Prometheus and any proxy send."""


class TooLarge(Exception):
    """The server sent more than an answer may take."""


class Resolver:
    """Looks names up in threads of their own: nothing can stop a look-up, and a name's second one waits for the first.

    So a name server that hangs holds one thread for each name, which is a daemon: no exit waits for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], concurrent.futures.Future[list[Any]]] = {}

    def addresses(self, host: str, port: int, seconds: float) -> list[Any]:
        """Return what `getaddrinfo` says of *host*.

        Raises:
            TimeoutError: if it says nothing within *seconds*.
            OSError: if there is no such name, or no thread to ask in.
        """
        if _is_number(host):
            return socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        return self._look_up(host, port).result(seconds)

    def _look_up(self, host: str, port: int) -> concurrent.futures.Future[list[Any]]:
        with self._lock:
            found = self._running.get((host, port))
            if found is None:
                found = self._running[host, port] = concurrent.futures.Future()
                thread = threading.Thread(
                    target=self._run, args=(found, host, port), name=f"look-up of {host}", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError as error:
                    del self._running[host, port]
                    raise OSError(str(error)) from None
            return found

    def _run(self, found: "concurrent.futures.Future[list[Any]]", host: str, port: int) -> None:
        try:
            addresses = socket.getaddrinfo(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001 - raised again by who waits for it
            self._ended(host, port)
            found.set_exception(error)
        else:
            self._ended(host, port)
            found.set_result(addresses)

    def _ended(self, host: str, port: int) -> None:
        with self._lock:
            del self._running[host, port]


class Limits:
    """What one request may take: so long until the connection stands, so long from there on, and so many bytes."""

    def __init__(self, resolver: Resolver, *, connect_seconds: float, seconds: float, bytes_max: int) -> None:
        self.resolver = resolver
        self._seconds = seconds
        self._bytes_left = bytes_max + _ENVELOPE_BYTES
        self._connected_by = time.monotonic() + connect_seconds
        self._ends = time.monotonic() + seconds

    def connecting_seconds(self) -> float:
        """Return how long the connecting may go on.

        Raises:
            TimeoutError: if that time is over.
        """
        return _positive(self._connected_by - time.monotonic())

    def connected(self) -> None:
        """Begin the time of the answer."""
        self._ends = time.monotonic() + self._seconds

    def answering_seconds(self) -> float:
        """Return how long the answer may still take.

        Raises:
            TimeoutError: if that time is over.
        """
        return _positive(self._ends - time.monotonic())

    def received(self, size: int) -> None:
        """Count *size* bytes.

        Raises:
            TooLarge: if they are too many.
        """
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise TooLarge


LIMITS: Final[contextvars.ContextVar[Limits]] = contextvars.ContextVar("limits of the request in this thread")


def pool_classes() -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Return what urllib3 makes connections with, by scheme."""
    return {"http": _Pool, "https": _SecurePool}


class _Wants(Protocol):
    """What urllib3 has told a connection."""

    host: str
    port: int
    socket_options: Any
    _dns_host: str


def _opened(connection: _Wants) -> socket.socket:
    """Return a socket that is connected to one of the server's addresses, each of which gets its share of the time."""
    limits = LIMITS.get()
    failed: OSError = OSError("the name has no address")
    found = limits.resolver.addresses(connection._dns_host, connection.port, limits.connecting_seconds())  # noqa: SLF001 - urllib3's own name for the host without its last dot
    for index, (family, kind, protocol, _, where) in enumerate(found):
        opened = socket.socket(family, kind, protocol)
        try:
            for option in connection.socket_options or ():
                opened.setsockopt(*option)
            opened.settimeout(limits.connecting_seconds() / (len(found) - index))
            opened.connect(where)
            # A TLS handshake comes next: CPython keeps this for the whole of it.
            opened.settimeout(limits.connecting_seconds())
        except OSError as error:
            opened.close()
            failed = error
        else:
            return opened
    raise failed


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)

    def connect(self) -> None:
        super().connect()
        self.sock = _watched(self.sock)


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connected(self)

    def connect(self) -> None:
        try:
            super().connect()
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, "the TLS handshake takes too long") from error
        self.sock = _watched(self.sock)


def _connected(connection: Any) -> socket.socket:
    """Return the socket of *connection*, and fail in urllib3's words."""
    try:
        return _opened(connection)
    except socket.gaierror as error:
        raise urllib3.exceptions.NameResolutionError(connection.host, connection, error) from error
    except TimeoutError as error:
        raise urllib3.exceptions.ConnectTimeoutError(connection, "no connection in time") from error
    except OSError as error:
        raise urllib3.exceptions.NewConnectionError(connection, "no connection") from error


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def _watched(opened: Any) -> Any:
    LIMITS.get().connected()
    return _Watched(opened)


class _Watched:
    """Stands for a socket whose waits end with the request's time, in whichever request of a reused connection."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def fileno(self) -> int:
        return self._socket.fileno()

    def sendall(self, content: Any) -> None:
        self._socket.settimeout(LIMITS.get().answering_seconds())
        self._socket.sendall(content)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Stream(self._socket))


class _Stream(io.RawIOBase):
    """What a socket receives, as far as the request's limits go."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        # The socket stays open until this is closed, also when the connection has let go of it.
        self._raw = opened.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        limits = LIMITS.get()
        self._socket.settimeout(limits.answering_seconds())
        size = self._raw.readinto(buffer)
        limits.received(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


def _positive(seconds: float) -> float:
    if seconds <= 0:
        # 0 would mean to a socket: do not wait at all.
        raise TimeoutError
    return seconds


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
