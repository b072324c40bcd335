"""Rollouts and a status to try things with.

Owns values that look like those of a real cluster; says nothing of what is right or wrong with them.
"""

import copy
from typing import Any, Final

from headgate.api import cel, status, steps, strategy
from headgate.api.begun import Begun, BegunRoute

SMALLEST: Final[dict[str, Any]] = {
    "apiVersion": "headgate.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "podinfo"}]},
        },
        "strategy": {"canary": {}},
    },
}
_METRIC: Final[dict[str, Any]] = {"name": "errors", "prometheus": {"query": "up"}, "threshold": {"max": 0.01}}
RULES: Final = (
    *(value for value in vars(cel).values() if isinstance(value, cel.Rule)),
    *(rule for part in (strategy.Strategy, steps.Step, steps.CanaryScale, steps.HeaderValue) for rule in part.RULES),
)
"""All rules of the API in CEL: those that are written, and those that are derived from a model's fields."""
MESSAGE: Final = "3 of 4 canary pods are ready"

# What to put where, beyond the manifests: for each the API server and the model must come to the same answer.
NOTATIONS: Final[tuple[tuple[str, object], ...]] = (
    *(("interval", text) for text in ("1s", "1000ms", "999ms", "1h2m3s4ms", "1s1s1s1s", "1s1s1s1s1s", "99999h")),
    *(("interval", text) for text in ("100000h", "-5s", "1.5m", " 10s", "10s\n", "10S", "s", "", "٣s")),
    *(("surge", count) for count in (1, 0, -1, "1%", "01%", "100%", "101%", "0%", "00%", "000%", "%", "", " 5%", 1.5)),
    *(("preview", count) for count in (1, 0, "1%", "0%", "00%", "100%", "101%", "", -1)),
    *(("unavailable", count) for count in (1, "1%", 0, "0%", "00%", "200%", "5 %", "٣%")),
    *(("address", url) for url in ("http://a", "https://a:1/b/", "http://[::1]:9", "HTTP://a", "http://", "http:///a")),
    *(("address", url) for url in ("http://a?b", "http://a#b", "http://a/@b", "http://a\\@b", "http://a b", "//a", "")),
    *(
        ("query", f"a $({name}) b")
        for name in ("namespace", "canary.pods", "canaryxpods", "Name", "", " name", "name ")
    ),
    *(("query", text) for text in ("$", "$$(name)", "$$$", '"a$"', "a\n$(window)\n", "$(window", "$((name))", "$()")),
    *(("label", text) for text in ("", "a", "A.b_c-d", "-a", "a-", "a b", "a\n", "a/b", "ä", "x" * 63, "x" * 64)),
    *(("key", text) for text in ("a", "example.com/a", "Example.com/a", "/a", "a/", "a/b/c", "a b", "x" * 64, "a\n")),
    *(("name", text) for text in ("a", "a-1", "-a", "a-", "A", "a.b", "a" * 63, "a" * 64, "a\n")),
    *(("route", text) for text in ("a", "a.b-c", "a..b", "a.-b", ".a", "..", "A", "a/b", "a%2f", "a?b", "a\n", "")),
    *(("route", text) for text in ("a" * 253, "a" * 254, ".".join("a" * 127), "ａ", "a\u200b", "a\x7f")),  # noqa: RUF001 - a look-alike
    *(("rule", text) for text in ("a", "a.b-c", "a..b", "A", "a/b", "a b", "a\n", "", "a" * 253, "a" * 254)),
    *(("service", text) for text in ("a", "a-b", "a.b", "1a", "A", "../a", "a?b", "a\n", "", "a" * 63, "a" * 64)),
)


def rollout_with(field: str, value: object) -> dict[str, Any]:
    """Return the smallest Rollout with *value* at one place."""
    rollout = copy.deepcopy(SMALLEST)
    spec, metric = rollout["spec"], copy.deepcopy(_METRIC)
    canary = spec["strategy"]["canary"]
    match field:
        case "surge" | "unavailable":
            canary |= {"maxSurge": value} if field == "surge" else {"maxSurge": 0, "maxUnavailable": value}
        case "preview":
            spec["strategy"] = {"blueGreen": {"previewReplicas": value}}
            spec["traffic"] = {"stableService": "web", "canaryService": "web-canary"}
        case "label":
            spec["selector"]["matchLabels"] = spec["template"]["metadata"]["labels"] = {"app": value}
        case "key":
            spec["selector"]["matchLabels"] = spec["template"]["metadata"]["labels"] = {str(value): "web"}
        case "route" | "rule" | "service":
            spec["traffic"] = _traffic(**{field: value})
        case "query" | "address":
            metric["prometheus"][field] = value
            spec["analysis"] = {"metrics": [metric]}
        case "interval" | "name":
            spec["analysis"] = {"metrics": [metric | {field: value}]}
        case _:
            raise ValueError(field)
    return rollout


