"""The connection to a server: no retries, no redirects, bounded answers, and failures in words.

Owns what prometheus-api-client leaves to its session. Knows HTTP; must not know Prometheus or any secret.
"""

import contextlib
import io
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests
import requests.adapters
import urllib3

from headgate import __version__

_CHUNK_BYTES: Final = 65_536


class Unanswered(Exception):
    """There is no answer, or none that can be understood; the message says why, for users, and holds no secret."""


class Session(requests.Session):
    """A session that is steered by nothing but its settings, and goes nowhere else than it was sent."""

    def __init__(self) -> None:
        super().__init__()
        # Neither proxies nor ~/.netrc nor CA bundles from the environment.
        self.trust_env = False
        self.headers["User-Agent"] = f"headgate/{__version__}"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: a redirect is an answer like any other, and nobody's token follows it."""
        del resp
        return None


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Reads an answer whole, up to a size and within a time.

    The timeout of requests is for each wait on the socket: a server that sends one byte every few seconds could hold a
    thread for hours.
    """

    def __init__(self, *, connections: int, timeout_seconds: float, bytes_max: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._timeout_seconds = timeout_seconds
        self._bytes_max = bytes_max

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002  # the signature of requests
        timeout: Any = None,
        verify: bool | str = True,  # noqa: FBT001, FBT002  # the signature of requests
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send *request* and return the response with its body in memory."""
        del stream
        response = super().send(request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
        with _closed_on_failure(response.raw):
            response.raw = io.BytesIO(self._read(response.raw))
        return response

    def _read(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        ends = time.monotonic() + self._timeout_seconds
        body = bytearray()
        while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self._bytes_max:
                raise Unanswered(f"the answer is larger than {self._bytes_max:,} bytes: does the query give one value?")
            if time.monotonic() > ends:
                raise requests.ReadTimeout
        return bytes(body)


@contextlib.contextmanager
def _closed_on_failure(raw: urllib3.BaseHTTPResponse) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # Half an answer is left in this connection: it is of no use for the next query.
        raw.close()
        raise


def describe(error: Exception, *, connect_seconds: float, read_seconds: float) -> str:
    """Return what went wrong, in words that are the same each time and hold neither the query nor a header."""
    causes = list(_causes(error))
    # requests' own errors are OSErrors too; the innermost one with words has them from the system.
    said = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    if said:
        return f"{'TLS' if isinstance(error, requests.exceptions.SSLError) else 'the connection'} failed: {said[-1]}"
    if any(isinstance(cause, requests.ConnectTimeout) for cause in causes):
        return f"no connection within {connect_seconds:g} s"
    if any(isinstance(cause, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError) for cause in causes):
        return f"no answer within {read_seconds:g} s"
    if isinstance(error, requests.RequestException | urllib3.exceptions.HTTPError):
        return f"the connection failed: {type(causes[-1]).__name__}"
    if isinstance(error, OSError):
        return f"it cannot be asked: {error}"
    return f"its answer cannot be used: {type(error).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        reason = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = cause.__cause__ or cause.__context__ or reason
