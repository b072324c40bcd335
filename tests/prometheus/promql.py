"""Just enough PromQL to tell what a query such as the example of the documentation makes of given traffic.

Owns strings, selectors, rate, sum, vector, `or` and `/`, with Prometheus' rules for empty vectors; a query that needs
more raises SyntaxError. Written from Prometheus' documentation, not from core's `prometheus.render`, which it checks.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]

_TOKEN = re.compile(
    r"""\s+|\#[^\r\n]*|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"""
    r"""|(?P<duration>[0-9]+(?:ms|s|m|h))|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)"""
    r"""|(?P<sign>=~|!~|!=|[=(){}\[\],/])"""
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: its kind (string, duration, number, word, sign) and its text as written."""

    kind: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Series:
    """A counter that grows evenly, with its name as the label `__name__`."""

    labels: Mapping[str, str]
    per_second: float


def tokens_of(query: str) -> list[Token]:
    """Return the tokens of *query*."""
    tokens, position = [], 0
    while position < len(query):
        found = _TOKEN.match(query, position)
        if found is None:
            message = f"unexpected {query[position]!r} at {position} in {query!r}"
            raise SyntaxError(message)
        position = found.end()
        if found.lastgroup:
            tokens.append(Token(found.lastgroup, found[0]))
    return tokens


def unquote(literal: str) -> str:
    """Return what a PromQL string stands for."""
    quote, body = literal[0], literal[1:-1]
    if quote == "`":
        return body

    def character(found: re.Match[str]) -> str:
        letter, *codes, other = found.groups()
        if letter:
            return _LETTERS[letter]
        if other is not None and other != quote:
            message = f"unknown escape {found[0]!r} in {literal!r}"
            raise SyntaxError(message)
        return str(other) if other is not None else chr(int(next(code for code in codes if code), 16))

    return _ESCAPE.sub(character, body)


def evaluate(query: str, traffic: Sequence[Series]) -> Vector:
    """Return the vector that *query* has while there is *traffic*."""
    parser = _Parser(tokens_of(query), traffic)
    vector = parser.alternatives()
    if parser.tokens:
        message = f"unexpected {parser.tokens[0].text!r}"
        raise SyntaxError(message)
    return vector


class _Parser:
    def __init__(self, tokens: list[Token], traffic: Sequence[Series]) -> None:
        self.tokens = tokens
        self._traffic = traffic

    def alternatives(self) -> Vector:
        vector = self._quotient()
        while self._next_is("or"):
            self._take("or")
            vector = {**self._quotient(), **vector}
        return vector

    def _quotient(self) -> Vector:
        vector = self._operand()
        while self._next_is("/"):
            self._take("/")
            divisor = self._operand()
            vector = {labels: _divide(vector[labels], divisor[labels]) for labels in vector if labels in divisor}
        return vector

    def _operand(self) -> Vector:
        if self._next_is("("):
            return self._in_brackets(self.alternatives)
        word = self._take_kind("word")
        if word == "sum":
            summands = self._in_brackets(self.alternatives)
            return {frozenset(): math.fsum(summands.values())} if summands else {}
        if word == "vector":
            return self._in_brackets(lambda: {frozenset(): float(self._take_kind("number"))})
        if word == "rate":
            return self._in_brackets(self._rate)
        message = f"{word} is not known here"
        raise SyntaxError(message)

    def _in_brackets(self, inner: Callable[[], Vector]) -> Vector:
        self._take("(")
        result = inner()
        self._take(")")
        return result

    def _rate(self) -> Vector:
        matchers = [("__name__", "=", self._take_kind("word")), *self._matchers()]
        self._take("[")
        self._take_kind("duration")
        self._take("]")
        return {
            frozenset((name, value) for name, value in series.labels.items() if name != "__name__"): series.per_second
            for series in self._traffic
            if all(_matches(series.labels.get(name, ""), sign, value) for name, sign, value in matchers)
        }

    def _matchers(self) -> list[tuple[str, str, str]]:
        matchers: list[tuple[str, str, str]] = []
        self._take("{")
        while not self._next_is("}"):
            matchers.append((self._take_kind("word"), self._take_kind("sign"), unquote(self._take_kind("string"))))
            if not self._next_is("}"):
                self._take(",")
        self._take("}")
        return matchers

    def _next_is(self, text: str) -> bool:
        return bool(self.tokens) and self.tokens[0].text == text

    def _take(self, text: str) -> None:
        if not self._next_is(text):
            message = f"{text!r} expected"
            raise SyntaxError(message)
        self.tokens.pop(0)

    def _take_kind(self, kind: str) -> str:
        if not self.tokens or self.tokens[0].kind != kind:
            message = f"a {kind} expected"
            raise SyntaxError(message)
        return self.tokens.pop(0).text


def _divide(dividend: float, divisor: float) -> float:
    if divisor == 0:
        return math.nan if dividend == 0 or math.isnan(dividend) else math.copysign(math.inf, dividend)
    return dividend / divisor


def _matches(actual: str, sign: str, wanted: str) -> bool:
    # RE2 and Python agree on what is used here; PromQL anchors at both ends.
    fits = re.fullmatch(wanted, actual) is not None if "~" in sign else actual == wanted
    return fits != sign.startswith("!")
