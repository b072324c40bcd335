"""The headers of a step's matches, as types and values that a router can match."""

import re
from collections.abc import Iterable
from typing import Final

from headgate.api.steps import HeaderMatch
from headgate.core.model.traffic import Header

EXACT: Final = "Exact"
REGEX: Final = "RegularExpression"
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
