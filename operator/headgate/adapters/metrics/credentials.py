"""Tokens and passwords: read from mounted files at each request, and kept out of everything that is said.

Owns the secrets. What goes wrong is said with the file's name, never with its content.
"""

import base64
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import requests.auth

from headgate.adapters.metrics import transport
from headgate.adapters.metrics.settings import ServerSettings

_SECRET_BYTES_MAX: Final = 65_536
_TOKEN: Final = re.compile(r"[!-~]+")
# Shorter secrets would blank out half of every message, and protect nothing.
_SECRET_LENGTH_MIN: Final = 4


class NoAuth(requests.auth.AuthBase):
    """No credentials. Given in place of None, for which requests would look into ~/.netrc."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return *request* with the credentials in it."""
        return request

    def scrub(self, text: str) -> str:
        """Return *text* without the secrets last sent: a server may repeat in its answer what it was sent."""
        return without(self._secrets, text)

    def _send(self, request: requests.PreparedRequest, value: str, *secrets: str) -> requests.PreparedRequest:
        self._secrets = worth_hiding(secrets)
        request.headers["Authorization"] = value
        return request


class Bearer(NoAuth):
    """A token from a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return *request* with the token that the file holds now."""
        token = read(self._file)
        if not _TOKEN.fullmatch(token):
            # Checked here, because the HTTP client's complaint would quote it.
            raise transport.QueryError(f"{self._file} holds no bearer token: one line of visible ASCII is expected")
        return self._send(request, f"Bearer {token}", token)


class Basic(NoAuth):
    """A user name and a password, each from a file."""

    def __init__(self, username_file: Path, password_file: Path) -> None:
        super().__init__()
        self._username_file, self._password_file = username_file, password_file

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Return *request* with what the files hold now."""
        password = read(self._password_file)
        pair = base64.b64encode(f"{read(self._username_file)}:{password}".encode()).decode()
        return self._send(request, f"Basic {pair}", pair, password)


def for_server(settings: ServerSettings, address: str) -> NoAuth:
    """Return the credentials for *address*: none, unless it is trusted with them."""
    if not settings.trusts(address):
        return NoAuth()
    if settings.bearer_token_file is not None:
        return Bearer(settings.bearer_token_file)
    if settings.username_file is not None and settings.password_file is not None:
        return Basic(settings.username_file, settings.password_file)
    return NoAuth()


def worth_hiding(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return those of *secrets* that are long enough to be any, the longest first: one may be a part of another."""
    return tuple(sorted({secret for secret in secrets if len(secret) >= _SECRET_LENGTH_MIN}, key=len, reverse=True))


def without(secrets: Iterable[str], text: str) -> str:
    """Return *text* without *secrets*."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text


def read(file: Path) -> str:
    """Return what *file* holds now, without the blanks around it.

    Raises:
        Unanswered: if it cannot be read; the message holds nothing of it.
    """
    try:
        with file.open("rb") as opened:
            return opened.read(_SECRET_BYTES_MAX).decode().strip()
    except OSError as error:
        raise transport.QueryError(f"the credentials in {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise transport.QueryError(f"the credentials in {file} are not UTF-8") from None
