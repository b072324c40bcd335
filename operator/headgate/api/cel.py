"""What the API server checks by itself: rules in CEL, and the notations that these share with the models.

Owns the wording: `kubectl apply` and a model refuse the same thing with the same sentence, which says what would be
right. Must not know how the schema is put together.
"""

import dataclasses
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import pydantic
from pydantic.config import JsonDict
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from headgate.api import dns, names, values


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a CEL expression that holds for a valid value, and what to say where it does not."""

    rule: str
    message: str
    field_path: str = ""
    """The field to name, relative to where the rule stands; empty: that place itself."""
    reason: str = "FieldValueInvalid"
    holds: Callable[[Any], object] | None = dataclasses.field(default=None, repr=False, compare=False)
    """The same in Python, for the model's value; None where the API server alone can tell, or `template` does."""

    def check(self, value: object) -> None:
        """Refuse what does not keep the rule.

        Raises:
            ValueError: if it does not; in the words of the API server, behind the field to name.
        """
        if self.holds is not None and not self.holds(value):
            raise ValueError(f"{self.field_path[1:]}: {self.message}" if self.field_path else self.message)

    def written(self) -> JsonDict:
        """Return the rule as it stands in a CRD."""
        known = {"rule": self.rule, "message": self.message, "fieldPath": self.field_path, "reason": self.reason}
        return {key: text for key, text in known.items() if text}


