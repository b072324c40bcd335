"""What an answer that is no success means to those who asked: the one place where HTTP becomes `core.faults`.

| answer | fault |
|---|---|
| none, a broken one, 401, 408, 410, 429, 5xx | Unreachable |
| 409; 412; 422 from the test operations of our own JSON patch | Conflict |
| 404 that names what was asked for as what is missing | none: a fact, see `Missing` |
| 404 that does not | Refused: the kind is not served, or a proxy answered; nothing must be taken for gone |
| 404 in the API server's words for a kind that it does not serve, where a cluster may do without | none, as above |
| 500 to a server-side apply that does not fit the CRD | Refused: it will not come to fit by itself |
| 500 to a server-side apply onto an object that does not | Untyped: Refused, but there is another way to write it |
| 422 to a server-side apply: what it was merged into does not fit the CRD | Untyped, as above |
| 429 or 500 to an eviction, over a PodDisruptionBudget | Refused, with the budget's name |
| any other 4xx | Refused, in the server's own words |
"""

import http
from collections.abc import Mapping
from typing import Any, Final

from headgate.adapters.cluster.requests import Request
from headgate.api import nesting
from headgate.core.faults import Conflict, Fault, Refused, Unreachable
from headgate.core.model import Json

WORDS_MAX: Final = 1024
"""Characters of the server's words that are kept: as much as an Event's note can hold."""

JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"

_UNFIT_APPLY: Final = "failed to create typed patch object"
_UNFIT_OBJECTS: Final = ("failed to create typed live object", "failed to create manager for existing fields")
"""The latter with a 500, where no field of the object has a known owner."""
_WHOLE_OBJECT: Final = 'patch: Invalid value: "{'
_QUOTE: Final = '}": '
_TWO_BUDGETS: Final = "more than one PodDisruptionBudget"
_NO_SUCH_PATH: Final = b"404 page not found"
_COME_BACK: Final = frozenset(
    {
        http.HTTPStatus.UNAUTHORIZED,  # credentials are being rotated
        http.HTTPStatus.REQUEST_TIMEOUT,
        http.HTTPStatus.GONE,  # a list took so long that its next page has expired
        http.HTTPStatus.TOO_MANY_REQUESTS,
    }
)
_CLIENT_ERRORS: Final = range(400, 500)
_LOST_RACE: Final = frozenset({http.HTTPStatus.CONFLICT, http.HTTPStatus.PRECONDITION_FAILED})


class RetryLater(Unreachable):
    """The request failed for a transient reason; the server may have said when to come back."""

    def __init__(self, words: str, retry_after_seconds: float = 0.0) -> None:
        super().__init__(words)
        self.retry_after_seconds = retry_after_seconds


class Unauthorized(RetryLater):
    """The API server does not accept the credentials; they may be about to be renewed."""


class Forbidden(Refused):
    """A right is missing, or a rule of the cluster forbids it."""


class NotServed(Refused):
    """What answered does not know the kind: nothing can be said of the object."""


class Untyped(Refused):
    """The object, or what an apply would merge it into, does not fit the CRD: it can be patched, and so replaced."""


class NotFound(Exception):
    """There is no such object, or no such kind or namespace: a fact, no error. It never leaves adapters.cluster."""


def fault(status: int, headers: Mapping[str, str], body: bytes, request: Request) -> Fault | NotFound:
    """Return what the answer *status* to *request* means.

    Args:
        status: the HTTP status.
        headers: the answer's.
        body: the answer's.
        request: what was asked.
    """
    details = _details(body)
    words, content_type = _words(status, details, body), request.content_type
    if status == http.HTTPStatus.NOT_FOUND:
        missing = _names_object(details, request) or (request.resource.optional and _not_served(details, body))
        return NotFound(words) if missing else NotServed(f"{words} (is the CRD installed?)")
    if status in _LOST_RACE or (content_type == JSON_PATCH and _lost_test(status, details)):
        return Conflict(words)
    if content_type == APPLY and _UNFIT_APPLY in words:
        return Refused(f"{words} (is the CRD older than Headgate?)")
    merged = status == http.HTTPStatus.UNPROCESSABLE_ENTITY or any(unfit in words for unfit in _UNFIT_OBJECTS)
    if content_type == APPLY and merged:
        return Untyped(words)
    if budget := _budget_words(words, details):
        return Refused(budget)
    if status in _COME_BACK or status not in _CLIENT_ERRORS:
        later = Unauthorized if status == http.HTTPStatus.UNAUTHORIZED else RetryLater
        return later(words, _retry_after(headers, details))
    return Forbidden(words) if status == http.HTTPStatus.FORBIDDEN else Refused(words)


