"""Promotions and rollbacks under steady load, with every request counted: `python -m tests.e2e.soak [N]`, N of each.

Owns the switches, what counts as lost, and the printing. Half of the users keep their connection to the gateway, half
make a new one for each request. Pods are gone a second after they are asked to go: that they have no user by then is
what is tried.
"""

import collections
import dataclasses
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from hack.cluster import wait_until
from tests.e2e import load, nodes, podinfo, routed, shops
from tests.e2e.load import Connections, Counts, Load, Response
from tests.e2e.nodes import Node
from tests.e2e.shops import PATIENCE_SECONDS, Shop
from tests.e2e.timeline import Timeline

ROUNDS: Final = 3
PER_SECOND: Final = 50
"""Requests of each kind of users."""
REST_SECONDS: Final = 5
WEIGHTS: Final = (10, 50)
# podinfo 3.0.0 fails for whole seconds, a third of them.
ERRORS: Final = podinfo.error_rate("[45]..", window="8s", passesToAdvance=2)
PROMOTION, ABORT, BREACH, REST = "promotion", "rollback by abort", "rollback by errors", "at rest"


@dataclasses.dataclass(frozen=True)
class Window:
    """What users got between two moments."""

    requests: int = 0
    lost: int = 0
    errors_of_bad: int = 0
    latencies: "collections.Counter[int]" = dataclasses.field(default_factory=collections.Counter)
    """Of all that were answered by good versions, in the buckets of load.Counts."""

    def __sub__(self, before: Self) -> "Window":
        """Return what came after *before*."""
        requests, lost = self.requests - before.requests, self.lost - before.lost
        return Window(requests, lost, self.errors_of_bad - before.errors_of_bad, self.latencies - before.latencies)

    def __add__(self, other: Self) -> "Window":
        """Return both."""
        requests, lost = self.requests + other.requests, self.lost + other.lost
        return Window(requests, lost, self.errors_of_bad + other.errors_of_bad, self.latencies + other.latencies)

    def latency_ms(self, percent: float) -> float:
        """Return what *percent* of the requests stayed beneath."""
        return 1000 * Counts({"2xx": self.latencies.total()}, 0, self.latencies).latency_seconds(percent)

    def __str__(self) -> str:
        """Return it as a line."""
        bad = f" bad version's own errors {self.errors_of_bad:4}" if self.errors_of_bad else ""
        p50, p99 = self.latency_ms(50), self.latency_ms(99)
        return f"requests {self.requests:7}  lost {self.lost:3}  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms{bad}"


@dataclasses.dataclass(frozen=True)
class Phase:
    """One switch, or the rest between two."""

    kind: str
    seconds: float
    window: Window

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.kind:<20} {self.seconds:6.1f} s  {self.window}"


