"""How fast it reacts: from what it is told to the write that moves traffic, by the clocks of who told and who was told.

| begins with | ends with |
|---|---|
| Prometheus has sent the first failing answer | the API server has answered the PATCH of the route |
| the API server has answered the annotation `abort` | the same |
| the last event that makes a canary ready (Deployment or EndpointSlice) | the operator's next write about it comes in |
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bench import audit, crowd, raw
from bench.audit import Call
from bench.crowd import Member
from bench.figures import Budget, Figure
from bench.scope import Scope
from bench.stage import Say, Stage, running
from tests.prometheus.scripts import constant

SECTION: Final = "react"
IDLE_BUDGET: Final = Budget(50)
BUSY_BUDGET: Final = Budget(250)
WEIGHT: Final = 25
DRAIN: Final = "30m"
"""Longer than anybody looks: what follows a switch must not run into the next measurement."""
READY_AFTER: Final = "1s"
"""So that the canary's readiness comes alone, not with its creation."""
APART_SECONDS: Final = 0.5
LOG_SECONDS: Final = 2.0
"""The status says that it goes back before the route is written, and both before the log has it."""
IN_FLIGHT: Final = 2
"""Canaries that wait for their failing answer while another one gets it; they do nothing meanwhile."""
_BAD, _GOOD = 0.9, 0.01


@dataclasses.dataclass(frozen=True, slots=True)
class Groups:
    """The Rollouts that are looked at."""

    aborted: Sequence[Member]
    failing: Sequence[Member]
    failing_in_crowd: Sequence[Member]
    crowd: Sequence[Member]

    @property
    def everybody(self) -> list[Member]:
        """All of them."""
        return [*self.aborted, *self.failing, *self.failing_in_crowd, *self.crowd]


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure reactions at rest and in a crowd."""
    with running("react", say) as stage:
        stage.prometheus.script(constant(_BAD, match='rollout="failing'), constant(_GOOD))
        groups = _made(stage, scope)
        say(f"bringing {len(groups.everybody)} Rollouts with routes to rest")
        stage.operator.start()
        crowd.wait(stage, groups.everybody, crowd.at_rest, "at rest", 60 + len(groups.everybody))
        stage.quiet()
        aborts = _aborts(stage, groups.aborted)
        bad = _failures_at_rest(stage, groups.failing)
        _crowd_in_flight(stage, scope, groups.crowd)
        busy = _failures_in_crowd(stage, groups)
        stage.operator.stop()
        yield from _figures(stage, scope, (aborts, bad, busy))


def _figures(stage: Stage, scope: Scope, parts: tuple["Part", "Part", "Part"]) -> Iterator[Figure]:
    aborts, bad, busy = parts
    note = f"{scope.crowd} paused canaries, each measured every {scope.crowd_interval}"
    for part, name, budget, more in (
        (bad, "failing answer ready → route written, at rest", IDLE_BUDGET, ""),
        (busy, "failing answer ready → route written, in a crowd", BUSY_BUDGET, note),
        (aborts, "abort answered → route written, at rest", IDLE_BUDGET, ""),
    ):
        last = part.members[-1]
        calls = pass_to_route(part.calls, last, part.told[last])
        same = raw.beside(stage.client, calls, scope.replays)
        yield Figure(SECTION, name, "ms", part.taken, budget, (same,), more, _timeline(calls, part.told[last]))
    ready = tuple(event_to_decision(bad.calls, member) for member in bad.members)
    last = bad.members[-1]
    reads = [call for call in pass_to_route(bad.calls, last, 0) if call.is_read]
    same = raw.beside(stage.client, reads, scope.replays, f"the {len(reads)} reads before it, plain client")
    yield Figure(SECTION, "canary ready → next write begun", "ms", ready, None, (same,))


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Who was told what when, and what was asked of the API server meanwhile."""

    members: Sequence[Member]
    told: Mapping[Member, float]
    calls: Sequence[Call]

    @property
    def taken(self) -> tuple[float, ...]:
        """How many ms passed from the moment that each was told until the write to its route was answered."""
        ends = [route_write(self.calls, member, self.told[member]).ended for member in self.members]
        return tuple(
            (end - self.told[member]) * raw.MILLISECONDS for end, member in zip(ends, self.members, strict=True)
        )


