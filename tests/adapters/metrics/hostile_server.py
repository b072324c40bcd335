"""A server on this machine that says what it likes, as slowly as it likes."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator

Play = Callable[[socket.socket, threading.Event], None]
"""What the server does with a connection whose request it has read, until the event says that it is over."""


@contextlib.contextmanager
def serving(play: Play, *, tls: ssl.SSLContext | None = None, greets: bool = True) -> Iterator[int]:
    """Give the port of a server that plays with each connection; one that does not greet reads no request first."""
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(_secured(connection, tls)) as opened:
            if greets:
                opened.recv(65_536)
            play(opened, over)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()


def dripping(text: bytes, begins: int, *, every_seconds: float = 0.02) -> Play:
    """Return what sends *text* at once up to a byte, and one byte at a time from there on; it never ends."""

    def play(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(text[:begins])
        for at in range(begins, len(text)):
            if over.wait(every_seconds):
                return
            connection.sendall(text[at : at + 1])
        over.wait()

    return play


def flooding(head: bytes, piece: bytes) -> Play:
    """Return what sends *head*, and *piece* again and again for ever."""

    def play(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        while not over.is_set():
            connection.sendall(piece)

    return play


def _secured(connection: socket.socket, tls: ssl.SSLContext | None) -> socket.socket:
    return connection if tls is None else tls.wrap_socket(connection, server_side=True)
