"""What goes with each query beside the question: credentials, fixed headers from a file, and the Rollout's namespace.

Owns what may be sent under which name, and that nothing in a name or a value can become another header or parameter.
The namespace is sent to every server, lest naming another one be a way around it. Secrets go to the operator's own
server alone.
"""

import contextvars
import re
from pathlib import Path
from typing import Final

import requests.auth

from headgate.adapters.metrics import credentials, transport
from headgate.adapters.metrics.settings import AUTHORIZATION, RESERVED_HEADERS, ServerSettings, is_header

NAMESPACE: Final[contextvars.ContextVar[str]] = contextvars.ContextVar("namespace that is asked for in this thread")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VALUE: Final = re.compile(r"[!-~]([\t -~]{0,8190}[!-~])?")
_HEADERS_MAX: Final = 32


class Scope(requests.auth.AuthBase):
    """What is sent to one server with each query. The server may repeat it, so it is cleared from what is said."""

    def __init__(self, settings: ServerSettings, address: str) -> None:
        self._credentials = credentials.for_server(settings, address)
        self._file = settings.headers_file if settings.trusts(address) else None
        self._header, self._parameter = settings.namespace_header, settings.namespace_parameter
        self._secrets: tuple[str, ...] = ()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return *request* with all that is to go with it."""
        request = self._credentials(request)
        if self._file is not None:
            self._add_fixed(request, self._file)
        if self._header:
            request.headers[self._header] = _namespace()
        return request

    def parameters(self) -> dict[str, str]:
        """Return the query parameters that are to go with a query."""
        return {self._parameter: _namespace()} if self._parameter else {}

    def scrub(self, text: str) -> str:
        """Return *text* without the secrets last sent."""
        return credentials.without(self._secrets, self._credentials.scrub(text))

    def _add_fixed(self, request: requests.PreparedRequest, file: Path) -> None:
        headers = fixed_headers(file)
        for name in headers:
            if name.lower() == self._header.lower():
                raise transport.QueryError(f"{file} names {self._header}, which the Rollout's namespace fills")
            if name.lower() == AUTHORIZATION and AUTHORIZATION in request.headers:
                raise transport.QueryError(f"{file} names Authorization, beside a token or a user name and password")
        self._secrets = credentials.worth_hiding(headers.values())
        request.headers.update(headers)


def fixed_headers(file: Path) -> dict[str, str]:
    """Return the headers that *file* holds now, one `Name: value` on a line, but for empty lines and those with a #.

    Raises:
        Unanswered: if it cannot be read, or a line is none. The message names the file and the line, not what is in it.
    """
    headers: dict[str, str] = {}
    for number, line in enumerate(credentials.read(file).split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        # Checked here, because the HTTP client's complaint would quote the value.
        if not colon or not is_header(name) or not _VALUE.fullmatch(value.strip(" \t\r")):
            raise transport.QueryError(f"{file}: line {number} is no header: write Name: value, in visible ASCII")
        if name.lower() in RESERVED_HEADERS or name.lower() in map(str.lower, headers):
            raise transport.QueryError(f"{file}: line {number} names a header that is ours to send, or names it twice")
        headers[name] = value.strip(" \t\r")
    if not 1 <= len(headers) <= _HEADERS_MAX:
        raise transport.QueryError(f"{file} holds {len(headers)} headers: 1 to {_HEADERS_MAX} are expected")
    return headers


def _namespace() -> str:
    namespace = NAMESPACE.get("")
    if not _NAMESPACE.fullmatch(namespace):
        raise transport.QueryError("it was not asked: the namespace's name is none that Kubernetes gives")
    return namespace
