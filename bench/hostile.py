"""What a namespace that means no good does to another one: a hundred of its Rollouts beside one tenant's own.

| begins with | ends with |
|---|---|
| the API server has answered the tenant's annotation `abort` | it has answered the PATCH of the route |
| a tick of the tenant's metric has settled | its query comes in at Prometheus |

Beside it the operator's memory and its answers to the liveness probe are looked at all the time.
"""

import dataclasses
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Final, Self

from bench import analysis, audit, crowd, neighbours, react, usage
from bench.client import Client
from bench.crowd import Member
from bench.figures import Budget, Figure
from bench.scope import Scope
from bench.servers import MILLISECONDS, Asked, Scripted
from bench.stage import Say, Stage, running

SECTION: Final = "hostile"
ABORT_BUDGET: Final = Budget(1000)
MEMORY_BUDGET: Final = Budget(384)
"""MiB: the limit that the chart sets."""
PROBE_BUDGET: Final = Budget(0)
PROBE_SECONDS: Final = 5.0
"""After so long the kubelet gives up, as the chart tells it to."""
LOOK_SECONDS: Final = 0.5
TENANTS: Final = 15
"""Rollouts of the tenant, so that one is aborted while others are on their way."""
WEIGHT: Final = 25
INTERVAL_SECONDS: Final = 5
APART_SECONDS: Final = 0.5


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure a tenant alone, then beside the others."""
    with running(SECTION, say) as stage:
        stage.prometheus.script(*neighbours.script())
        tenants = crowd.members("tenant", min(TENANTS, scope.hostile_aborts), TENANTS)
        crowd.create(stage.client, {one: _spec(one) for one in tenants})
        stage.operator.start()
        crowd.wait(stage, tenants, crowd.at_rest, "at rest", 120)
        shipped = Shipping(stage, tenants)
        alone = shipped.aborted(len(tenants))
        hostile = neighbours.members(scope.hostile)
        taken = neighbours.create(stage.client, hostile)
        say(f"{len(taken)} of {len(hostile)} hostile Rollouts were let in")
        watch = Watch(stage)
        with neighbours.Churn(Client(stage.cluster), taken) as churn, watch:
            stage.prometheus.forget()
            beside = shipped.aborted(scope.hostile_aborts, scope.hostile_seconds)
            asked = [one for one in Scripted(stage.prometheus).asked() if 'rollout="tenant' in one.query]
        stage.operator.stop()
        refused = len(hostile) - len(taken)
        note = f"beside {len(taken)} hostile Rollouts ({refused} refused) and {churn.shipped} further versions of them"
        yield Figure(SECTION, "abort answered → route written, alone", "ms", alone)
        yield Figure(SECTION, "abort answered → route written", "ms", beside, ABORT_BUDGET, note=note)
        yield Figure(SECTION, "lag of a tick of the tenant's metric", "ms", lags(asked))
        yield from watch.figures()


def lags(asked: Sequence[Asked]) -> tuple[float, ...]:
    """Return how many ms after each tick had settled its query came in."""
    return tuple((one.arrived - tick - analysis.SETTLE_SECONDS) * MILLISECONDS for one in asked for tick in one.ticks)


def _spec(member: Member) -> dict[str, object]:
    every = {"interval": f"{INTERVAL_SECONDS}s", "window": f"{INTERVAL_SECONDS}s"}
    return {
        "strategy": crowd.steps(WEIGHT, pause={}),
        "traffic": crowd.road(member, "1s"),
        "replicas": 2,
        "analysis": {"metrics": [crowd.metric(member, **every)]},
    }


@dataclasses.dataclass
class Shipping:
    """The tenant, who ships version after version and takes each of them back."""

    stage: Stage
    members: Sequence[Member]
    versions: int = 1

    def aborted(self, count: int, seconds: float = 0.0) -> tuple[float, ...]:
        """Abort so many canaries one by one, and go on until *seconds* have passed; return how many ms each took."""
        ends, taken = time.monotonic() + seconds, list[float]()
        while len(taken) < count or time.monotonic() < ends:
            taken += self._round()
        return tuple(taken)

    def _round(self) -> list[float]:
        stage, self.versions = self.stage, self.versions + 1
        crowd.ship(stage.client, self.members, f"v{self.versions}")
        crowd.wait(stage, self.members, crowd.at_weight(WEIGHT), f"at {WEIGHT} percent", 300)
        since = stage.audit.mark()
        for member in self.members:
            stage.client.merge(member.path, {"metadata": {"annotations": {"headgate.dev/abort": "now"}}})
            stage.rest(APART_SECONDS)
        crowd.wait(stage, self.members, crowd.taken_back, "taken back", 300)
        stage.rest(react.LOG_SECONDS)
        calls = stage.audit.calls(since, audit.OPERATOR, audit.ADMINISTRATOR)
        return [_took(calls, member) for member in self.members]


def _took(calls: Sequence[audit.Call], member: Member) -> float:
    told = min(
        call.ended
        for call in calls
        if call.user == audit.ADMINISTRATOR
        and call.verb == "patch"
        and (call.resource, call.namespace, call.name) == ("rollouts", member.namespace, member.name)
    )
    written = react.route_write([call for call in calls if call.user == audit.OPERATOR], member, told)
    return (written.ended - told) * MILLISECONDS


class Watch:
    """Looks at the operator's memory, and at how it answers the liveness probe, for as long as the block lasts."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self.memory: list[float] = []
        self.answers: list[float] = []
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def figures(self) -> Iterator[Figure]:
        """Return what was seen."""
        yield Figure(SECTION, "RSS of the operator", "MiB", tuple(self.memory), MEMORY_BUDGET, note=self._peak)
        yield Figure(SECTION, "answer of /healthz", "ms", tuple(self.answers))
        note = "; ".join(dict.fromkeys(self.failures))[:200]
        yield Figure(
            SECTION, "answers of /healthz that were not good", "", (float(len(self.failures)),), PROBE_BUDGET, note=note
        )

    _peak: str = ""

    def _look(self) -> None:
        pid = self._stage.pid
        while not self._ended.wait(LOOK_SECONDS):
            began = time.monotonic()
            try:
                address = f"http://127.0.0.1:{self._stage.operator.port}/healthz"
                with urllib.request.urlopen(address, timeout=PROBE_SECONDS):
                    pass
            except OSError as error:
                body = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
                self.failures.append(f"{error} {body}".replace("\n", ", "))
            self.answers.append((time.monotonic() - began) * MILLISECONDS)
            self.memory.append(usage.resident_mib(pid))
            self._peak = f"at its peak: {usage.peak_mib(pid):.0f} MiB"