# --- who is there -----------------------------------------------------------------------------------------------------


def _made(stage: Stage, scope: Scope) -> Groups:
    def some(name: str, count: int) -> list[Member]:
        return crowd.members(name, count, scope.per_namespace)

    groups = Groups(
        aborted=some("aborted", scope.reactions),
        failing=some("failing", scope.reactions),
        failing_in_crowd=some("failing-too", scope.reactions),
        crowd=some("crowd", scope.crowd),
    )
    every_second = {"failuresToRollback": 1}
    now_and_then = {**every_second, "interval": scope.crowd_interval}
    gated = crowd.steps(WEIGHT, pause={})
    wanted = {one: {"strategy": gated, "traffic": crowd.road(one, DRAIN), "replicas": 2} for one in groups.everybody}
    for member in groups.everybody:
        if member not in groups.aborted:
            more = now_and_then if member in groups.crowd else every_second
            wanted[member]["analysis"] = {"metrics": [crowd.metric(member, **more)]}
    crowd.create(stage.client, wanted)
    return groups


# --- what happens to them ---------------------------------------------------------------------------------------------


def _aborts(stage: Stage, members: Sequence[Member]) -> Part:
    """Abort canaries one by one."""
    crowd.ship(stage.client, members, "v2", READY_AFTER)
    crowd.wait(stage, members, crowd.at_weight(WEIGHT), f"at {WEIGHT} percent", 60 + len(members))
    stage.quiet()
    since = stage.audit.mark()
    for member in members:
        stage.client.merge(member.path, {"metadata": {"annotations": {"headgate.dev/abort": "now"}}})
        stage.rest(APART_SECONDS)
    crowd.wait(stage, members, crowd.going_back, "going back", 60)
    calls = stage.audit.calls(since, audit.OPERATOR, audit.ADMINISTRATOR)
    by_us = [call for call in calls if call.user == audit.ADMINISTRATOR and call.verb == "patch"]
    told = {member: next(call.ended for call in by_us if _names(call, "rollouts", member)) for member in members}
    return Part(members, told, calls)


def _failures_at_rest(stage: Stage, members: Sequence[Member]) -> Part:
    """Ship bad versions so that they fail one by one."""
    stage.prometheus.forget()
    since = stage.audit.mark()
    waiting: list[Member] = []
    for member in members:
        if len(waiting) == IN_FLIGHT:
            _gone_back(stage, waiting.pop(0))
        crowd.ship(stage.client, [member], "v2", READY_AFTER)
        waiting.append(member)
        stage.rest(APART_SECONDS)
    for member in waiting:
        _gone_back(stage, member)
    calls = stage.audit.calls(since, audit.OPERATOR, audit.DEPLOYMENTS, audit.ENDPOINTS)
    return Part(members, _first_answers(stage, members), calls)


def _gone_back(stage: Stage, member: Member) -> None:
    stage.wait(lambda: crowd.going_back(stage.client.get(member.path)), f"{member.name} going back", 60)


def _crowd_in_flight(stage: Stage, scope: Scope, members: Sequence[Member]) -> None:
    stage.say(f"shipping a version to {len(members)} Rollouts")
    crowd.ship(stage.client, members, "v2")
    crowd.wait(stage, members, crowd.at_weight(WEIGHT), f"at {WEIGHT} percent", 120 + len(members))
    # Now each of them is measured; two rounds, so that none is still at its first one.
    stage.rest(2 * float(scope.crowd_interval.removesuffix("s")))


