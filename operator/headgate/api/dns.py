"""Names as Kubernetes knows them: RFC 1123 labels and subdomains, and the parts of labels. Pure text.

What reads names out of objects asks here before it believes one. Must not know which kind has which.
"""

import re
from typing import Final

LABEL_LENGTH: Final = 63
SUBDOMAIN_LENGTH: Final = 253

LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{LABEL}([.]{LABEL})*"
LABEL_KEY: Final = rf"({SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
LABEL_VALUE: Final = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
"""Patterns in what RE2 and Python's re have in common, to be matched in full; lengths are checked apart."""

_SHOWN_LENGTH: Final = 60


def is_label(text: object) -> bool:
    """Return whether *text* can be the name of a namespace or a Service."""
    return _is(LABEL, LABEL_LENGTH, text)


def is_subdomain(text: object) -> bool:
    """Return whether *text* can be the name of any object but those of `is_label`."""
    return _is(SUBDOMAIN, SUBDOMAIN_LENGTH, text)


def is_label_key(text: object) -> bool:
    """Return whether *text* can be the key of a label."""
    return _is(LABEL_KEY, SUBDOMAIN_LENGTH + 1 + LABEL_LENGTH, text)


def is_label_value(text: object) -> bool:
    """Return whether *text* can be the value of a label."""
    return _is(LABEL_VALUE, LABEL_LENGTH, text)


def shown(text: object) -> str:
    """Return *text* in quotes, so that it can stand in a message: one short line of ASCII."""
    quoted = ascii(str(text)[: _SHOWN_LENGTH + 1])
    return quoted if len(quoted) <= _SHOWN_LENGTH else f"{quoted[:_SHOWN_LENGTH]}..."


def _is(pattern: str, length: int, text: object) -> bool:
    # The length first: a text of a megabyte is no name, and needs no look.
    return isinstance(text, str) and len(text) <= length and re.fullmatch(pattern, text) is not None
