"""What a rollout costs the API server, in requests by verb and resource, and what rest costs it.

Counted in the API server's own audit log. Events are counted apart: they are for people, and posted beside the work.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from bench import audit, crowd, raw
from bench.audit import Call
from bench.crowd import Member
from bench.figures import Budget, Figure
from bench.scope import Scope
from bench.stage import Say, Stage, running
from tests.prometheus.scripts import constant

SECTION: Final = "writes"
WEIGHTS: Final = (10, 20, 40, 60, 80)
CANARY_BUDGET: Final = Budget(14 + 4 * len(WEIGHTS))
REST_BUDGET: Final = Budget(0)
EVENTS: Final = "events"
REPLAYS: Final = 3
"""Of what a whole canary asks for."""


def measure(scope: Scope, say: Say) -> Iterator[Figure]:
    """Measure whole canaries, aborts, promotions and rest."""
    with running("writes", say) as stage:
        stage.prometheus.script(constant(0.01))
        whole, gated = (crowd.members(name, scope.canaries, 1) for name in ("whole", "gated"))
        promoted = crowd.members("promoted", scope.canaries, 1)
        everybody = [*whole, *gated, *promoted]
        crowd.create(
            stage.client,
            {
                one: {
                    "replicas": 10,
                    "strategy": crowd.steps(*WEIGHTS, pause=None if one in whole else {}),
                    "traffic": crowd.road(one, "1s"),
                    "analysis": {"metrics": [crowd.metric(one, passesToAdvance=1)]} if one in whole else {},
                }
                for one in everybody
            },
        )
        stage.operator.start()
        crowd.wait(stage, everybody, crowd.at_rest, "at rest", 120)
        stage.quiet()
        say(f"{len(whole)} canaries with {len(WEIGHTS)} weights, each behind a route")
        taken = {"canary": _taken(stage, whole, lambda: crowd.ship(stage.client, whole, "v2"), crowd.at_rest)}
        crowd.ship(stage.client, [*gated, *promoted], "v2")
        crowd.wait(stage, [*gated, *promoted], crowd.at_weight(WEIGHTS[0]), "at the first weight", 120)
        stage.quiet()
        taken["abort"] = _taken(stage, gated, lambda: _tell(stage, gated, "abort"), crowd.taken_back)
        taken["promotion"] = _taken(stage, promoted, lambda: _tell(stage, promoted, "promote-full"), crowd.at_rest)
        at_rest = _rest(stage, scope.rest_seconds)
        stage.operator.stop()
        for name, calls in taken.items():
            yield from _figures(stage, name, calls)
        yield _rest_figure("requests", at_rest, scope, lambda call: call.verb != "watch")
        yield _rest_figure("writes", at_rest, scope, lambda call: call.is_write)


def _tell(stage: Stage, members: Sequence[Member], command: str) -> None:
    for member in members:
        value = "now" if command == "abort" else stage.client.get(member.path)["status"]["canary"]["hash"]
        stage.client.merge(member.path, {"metadata": {"annotations": {f"headgate.dev/{command}": value}}})


def _taken(stage: Stage, members: Sequence[Member], begin: Callable[[], None], ended: crowd.Test) -> list[list[Call]]:
    """Return the operator's calls for each of *members* from *begin* until it has *ended*."""
    since = stage.audit.mark()
    begin()
    crowd.wait(stage, members, ended, "its end", 300)
    stage.quiet()
    calls = [one for one in stage.audit.calls(since, audit.OPERATOR) if one.verb != "watch"]
    return [[one for one in calls if one.namespace == member.namespace] for member in members]


def _figures(stage: Stage, name: str, each: list[list[Call]]) -> Iterator[Figure]:
    writes = [[one for one in calls if one.is_write and one.resource != EVENTS] for calls in each]
    events = [[one for one in calls if one.resource == EVENTS] for calls in each]
    reads = [[one for one in calls if one.is_read] for calls in each]
    what = f"one {name} of {len(WEIGHTS)} weights, with a route" if name == "canary" else f"one {name}"
    budget = CANARY_BUDGET if name == "canary" else None
    for words, found, limit in (("writes", writes, budget), ("reads", reads, None), ("Events", events, None)):
        numbers = tuple(float(len(calls)) for calls in found)
        beside = (raw.beside(stage.client, found[-1], REPLAYS, "alone, plain client"),) if words != "Events" else ()
        counts = audit.counted(found[-1])
        note = ", ".join(f"{many} {' '.join(kind)}" for kind, many in counts.most_common(3))
        yield Figure(SECTION, f"{words} of {what}", words.lower(), numbers, limit, beside, note, audit.detail(counts))


def _rest(stage: Stage, seconds: int) -> list[Call]:
    stage.quiet()
    since = stage.audit.mark()
    stage.rest(seconds)
    return stage.audit.calls(since, audit.OPERATOR)


def _rest_figure(words: str, calls: Sequence[Call], scope: Scope, counts: Callable[[Call], bool]) -> Figure:
    found = [call for call in calls if counts(call)]
    samples = (len(found) * 60 / scope.rest_seconds,)
    detail = audit.detail(audit.counted(found))
    note = f"{3 * scope.canaries} Rollouts with routes, over {scope.rest_seconds} s"
    return Figure(SECTION, f"{words} a minute at rest", words, samples, REST_BUDGET, (), note, detail)