def _traffic(route: object = "web", rule: object = "all", service: object = "web") -> dict[str, Any]:
    """Return what names a route, a rule of it and two Services."""
    routes = [{"kind": "HTTPRoute", "name": route, "rules": [rule]}]
    return {"stableService": service, "canaryService": "web-canary", "gatewayAPI": {"routes": routes}}


_STARTED: Final = 1_790_000_000
_SIDE: Final[dict[str, Any]] = {"images": ("podinfo:1",), "replicas": 10, "ready": 9, "selector": "app=web"}
STATUS: Final = status.RolloutStatus(
    observed_generation=1,
    replicas=12,
    selector="app=web",
    phase=status.Phase.PROGRESSING,
    ready="11/12",
    conditions=tuple(
        status.Condition(type=kind, status=value, reason="Waiting", message=MESSAGE, last_transition_time=_STARTED)
        for kind, value in (("Available", "True"), ("Ready", "False"), ("Reconciling", "True"))
    ),
    template=status.TemplateStatus(hash="7c9d8e5f4", revision_hash="7c9d8e5f4"),
    policy="6b5d4c3f2",
    begun=Begun(
        strategy="canary",
        max_surge="1",
        max_unavailable="25%",
        stable_service="web",
        canary_service="web-canary",
        routes=(BegunRoute(kind="HTTPRoute", name="web", rules=("all",)),),
        drain_seconds=30,
    ),
    stable=status.Side(revision=1, hash="5d8f6c9b7", **_SIDE),
    canary=status.Canary(
        revision=2,
        hash="7c9d8e5f4",
        started=_STARTED,
        analysis_from=_STARTED,
        progress=status.Progress(desired=2, ready=1, since=_STARTED),
        abort=status.Abort(
            ending=status.Ending.ABORTED, reason="Aborted", message="by hand", by="annotation", since=_STARTED
        ),
        drill=status.Drill(
            of="5d8f6c9b7",
            by="annotation",
            within_seconds=60,
            injected_at=_STARTED + 0.5,
            rollback_seconds=1.25,
            within_target=True,
        ),
        **_SIDE,
    ),
    previous=status.Previous(
        revision=1,
        hash="5d8f6c9b7",
        promoted=_STARTED,
        started=_STARTED,
        analysis_from=_STARTED,
        until=_STARTED,
        **_SIDE,
    ),
    traffic=status.TrafficStatus(
        weight=20,
        lowest=0,
        highest=20,
        since=_STARTED,
        stable_since=_STARTED,
        drift_by="kubectl changed HTTPRoute web",
        drift_count=1,
        drift_last_time=_STARTED,
    ),
    rollback=status.Rollback(revision=3, hash="9c4d7b2f5", rejects="7c9d8e5f4", by="annotation", since=_STARTED),
    step=status.StepStatus(index=2, of=5, text="2/5", since=_STARTED, waiting_for=MESSAGE),
    weight=status.Weight(desired=25, achieved=20, since=_STARTED),
    analysis=(
        status.MetricStatus(
            name="error-rate",
            verdict=status.Outcome.PASSED,
            value="0.002",
            bound="≤ 0.01",
            passes=2,
            since=_STARTED,
            last_tick=_STARTED + 60,
            last_judged=_STARTED + 60,
        ),
    ),
    rejected=(status.Rejected(revision=7, hash="84c7d6b5f", reason="Breach", message="0.2 > 0.01", at=_STARTED),),
    history=(
        status.HistoryEntry(
            revision=1,
            hash="5d8f6c9b7",
            outcome=status.Ending.PROMOTED,
            started=_STARTED,
            aborted_at=_STARTED + 60,
            finished=_STARTED + 600,
            duration="10m",
        ),
    ),
    drill=status.DrillSchedule(schedule="0 4 * * 1 UTC", next=_STARTED),
    restart=status.Restart(since=_STARTED, asked="now", pods=10, remaining=4, stopped=True),
    min_replicas=10,
    handled_commands=("promote=7c9d8e5f4/2",),
)
"""A status in which every field is set."""
