"""What a rollout costs the API server, in requests by verb and resource, and what rest costs it.

Counted in the API server's own audit log. Events are counted apart: they are for people, and posted beside the work.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench import audit, crowd, raw
from bench.audit import Call
from bench.client import Json
from bench.crowd import Member
from bench.figures import Budget, Figure
from bench.scope import Scope
from bench.stage import REFRESH_SECONDS, Say, Stage, running
from tests.prometheus.scripts import constant

SECTION: Final = "writes"
WEIGHTS: Final = (10, 20, 40, 60, 80)
CANARY_BUDGET: Final = Budget(14 + 4 * len(WEIGHTS))
REST_BUDGETS: Final = {"requests": Budget(0.6), "writes": Budget(0)}
"""A minute: one request a kind in ten minutes."""
EVENTS: Final = "events"
REPLAYS: Final = 3
"""Of what a whole canary asks for."""


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure whole canaries, aborts, promotions and rest."""
    with running("writes", say) as stage:
        stage.prometheus.script(constant(0.01))
        plain, judged, aborted, promoted = (crowd.members(name, scope.canaries, 1) for name in _NAMES)
        everybody = [*plain, *judged, *aborted, *promoted]
        crowd.create(stage.client, {one: _spec(one, judged, (*plain, *judged)) for one in everybody})
        stage.operator.start()
        crowd.wait(stage, everybody, crowd.at_rest, "at rest", 120)
        stage.quiet()
        say(f"{len(plain)} canaries without and {len(judged)} with analysis, {len(WEIGHTS)} weights, behind routes")
        whole, halfway = [*plain, *judged], [*aborted, *promoted]
        crowd.ship(stage.client, halfway, "v2")
        crowd.wait(stage, halfway, crowd.at_weight(WEIGHTS[0]), "at the first weight", 120)
        stage.quiet()
        since = stage.audit.mark()
        crowd.ship(stage.client, whole, "v2")
        _tell(stage, aborted, "abort")
        _tell(stage, promoted, "promote-full")
        crowd.wait(stage, aborted, crowd.taken_back, "taken back", 300)
        crowd.wait(stage, [*whole, *promoted], crowd.at_rest, "promoted", 300)
        stage.quiet()
        taken = _taken(stage, since, everybody)
        at_rest = _rest(stage, scope.routed_rest_seconds)
        stage.operator.stop()
        for name, members in zip(_NAMES.values(), (plain, judged, aborted, promoted), strict=True):
            budget = CANARY_BUDGET if members[0] in whole else None
            yield from _figures(stage, name, [taken[member] for member in members], budget)
        if scope.routed_rest_seconds:
            yield _rest_figure("requests", at_rest, scope, lambda call: call.verb != "watch")
            yield _rest_figure("writes", at_rest, scope, lambda call: call.is_write)


_NAMES: Final = {
    "plain": f"a canary of {len(WEIGHTS)} weights",
    "judged": f"a canary of {len(WEIGHTS)} weights with analysis",
    "aborted": "an abort at the first weight",
    "promoted": "a promotion from the first weight",
}


def _spec(member: Member, judged: Sequence[Member], whole: Sequence[Member]) -> Json:
    spec = {
        "replicas": 10,
        "strategy": crowd.steps(*WEIGHTS, pause=None if member in whole else {}),
        "traffic": crowd.road(member, "1s"),
    }
    analysis = {"metrics": [crowd.metric(member, passesToAdvance=1)]}
    return {**spec, "analysis": analysis} if member in judged else spec


def _tell(stage: Stage, members: Sequence[Member], command: str) -> None:
    for member in members:
        value = "now" if command == "abort" else stage.client.get(member.path)["status"]["canary"]["hash"]
        stage.client.merge(member.path, {"metadata": {"annotations": {f"headgate.dev/{command}": value}}})


def _taken(stage: Stage, since: int, members: Sequence[Member]) -> dict[Member, list[Call]]:
    """Return the operator's calls for each of *members*: each has a namespace of its own."""
    calls = [one for one in stage.audit.calls(since, audit.OPERATOR) if one.verb != "watch"]
    return {member: [one for one in calls if one.namespace == member.namespace] for member in members}


def _figures(stage: Stage, name: str, each: list[list[Call]], budget: Budget | None) -> Iterator[Figure]:
    writes = [[one for one in calls if one.is_write and one.resource != EVENTS] for calls in each]
    events = [[one for one in calls if one.resource == EVENTS] for calls in each]
    reads = [[one for one in calls if one.is_read] for calls in each]
    if budget is not None:
        numbers = tuple(float(len(_to_healthy(calls))) for calls in writes)
        yield Figure(SECTION, f"writes of {name}, from apply to Healthy", "writes", numbers, budget)
    for words, found in (("writes", writes), ("reads", reads), ("Events", events)):
        numbers = tuple(float(len(calls)) for calls in found)
        beside = (raw.beside(stage.client, found[-1], REPLAYS, "alone, plain client"),) if words != "Events" else ()
        counts = audit.counted(found[-1])
        note = ", ".join(f"{many} {' '.join(kind)}" for kind, many in counts.most_common(3))
        yield Figure(SECTION, f"{words} of {name}", words.lower(), numbers, None, beside, note, audit.detail(counts))


def _to_healthy(writes: Sequence[Call]) -> Sequence[Call]:
    """Return the *writes* before those by which, after the drain, the old pods go: the Rollout is Healthy before."""
    ends = max((at for at, one in enumerate(writes) if one.resource == "deployments"), default=len(writes))
    return writes[:ends]


def _rest(stage: Stage, seconds: int) -> list[Call]:
    if not seconds:
        return []
    stage.quiet(REFRESH_SECONDS)
    since = stage.audit.mark()
    stage.rest(seconds)
    return stage.audit.calls(since, audit.OPERATOR)


def _rest_figure(words: str, calls: Sequence[Call], scope: Scope, counts: Callable[[Call], bool]) -> Figure:
    found = [call for call in calls if counts(call)]
    samples = (len(found) * 60 / scope.routed_rest_seconds,)
    detail = audit.detail(audit.counted(found))
    note = f"{len(_NAMES) * scope.canaries} Rollouts with routes, over {scope.routed_rest_seconds} s"
    return Figure(SECTION, f"{words} a minute at rest", words, samples, REST_BUDGETS[words], (), note, detail)
