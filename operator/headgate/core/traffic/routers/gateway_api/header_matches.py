"""Headers in the matches of an HTTPRoute's rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from headgate.core.model.traffic import Header

EVERYTHING: Final[Sequence[Mapping[str, Any]]] = ({"path": {"type": "PathPrefix", "value": "/"}},)
"""What a rule matches that says nothing of it."""


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
