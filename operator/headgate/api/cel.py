"""What the API server checks by itself: rules in CEL, and the notations that these share with the models.

Owns the wording: `kubectl apply` and a model refuse the same thing with the same sentence, which says what would be
right. Must not know how the schema is put together.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Final

import pydantic
from pydantic.config import JsonDict

from headgate.api import dns, names, values


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a CEL expression that holds for a valid value, and what to say where it does not."""

    rule: str
    message: str
    field_path: str = ""
    """The field to name, relative to where the rule stands; empty: that place itself."""
    reason: str = "FieldValueInvalid"

    def written(self) -> JsonDict:
        """Return the rule as it stands in a CRD."""
        known = {"rule": self.rule, "message": self.message, "fieldPath": self.field_path, "reason": self.reason}
        return {key: text for key, text in known.items() if text}


def named(known: Callable[[object], bool], rule: Rule) -> pydantic.AfterValidator:
    """Return what refuses a text that is no name by *known*, in the words of *rule*."""

    def check(text: str) -> str:
        if not known(text):
            raise ValueError(rule.message)
        return text

    return pydantic.AfterValidator(check)


def validations(*rules: Rule) -> JsonDict:
    """Return *rules* as an addition to a model's or a field's schema."""
    return {"x-kubernetes-validations": [rule.written() for rule in rules]}


