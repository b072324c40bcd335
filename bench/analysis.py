"""What it costs to look at many canaries all the time, and whether it keeps up.

A tick is due once it is settled. Its lag is how much later its query comes in at the server. None may be skipped, and
none asked for twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench import crowd, servers, usage
from bench.client import Json
from bench.crowd import Member
from bench.figures import Beside, Budget, Figure
from bench.scope import Scope
from bench.servers import Asked, Server
from bench.stage import Say, Stage, running
from tests.prometheus.scripts import constant

SECTION: Final = "analysis"
INTERVAL_SECONDS: Final = 10
SETTLE_SECONDS: Final = 5.0
"""The operator's own, where Prometheus scrapes all the time (HEADGATE_SCRAPE_INTERVAL_SECONDS=0)."""
METRICS: Final = ("error-rate", "latency")
WEIGHT: Final = 50
PERCENT: Final = 100.0
PROBES: Final = 50
NONE_BUDGET: Final = Budget(0)


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure against the scripted server, and, if wanted, against a real one."""
    for count in scope.analyses:
        with running("analysis", say) as stage:
            stage.prometheus.script(constant(0.01))
            yield from _analyses(stage, scope, count, servers.Scripted(stage.prometheus))
    if scope.real_analyses:
        with servers.real(say) as server, running("analysis", say, prometheus=server.address) as stage:
            yield from _analyses(stage, scope, scope.real_analyses, server)


def _analyses(stage: Stage, scope: Scope, count: int, server: Server) -> Iterator[Figure]:
    _watched(stage, scope, count, server)
    what = f"{count:,} × {len(METRICS)} metrics, {server.name}"
    stage.say(what)
    server.forget()
    before, sums = usage.cpu_seconds(stage.pid), _query_seconds(stage)
    stage.rest(scope.analysis_seconds)
    used = (usage.cpu_seconds(stage.pid) - before) / scope.analysis_seconds * PERCENT
    after, asked = _query_seconds(stage), server.asked()
    stage.operator.stop()
    mean = (after[0] - sums[0]) / max(1.0, after[1] - sums[1]) * servers.MILLISECONDS
    alone = Beside("plain client", servers.probe(server, asked[-1].query, asked[-1].ticks, PROBES))
    note = f"{len(asked)} queries in {scope.analysis_seconds} s"
    yield Figure(SECTION, f"{what}: CPU", "% of a core", (used,), note=note)
    yield Figure(SECTION, f"{what}: mean latency of a query", "ms", (mean,), None, (alone,))
    lags = tuple((one.arrived - tick - SETTLE_SECONDS) * servers.MILLISECONDS for one in asked for tick in one.ticks)
    yield Figure(SECTION, f"{what}: lag of a tick", "ms", lags)
    wrong = sum(skipped_or_twice(ticks) for ticks in by_query(asked).values())
    unasked = count * len(METRICS) - len(by_query(asked))
    yield Figure(SECTION, f"{what}: skipped, or asked twice", "ticks", (float(wrong + unasked),), NONE_BUDGET)


def _watched(stage: Stage, scope: Scope, count: int, server: Server) -> None:
    """Have so many canaries stand at a pause, all of them measured."""
    members = crowd.members("watched", count, scope.per_namespace)
    strategy = crowd.steps(WEIGHT, pause={})
    crowd.create(
        stage.client,
        {one: {"replicas": 2, "strategy": strategy, "analysis": {"metrics": _metrics(one, server)}} for one in members},
    )
    stage.operator.start()
    crowd.wait(stage, members, crowd.at_rest, "at rest", 120 + 2 * count)
    crowd.ship(stage.client, members, "v2")
    crowd.wait(stage, members, crowd.at_weight(WEIGHT), "paused", 120 + 2 * count)
    stage.rest(2 * INTERVAL_SECONDS)


def _metrics(member: Member, server: Server) -> list[Json]:
    every = {"interval": f"{INTERVAL_SECONDS}s", "window": f"{INTERVAL_SECONDS}s"}
    return [
        crowd.metric(member, name, **every, prometheus={"query": server.query(f"{member.name}-{name}")})
        for name in METRICS
    ]


def _query_seconds(stage: Stage) -> tuple[float, float]:
    """Return the operator's own sum and count of the time that its queries took."""
    total = stage.operator.metric("headgate_metric_query_seconds_sum")
    return total, stage.operator.metric("headgate_metric_query_seconds_count")


def by_query(asked: Sequence[Asked]) -> Mapping[str, list[int]]:
    """Return the ticks of each query in the order in which they were asked for."""
    found: dict[str, list[int]] = {}
    for one in asked:
        found.setdefault(one.query, []).extend(one.ticks)
    return found


def skipped_or_twice(ticks: Sequence[int]) -> int:
    """Return how many ticks are missing between the first and the last, or there more than once."""
    wanted = set(range(min(ticks), max(ticks) + 1, INTERVAL_SECONDS))
    return len(wanted - set(ticks)) + len(ticks) - len(set(ticks))
