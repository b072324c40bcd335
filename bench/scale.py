"""How it grows: memory, time to start, and work at rest for so many Rollouts.

Each size is reached by adding to the one before. An operator that brought all to rest is then replaced by a fresh one,
which finds nothing to do. A Rollout counts as reconciled once a pass over it has ended: the operator's own gauge
`headgate_rollouts` counts these, and the audit log is asked whether it has written anything.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Final

from bench import audit, crowd, usage
from bench.crowd import Member
from bench.figures import Beside, Budget, Figure
from bench.scope import Scope
from bench.stage import Say, Stage, running
from hack import cluster as clusters

SECTION: Final = "scale"
POLL_SECONDS: Final = 0.1
PERCENT: Final = 100.0
# By number of Rollouts: seconds to start, MiB at rest, percent of a core at rest.
START_BUDGETS: Final = {1000: Budget(4, "median"), 5000: Budget(20, "median")}
MEMORY_BUDGETS: Final = {1000: Budget(90), 5000: Budget(150)}
CPU_BUDGETS: Final = {5000: Budget(2)}
RESYNC_MINUTES: Final = 10
KINDS_WATCHED: Final = 6


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure all sizes."""
    with running("scale", say) as stage:
        there: list[Member] = []
        for size in scope.sizes:
            more = crowd.members("rest", size - len(there), scope.per_namespace, first=len(there))
            there += more
            _brought_to_rest(stage, scope, more, len(there))
            yield from _starts(stage, scope, len(there))
            yield from _rest(stage, scope, len(there))
            stage.operator.stop()


def _brought_to_rest(stage: Stage, scope: Scope, more: Sequence[Member], total: int) -> None:
    """Make *more* Rollouts, give them their history, and have an operator bring them to rest."""
    began = time.monotonic()
    stage.say(f"bringing {total} Rollouts to rest, {len(more)} of them new")
    one_step = crowd.steps(50)
    crowd.create(stage.client, {member: {"replicas": scope.pods, "strategy": one_step} for member in more})
    stage.operator.start()
    for number in range(1, scope.versions + 1):
        if number > 1:
            crowd.ship(stage.client, more, f"v{number}")
        crowd.wait(stage, more, crowd.at_rest, f"version {number} at rest", 120 + 2 * len(more))
    stage.operator.stop()
    # A fresh one writes at once what the last one would have written half a minute after its last write.
    stage.operator.start()
    stage.wait(lambda: reconciled(stage) >= total, f"{total} Rollouts reconciled", 600)
    stage.quiet(3.0)
    stage.say(f"{total} are at rest, after {time.monotonic() - began:.0f} s")


def reconciled(stage: Stage) -> int:
    """Return over how many Rollouts a pass has ended."""
    return int(stage.operator.metric("headgate_rollouts"))


def _starts(stage: Stage, scope: Scope, total: int) -> Iterator[Figure]:
    """Start operators, the last of which stays."""
    taken, cpu, server, since = [], [], [], 0
    for _ in range(scope.starts):
        stage.operator.stop()
        since, busy = stage.audit.mark(), usage.cpu_seconds(stage.server_pid)
        began = time.monotonic()
        stage.operator.start()
        stage.wait(lambda: reconciled(stage) >= total, f"{total} Rollouts reconciled", 600, POLL_SECONDS)
        taken.append(time.monotonic() - began)
        cpu.append(usage.cpu_seconds(stage.pid))
        server.append(usage.cpu_seconds(stage.server_pid) - busy)
    calls = [one for one in stage.audit.calls(since, audit.OPERATOR) if one.verb != "watch"]
    if written := [one for one in calls if one.is_write]:
        raise clusters.ClusterError(f"they were not at rest: {audit.detail(audit.counted(written))}")
    counts = audit.counted(calls)
    beside = (
        Beside("operator's CPU", tuple(cpu)),
        Beside("API server's CPU", tuple(server)),
        Beside("requests", (float(len(calls)),), "each start"),
    )
    name = f"{total:,} Rollouts: start → all reconciled"
    yield Figure(SECTION, name, "s", tuple(taken), START_BUDGETS.get(total), beside, "", audit.detail(counts))


def _rest(stage: Stage, scope: Scope, total: int) -> Iterator[Figure]:
    stage.quiet(3.0)
    since, began = stage.audit.mark(), time.monotonic()
    before = {pid: usage.cpu_seconds(pid) for pid in (stage.pid, stage.server_pid)}
    stage.rest(scope.rest_seconds)
    seconds = time.monotonic() - began
    shares = {pid: (usage.cpu_seconds(pid) - used) / seconds * PERCENT for pid, used in before.items()}
    calls = [one for one in stage.audit.calls(since, audit.OPERATOR) if one.verb != "watch"]
    held, peak = usage.resident_mib(stage.pid), usage.peak_mib(stage.pid)
    server = usage.resident_mib(stage.server_pid)
    name = f"{total:,} Rollouts at rest"
    besides = (Beside("at its peak", (peak,)), Beside("API server", (server,)))
    yield Figure(SECTION, f"{name}: RSS", "MiB", (held,), MEMORY_BUDGETS.get(total), besides)
    note = f"over {seconds:.0f} s"
    api = (Beside("API server", (shares[stage.server_pid],)),)
    yield Figure(SECTION, f"{name}: CPU", "% of a core", (shares[stage.pid],), CPU_BUDGETS.get(total), api, note)
    a_minute = (len(calls) * 60 / seconds,)
    budget = Budget(KINDS_WATCHED / RESYNC_MINUTES)
    detail = audit.detail(audit.counted(calls))
    yield Figure(SECTION, f"{name}: requests", "a minute", a_minute, budget, (), note, detail)