def wordless(status: int) -> Fault:
    """Return what an answer *status* means whose words are too many to be read."""
    words = f"HTTP {status}, in more words than can be read"
    return RetryLater(words) if status in _COME_BACK or status not in _CLIENT_ERRORS else Refused(words)


def _details(body: bytes) -> Json:
    """Return the answer as the Status object that it should be, or an empty one; its details are an object."""
    try:
        parsed = nesting.mapping(nesting.parsed(body))
    except ValueError:
        parsed = {}
    status = parsed if parsed.get("kind") == "Status" else {}
    return {**status, "details": nesting.mapping(status.get("details"))}


def _words(status: int, details: Mapping[str, Any], body: bytes) -> str:
    # A body that is no Status may be a proxy's page or, worse, an object: none of that belongs in a condition or a log.
    words = str(details.get("message") or "") or (f"HTTP {status}" if body else f"HTTP {status} without a word")
    # A patch whose result has a wrong type is answered with the whole object, environment variables and all.
    if _WHOLE_OBJECT in words:
        words = f"the patched object is invalid: {words.rpartition(_QUOTE)[2]}"
    return words if len(words) <= WORDS_MAX else words[: WORDS_MAX - 1] + "…"


def _budget_words(words: str, details: Mapping[str, Any]) -> str:
    """Return the API server's words where a PodDisruptionBudget forbids an eviction, its name included; or nothing."""
    if _TWO_BUDGETS in words:
        return words
    causes = details["details"].get("causes")
    told = map(nesting.mapping, causes if isinstance(causes, list) else ())
    said = [str(cause.get("message", "")) for cause in told if cause.get("reason") == "DisruptionBudget"]
    return " ".join((words, *said))[:WORDS_MAX] if said else ""


def _lost_test(status: int, details: Mapping[str, Any]) -> bool:
    """Tell a patch that does not fit the object from an object that does not fit its schema; both are 422.

    A refused object is named in `details` with the causes; the answer to a failed test operation knows neither.
    """
    about = details["details"]
    return status == http.HTTPStatus.UNPROCESSABLE_ENTITY and not (about.get("name") or about.get("causes"))


def _names_object(details: Mapping[str, Any], request: Request) -> bool:
    """Return whether what is missing is what was asked for, or its namespace.

    An admission webhook or an aggregated server may miss something of its own, and says so in the same words.
    """
    about = details["details"]
    if details.get("reason") != "NotFound":
        return False
    # The API server writes the plural there; what writes nothing has named the object all the same.
    missing = (about.get("name"), about.get("kind") or "")
    kinds = ("", request.resource.plural, request.resource.kind)
    named = {(request.name, kind) for kind in kinds} | {(request.namespace, kind) for kind in ("", "namespaces")}
    return missing in named


def _not_served(details: Mapping[str, Any], body: bytes) -> bool:
    """Tell the API server's 404 for a group (plain text) or a kind (a Status without a name) from a proxy's page."""
    nameless = not details["details"].get("name")
    return (details.get("reason") == "NotFound" and nameless) or body.strip() == _NO_SUCH_PATH


def _retry_after(headers: Mapping[str, str], details: Mapping[str, Any]) -> float:
    text = headers.get("Retry-After") or details["details"].get("retryAfterSeconds") or 0
    try:
        return min(max(float(text), 0.0), 60.0)
    except (ValueError, TypeError, OverflowError):
        return 0.0  # an HTTP date; the API server sends none
