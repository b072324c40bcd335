"""Queries with variables: `$(namespace)` and its like, filled in so that no name can change what the query means.

Owns which variables there are and how a value is written in PromQL. Knows of PromQL only where strings and comments
begin and end; whether a query is a good one is for Prometheus to say.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

WINDOW: Final = "window"
CANARY: Final = "$(canary."
"""With this, a query asks about the canary alone."""
NAMES: Final = (
    "namespace",
    "name",
    WINDOW,
    "canary.hash",
    "canary.pods",
    "stable.hash",
    "stable.pods",
)

_VARIABLE: Final = re.compile(r"\$\(([^()\n]*)\)")
# In a string that knows escapes, "\\$(name)" is filled in. "\$(name)" is an escape that does not exist: left for
# Prometheus to refuse, since whatever stood there instead would be read as the escape's second half.
_ESCAPE_OR_VARIABLE: Final = re.compile(rf"\\.|{_VARIABLE.pattern}")
# Strings and comments are matched whole, so that neither a quote in a comment nor a # in a string misleads us. A string
# that nobody closes makes Prometheus refuse the query; it must stay open, lest a value in it close it.
_PIECE: Final = re.compile(
    r"""(?P<raw>`[^`]*`) | (?P<inert>\#[^\r\n]* | `[^`]*\Z)"""
    r"""| (?P<quoted>"(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'?)"""
    rf"""| (?P<bare>{_VARIABLE.pattern})""",
    re.VERBOSE,
)
_DURATION: Final = re.compile(r"[0-9]{1,12}(?:ms|s)")
# What stands for itself in a PromQL string, whatever its quotes: printable ASCII but quotes and the backslash.
_NOT_PLAIN: Final = re.compile(r"""[^ -~]|["'`\\]""")
_RE2_SPECIAL: Final = re.compile(r"[\\+*?()|\[\]{}^$]")
_SURROGATES: Final = range(0xD800, 0xE000)


def variables_for(
    namespace: str,
    name: str,
    window_seconds: float,
    canary_hash: str,
    canary_deployment: str,
    stable_hash: str,
    stable_deployment: str,
) -> dict[str, str]:
    """Return the value of every variable, not yet escaped.

    An empty Deployment name gives a pattern that no pod has: where there is no stable version, nothing is measured.
    """
    values = (
        namespace,
        name,
        _duration(window_seconds),
        canary_hash,
        _pods_of(canary_deployment),
        stable_hash,
        _pods_of(stable_deployment),
    )
    return dict(zip(NAMES, values, strict=True))


def render(query: str, variables: Mapping[str, str]) -> str:
    """Return *query* with its variables filled in; unknown ones are left as they are.

    In a string, a value is escaped. Outside of strings it becomes a string itself, so that it can never be read as an
    operator or a selector; only the window, where it is a duration, stands there bare: `rate(x[$(window)])`.
    """

    def fill(piece: re.Match[str]) -> str:
        if piece["inert"] is not None:
            return piece[0]
        if piece["bare"] is not None:
            return _fill(_VARIABLE, piece[0], variables, _standalone)
        if piece["quoted"] is not None:
            return _fill(_ESCAPE_OR_VARIABLE, piece[0], variables, lambda _, value: _escape(value))
        return _fill_raw(piece[0], variables)

    return _PIECE.sub(fill, query)


def unknown_variables(query: str) -> tuple[str, ...]:
    """Return the variables in *query* that do not exist, each once, in order; comments are not looked at."""
    pieces = (piece[0] for piece in _PIECE.finditer(query) if piece["inert"] is None)
    names = (name for piece in pieces for name in _VARIABLE.findall(piece))
    return tuple(dict.fromkeys(name for name in names if name not in NAMES))


def _duration(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole * 1000 + milliseconds}ms" if milliseconds else f"{whole}s"


def _pods_of(deployment: str) -> str:
    # A pod is named <deployment>-<hash of the ReplicaSet, at most 10>-<5>. PromQL anchors patterns at both ends, so the
    # pods of a Deployment whose name goes on after ours have a part too many.
    # The dot is the one special character that a name can have; [.] needs no escape in a string.
    exact = _RE2_SPECIAL.sub(r"\\\g<0>", deployment).replace(".", "[.]")
    return f"{exact}-[a-z0-9]{{1,10}}-[a-z0-9]{{5}}"


def _fill(pattern: re.Pattern[str], text: str, variables: Mapping[str, str], write: Callable[[str, str], str]) -> str:
    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        return write(name, variables[name]) if name in variables else found[0]

    return pattern.sub(value_of, text)


def _fill_raw(literal: str, variables: Mapping[str, str]) -> str:
    # Nothing can be escaped between backquotes, so a raw string with a value in it is written as an ordinary one.
    filled = _fill(_VARIABLE, literal[1:-1], variables, lambda _, value: value)
    return literal if filled == literal[1:-1] else f'"{_escape(filled)}"'


def _standalone(name: str, value: str) -> str:
    return value if name == WINDOW and _DURATION.fullmatch(value) else f'"{_escape(value)}"'


def _escape(value: str) -> str:
    return _NOT_PLAIN.sub(_escaped, value)


def _escaped(found: re.Match[str]) -> str:
    # \" is an error in '…' and \' in "…"; numeric escapes are the same in both.
    code = ord(found[0])
    if code < 0x80:  # noqa: PLR2004 - from here on \x would mean a byte, not a character
        return f"\\x{code:02x}"
    return r"\ufffd" if code in _SURROGATES else f"\\U{code:08x}"