class CalmShop(Shop):
    """A shop that is looked at once a second: kubectl, ten times a second, would be half of the machine's work."""

    def wait(self, condition: Callable[[], bool], what: str, deadline_seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until *condition* holds; fail with the status if it does not in time."""
        assert wait_until(condition, deadline_seconds, poll_seconds=1), f"{what}: not in time; {self.status}"


class Crowd:
    """All users of a shop."""

    def __init__(self, shop: Shop, seconds: int, per_second: int) -> None:
        url, host = podinfo.url(shop.node.cluster), f"{shop.namespace}.test"
        self.per_second = per_second
        self.loads = [
            Load(
                shop.node.cluster,
                url,
                podinfo.version_of,
                per_second,
                duration_seconds=seconds,
                host=host,
                connections=connections,
            )
            for connections in Connections
        ]

    def so_far(self) -> Window:
        """Return what all of them got until now."""
        found = Window()
        for one in self.loads:
            counts = one.snapshot()
            latencies: collections.Counter[int] = collections.Counter()
            for version in set(counts.versions) - {load.NOBODY, podinfo.BAD}:
                latencies.update(counts.of(version).latencies)
            found += Window(counts.requests, routed.lost(counts), counts.of(podinfo.BAD).errors, latencies)
        return found

    def lost(self) -> Iterator[tuple[str, Response]]:
        """Yield the first of the requests that were lost: who answered, and what."""
        for one in self.loads:
            yield from (entry for entry in one.snapshot().failures if entry[0] != podinfo.BAD)

    def stop(self) -> Window:
        """Send them home, and return all that they got."""
        for one in self.loads:
            one.stop()
        return self.so_far()


@dataclasses.dataclass
class Soak:
    """A shop, its users, and the version that they get."""

    shop: Shop
    crowd: Crowd
    stable: str = podinfo.GOOD
    round: int = 0

    @property
    def other(self) -> str:
        """The good version that is not stable."""
        return podinfo.BETTER if self.stable == podinfo.GOOD else podinfo.GOOD

    def phases(self, rounds: Iterable[int]) -> Iterator[Phase]:
        """Yield what users got in each switch of these rounds, a promotion and a rollback each, and between them.

        The rollback is by abort in odd rounds, by errors in even ones.
        """
        for self.round in rounds:
            yield self._timed(REST, self._rest)
            yield self._timed(PROMOTION, self._promotion)
            yield self._timed(REST, self._rest)
            yield self._timed(*((ABORT, self._abort) if self.round % 2 else (BREACH, self._breach)))
        yield self._timed(REST, self._rest)

    def _timed(self, kind: str, happens: Callable[[], object]) -> Phase:
        started, before = time.monotonic(), self.crowd.so_far()
        happens()
        return Phase(kind, time.monotonic() - started, self.crowd.so_far() - before)

    def _rest(self) -> None:
        self._wait_seconds(REST_SECONDS)

    def _wait_seconds(self, seconds: int) -> None:
        """Wait until users have got what they ask for in *seconds*."""
        more = len(self.crowd.loads) * self.crowd.per_second * seconds
        enough = self.crowd.so_far().requests + more
        self.shop.wait(lambda: self.crowd.so_far().requests >= enough, f"{more} more requests", PATIENCE_SECONDS)

    def _ship(self, version: str, purpose: str, **spec: object) -> None:
        # A template of its own each time: one that was rejected is not tried again.
        self.shop.apply(routed.abrupt(self.shop.manifest(version, **spec), f"{purpose} {self.round}"))

    def _promotion(self) -> None:
        version = self.other
        self._ship(version, PROMOTION, metrics=[], **routed.spec(*WEIGHTS))
        self.shop.wait_stable(version)
        self.stable = version
        self.shop.wait(lambda: set(self.shop.pods_by_version()) == {version}, "the old pods are gone", PATIENCE_SECONDS)

    def _abort(self) -> None:
        self._ship(self.other, ABORT, metrics=[], **routed.spec(*WEIGHTS, routed.UNTIL_PROMOTED))
        self.shop.wait_step(len(WEIGHTS) + 1, PATIENCE_SECONDS)
        self._wait_seconds(1)
        self.shop.command("abort", "now")
        self.shop.wait_rolled_back("Aborted", self.stable)

    def _breach(self) -> None:
        self._ship(podinfo.BAD, BREACH, metrics=[ERRORS], **routed.spec(*WEIGHTS))
        self.shop.wait_rolled_back("MetricFailed", self.stable)


def begun(shop: Shop, seconds: int, per_second: int = PER_SECOND) -> Soak:
    """Return the soak of a shop whose first version is on its way, once users are in; for *seconds* at most."""
    crowd = Crowd(shop, seconds, per_second)
    shop.visitors = crowd.loads[0]
    calm = CalmShop(**vars(shops.serving(shop)))
    for one in crowd.loads[1:]:
        one.start()
    return Soak(calm, crowd)


def summary(phases: list[Phase]) -> str:
    """Return a line for each kind of phase, and one for all."""
    kinds = [kind for kind in (REST, PROMOTION, ABORT, BREACH) if any(one.kind == kind for one in phases)]
    groups = [[one for one in phases if one.kind == kind] for kind in kinds]
    switches = [one for one in phases if one.kind != REST]
    named = [*zip(kinds, groups, strict=True), ("all switches", switches), ("all", phases)]
    return "".join(
        f"{len(group):3} × {Phase(name, sum(one.seconds for one in group), _sum(group))}\n" for name, group in named
    )


def _sum(phases: list[Phase]) -> Window:
    return sum((one.window for one in phases), Window())


def _say(words: str) -> None:
    sys.stdout.write(words)
    sys.stdout.flush()


def soaked(node: Node, timeline: Timeline, rounds: int) -> int:
    """Run, print, and return how many requests were lost."""
    shop = shops.opened(node, timeline, "soak", metrics=[], **routed.spec(*WEIGHTS))
    running = begun(shop, load.DURATION_MAX_SECONDS)
    phases = []
    try:
        for phase in running.phases(range(1, rounds + 1)):
            phases.append(phase)
            _say(f"{running.round:3}   {phase}\n")
    finally:
        total = running.crowd.stop()
        _say(f"\n{summary(phases)}")
        for version, response in running.crowd.lost():
            _say(f"lost: {version} {response}\n")
    _say(f"{total.requests} requests, {total.lost} lost\n")
    return total.lost


def main() -> int:
    """Soak, print, and return the exit code."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with (
        tempfile.TemporaryDirectory(prefix="headgate-soak-") as folder,
        nodes.running(f"soak-{os.getpid()}") as node,
    ):
        node.install_crd()
        with Timeline(node) as timeline, nodes.operated(node, Path(folder)):
            return int(soaked(node, timeline, rounds) > 0)


if __name__ == "__main__":
    sys.exit(main())