def map_list(key: str) -> JsonDict:
    """Return what makes a list of named things one that server-side apply merges by *key*."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


def atomic_list() -> JsonDict:
    """Return what makes a list one value: whoever applies it, applies all of it."""
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

ZEROS: Final = (0, "0%", "00%")
"""The ways to write no pods at all."""


def is_header(text: object) -> bool:
    """Return whether *text* can be the name of a header."""
    return isinstance(text, str) and re.fullmatch(HEADER, text) is not None


def matches(pattern: str, subject: str = "self") -> str:
    """Return the CEL expression that holds where the whole of *subject* is of *pattern*."""
    return f"{subject}.matches(r'^({pattern})$')"


def _zero(subject: str) -> str:
    return f"{subject} == 0 || {subject} == '0%' || {subject} == '00%'"


# --- the rules --------------------------------------------------------------------------------------------------------

DURATION = Rule(
    matches(values.DURATION_PATTERN[1:-1]), "must be a duration: write a number and a unit, such as 90s, 10m or 1h30m"
)
PATIENCE = Rule(
    matches(values.PATIENCE_PATTERN[1:-1]),
    f"must be a duration or {values.NEVER}: write a number and a unit, such as 30s, 5m or 1h30m",
)
DURATION_MIN = Rule(
    f"!{DURATION.rule} || duration(self) >= duration('1s')", "must be at least 1s: write for example 10s"
)
COUNT = Rule(
    f"type(self) == int ? self >= 0 : {matches(values.PERCENT_PATTERN[1:-1], 'string(self)')}",
    "must be a number of pods or a percentage from 0% to 100%: write for example 1 or 25%",
)
METRIC_NAME = Rule(
    matches(NAME), "must be lower-case letters, digits and '-', beginning and ending with a letter or digit: error-rate"
)
QUERY_KNOWN = Rule(
    matches(QUERY),
    "has a $(…) that is not known: use "
    + ", ".join(f"$({variable})" for variable in QUERY_VARIABLES[:-1])
    + f" or $({QUERY_VARIABLES[-1]})",
)
ADDRESS_PLAIN = Rule(
    matches(ADDRESS),
    "must be http:// or https:// with a host, and without user, password or query: http://prometheus.monitoring:9090",
)
STRATEGY_ONE = Rule(
    "[has(self.canary), has(self.blueGreen), has(self.rollingUpdate), has(self.recreate)].exists_one(chosen, chosen)",
    "a strategy is exactly one of canary, blueGreen, rollingUpdate and recreate: keep one of them",
)
STEP_ONE_FIELD = Rule(
    "[has(self.setWeight), has(self.pause), has(self.setCanaryScale), has(self.analysis), has(self.setHeaderRoute), "
    "has(self.setMirrorRoute)].exists_one(chosen, chosen)",
    "a step has exactly one of setWeight, pause, setCanaryScale, analysis, setHeaderRoute and setMirrorRoute: make "
    "each a step of its own (pause: {} waits until promoted)",
)
SCALE_ONE_FIELD = Rule(
    "[has(self.replicas), has(self.weight), has(self.matchTrafficWeight) && self.matchTrafficWeight]"
    ".exists_one(chosen, chosen)",
    "setCanaryScale has exactly one of replicas, weight and matchTrafficWeight: true; keep one of them",
)
STEPS_ROUTED = Rule(
    "has(self.traffic) || !has(self.strategy.canary) || !has(self.strategy.canary.steps) "
    "|| self.strategy.canary.steps.all(step, "
    "!has(step.setCanaryScale) && !has(step.setHeaderRoute) && !has(step.setMirrorRoute))",
    "without traffic the share of the pods is the share of the users, so that there is no setCanaryScale, no "
    "setHeaderRoute and no setMirrorRoute: add traffic with gatewayAPI, or leave that step out",
    field_path=".strategy.canary.steps",
)
STEPS_MATCHED = Rule(
    "!has(self.traffic) || !has(self.traffic.gatewayAPI) || !has(self.strategy.canary) "
    "|| !has(self.strategy.canary.steps) || self.traffic.gatewayAPI.routes.all(route, route.kind == 'HTTPRoute') "
    "|| self.strategy.canary.steps.all(step, !has(step.setHeaderRoute) && !has(step.setMirrorRoute))",
    "setHeaderRoute and setMirrorRoute need HTTPRoutes, and one of the routes is a GRPCRoute: leave out the step, or "
    "that route",
    field_path=".strategy.canary.steps",
)
HEADER_NAME = Rule(matches(HEADER), "must be the name of a header, without spaces or colons: such as X-Beta or Cookie")
HEADER_ROUTE_NAME = Rule(
    matches(NAME), "must be lower-case letters, digits and '-', beginning and ending with a letter or digit: beta"
)
ROUTE_NAME = Rule(
    matches(dns.SUBDOMAIN),
    "must be the name of a route in the Rollout's own namespace, lower-case letters, digits, '-' and single dots: web",
)
RULE_NAME = Rule(
    matches(dns.SUBDOMAIN),
    "must be the name of a rule of the route, lower-case letters, digits, '-' and single dots: checkout",
)
HEADER_VALUE_ONE = Rule(
    "[has(self.exact), has(self.prefix), has(self.regex)].exists_one(chosen, chosen)",
    "a header's value is exactly one of exact, prefix and regex: keep one of them",
)
HEADERS_BEGIN = Rule(
    "self.all(step, !has(step.setHeaderRoute) || has(step.setHeaderRoute.match) || self.exists(other, "
    "has(other.setHeaderRoute) && has(other.setHeaderRoute.match) "
    "&& other.setHeaderRoute.name == step.setHeaderRoute.name))",
    "setHeaderRoute without match ends the route of that name, and no step begins it: add match, or mend the name",
)
MATCHED_EARLY = Rule(
    "!self.exists(step, has(step.setWeight) && step.setWeight == 100) "
    "|| self.map(step, has(step.setHeaderRoute) || has(step.setMirrorRoute)).lastIndexOf(true) "
    "< self.map(step, has(step.setWeight) && step.setWeight == 100).indexOf(true)",
    "from setWeight: 100 on all requests reach the new version: put setHeaderRoute and setMirrorRoute before it",
)
WEIGHTS_RISE = Rule(
    "self.filter(step, has(step.setWeight)).map(step, step.setWeight).isSorted()",
    "the weights of the steps must not fall: sort them from small to large; Headgate goes back by itself",
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
)
STEPS: Final = (WEIGHTS_RISE, STEPS_RUN, HEADERS_BEGIN, MATCHED_EARLY)
"""What holds of the steps of a canary among themselves."""
SOME_EXCHANGE = Rule(
    f"!has(self.maxSurge) || !({_zero('self.maxSurge')}) "
    f"|| (has(self.maxUnavailable) && !({_zero('self.maxUnavailable')}))",
    "maxSurge and maxUnavailable must not both be 0, no pod could ever be exchanged: set maxSurge to 1 or more",
    field_path=".maxSurge",
)
PREVIEW_SOME = Rule(
    f"!({_zero('self')})", "must not be 0, there would be nothing to look at: write 1 or more, or leave it out for all"
)
BLUE_GREEN_SWITCHES = Rule(
    "!has(self.strategy.blueGreen) || has(self.traffic)",
    "blueGreen switches users between Services: add traffic with stableService and canaryService",
    field_path=".traffic",
)
WEIGHTS_ROUTED = Rule(
    "!has(self.traffic) || has(self.traffic.gatewayAPI) || has(self.strategy.blueGreen) || has(self.strategy.recreate)",
    "canary and rollingUpdate move users by weight, which Services alone do not have: add gatewayAPI with routes, "
    "or leave traffic out",
    field_path=".traffic",
)
WHEN_SWITCHED = Rule(
    "has(self.strategy.blueGreen) || !has(self.analysis) || !has(self.analysis.metrics) "
    "|| self.analysis.metrics.all(metric, !has(metric.when) "
    "|| metric.when.all(moment, moment == 'Background' || moment == 'First' || moment == 'Step'))",
    "only blueGreen has a switch for metrics to be judged before or after: leave PrePromotion and PostPromotion out",
    field_path=".analysis.metrics",
)
STEPS_MEASURED = Rule(
    "!has(self.strategy.canary) || !has(self.strategy.canary.steps) || self.strategy.canary.steps.all(step, "
    "!has(step.analysis) || (has(self.analysis) && has(self.analysis.metrics) && step.analysis.metrics.all(name, "
    "self.analysis.metrics.exists(metric, metric.name == name && has(metric.when) && 'Step' in metric.when))))",
    "an analysis step names metrics of spec.analysis that say when: [Step]: mend the name, or add when",
    field_path=".strategy.canary.steps",
)
WHEN_STEP = Rule(
    "!has(self.analysis) || !has(self.analysis.metrics) || self.analysis.metrics.all(metric, "
    "!has(metric.when) || !('Step' in metric.when) || (has(self.strategy.canary) && has(self.strategy.canary.steps) "
    "&& self.strategy.canary.steps.exists(step, has(step.analysis) && metric.name in step.analysis.metrics)))",
    "a metric that says when: [Step] is judged in the analysis steps of a canary that name it, and there is none: add "
    "the step analysis: {metrics: [name]}, or leave out Step",
    field_path=".analysis.metrics",
)
DRILL_HARMLESS = Rule(
    "!has(self.drill) || has(self.strategy.canary) || has(self.strategy.rollingUpdate) "
    "|| (has(self.strategy.blueGreen) && has(self.traffic) && has(self.traffic.gatewayAPI))",
    "a drill must harm nobody: recreate would stop all pods for it, and blueGreen without routes would switch all "
    "users; leave drill out, or give blueGreen a route in traffic.gatewayAPI",
    field_path=".drill",
)
SCHEDULE = Rule(
    matches(CRON),
    "must be five fields of cron, minute hour day month weekday: write for example 0 4 * * 1 for Mondays at 4",
)
TIME_ZONE = Rule(
    matches(ZONE), "must be the name of a time zone: write for example Europe/Berlin, or leave it out for UTC"
)
STABLE_VARIABLE: Final = "$(stable."
"""How the variables begin that the first revision has no value for."""
FIRST_ALONE = Rule(
    "!has(self.when) || !self.when.exists(moment, moment == 'First') "
    f"|| !self.prometheus.query.contains('{STABLE_VARIABLE}')",
    "the first revision has no stable one to compare with: leave $(stable.…) out of the query, or First out of when",
    field_path=".prometheus.query",
)
THRESHOLD_BOUND = Rule("has(self.min) || has(self.max)", "a threshold has min, max or both: set max: 0.01, for example")
THRESHOLD_ORDER = Rule(
    "!has(self.min) || !has(self.max) || self.min <= self.max",
    "threshold.min must not be above threshold.max: exchange them",
    field_path=".min",
)
SERVICE_NAME = Rule(
    matches(NAME), "must be the name of a Service: lower-case letters, digits and '-', such as web-canary"
)
SERVICES_DIFFER = Rule(
    "self.stableService != self.canaryService",
    "stableService and canaryService must differ: name the second one for example web-canary",
    field_path=".canaryService",
)
ROUTES_DIFFER = Rule(
    "self.all(one, self.filter(other, other.kind == one.kind && other.name == one.name).size() == 1)",
    "must not name a route twice: one entry manages all its rules, or those that it names",
)
SELECTOR_FIXED = Rule(
    "self == oldSelf",
    "cannot be changed, it decides which running pods are ours: put it back, or create another Rollout",
    reason="FieldValueForbidden",
)
SELECTOR_SYNTAX = Rule(
    f"self.all(key, {matches(dns.LABEL_KEY, 'key')} && {matches(dns.LABEL_VALUE, 'self[key]')})",
    "must be labels: keys such as app or example.com/app, values of up to 63 letters, digits, '-', '_' and '.'",
)
LABELS_UNHASHED = Rule(
    f"!('{names.POD_HASH}' in self)",
    f"must not contain {names.POD_HASH}, Headgate adds it to tell revisions apart: remove it",
    reason="FieldValueForbidden",
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
