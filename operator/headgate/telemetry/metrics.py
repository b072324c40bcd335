"""Headgate's own Prometheus metrics, in a registry of their own. No series per Rollout: those would never end."""

from collections import Counter as Tally
from collections.abc import Callable
from typing import Final

import prometheus_client
from prometheus_client import Counter, Gauge, Histogram

from headgate import __version__
from headgate.api.status import HistoryEntry, Phase
from headgate.core.model import Key

_FAST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SLOW_SECONDS: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class _Drills:
    """The series about drills."""

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        self._ended = Counter(
            "headgate_drills",
            "Drills that ended; kept is empty where nothing was measured.",
            ("outcome", "kept"),
            registry=registry,
        )
        self._seconds = Histogram(
            "headgate_drill_seconds",
            "From the breach of a drill until stable had all traffic again.",
            buckets=_SLOW_SECONDS,
            registry=registry,
        )

    def ended(self, entry: HistoryEntry) -> None:
        """Count *entry*, if it is a drill."""
        if entry.drill is None:
            return
        kept = "" if entry.drill.within_target is None else str(entry.drill.within_target).lower()
        self._ended.labels(str(entry.outcome), kept).inc()
        if entry.drill.rollback_seconds is not None:
            self._seconds.observe(entry.drill.rollback_seconds)


class Metrics:
    """All series of one operator."""

    def __init__(self) -> None:
        self.registry = registry = prometheus_client.CollectorRegistry()
        self._passes = Counter(
            "headgate_reconcile",
            "Passes, by the rule that decided and the result.",
            ("rule", "result"),
            registry=registry,
        )
        self._pass_seconds = Histogram(
            "headgate_reconcile_seconds", "Duration of a pass.", buckets=_FAST_SECONDS, registry=registry
        )
        self._bugs = Counter("headgate_bugs", "Passes that ended with an error of ours.", registry=registry)
        self._requests = Counter(
            "headgate_api_requests", "Kubernetes API requests.", ("verb", "kind", "outcome"), registry=registry
        )
        self._request_seconds = Histogram(
            "headgate_api_request_seconds",
            "Duration of Kubernetes API requests.",
            ("verb",),
            buckets=_FAST_SECONDS,
            registry=registry,
        )
        self._drills = _Drills(registry)
        self._queries = Counter("headgate_metric_queries", "Queries for metrics.", ("result",), registry=registry)
        self._query_seconds = Histogram(
            "headgate_metric_query_seconds",
            "Duration of queries for metrics.",
            buckets=_FAST_SECONDS,
            registry=registry,
        )
        self._events = Counter("headgate_events", "Kubernetes Events about Rollouts.", ("outcome",), registry=registry)
        self._restarts = Counter("headgate_watch_restarts", "Times that watches were started anew.", registry=registry)
        self._resync = Gauge(
            "headgate_last_resync_timestamp_seconds", "When all Rollouts were last listed.", registry=registry
        )
        self._rollouts = Gauge("headgate_rollouts", "Rollouts, by phase.", ("phase",), registry=registry)
        self._depth = Gauge("headgate_queue_depth", "Rollouts that wait for a pass.", registry=registry)
        Gauge("headgate_build_info", "The running version.", ("version",), registry=registry).labels(__version__).set(1)
        self._phases: dict[Key, Phase] = {}
        self._tally: Tally[Phase] = Tally()

    def expose(self) -> bytes:
        """Return all series in the text format; called beside the event loop."""
        for phase in Phase:
            self._rollouts.labels(phase.value).set(self._tally[phase])
        return prometheus_client.generate_latest(self.registry)

    def measure_depth(self, depth: Callable[[], int]) -> None:
        """Ask *depth* how many Rollouts wait at each scrape."""
        self._depth.set_function(depth)

    def passed(self, key: Key, rule: str, result: str, seconds: float) -> None:
        """Count a pass over *key*."""
        del key  # one series per Rollout would never end
        self._passes.labels(rule, result).inc()
        self._pass_seconds.observe(seconds)
        if result == "bug":
            self._bugs.inc()

    def recorded(self, key: Key, entry: HistoryEntry) -> None:
        """Count the end of a rollout of *key*, if it was a drill."""
        del key
        self._drills.ended(entry)

    def stands(self, key: Key, phase: Phase | None) -> None:
        """Note the phase in which *key* stands; None: it is gone."""
        before = self._phases.pop(key, None)
        if before is not None:
            self._tally[before] -= 1
        if phase is not None:
            self._phases[key] = phase
            self._tally[phase] += 1

    def requested(self, verb: str, kind: str, outcome: str, seconds: float) -> None:
        """Count a request to the Kubernetes API."""
        self._requests.labels(verb, kind, outcome).inc()
        self._request_seconds.labels(verb).observe(seconds)

    def queried(self, result: str, seconds: float) -> None:
        """Count a query to a metrics server."""
        self._queries.labels(result).inc()
        self._query_seconds.observe(seconds)

    def posted(self, outcome: str) -> None:
        """Count what became of a Kubernetes Event."""
        self._events.labels(outcome).inc()

    def resynced(self, now: float) -> None:
        """Note that all Rollouts have been listed."""
        self._resync.set(now)

    def watches_restarted(self) -> None:
        """Count a new start of the watches."""
        self._restarts.inc()
