"""Requests to a server: no retries, no redirects, bounded answers, and failures in words.

Owns what prometheus-api-client leaves to its session. Knows HTTP; must not know Prometheus or any secret.
"""

import contextlib
import http.cookiejar
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests
import requests.adapters
import urllib3

from headgate import __version__
from headgate.adapters.metrics import connections

_CHUNK_BYTES: Final = 65_536


class QueryError(Exception):
    """There is no answer, or none that can be understood; the message says why, for users, and holds no secret."""


class Session(requests.Session):
    """A session that is steered by nothing but its settings, and goes nowhere else than it was sent."""

    def __init__(self) -> None:
        super().__init__()
        # Neither proxies nor ~/.netrc nor CA bundles from the environment.
        self.trust_env = False
        # No cookies: one that a proxy gives for a query of one namespace would go with the next one's.
        self.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
        self.headers["User-Agent"] = f"headgate/{__version__}"

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: a redirect is an answer like any other, and no token follows it."""
        del resp
        return None


class Answer(requests.Response):
    """A response whose body is parsed once: prometheus-api-client and our own check of it both ask for it."""

    def json(self, **options: Any) -> Any:
        """Return the body."""
        if "parsed" not in self.__dict__:
            self.parsed = super().json(**options)
        return self.parsed


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Reads an answer whole, up to a size and within a time."""

    def __init__(self, *, connections_max: int, connect_seconds: float, seconds: float, bytes_max: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections_max, max_retries=0)
        self.poolmanager.pool_classes_by_scheme = connections.pool_classes()
        self._resolver = connections.Resolver()
        self._connect_seconds, self._seconds, self._bytes_max = connect_seconds, seconds, bytes_max

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
        limits = connections.Limits(
            self._resolver, connect_seconds=self._connect_seconds, seconds=self._seconds, bytes_max=self._bytes_max
        )
        token = connections.LIMITS.set(limits)
        try:
            response = super().send(request, stream=True, timeout=timeout, verify=verify, cert=cert, proxies=proxies)
            with _closed_on_failure(response.raw):
                response.raw = io.BytesIO(self._read(response.raw))
        except connections.TooLarge:
            raise self._too_large() from None
        finally:
            connections.LIMITS.reset(token)
        return response

    def build_response(self, req: requests.PreparedRequest, resp: urllib3.BaseHTTPResponse) -> requests.Response:
        """Return the response as one that is parsed once."""
        answer = Answer()
        answer.__dict__.update(super().build_response(req, resp).__dict__)
        return answer

    def _read(self, raw: urllib3.BaseHTTPResponse) -> bytes:
        body = bytearray()
        while chunk := raw.read1(_CHUNK_BYTES, decode_content=True):
            body += chunk
            if len(body) > self._bytes_max:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> QueryError:
        return QueryError(f"the answer is larger than {self._bytes_max:,} bytes: does the query give one value?")


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
