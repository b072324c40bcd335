"""Whether what came back is an answer, and the samples in it.

Owns the strict reading of Prometheus' format: what is not exactly as documented is a problem, never a value. Pure.
"""

import http
import math
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from typing import Any, Final

import requests

from headgate.adapters.metrics.transport import QueryError
from headgate.api.status import Outcome
from headgate.core.model import Sample

# float() would also take "1_000", " 1 " and "infinity".
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN")
_MALFORMED: Final = "the answer is not a matrix as Prometheus writes it"
_WORDS_MAX: Final = 300


def check(response: requests.Response) -> tuple[str, ...]:
    """Return the warnings that came with the answer.

    Raises:
        Unanswered: if *response* is no answer to a range query.
    """
    if http.HTTPStatus.MULTIPLE_CHOICES <= response.status_code < http.HTTPStatus.BAD_REQUEST:
        raise QueryError(_redirect(response))
    body = _json(response)
    if response.status_code != http.HTTPStatus.OK:
        raise QueryError(f"HTTP {response.status_code}{_said(body)}")
    if not isinstance(body, dict):
        kind = words(response.headers.get("Content-Type", "")) or "something"
        raise QueryError(f"HTTP 200 with {kind} in place of Prometheus' JSON: is this the server's address?")
    if body.get("status") != "success":
        raise QueryError(f"no success{_said(body)}")
    data = body.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise QueryError(_MALFORMED)
    return _warnings(body)


def samples_of(result: object, warnings: Sequence[str], ticks: range) -> tuple[Sample, ...]:
    """Return one sample for each of *ticks* from the *result* of a range query.

    Each tick is judged as if it had been asked for alone, so that it does not matter how many are read at once.

    Raises:
        Unanswered: if *result* is malformed.
    """
    if not isinstance(result, list):
        raise QueryError(_MALFORMED)
    found: dict[int, list[float | None]] = {}
    for series in result:
        for at, value in _points(series, ticks):
            found.setdefault(at, []).append(value)
    if warnings:
        message = f"the answer came with a warning: {words(warnings[0])}"
        return tuple(Sample(at, None, Outcome.AMBIGUOUS, message) for at in ticks)
    return tuple(_sample(at, found.get(at, [])) for at in ticks)


def words(text: object) -> str:
    """Return *text* on one line, without control characters, and not too long."""
    line = " ".join(str(text).split())
    line = "".join(character for character in line if character.isprintable())
    return line if len(line) <= _WORDS_MAX else f"{line[:_WORDS_MAX]}…"


def _sample(at: int, values: list[float | None]) -> Sample:
    if not values:
        return Sample(at, None, Outcome.NO_DATA, "the query gave no value")
    if len(values) > 1:
        return Sample(at, None, Outcome.AMBIGUOUS, f"the query gave {len(values)} series in place of one")
    value = values[0]
    if value is None:
        return Sample(at, None, Outcome.AMBIGUOUS, "the query gave a native histogram in place of a number")
    if math.isnan(value):
        return Sample(at, None, Outcome.NO_DATA, "the query gave NaN, as 0/0 does")
    if math.isinf(value):
        return Sample(at, None, Outcome.AMBIGUOUS, f"the query gave {'+' if value > 0 else '-'}Inf")
    return Sample(at, value)


def _points(series: object, ticks: range) -> Iterator[tuple[int, float | None]]:
    """Yield the points of one series that were asked for; a native histogram's value is None."""
    if not isinstance(series, dict) or not isinstance(series.get("metric"), dict):
        raise QueryError(_MALFORMED)
    numbers, histograms = series.get("values", []), series.get("histograms", [])
    if not isinstance(numbers, list) or not isinstance(histograms, list):
        raise QueryError(_MALFORMED)
    seen: set[int] = set()
    points = [_point(pair) for pair in numbers] + [(_tick(pair), None) for pair in histograms]
    for at, value in points:
        if (at - ticks.start) % ticks.step or at in seen:
            raise QueryError("the answer is about other points in time than it was asked for")
        seen.add(at)
        if at in ticks:
            yield at, value


def _point(pair: object) -> tuple[int, float | None]:
    at = _tick(pair)
    value = pair[1] if isinstance(pair, list) else None
    if not isinstance(value, str) or not _NUMBER.fullmatch(value):
        raise QueryError(_MALFORMED)
    return at, float(value)


def _tick(pair: object) -> int:
    if not isinstance(pair, list) or len(pair) != 2:  # noqa: PLR2004  # a pair has two
        raise QueryError(_MALFORMED)
    at = pair[0]
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at) or at != int(at):
        raise QueryError(_MALFORMED)
    return int(at)


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def _said(body: object) -> str:
    if not isinstance(body, dict):
        return ""
    parts = [words(body[field]) for field in ("errorType", "error") if isinstance(body.get(field), str)]
    return "".join(f": {part}" for part in parts)


def _warnings(body: dict[str, Any]) -> tuple[str, ...]:
    warnings = body.get("warnings") or []
    if not isinstance(warnings, list):
        raise QueryError(_MALFORMED)
    # VictoriaMetrics has a field of its own for what Thanos and Prometheus write as a warning.
    partial = ["the response is partial"] if body.get("isPartial") is True else []
    return (*(str(warning) for warning in warnings), *partial)


def _redirect(response: requests.Response) -> str:
    # The host alone: what follows it may hold a secret, and what precedes it too.
    try:
        host = words(urllib.parse.urlsplit(response.headers.get("Location", "")).hostname or "")
    except ValueError:
        host = ""
    return f"HTTP {response.status_code}, a redirect{f' to {host}' if host else ''}: redirects are not followed"