@dataclasses.dataclass(frozen=True, slots=True)
class Keeps:
    """Marks a type, in Annotated, as one whose values keep rules: the model checks them, and the CRD has them."""

    rules: tuple[Rule, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
        """Check each value."""
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, inner: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the rules to the schema."""
        return {**handler(inner), **validations(*self.rules)}

    def _checked(self, value: object) -> object:
        for rule in self.rules:
            rule.check(value)
        return value


def keeps(*rules: Rule) -> Keeps:
    """Return the mark of a type whose values keep *rules*."""
    return Keeps(rules)


def validations(*rules: Rule) -> JsonDict:
    """Return *rules* as an addition to a model's or a field's schema."""
    return {"x-kubernetes-validations": [rule.written() for rule in rules]}


def map_list(key: str) -> JsonDict:
    """Return what makes a list of named things one that server-side apply merges by *key*."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def atomic_list() -> JsonDict:
    """Return what makes a list one value: a client that applies it applies all of it."""
    return {"x-kubernetes-list-type": "atomic"}


def atomic_map() -> JsonDict:
    """Return what makes an object one value.

    For objects that may be empty: where a manager applies `{}` and no longer owns a field of it, server-side apply
    makes null of an object that is merged, and the API server refuses its own null.
    """
    return {"x-kubernetes-map-type": "atomic"}


# --- notations: patterns in what RE2 and Python's re have in common, matched in full ----------------------------------

NAME: Final = dns.LABEL
HEADER: Final = r"[A-Za-z0-9!#$%&*+.^_|~-]+"
ADDRESS: Final = r"https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~%/-]*)?"
"""An HTTP URL without user info, query or fragment: credentials do not belong into a Rollout, which many may read."""

QUERY_VARIABLES: Final = ("namespace", "name", "window", "canary.hash", "canary.pods", "stable.hash", "stable.pods")
_VARIABLE: Final = "|".join(variable.replace(".", r"\.") for variable in QUERY_VARIABLES)
QUERY: Final = rf"([^$]|[$]+[^$(]|[$]+\(({_VARIABLE})\))*[$]*"
"""Any text in which `$(` begins one of the known variables; a `$` of a regular expression stays what it is."""

_FIELD: Final = r"[0-9A-Za-z*/,#-]+"
CRON: Final = rf"{_FIELD}( {_FIELD}){{4}}"
ZONE: Final = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*"

_WHOLE: Final = 100
ZEROS: Final = (0, "0%", "00%")
"""The ways to write no pods at all."""


def matches(pattern: str, subject: str = "self") -> str:
    """Return the CEL expression that holds where the whole of *subject* is of *pattern*."""
    return f"{subject}.matches(r'^({pattern})$')"


def spelled(pattern: str, message: str) -> Rule:
    """Return the rule that the whole of a text is of *pattern*."""
    known = re.compile(pattern)
    return Rule(matches(pattern), message, holds=known.fullmatch)


def _zero(subject: str) -> str:
    return f"{subject} == 0 || {subject} == '0%' || {subject} == '00%'"


def _steps(spec: Any) -> Sequence[Any]:
    return spec.strategy.canary.steps if spec.strategy.canary else ()


def _routes(spec: Any) -> Sequence[Any]:
    return spec.traffic.gateway_api.routes if spec.traffic and spec.traffic.gateway_api else ()


def _named(spec: Any) -> set[str]:
    """Return the names of the metrics that analysis steps name."""
    return {name for step in _steps(spec) if step.analysis for name in step.analysis.metrics}


def _judged_in_steps(spec: Any) -> set[str]:
    """Return the names of the metrics that say that they are judged in analysis steps."""
    return {metric.name for metric in spec.analysis.metrics if "Step" in metric.when}


# --- the rules --------------------------------------------------------------------------------------------------------

DURATION = Rule(
    matches(values.DURATION_PATTERN[1:-1]), "must be a duration: write a number and a unit, such as 90s, 10m or 1h30m"
)
PATIENCE = Rule(
    matches(values.PATIENCE_PATTERN[1:-1]),
    f"must be a duration or {values.NEVER}: write a number and a unit, such as 30s, 5m or 1h30m",
)
DURATION_MIN = Rule(
    f"!{DURATION.rule} || duration(self) >= duration('1s')",
    "must be at least 1s: write for example 10s",
    holds=lambda seconds: seconds >= 1,
)
COUNT = Rule(
    f"type(self) == int ? self >= 0 : {matches(values.PERCENT_PATTERN[1:-1], 'string(self)')}",
    "must be a number of pods or a percentage from 0% to 100%: write for example 1 or 25%",
)
METRIC_NAME = spelled(
    NAME, "must be lower-case letters, digits and '-', beginning and ending with a letter or digit: error-rate"
)
QUERY_KNOWN = spelled(
    QUERY,
    "has a $(…) that is not known: use "
    + ", ".join(f"$({variable})" for variable in QUERY_VARIABLES[:-1])
    + f" or $({QUERY_VARIABLES[-1]})",
)
ADDRESS_PLAIN = spelled(
    ADDRESS,
    "must be http:// or https:// with a host, and without user, password or query: http://prometheus.monitoring:9090",
)
STEPS_ROUTED = Rule(
    "has(self.traffic) || !has(self.strategy.canary) || !has(self.strategy.canary.steps) "
    "|| self.strategy.canary.steps.all(step, "
    "!has(step.setCanaryScale) && !has(step.setHeaderRoute) && !has(step.setMirrorRoute))",
    "without traffic the share of the pods is the share of the users, so that there is no setCanaryScale, no "
    "setHeaderRoute and no setMirrorRoute: add traffic with gatewayAPI, or leave that step out",
    field_path=".strategy.canary.steps",
    holds=lambda spec: spec.traffic is not None or not any(step.routed for step in _steps(spec)),
)
STEPS_MATCHED = Rule(
    "!has(self.traffic) || !has(self.traffic.gatewayAPI) || !has(self.strategy.canary) "
    "|| !has(self.strategy.canary.steps) || self.traffic.gatewayAPI.routes.all(route, route.kind == 'HTTPRoute') "
    "|| self.strategy.canary.steps.all(step, !has(step.setHeaderRoute) && !has(step.setMirrorRoute))",
    "setHeaderRoute and setMirrorRoute need HTTPRoutes, and one of the routes is a GRPCRoute: leave out the step, or "
    "that route",
    field_path=".strategy.canary.steps",
    holds=lambda spec: (
        all(route.kind == "HTTPRoute" for route in _routes(spec)) or not any(step.matched for step in _steps(spec))
    ),
)
HEADER_NAME = spelled(HEADER, "must be the name of a header, without spaces or colons: such as X-Beta or Cookie")
HEADER_ROUTE_NAME = spelled(
    NAME, "must be lower-case letters, digits and '-', beginning and ending with a letter or digit: beta"
)
ROUTE_NAME = spelled(
    dns.SUBDOMAIN,
    "must be the name of a route in the Rollout's own namespace, lower-case letters, digits, '-' and single dots: web",
)
RULE_NAME = spelled(
    dns.SUBDOMAIN,
    "must be the name of a rule of the route, lower-case letters, digits, '-' and single dots: checkout",
)
HEADERS_BEGIN = Rule(
    "self.all(step, !has(step.setHeaderRoute) || has(step.setHeaderRoute.match) || self.exists(other, "
    "has(other.setHeaderRoute) && has(other.setHeaderRoute.match) "
    "&& other.setHeaderRoute.name == step.setHeaderRoute.name))",
    "setHeaderRoute without match ends the route of that name, and no step begins it: add match, or mend the name",
    holds=lambda steps: (
        {step.set_header_route.name for step in steps if step.set_header_route}
        <= {step.set_header_route.name for step in steps if step.set_header_route and step.set_header_route.match}
    ),
)
MATCHED_EARLY = Rule(
    "!self.exists(step, has(step.setWeight) && step.setWeight == 100) "
    "|| self.map(step, has(step.setHeaderRoute) || has(step.setMirrorRoute)).lastIndexOf(true) "
    "< self.map(step, has(step.setWeight) && step.setWeight == 100).indexOf(true)",
    "from setWeight: 100 on all requests reach the new version: put setHeaderRoute and setMirrorRoute before it",
    holds=lambda steps: (
        not any(step.matched for step in itertools.dropwhile(lambda step: step.set_weight != _WHOLE, steps))
    ),
)
WEIGHTS_RISE = Rule(
    "self.filter(step, has(step.setWeight)).map(step, step.setWeight).isSorted()",
    "the weights of the steps must not fall: sort them from small to large; Headgate goes back by itself",
    holds=lambda steps: all(
        one <= then
        for one, then in itertools.pairwise(step.set_weight for step in steps if step.set_weight is not None)
    ),
)
_RUNS: Final = (
    "has(step.setCanaryScale) || has(step.setHeaderRoute) || (has(step.setWeight) && step.setWeight > 0) "
    "|| (has(step.setMirrorRoute) && step.setMirrorRoute.percentage > 0)"
)
STEPS_RUN = Rule(
    "!self.exists(step, has(step.analysis)) "
    f"|| (self.exists(step, {_RUNS}) && self.map(step, {_RUNS}).indexOf(true) "
    "< self.map(step, has(step.analysis)).indexOf(true))",
    "nothing of the new version runs where the first analysis step stands: put setCanaryScale or setWeight before it",
    holds=lambda steps: [bool(step.analysis) for step in steps if step.runs or step.analysis][:1] != [True],
)
STEPS: Final = (WEIGHTS_RISE, STEPS_RUN, HEADERS_BEGIN, MATCHED_EARLY)
"""What holds of the steps of a canary among themselves."""
SOME_EXCHANGE = Rule(
    f"!has(self.maxSurge) || !({_zero('self.maxSurge')}) "
    f"|| (has(self.maxUnavailable) && !({_zero('self.maxUnavailable')}))",
    "maxSurge and maxUnavailable must not both be 0, no pod could ever be exchanged: set maxSurge to 1 or more",
    field_path=".maxSurge",
    holds=lambda part: part.max_surge not in ZEROS or part.max_unavailable not in ZEROS,
)
PREVIEW_SOME = Rule(
    f"!({_zero('self')})",
    "must not be 0, there would be nothing to look at: write 1 or more, or leave it out for all",
    holds=lambda count: count not in ZEROS,
)
BLUE_GREEN_SWITCHES = Rule(
    "!has(self.strategy.blueGreen) || has(self.traffic)",
    "blueGreen switches users between Services: add traffic with stableService and canaryService",
    field_path=".traffic",
    holds=lambda spec: spec.strategy.blue_green is None or spec.traffic is not None,
)
WEIGHTS_ROUTED = Rule(
    "!has(self.traffic) || has(self.traffic.gatewayAPI) || has(self.strategy.blueGreen) || has(self.strategy.recreate)",
    "canary and rollingUpdate move users by weight, which Services alone do not have: add gatewayAPI with routes, "
    "or leave traffic out",
    field_path=".traffic",
    holds=lambda spec: (
        spec.traffic is None
        or _routes(spec)
        or spec.strategy.blue_green is not None
        or spec.strategy.recreate is not None
    ),
)
WHEN_SWITCHED = Rule(
    "has(self.strategy.blueGreen) || !has(self.analysis) || !has(self.analysis.metrics) "
    "|| self.analysis.metrics.all(metric, !has(metric.when) "
    "|| metric.when.all(moment, moment == 'Background' || moment == 'First' || moment == 'Step'))",
    "only blueGreen has a switch for metrics to be judged before or after: leave PrePromotion and PostPromotion out",
    field_path=".analysis.metrics",
    holds=lambda spec: (
        spec.strategy.blue_green is not None
        or {moment for metric in spec.analysis.metrics for moment in metric.when} <= {"Background", "First", "Step"}
    ),
)
STEPS_MEASURED = Rule(
    "!has(self.strategy.canary) || !has(self.strategy.canary.steps) || self.strategy.canary.steps.all(step, "
    "!has(step.analysis) || (has(self.analysis) && has(self.analysis.metrics) && step.analysis.metrics.all(name, "
    "self.analysis.metrics.exists(metric, metric.name == name && has(metric.when) && 'Step' in metric.when))))",
    "an analysis step names metrics of spec.analysis that say when: [Step]: mend the name, or add when",
    field_path=".strategy.canary.steps",
    holds=lambda spec: _named(spec) <= _judged_in_steps(spec),
)
WHEN_STEP = Rule(
    "!has(self.analysis) || !has(self.analysis.metrics) || self.analysis.metrics.all(metric, "
    "!has(metric.when) || !('Step' in metric.when) || (has(self.strategy.canary) && has(self.strategy.canary.steps) "
    "&& self.strategy.canary.steps.exists(step, has(step.analysis) && metric.name in step.analysis.metrics)))",
    "a metric that says when: [Step] is judged in the analysis steps of a canary that name it, and there is none: add "
    "the step analysis: {metrics: [name]}, or leave out Step",
    field_path=".analysis.metrics",
    holds=lambda spec: _judged_in_steps(spec) <= _named(spec),
)
DRILL_HARMLESS = Rule(
    "!has(self.drill) || has(self.strategy.canary) || has(self.strategy.rollingUpdate) "
    "|| (has(self.strategy.blueGreen) && has(self.traffic) && has(self.traffic.gatewayAPI))",
    "a drill must not harm users: recreate would stop all pods for it, and blueGreen without routes would switch all "
    "users; leave drill out, or give blueGreen a route in traffic.gatewayAPI",
    field_path=".drill",
    holds=lambda spec: (
        spec.drill is None
        or (spec.strategy.recreate is None and (spec.strategy.blue_green is None or bool(_routes(spec))))
    ),
)
SCHEDULE = spelled(
    CRON,
    "must be five fields of cron, minute hour day month weekday: write for example 0 4 * * 1 for Mondays at 4",
)
TIME_ZONE = spelled(ZONE, "must be the name of a time zone: write for example Europe/Berlin, or leave it out for UTC")
STABLE_VARIABLE: Final = "$(stable."
"""How the variables begin that the first revision has no value for."""
FIRST_ALONE = Rule(
    "!has(self.when) || !self.when.exists(moment, moment == 'First') "
    f"|| !self.prometheus.query.contains('{STABLE_VARIABLE}')",
    "the first revision has no stable one to compare with: leave $(stable.…) out of the query, or First out of when",
    field_path=".prometheus.query",
    holds=lambda metric: "First" not in metric.when or STABLE_VARIABLE not in metric.prometheus.query,
)
THRESHOLD_BOUND = Rule(
    "has(self.min) || has(self.max)",
    "a threshold has min, max or both: set max: 0.01, for example",
    holds=lambda bounds: bounds.min is not None or bounds.max is not None,
)
THRESHOLD_ORDER = Rule(
    "!has(self.min) || !has(self.max) || self.min <= self.max",
    "threshold.min must not be above threshold.max: exchange them",
    field_path=".min",
    holds=lambda bounds: bounds.min is None or bounds.max is None or bounds.min <= bounds.max,
)
SERVICE_NAME = spelled(NAME, "must be the name of a Service: lower-case letters, digits and '-', such as web-canary")
SERVICES_DIFFER = Rule(
    "self.stableService != self.canaryService",
    "stableService and canaryService must differ: name the second one for example web-canary",
    field_path=".canaryService",
    holds=lambda traffic: traffic.stable_service != traffic.canary_service,
)
ROUTES_DIFFER = Rule(
    "self.all(one, self.filter(other, other.kind == one.kind && other.name == one.name).size() == 1)",
    "must not name a route twice: one entry manages all its rules, or those that it names",
    holds=lambda routes: len({(route.kind, route.name) for route in routes}) == len(routes),
)
SELECTOR_FIXED = Rule(
    "self == oldSelf",
    "cannot be changed, it decides which running pods are ours: put it back, or create another Rollout",
    reason="FieldValueForbidden",
)
SELECTOR_SYNTAX = Rule(
    f"self.all(key, {matches(dns.LABEL_KEY, 'key')} && {matches(dns.LABEL_VALUE, 'self[key]')})",
    "must be labels: keys such as app or example.com/app, values of up to 63 letters, digits, '-', '_' and '.'",
    holds=lambda labels: all(dns.is_label_key(key) and dns.is_label_value(labels[key]) for key in labels),
)
LABELS_UNHASHED = Rule(
    f"!('{names.POD_HASH}' in self)",
    f"must not contain {names.POD_HASH}, Headgate adds it to tell revisions apart: remove it",
    reason="FieldValueForbidden",
    holds=lambda labels: names.POD_HASH not in labels,
)
SELECTOR_CONTAINED = Rule(
    "self.selector.matchLabels.all(key, key in self.template.metadata.labels "
    "&& self.template.metadata.labels[key] == self.selector.matchLabels[key])",
    "every label of selector.matchLabels must be in template.metadata.labels with the same value: add what is missing",
    field_path=".template.metadata.labels",
)
ALWAYS_RESTARTED = Rule(
    "self == 'Always'", "must be Always, a Rollout's pods serve for ever: write Always or leave it out"
)