def _failures_in_crowd(stage: Stage, groups: Groups) -> Part:
    """Ship bad versions one after the other while the crowd is in flight."""
    members = groups.failing_in_crowd
    stage.prometheus.forget()
    since = stage.audit.mark()
    for member in members:
        crowd.ship(stage.client, [member], "v2", READY_AFTER)
        stage.rest(APART_SECONDS)
    crowd.wait(stage, members, crowd.going_back, "going back", 60 + len(members))
    crowd.wait(stage, groups.crowd, crowd.at_weight(WEIGHT), "still in flight", 1)
    told = _first_answers(stage, members)

    stage.rest(LOG_SECONDS)
    calls = stage.audit.calls(since, audit.OPERATOR)
    # In a crowd a canary may fail before it has got any weight: then its route is as it should be.
    weighed = [member for member in members if _route_writes(calls, member, told[member])]
    return Part(weighed, told, calls)


def _first_answers(stage: Stage, members: Sequence[Member]) -> dict[Member, float]:
    """Return when each got its first answer, which is a failing one."""
    asked = stage.prometheus.asked()
    return {
        member: next(float(one["answered"]) for one in asked if f'rollout="{member.name}"' in one["query"])
        for member in members
    }


# --- reading the log --------------------------------------------------------------------------------------------------


def _names(call: Call, resource: str, member: Member) -> bool:
    return (call.resource, call.namespace, call.name) == (resource, member.namespace, member.name)


def route_write(calls: Sequence[Call], member: Member, since: float) -> Call:
    """Return the operator's first write to the member's route that began after *since*."""
    return min(_route_writes(calls, member, since), key=lambda call: call.began)


def _route_writes(calls: Sequence[Call], member: Member, since: float) -> list[Call]:
    return [one for one in calls if one.is_write and one.began >= since and _names(one, "httproutes", member)]


def pass_to_route(calls: Sequence[Call], member: Member, since: float) -> list[Call]:
    """Return the operator's calls of the pass that made that write, up to it."""
    ours = [one for one in calls if one.user == audit.OPERATOR and one.verb != "watch"]
    route = route_write(ours, member, since)
    looks = [one.began for one in ours if one.verb == "get" and _names(one, "rollouts", member)]
    began = max(moment for moment in looks if moment <= route.began)
    mine = [one for one in ours if one.namespace == member.namespace and (one.about(member.name) or _of_pods(one))]
    return [one for one in mine if began <= one.began <= route.began and one.resource != "events"]


def _of_pods(call: Call) -> bool:
    return call.resource == "pods"  # selected by a hash, which says as much as the name


def _timeline(calls: Sequence[Call], told: float) -> dict[str, float]:
    """Return when each of *calls* was answered, in ms after it was *told*, with how long the server took for it."""
    return {
        f"{at}: {call.verb} {call.resource}, {(call.ended - call.began) * raw.MILLISECONDS:.1f} ms": (
            (call.ended - told) * raw.MILLISECONDS
        )
        for at, call in enumerate(sorted(calls, key=lambda call: call.ended), start=1)
    }


def event_to_decision(calls: Sequence[Call], member: Member) -> float:
    """Return how many ms passed from the last event that made the canary ready until the next write came in."""
    route = route_write([one for one in calls if one.user == audit.OPERATOR], member, 0)
    events = [one for one in calls if one.user != audit.OPERATOR and one.is_write and _of(member, one)]
    ready = max(one.ended for one in events if one.ended <= route.ended)
    writes = [one.began for one in calls if one.user == audit.OPERATOR and one.is_write and one.about(member.name)]
    return (min(began for began in writes if began >= ready) - ready) * raw.MILLISECONDS


def _of(member: Member, call: Call) -> bool:
    kinds = ("deployments/status", "endpointslices")
    return call.namespace == member.namespace and call.resource in kinds and call.name.startswith(f"{member.name}-")
