"""What the scripted server answers to which query.

A script is a list of rules; the first one that matches a query answers it, and no match is an empty result. A rule is
plain data, the same in Python and as JSON in `PUT /script`. Must not know how an answer is sent.
"""

import bisect
import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from tests.prometheus import promql

Value = float | str | None
"""A number, Prometheus' own words such as NaN and +Inf, or None for no sample."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How to answer queries that match. Fields that are left alone do nothing."""

    match: str = ""
    """A regular expression that is searched for in the query."""
    values: tuple[tuple[float, Value], ...] = ()
    """From which absolute time on which value holds, oldest first; before the first one there is none."""
    traffic: tuple[promql.Series, ...] | None = None
    """Counters on which the query itself is evaluated, as far as `promql` can, in place of values."""
    series: int = 1
    """How many series have these values."""
    histogram: bool = False
    """Whether the values are sent as native histograms."""
    warnings: tuple[str, ...] = ()
    times: int | None = None
    """How many queries the rule answers before it is passed over; None: all."""
    delay_seconds: float = 0.0
    """How long the answer takes. The wait ends when the server stops."""
    hang: bool = False
    """Never answer, until `ScriptedPrometheus.release` or the end."""
    drop: bool = False
    """Close the connection without an answer."""
    status: int = 200
    body: str | None = None
    """Sent as it is, in place of what Prometheus would say."""
    content_type: str = "application/json"
    location: str = ""
    """Where a redirect points to."""

    def value_at(self, at: float) -> Value:
        """Return the value that holds at the time *at*."""
        index = bisect.bisect_right([since for since, _ in self.values], at)
        return self.values[index - 1][1] if index else None

    def result_at(self, query: str, at: float) -> list[tuple[dict[str, str], Value]]:
        """Return the series that there are at the time *at*, by their labels."""
        if self.traffic is not None:
            return [(dict(labels), value) for labels, value in promql.evaluate(query, self.traffic).items()]
        value = self.value_at(at)
        # Prometheus leaves out the labels of a lone aggregate.
        names = [{"pod": f"web-{number}"} for number in range(self.series)] if self.series > 1 else [{}]
        return [] if value is None else [(dict(labels), value) for labels in names]

    def answers(self, query: str) -> bool:
        """Return whether the rule is about *query*."""
        return re.search(self.match, query) is not None


def constant(value: Value, match: str = "", **more: Any) -> Rule:
    """Return a rule by which the same value holds for ever; *more* are other fields of the rule."""
    return Rule(match=match, values=((0, value),), **more)


def empty(match: str = "", **more: Any) -> Rule:
    """Return a rule by which there is no data."""
    return Rule(match=match, **more)


def raw(body: str, match: str = "", **more: Any) -> Rule:
    """Return a rule that answers with *body* as it is."""
    return Rule(match=match, body=body, **more)


def html(match: str = "") -> Rule:
    """Return a rule that answers as a login page does: 200, and no JSON."""
    return raw("<!doctype html><title>Log in</title>", match, content_type="text/html")


def error(
    status: int = 422, message: str = "query processing would load too many samples", match: str = "", **more: Any
) -> Rule:
    """Return a rule that answers with Prometheus' own error body."""
    return raw(f'{{"status":"error","errorType":"execution","error":"{message}"}}', match, status=status, **more)


def redirect(location: str, match: str = "", status: int = 302) -> Rule:
    """Return a rule that sends the client elsewhere."""
    return Rule(match=match, status=status, location=location)


def from_json(document: list[Mapping[str, Any]]) -> list[Rule]:
    """Return the rules in *document*; an unknown field raises TypeError."""
    return [_rule(dict(entry)) for entry in document]


def to_json(rules: list[Rule]) -> list[dict[str, Any]]:
    """Return *rules* as a document for `PUT /script`."""
    return [dataclasses.asdict(rule) for rule in rules]


def matrix(rule: Rule, query: str, ticks: range) -> dict[str, Any]:
    """Return what /api/v1/query_range says to *query* under *rule*."""
    field = "histograms" if rule.histogram else "values"
    series: dict[str, dict[str, Any]] = {}
    for at in ticks:
        for labels, value in rule.result_at(query, at):
            points = series.setdefault(json.dumps(labels, sort_keys=True), {"metric": labels, field: []})[field]
            points.append([at, _histogram() if rule.histogram else _written(value)])
    return _body(rule, "matrix", list(series.values()))


def vector(rule: Rule, query: str, at: float) -> dict[str, Any]:
    """Return what /api/v1/query says to *query* under *rule*."""
    found = rule.result_at(query, at)
    return _body(rule, "vector", [{"metric": labels, "value": [at, _written(value)]} for labels, value in found])


def _written(value: Value) -> str:
    return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(str(value), str(value))


def _rule(entry: dict[str, Any]) -> Rule:
    if "values" in entry:
        entry["values"] = tuple((since, value) for since, value in entry["values"])
    if entry.get("traffic") is not None:
        entry["traffic"] = tuple(promql.Series(**series) for series in entry["traffic"])
    if "warnings" in entry:
        entry["warnings"] = tuple(entry["warnings"])
    return Rule(**entry)


def _body(rule: Rule, kind: str, result: list[dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {"status": "success", "data": {"resultType": kind, "result": result}}
    return body | ({"warnings": list(rule.warnings)} if rule.warnings else {})


def _histogram() -> dict[str, Any]:
    return {"count": "2", "sum": "3", "buckets": [[0, "1", "2", "2"]]}
