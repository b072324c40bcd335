"""Headers as steps say them, and as the rules of an HTTPRoute match them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from headgate.api.steps import HeaderMatch
from headgate.core.model.traffic import Header

EXACT: Final = "Exact"
REGEX: Final = "RegularExpression"
EVERYTHING: Final[Sequence[Mapping[str, Any]]] = ({"path": {"type": "PathPrefix", "value": "/"}},)
"""What a rule matches that says nothing of it."""
_SPECIAL: Final = re.compile(r"([.+*?()|\[\]{}^$\\])")


def united(routes: Iterable[Iterable[HeaderMatch]]) -> tuple[Header, ...]:
    """Return the headers of all *routes*, each once."""
    return tuple(dict.fromkeys(_header(match) for route in routes for match in route))


def _header(match: HeaderMatch) -> Header:
    value = match.header_value
    if value.exact is not None:
        return (match.header_name, EXACT, value.exact)
    if value.prefix is not None:
        # Some Gateways look for the expression anywhere in the value, others hold it against all of it.
        return (match.header_name, REGEX, f"^{_SPECIAL.sub(_escaped, value.prefix)}.*")
    return (match.header_name, REGEX, str(value.regex))


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[1]}"


def narrowed(matches: Sequence[Mapping[str, Any]], headers: Iterable[Header]) -> list[dict[str, Any]]:
    """Return *matches* that hold only for requests that have one of *headers* as well."""
    entries = [{"type": kind, "name": name, "value": value} for name, kind, value in headers]
    return [
        {**match, "headers": [*(match.get("headers") or ()), entry]}
        for match in matches or EVERYTHING
        for entry in entries
    ]


def named(matches: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the names of headers that *matches* look at, in lower case."""
    return {str(one.get("name", "")).lower() for match in matches for one in match.get("headers") or ()}
